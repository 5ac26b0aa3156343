package host_test

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/wasmtest"
	"github.com/obsd-io/obsd/runtime/host"
)

// growing is a guest whose memory, of 4 pages, gets one more with each call.
var growing = wasmtest.Plugin{Process: wasmtest.Code{0x41, 1, 0x40, 0, 0x1a, 0x42, 0}}

// An instance with much memory is closed when it comes back, and another made when one is wanted.
func TestRecycle(t *testing.T) {
	p := load(t, settings(growing)) // at most 16 pages, so 12 are too many
	for range 8 {
		require.NoError(t, call(t.Context(), p))
	}
	require.Equal(t, host.Stats{Instances: 1, Idle: 1, Memory: 12 << 16, MemoryHighWater: 12 << 16, Created: 1}, p.Stats())
	inst, err := p.Acquire(t.Context())
	require.NoError(t, err)
	require.False(t, inst.Worn())
	_, _, err = inst.Process(t.Context(), 0, callFuel)
	require.NoError(t, err)
	require.True(t, inst.Worn())
	p.Release(t.Context(), inst)
	require.Equal(t, host.Stats{MemoryHighWater: 13 << 16, Created: 1, Recycled: 1}, p.Stats())
	require.NoError(t, call(t.Context(), p))
	require.Equal(t, host.Stats{Instances: 1, Idle: 1, Memory: 5 << 16, MemoryHighWater: 13 << 16, Created: 2, Recycled: 1}, p.Stats())
}

// An instance that begins with most of its memory is not worn from the start.
func TestRecycleLargeStart(t *testing.T) {
	large := growing
	large.Pages = 14
	p := load(t, settings(large))
	require.NoError(t, call(t.Context(), p))
	require.Equal(t, host.Stats{Instances: 1, Idle: 1, Memory: 15 << 16, MemoryHighWater: 15 << 16, Created: 1}, p.Stats())
	require.NoError(t, call(t.Context(), p))
	require.EqualValues(t, 1, p.Stats().Recycled)
}

func TestFlush(t *testing.T) {
	flushing := wasmtest.Plugin{
		Manifest: `{"name":"x","signals":["logs"],"reads":[],"stateful":true,"flush":"10s"}`,
		Flush:    wasmtest.Code{0x20, 0}, // returns its parameter
	}
	p := load(t, settings(flushing))
	inst, err := p.Acquire(t.Context())
	require.NoError(t, err)
	result, used, err := inst.Flush(t.Context(), 1234, callFuel)
	require.NoError(t, err)
	require.EqualValues(t, 1234, result)
	require.Positive(t, used)
	p.Release(t.Context(), inst)

	flushing.Flush = wasmtest.Forever()
	p = load(t, settings(flushing))
	inst, err = p.Acquire(t.Context())
	require.NoError(t, err)
	_, _, err = inst.Flush(t.Context(), 0, callFuel)
	require.EqualError(t, err, `plugin "wasm/x": flush: `+about(p, outOfFuel))
	p.Release(t.Context(), inst)

	p = load(t, settings(wasmtest.Plugin{}))
	inst, err = p.Acquire(t.Context())
	require.NoError(t, err)
	result, used, err = inst.Flush(t.Context(), 0, callFuel)
	require.NoError(t, err)
	require.Zero(t, result)
	require.Zero(t, used)
	p.Release(t.Context(), inst)
}

// Close waits for what is out, lets nobody in, and can be taken up again after its context ended.
func TestClose(t *testing.T) {
	p, err := host.Load(t.Context(), settings(wasmtest.Plugin{}))
	require.NoError(t, err)
	inst, err := p.Acquire(t.Context())
	require.NoError(t, err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.EqualError(t, p.Close(ended), `plugin "wasm/x": close: canceled: 1 of its instances are still at work: context canceled`)
	_, err = p.Acquire(t.Context())
	require.EqualError(t, err, `plugin "wasm/x": acquire: canceled: the plugin is closed`)
	_, _, err = inst.Process(t.Context(), 0, callFuel)
	require.NoError(t, err, "what is out may end its work")
	closed := make(chan error)
	go func() { closed <- p.Close(t.Context()) }()
	p.Release(t.Context(), inst)
	require.NoError(t, <-closed)
	require.NoError(t, p.Close(t.Context()))
	require.Zero(t, p.Stats().Instances)
}

// A caller that waits for an instance is told when the plugin closes.
func TestCloseWakes(t *testing.T) {
	p, err := host.Load(t.Context(), settings(wasmtest.Plugin{Manifest: `{"name":"x","signals":["logs"],"reads":[],"stateful":true}`}))
	require.NoError(t, err)
	inst, err := p.Acquire(t.Context())
	require.NoError(t, err)
	waited := make(chan error)
	go func() {
		_, err := p.Acquire(context.Background())
		waited <- err
	}()
	closed := make(chan error)
	go func() { closed <- p.Close(context.Background()) }()
	require.EqualError(t, <-waited, `plugin "wasm/x": acquire: canceled: the plugin is closed`)
	p.Release(t.Context(), inst)
	require.NoError(t, <-closed)
}

// Many callers over few instances that trap, wear out and work, while the plugin closes: each call ends well or with an
// error that says why, and nothing hangs.
func TestHammerClose(t *testing.T) {
	for name, plugin := range map[string]wasmtest.Plugin{"good": {}, "traps": {Process: wasmtest.Unreachable()}, "grows": growing} {
		t.Run(name, func(t *testing.T) {
			p, err := host.Load(t.Context(), settings(plugin))
			require.NoError(t, err)
			var wg sync.WaitGroup
			var done atomic.Int64
			half := make(chan struct{})
			for range 8 {
				wg.Go(func() {
					for {
						err := call(context.Background(), p)
						if done.Add(1) == 200 {
							close(half)
						}
						if err != nil && err.Error() == `plugin "wasm/x": acquire: canceled: the plugin is closed` {
							return
						}
						if err != nil && name != "traps" {
							t.Error(err)
							return
						}
						p.Stats()
					}
				})
			}
			<-half
			require.NoError(t, p.Close(context.Background()))
			wg.Wait()
			stats := p.Stats()
			require.Zero(t, stats.Instances)
			require.Zero(t, stats.Memory)
		})
	}
}

// Instances that are thrown away leave nothing behind, though the plugin's runtime lives on.
func TestDiscardsDoNotLeak(t *testing.T) {
	p := load(t, settings(wasmtest.Plugin{Process: wasmtest.Unreachable()}))
	discard := func(n int) (heap uint64, goroutines int) {
		for range n {
			require.Error(t, call(t.Context(), p))
		}
		runtime.GC()
		runtime.GC() // what finalizers held
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc, runtime.NumGoroutine()
	}
	heap, goroutines := discard(100)
	after, goroutinesAfter := discard(1000)
	t.Logf("heap %d kB, then %d kB; goroutines %d, then %d", heap>>10, after>>10, goroutines, goroutinesAfter)
	require.Less(t, int64(after)-int64(heap), int64(1<<20), "an instance has 256 KiB")
	require.LessOrEqual(t, goroutinesAfter, goroutines+2)
	require.EqualValues(t, 1100, p.Stats().Discarded)
}

// A float select is computed as the specification says (wazero 1.12.0 has a bug there, see runtime/wasmbin): the guest
// picks one of two numbers by what lies at address 0, and returns it as an i64.
func TestFloatSelect(t *testing.T) {
	pick := slices.Concat(
		wasmtest.Code{0x44, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f}, // f64.const 1.5
		wasmtest.Code{0x44, 0, 0, 0, 0, 0, 0, 0x04, 0x40}, // f64.const 2.5
		wasmtest.I32(0), wasmtest.Code{0x28, 2, 0, 0x1b}, // i32.load, select
		wasmtest.Code{0x44, 0, 0, 0, 0, 0, 0, 0x24, 0x40, 0xa2, 0xb0}, // f64.const 10, f64.mul, i64.trunc_f64_s
	)
	p := load(t, settings(wasmtest.Plugin{Process: pick}))
	inst, err := p.Acquire(t.Context())
	require.NoError(t, err)
	defer p.Release(t.Context(), inst)
	for condition, want := range map[byte]uint64{0: 25, 1: 15} {
		inst.Memory()[0] = condition
		result, _, err := inst.Process(t.Context(), 0, callFuel)
		require.NoError(t, err)
		require.Equal(t, want, result)
	}
}

// The engine is the one that wazero says it takes; the test machines compile.
func TestEngine(t *testing.T) {
	mode, why := load(t, settings(wasmtest.Plugin{})).Engine()
	switch mode {
	case host.Compiler:
		require.Empty(t, why)
	case host.Interpreter:
		require.NotEmpty(t, why)
	default:
		t.Fatal(mode)
	}
	if runtime.GOARCH == "amd64" && runtime.GOOS == "linux" {
		require.Equal(t, host.Compiler, mode)
	}
}

// A guest's own text goes with its error.
func TestOutput(t *testing.T) {
	p := load(t, settings(wasmtest.Plugin{
		Imports: []wasmtest.Import{fdWrite},
		Data:    map[uint32][]byte{0: {64, 0, 0, 0, 5, 0, 0, 0, 69, 0, 0, 0, 7, 0, 0, 0}, 64: []byte("panic: bad row\n")},
		Process: slices.Concat(calls(2, 0, 2, 32), wasmtest.Code{opDrop}, wasmtest.Unreachable()),
	}))
	require.EqualError(t, call(t.Context(), p), `plugin "wasm/x": process: trap: wasm error: unreachable; the guest wrote: panic: bad r`)
}
