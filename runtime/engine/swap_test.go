package engine

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/obsd-io/obsd/internal/wasmtest"
	"github.com/obsd-io/obsd/runtime/abi"
)

// two are modules that leave different marks: the first sets the time, the second the observed time.
func two() (a, b []byte) {
	second := stamp(2)
	second.Field = abi.FieldObservedTime
	return stamp(1).Module(), second.Module()
}

// marks says which of the two modules worked on a record: 1, 2, 3 for both, 0 for none.
func marks(r plog.LogRecord) int {
	return b2i(r.Timestamp() == 1) + 2*b2i(r.ObservedTimestamp() == 2)
}

// writers work on batches until stopped, and hold each against what must be: no row is lost or doubled, and one version
// alone worked on all rows of a batch.
type writers struct {
	wg      sync.WaitGroup
	stop    atomic.Bool
	batches atomic.Int64
	mu      sync.Mutex
	wrong   []string
	slowest []time.Duration
}

func (w *writers) start(e *Engine, n, rows int) {
	for range n {
		w.wg.Go(func() {
			for !w.stop.Load() {
				w.one(e, rows)
			}
		})
	}
}

func (w *writers) one(e *Engine, rows int) {
	ld := numbered(rows)
	started := time.Now()
	left, err := settleLogs(context.Background(), e, ld)
	took := time.Since(started)
	w.batches.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slowest = append(w.slowest, took)
	if err != nil || left != rows {
		w.wrong = append(w.wrong, fmt.Sprintf("%d rows of %d left: %v", left, rows, err))
		return
	}
	first := marks(recordsOf(ld).At(0))
	for i, r := range recordsOf(ld).All() {
		if m := marks(r); m != first || m != 1 && m != 2 || r.Body().Str() != fmt.Sprint("line ", i) {
			w.wrong = append(w.wrong, fmt.Sprintf("row %d, %q: marks %d, the first row has %d", i, r.Body().Str(), m, first))
			return
		}
	}
}

func (w *writers) end(t testing.TB) {
	t.Helper()
	w.stop.Store(true)
	w.wg.Wait()
	require.Empty(t, w.wrong)
}

// 1,000 swaps under load: each row is delivered once, worked on by one version, and nothing grows.
func TestSwapUnderLoad(t *testing.T) {
	swaps := 1000
	if testing.Short() {
		swaps = 50
	}
	a, b := two()
	c := configFor(t, a)
	c.OnError, c.Swap.ShadowBatches = Fail, 1
	e := mustLoad(t, c)
	modules := []func() error{}
	for _, m := range [][]byte{b, a} {
		m := module(t, m)
		modules = append(modules, func() error { _, err := e.swap(t.Context(), m); return err })
	}
	w := &writers{}
	w.start(e, 2, 100)
	var heap, goroutines uint64
	for i := range swaps {
		require.NoError(t, modules[i%2]())
		if i == swaps/5 {
			heap, goroutines = footprint()
		}
	}
	w.end(t)
	heapAfter, goroutinesAfter := footprint()
	t.Logf("heap %d kB, then %d kB; goroutines %d, then %d", heap>>10, heapAfter>>10, goroutines, goroutinesAfter)
	require.LessOrEqual(t, goroutinesAfter, goroutines)
	require.Less(t, heapAfter, heap+heap/2+4<<20)
	require.Positive(t, w.batches.Load())
}

func footprint() (heap, goroutines uint64) {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, uint64(runtime.NumGoroutine())
}

// serves says which of the two modules serves, by what it does.
func serves(t *testing.T, e *Engine) int {
	t.Helper()
	ld := numbered(1)
	_, err := settleLogs(t.Context(), e, ld)
	require.NoError(t, err)
	return marks(recordsOf(ld).At(0))
}

func TestSwapRefused(t *testing.T) {
	a, _ := two()
	c := configFor(t, a)
	e := mustLoad(t, c)
	f := func(name string, b []byte, want Outcome, text string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			outcome, err := e.swap(t.Context(), module(t, b))
			require.Equal(t, want, outcome)
			require.ErrorContains(t, err, text)
			require.Equal(t, 1, serves(t, e))
		})
	}
	f("no plugin", []byte("\x00asm\x01\x00\x00\x00"), Refused, `plugin "wasm/x": load: not an obsd plugin: it does not export obsd_abi_v1`)
	f("columns", wasmtest.Plugin{Manifest: `{"name":"x","signals":["logs"],"reads":["boby"]}`}.Module(), Refused, `plugin "wasm/x": manifest: reads: unknown column "boby"`)
	f("start", wasmtest.Plugin{Manifest: stampManifest, Start: wasmtest.Unreachable()}.Module(), Refused, `plugin "wasm/x": load: trap: `)
}

// A new module must not fail on live rows that the running one manages; where that one fails too, it may.
func TestTrial(t *testing.T) {
	mild := stamp(1)
	mild.Mild = true
	c := configFor(t, mild.Module())
	c.Circuit.Failures = 100_000
	e := mustLoad(t, c)
	feed := func(body string) (stop func()) {
		var w writers
		w.wg.Go(func() {
			for !w.stop.Load() {
				_, _ = settleLogs(context.Background(), e, logs("ok", body))
			}
		})
		return func() { w.stop.Store(true); w.wg.Wait() }
	}
	stop := feed("!")
	outcome, err := e.swap(t.Context(), module(t, stamp(2).Module()))
	stop()
	require.Equal(t, FailedTrial, outcome)
	require.EqualError(t, err, `trial on live records: failed on 1 of 2, where the running module failed on 0, the first time: plugin "wasm/x": process: trap: wasm error: unreachable`)
	stop = feed("?")
	outcome, err = e.swap(t.Context(), module(t, stamp(2).Module()))
	stop()
	require.NoError(t, err)
	require.Equal(t, Swapped, outcome)
}

// On probation a module that fails where the former one does not gives way to it at once.
func TestRollBack(t *testing.T) {
	tel, set := newTelemetry(t)
	mild := stamp(1)
	mild.Mild = true
	c := configFor(t, mild.Module())
	c.Swap.ShadowBatches, c.OnError = 0, Pass
	e, err := tryLoad(t, c, set)
	require.NoError(t, err)
	_, b := two()
	m := module(t, b)
	_, err = e.swap(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, 2, serves(t, e))
	require.True(t, e.Page().Probation)

	_, err = settleLogs(t.Context(), e, logs("?")) // both fail on this
	require.NoError(t, err)
	require.Equal(t, 2, serves(t, e))

	ld := logs("!", "ok")
	_, err = settleLogs(t.Context(), e, ld)
	require.NoError(t, err)
	require.Equal(t, 0, marks(recordsOf(ld).At(0))) // on_error: pass
	require.Equal(t, 2, marks(recordsOf(ld).At(1))) // the batch keeps its version
	require.Equal(t, 1, serves(t, e))
	require.False(t, e.Page().Probation)
	require.Equal(t, map[string]int64{"rolled back": 1}, e.Page().Swaps)
	require.Contains(t, tel.errorLogs(), `a changed module is not taken; the running one goes on: plugin "wasm/x": process: trap: wasm error: unreachable`)
	require.Contains(t, e.Page().LastRefusal, "trap: wasm error: unreachable")
}

// eventually waits for what another goroutine brings about.
func eventually(t *testing.T, what func() bool) {
	t.Helper()
	require.Eventually(t, what, time.Minute, 10*time.Millisecond)
}

// watched is an engine whose module is a file that is watched.
func watched(t *testing.T, path string) *Engine {
	t.Helper()
	c := configFor(t, nil)
	c.Module, c.Swap = path, Swap{Watch: true, Probation: time.Minute}
	e, err := tryLoad(t, c, componenttest.NewNopTelemetrySettings())
	require.NoError(t, err)
	return e
}

// A file that is written over or renamed over is taken; one that is no plugin is refused once.
func TestWatchFile(t *testing.T) {
	a, b := two()
	dir := t.TempDir()
	path := filepath.Join(dir, "x.wasm")
	require.NoError(t, os.WriteFile(path, a, 0o600))
	e := watched(t, path)
	require.Equal(t, 1, serves(t, e))
	require.NoError(t, os.WriteFile(path, b, 0o600))
	eventually(t, func() bool { return serves(t, e) == 2 })
	next := filepath.Join(dir, "next")
	require.NoError(t, os.WriteFile(next, a, 0o600))
	require.NoError(t, os.Rename(next, path))
	eventually(t, func() bool { return serves(t, e) == 1 })
	refused := e.Page().Swaps["refused"] // a file that was read before all of it was written
	require.NoError(t, os.WriteFile(next, []byte("\x00asm\x01\x00\x00\x00"), 0o600))
	require.NoError(t, os.Rename(next, path))
	eventually(t, func() bool { return e.Page().Swaps["refused"] > refused })
	require.Equal(t, 1, serves(t, e))
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.WriteFile(next, b, 0o600))
	require.NoError(t, os.Rename(next, path))
	eventually(t, func() bool { return serves(t, e) == 2 })
	require.Equal(t, refused+1, e.Page().Swaps["refused"])
}

// between is a host that is told when a module was fetched and is not watched yet.
type between struct {
	component.Component
	fetched func()
}

func (b between) GetExtensions() map[component.ID]component.Component {
	return map[component.ID]component.Component{component.MustNewID("board"): b}
}

func (b between) Show(string, func() Page) (remove func()) {
	b.fetched()
	return func() {}
}

// A file that changes after it was fetched and before it is watched is taken too: it takes time to compile what was fetched.
func TestChangeBeforeWatch(t *testing.T) {
	a, b := two()
	path := filepath.Join(t.TempDir(), "x.wasm")
	require.NoError(t, os.WriteFile(path, a, 0o600))
	c := configFor(t, nil)
	c.Module, c.Swap = path, Swap{Watch: true, Probation: time.Minute}
	t.Setenv("CACHE_DIRECTORY", t.TempDir())
	e := newEngine(testID, componenttest.NewNopTelemetrySettings(), c)
	require.NoError(t, e.start(t.Context(), between{fetched: func() { require.NoError(t, os.WriteFile(path, b, 0o600)) }}))
	t.Cleanup(func() { require.NoError(t, e.Close(context.Background())) })
	eventually(t, func() bool { return serves(t, e) == 2 })
}

// A port that shuts down while a module is swapped waits until the former one has handed on what it holds back.
func TestShutdownAtSwap(t *testing.T) {
	former := wasmtest.Plugin{
		Manifest: `{"name":"x","signals":["logs"],"reads":["body"],"emits":["logs"],"stateful":true,"flush":"1h"}`,
	}
	held := wasmtest.Result{Edits: []uint64{abi.Edit(0, abi.Keep, abi.OpNew, abi.Type(abi.SignalLogs)), 0}}
	memory, packed := held.Memory()
	at, _ := abi.Unpack(packed)
	former.Flush, former.Data = wasmtest.I64(int64(packed)), map[uint32][]byte{at: memory[at:]}
	c := configFor(t, former.Module())
	c.Swap = Swap{}
	t.Setenv("CACHE_DIRECTORY", t.TempDir())
	var sink consumertest.LogsSink
	p := new(Shared).Port(testID, componenttest.NewNopTelemetrySettings(), c, Use{Source: abi.SignalLogs, Target: abi.SignalLogs, Next: LogsSink(&sink)})
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	e := p.engine
	batch := e.hold() // a batch that is at work
	m, swapped := module(t, stamp(1).Module()), make(chan error)
	go func() {
		_, err := e.swap(context.Background(), m)
		swapped <- err
	}()
	eventually(t, func() bool { return e.current.Load() != batch })
	require.False(t, e.ending.TryLock(), "nothing keeps a port from ending")
	ended := make(chan error)
	go func() { ended <- p.Shutdown(context.Background()) }()
	batch.letGo()
	require.NoError(t, <-ended)
	require.Equal(t, 1, sink.LogRecordCount())
	require.NoError(t, <-swapped)
}

// A module behind https:// is asked for at poll_interval, and taken when it changed.
func TestPollHTTPS(t *testing.T) {
	a, b := two()
	var served atomic.Pointer[[]byte]
	served.Store(&a)
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(*served.Load()) }))
	t.Cleanup(site.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: site.Certificate().Raw}), 0o600))
	c := configFor(t, nil)
	c.Module, c.Remote.CAFile, c.PollInterval = site.URL+"/x.wasm", ca, time.Second
	c.Swap = Swap{Watch: true, Probation: time.Minute}
	e := mustLoad(t, c)
	require.Equal(t, 1, serves(t, e))
	served.Store(&b)
	eventually(t, func() bool { return serves(t, e) == 2 })
	none := []byte("no module")
	served.Store(&none)
	eventually(t, func() bool { return e.Page().LastRefusal != "" })
	require.Equal(t, 2, serves(t, e))
}

// A source that does not answer is named once until it does, however often it is asked.
func TestSourceDoesNotAnswer(t *testing.T) {
	a, _ := two()
	var status atomic.Int64
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(status.Load()))
		_, _ = w.Write(a)
	}))
	t.Cleanup(site.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: site.Certificate().Raw}), 0o600))
	c := configFor(t, nil)
	c.Module, c.Remote.CAFile = site.URL+"/x.wasm", ca
	status.Store(http.StatusOK)
	tel, set := newTelemetry(t)
	e, err := tryLoad(t, c, set)
	require.NoError(t, err)
	for outage := range 2 {
		for _, code := range []int64{http.StatusServiceUnavailable, http.StatusBadGateway} { // two texts
			status.Store(code)
			require.False(t, e.refresh(t.Context()))
		}
		require.Contains(t, e.Page().LastRefusal, "502")
		require.EqualValues(t, outage+1, e.Page().Swaps["unavailable"])
		status.Store(http.StatusOK)
		require.False(t, e.refresh(t.Context()))
		require.Empty(t, e.Page().LastRefusal)
	}
	require.Equal(t, 2, tel.logs.FilterMessageSnippet("does not answer; the running one goes on").Len())
	require.Equal(t, 2, tel.logs.FilterMessageSnippet("answers again").Len())
	require.Empty(t, tel.errorLogs())
}

// A Kubernetes ConfigMap changes by a symbolic link: x.wasm → ..data/x.wasm, ..data → ..1.
func TestWatchConfigMap(t *testing.T) {
	a, b := two()
	dir := t.TempDir()
	for name, m := range map[string][]byte{"..1": a, "..2": b} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name, "x.wasm"), m, 0o600))
	}
	require.NoError(t, os.Symlink("..1", filepath.Join(dir, "..data")))
	path := filepath.Join(dir, "x.wasm")
	require.NoError(t, os.Symlink("..data/x.wasm", path))
	require.ElementsMatch(t, []string{dir, filepath.Join(dir, "..1")}, folders(path))
	e := watched(t, path)
	require.NoError(t, os.Symlink("..2", filepath.Join(dir, "..tmp")))
	require.NoError(t, os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")))
	eventually(t, func() bool { return serves(t, e) == 2 })
}
