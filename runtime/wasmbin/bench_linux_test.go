package wasmbin_test

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/cputime"
	"github.com/obsd-io/obsd/runtime/wasmbin"
)

// BenchmarkFuelOverhead runs each bundled plugin with and without fuel, in turns, and compares the least and the median
// time that they took. -benchtime=200x is enough.
func BenchmarkFuelOverhead(b *testing.B) {
	const rows = 256
	for _, p := range plugins {
		b.Run(p.name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			m := module(b, p.name)
			guests := [2]*guest{newGuest(b, m, p.config), newGuest(b, inject(b, m), p.config)}
			counter := fuelOf(guests[1].module)
			var times [2][]time.Duration
			for i, g := range guests {
				g.load(p.logs(rows))
				times[i] = make([]time.Duration, 0, b.N)
			}
			b.ResetTimer()
			for range b.N {
				counter.Set(uint64(plenty))
				for i, g := range guests {
					start := cputime.Thread(b)
					require.NoError(b, g.run())
					times[i] = append(times[i], cputime.Thread(b)-start)
				}
			}
			units := float64(plenty - int64(counter.Get()))
			var least, median [2]float64
			for i := range times {
				slices.Sort(times[i])
				least[i], median[i] = float64(times[i][0]), float64(times[i][b.N/2])
			}
			b.ReportMetric(least[0]/rows, "plain-ns/row")
			b.ReportMetric(least[1]/rows, "fuel-ns/row")
			b.ReportMetric(100*(least[1]/least[0]-1), "min-%")
			b.ReportMetric(100*(median[1]/median[0]-1), "median-%")
			b.ReportMetric(least[1]/units, "ns/unit")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkInject is the rewrite of a Go guest.
func BenchmarkInject(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	m := module(b, "accesslog")
	b.SetBytes(int64(len(m)))
	b.ReportAllocs()
	least := time.Hour
	for b.Loop() {
		start := cputime.Thread(b)
		if _, err := wasmbin.Inject(m, wasmbin.Options{Initial: 1}); err != nil {
			b.Fatal(err)
		}
		least = min(least, cputime.Thread(b)-start)
	}
	b.ReportMetric(float64(least.Microseconds())/1000, "least-ms")
}
