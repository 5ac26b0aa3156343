package host

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/obsd-io/obsd/runtime/wasmbin"
)

// rates say how long a unit of fuel takes on this machine, in nanoseconds.
type rates struct {
	// typical is that of code that parses text.
	typical float64
	// worst is that of the code that takes longest for its fuel.
	worst float64
}

// calibration measures the rates, once for the process: they are the machine's.
var calibration = sync.OnceValue(func() rates {
	r, err := calibrate(context.Background())
	if err != nil {
		panic(fmt.Sprintf("BUG: calibration: %v", err))
	}
	return r
})

// maxSpread is how many times the typical rate the worst may be: about four is what machines at rest show, and what is
// beyond was measured while others had the caches.
const maxSpread = 6

// calibrationPages is the memory of the calibration's guest, 4 MiB: more than the caches next to a core hold.
const calibrationPages = 64

// rounds is how often each function is measured; the shortest counts, since others may have had the processor meanwhile.
const rounds = 9

// calibrationRuns has the functions of the guest, and how much fuel each gets: some 0.2 ms. They turn until it is used up.
var calibrationRuns = map[string]int64{"parse": 1_500_000, "spin": 100_000, "divide": 400_000, "chase": 100_000}

// calibrate runs the functions of [calibrationGuest].
func calibrate(ctx context.Context) (rates, error) {
	b, err := wasmbin.Inject(calibrationGuest(), wasmbin.Options{Initial: math.MaxInt64})
	if err != nil {
		return rates{}, err
	}
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(features))
	defer func() { _ = r.Close(ctx) }()
	m, err := r.Instantiate(ctx, b)
	if err != nil {
		return rates{}, err
	}
	if _, err := m.ExportedFunction("fill").Call(ctx); err != nil {
		return rates{}, err
	}
	best := map[string]float64{}
	for range rounds {
		for name, fuel := range calibrationRuns { // in turns, so that who has the processor for a while holds up none in all its rounds
			rate, err := measure(ctx, m, name, fuel)
			if err != nil {
				return rates{}, err
			}
			if least, ok := best[name]; !ok || rate < least {
				best[name] = rate
			}
		}
	}
	out := rates{typical: best["parse"]}
	out.worst = min(slices.Max(slices.Collect(maps.Values(best))), maxSpread*out.typical)
	return out, nil
}

// measure gives the nanoseconds that a function takes for a unit.
func measure(ctx context.Context, m api.Module, name string, fuel int64) (float64, error) {
	counter, f := m.ExportedGlobal(wasmbin.FuelGlobal).(api.MutableGlobal), m.ExportedFunction(name)
	counter.Set(uint64(fuel))
	start := time.Now()
	_, err := f.Call(ctx)
	took := time.Since(start)
	if err == nil || int64(counter.Get()) >= 0 {
		return 0, fmt.Errorf("%s: ended with %d units left: %w", name, counter.Get(), err)
	}
	return float64(max(took, 1)) / float64(fuel), nil
}

// calibrationGuest is a module with functions without parameters and results, all but fill without an end:
//
//	chase   reads memory where what it read before says, which the caches help little with
//	divide  divides, each time by what came out before
//	fill    touches all memory, so that the kernel provides it
//	parse   looks for a byte in words of memory, and counts: typical work
//	spin    does nothing
func calibrationGuest() []byte {
	bodies := map[string][]byte{
		"chase": loop(
			0x20, 0, 0x20, 0, 0x28, 2, 0, 0x6a, // at + load32(at)
			0x41, 0xb5, 0xcf, 0x9f, 0x03, 0x6c, 0x41, 0xfb, 0xd3, 0xb5, 0x02, 0x6a, // * a + c
			0x41, 0xfc, 0xff, 0xff, 0x01, 0x71, 0x21, 0, // at = that & (4 MiB - 4)
		),
		"divide": loop(
			0x42, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x20, 1, 0x42, 3, 0x84, 0x80, 0x21, 1, // x = big / (x|3)
		),
		"fill": {0, 0x41, 0, 0x41, 1, 0x41, 0x80, 0x80, 0x80, 0x02, 0xfc, 11, 0, 0x0b}, // memory.fill(0, 1, 4 MiB)
		"parse": loop(
			0x20, 0, 0x29, 3, 0, 0x22, 1, // x = load64(at)
			0x42, 0xa0, 0xc0, 0x80, 0x81, 0x02, 0x85, 0x22, 2, // y = x ^ spaces
			0x42, 0x01, 0x7d, 0x20, 2, 0x42, 0x7f, 0x85, 0x83, 0x50, // (y-1) &^ y == 0
			0x04, 0x40, 0x20, 0, 0x41, 1, 0x6a, 0x21, 0, // if: at++
			0x05, 0x20, 0, 0x41, 8, 0x6a, 0x41, 0xff, 0x1f, 0x71, 0x21, 0, 0x0b, // else: at = (at+8) & 4095
			0x20, 0, 0x20, 1, 0x37, 3, 0x80, 0xc0, 0, // store64(at+8192, x)
		),
		"spin": loop(),
	}
	names := slices.Sorted(maps.Keys(bodies))
	count := byte(len(names))
	functions, exports, code := []byte{count}, []byte{count}, []byte{count}
	for i, n := range names {
		functions = append(functions, 0)
		exports = append(append(append(exports, byte(len(n))), n...), 0, byte(i))
		code = append(append(code, byte(len(bodies[n]))), bodies[n]...)
	}
	m := []byte("\x00asm\x01\x00\x00\x00")
	for _, s := range []struct {
		id      byte
		content []byte
	}{{1, []byte{1, 0x60, 0, 0}}, {3, functions}, {5, []byte{1, 0, calibrationPages}}, {sectionExport, exports}, {10, code}} {
		m = append(binary.AppendUvarint(append(m, s.id), uint64(len(s.content))), s.content...)
	}
	return m
}

// loop is a function's body that turns for ever, with the locals 0, an i32, and 1 and 2, i64s.
func loop(body ...byte) []byte {
	code := append([]byte{2, 1, api.ValueTypeI32, 2, api.ValueTypeI64, 0x03, 0x40}, body...)
	return append(code, 0x0c, 0, 0x0b, 0x0b) // br 0; end; end
}
