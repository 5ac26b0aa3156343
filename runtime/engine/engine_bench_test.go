package engine

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/plog"
)

func accessLogs(n int) plog.Logs {
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	records.EnsureCapacity(n)
	for i := range n {
		r := records.AppendEmpty()
		r.Body().SetStr(fmt.Sprintf(`10.1.%d.%d - - [23/Nov/2026:10:00:%02d +0000] "GET /api/v1/orders/%d HTTP/1.1" 200 %d "https://example.com/" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"`, i%256, i%200, i%60, i, 100+i))
		r.Attributes().PutStr("log.iostream", "stdout")
	}
	return ld
}

func accessLogEngine(b *testing.B) *Engine {
	b.Helper()
	c := NewConfig()
	c.Module, c.OnError, c.Limits.TimePerBatch = "builtin:accesslog", Fail, time.Second
	e, err := Load(context.Background(), testID, componenttest.NewNopTelemetrySettings(), &c)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = e.Close(context.Background()) })
	return e
}

// BenchmarkAccessLog is a line parsed into 8 attributes by the bundled Go plugin: layout, call and edits.
func BenchmarkAccessLog(b *testing.B) {
	e := accessLogEngine(b)
	const rows = 1000
	source := accessLogs(rows)
	b.ReportAllocs()
	b.StopTimer()
	for range b.N {
		ld := plog.NewLogs()
		source.CopyTo(ld)
		b.StartTimer()
		if _, err := settleLogs(b.Context(), e, ld); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if n := recordsOf(ld).At(rows - 1).Attributes().Len(); n != 9 {
			b.Fatal(n, recordsOf(ld).At(rows-1).Attributes().AsRaw())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/record")
	b.ReportMetric(float64(e.Page().Calls)/float64(b.N), "calls/op")
}

// BenchmarkParallel is the same on 1 and 2 processors: records a second must grow by 1.8, since nothing is locked.
func BenchmarkParallel(b *testing.B) {
	const rows = 1000
	source := accessLogs(rows)
	for _, procs := range []int{1, 2} {
		b.Run(fmt.Sprintf("procs=%d", procs), func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			e := accessLogEngine(b)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					ld := plog.NewLogs()
					source.CopyTo(ld)
					if _, err := settleLogs(context.Background(), e, ld); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkSwapLatency is how long batches of two writers take alone, while modules are swapped all the time, and, to compare,
// while something else takes a processor all the time. The 99th percentile while swapping should be at most twice that alone.
func BenchmarkSwapLatency(b *testing.B) {
	first, second := two()
	ms := [...][]byte{second, first}
	for _, bc := range []struct {
		name      string
		meanwhile func(b *testing.B, e *Engine, round int)
	}{
		{"alone", func(*testing.B, *Engine, int) { time.Sleep(time.Millisecond) }}, // a benchmark's, while others work
		{"busy", func(_ *testing.B, _ *Engine, round int) { sink = work(round) }},
		{"swapping", func(b *testing.B, e *Engine, round int) {
			_, err := e.swap(context.Background(), module(b, ms[round%2]))
			require.NoError(b, err)
		}},
	} {
		b.Run(bc.name, func(b *testing.B) {
			c := configFor(b, first)
			c.OnError = Fail
			e, err := Load(context.Background(), testID, componenttest.NewNopTelemetrySettings(), c)
			require.NoError(b, err)
			defer func() { require.NoError(b, e.Close(context.Background())) }()
			w := &writers{}
			w.start(e, 2, 1000)
			rounds := 0
			for ; w.batches.Load() < int64(b.N); rounds++ {
				bc.meanwhile(b, e, rounds)
			}
			w.end(b)
			slices.Sort(w.slowest)
			b.ReportMetric(float64(w.slowest[len(w.slowest)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(w.slowest[len(w.slowest)*99/100].Microseconds()), "p99-µs")
			b.ReportMetric(float64(rounds), "rounds")
		})
	}
}

// sink keeps what work returns, so that it is not left out.
var sink int

// work takes a processor for about a millisecond, and no memory.
func work(n int) int {
	for i := range 1_000_000 {
		n = n*31 + i
	}
	return n
}
