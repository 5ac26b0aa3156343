package table_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/obsd-io/obsd/internal/wasmtest"
	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/table"
)

// A batch, and the rows of one call: caches hold the result of a call, as they do in the daemon.
const (
	benchRows = 1000
	benchCall = 250
)

var (
	benchTexts   = []string{"client.address", "http.request.method", "url.path", "network.protocol.version", "http.request.header.referer", "user_agent.original"}
	benchNumbers = []string{"http.response.status_code", "http.response.body.size"}
)

// stopwatch measures batches. Beside the mean it reports the fastest, which a busy machine does not change.
type stopwatch struct {
	started time.Time
	best    time.Duration
}

func newStopwatch() *stopwatch { return &stopwatch{best: math.MaxInt64} }

func (w *stopwatch) start() { w.started = time.Now() }

func (w *stopwatch) stop() { w.add(0) }

// add is stop for a batch part of which was measured before.
func (w *stopwatch) add(before time.Duration) { w.best = min(w.best, before+time.Since(w.started)) }

func (w *stopwatch) report(b *testing.B) {
	b.Helper()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/record")
	b.ReportMetric(float64(w.best.Nanoseconds())/benchRows, "best-ns/record")
}

func benchLogs() plog.Logs {
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	records.EnsureCapacity(benchRows)
	for i := range benchRows {
		r := records.AppendEmpty()
		r.Body().SetStr(fmt.Sprintf(`10.1.%d.%d - - [23/Nov/2026:10:00:00 +0000] "GET /api/v1/orders/%d HTTP/1.1" 200 %d "https://example.com/" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"`, i%256, i%200, i, 100+i))
		r.Attributes().PutStr("log.iostream", "stdout")
	}
	return ld
}

// benchMetrics has sums of ten points each.
func benchMetrics() pmetric.Metrics {
	md := pmetric.NewMetrics()
	metrics := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	for i := range benchRows / 10 {
		m := metrics.AppendEmpty()
		m.SetName(fmt.Sprintf("http.server.requests.%d", i))
		points := m.SetEmptySum().DataPoints()
		for k := range 10 {
			p := points.AppendEmpty()
			p.SetIntValue(int64(k))
			p.SetTimestamp(1)
			p.Attributes().PutStr("http.route", "/api/v1/orders")
		}
	}
	return md
}

func benchTraces() ptrace.Traces {
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := range benchRows {
		s := spans.AppendEmpty()
		s.SetName(fmt.Sprintf("GET /api/v1/orders/%d", i))
		s.SetStartTimestamp(1)
		s.SetEndTimestamp(2)
		s.Attributes().PutStr("http.route", "/api/v1/orders")
	}
	return td
}

func benchEncode(b *testing.B, d table.Data, m abi.Manifest) {
	b.Helper()
	s := table.NewSession(plan(b, m))
	var l table.Table
	rows, buf, w := span(0, benchRows), make([]byte, 1<<20), newStopwatch()
	b.ReportAllocs()
	for b.Loop() {
		w.start()
		l.Reset(d)
		s.Encode(buf[:s.Measure(&l, rows)], 1)
		w.stop()
	}
	w.report(b)
}

// BenchmarkEncode lays out a batch.
func BenchmarkEncode(b *testing.B) {
	logs := func(reads ...string) abi.Manifest {
		return abi.Manifest{Signals: []string{"logs"}, Reads: reads}
	}
	b.Run("body", func(b *testing.B) { benchEncode(b, table.LogsOf(benchLogs()), logs("body")) })
	b.Run("body,time", func(b *testing.B) { benchEncode(b, table.LogsOf(benchLogs()), logs("body", "time")) })
	b.Run("attributes", func(b *testing.B) { benchEncode(b, table.LogsOf(benchLogs()), logs("attributes.*")) })
	b.Run("metrics", func(b *testing.B) {
		benchEncode(b, table.MetricsOf(benchMetrics()), abi.Manifest{Signals: []string{"metrics"}, Reads: []string{"metric.name", "value", "attributes.http.route"}})
	})
	b.Run("traces", func(b *testing.B) {
		benchEncode(b, table.TracesOf(benchTraces()), abi.Manifest{Signals: []string{"traces"}, Reads: []string{"span.name", "span.duration", "attributes.http.route"}})
	})
}

// benchApply lays out fresh batches in calls of one session, as an instance does, and measures how results are checked
// and applied, and settled if settle says so.
func benchApply(b *testing.B, m abi.Manifest, fresh func() table.Data, r wasmtest.Result, settle bool) {
	b.Helper()
	s, w := table.NewSession(plan(b, m)), newStopwatch()
	var l table.Table
	block, first := make([]byte, 1<<20), true
	memory, packed := r.Memory()
	r.Names = nil
	again, packedAgain := r.Memory()
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		l.Reset(fresh())
		took := time.Duration(0)
		for lo := 0; lo < benchRows; lo += benchCall {
			s.Encode(block[:s.Measure(&l, span(lo, lo+benchCall))], 1)
			b.StartTimer()
			started := time.Now()
			if err := s.Apply(memory, packed); err != nil {
				b.Fatal(err)
			}
			took += time.Since(started)
			b.StopTimer()
			if first {
				first, memory, packed = false, again, packedAgain // the names are announced
			}
		}
		b.StartTimer()
		w.start()
		if settle {
			l.Settle()
		}
		w.add(took)
	}
	w.report(b)
}

// eachRow makes the result of the same edits for each row.
func eachRow(names []string, edits func(row uint32) []uint64) wasmtest.Result {
	r := wasmtest.Result{Rows: benchCall, Names: names}
	for row := range uint32(benchCall) {
		r.Edits = append(r.Edits, edits(row)...)
	}
	return r
}

// BenchmarkApply checks and applies results. That for logs is what an access-log parser returns: 8 attributes and a
// severity a row; BenchmarkPdata, below, is the same by plain pdata calls: what no boundary can beat.
func BenchmarkApply(b *testing.B) {
	b.Run("logs", func(b *testing.B) {
		m := abi.Manifest{Signals: []string{"logs"}, Reads: []string{"body", "time"}, Writes: []string{"severity", "time"}}
		for _, key := range append(benchTexts, benchNumbers...) {
			m.Writes = append(m.Writes, "attributes."+key)
		}
		benchApply(b, m, func() table.Data { return table.LogsOf(benchLogs()) },
			eachRow(append(append([]string{"INFO"}, benchTexts...), benchNumbers...), func(row uint32) (edits []uint64) {
				for i := range benchTexts {
					edits = append(edits, abi.Edit(row, uint16(1+i), abi.OpSetAttribute, abi.TypeSlice), abi.Cell(uint32(10*i), 10))
				}
				for i := range benchNumbers {
					edits = append(edits, abi.Edit(row, uint16(1+len(benchTexts)+i), abi.OpSetAttribute, abi.TypeInt), 200)
				}
				return append(edits, abi.Edit(row, uint16(abi.FieldSeverity), abi.OpSet, abi.TypeName), 9)
			}), false)
	})
	metrics := abi.Manifest{Signals: []string{"metrics"}, Reads: []string{"metric.name", "value"}, Writes: []string{"attributes.*", "value", "metric.name"}}
	b.Run("metrics", func(b *testing.B) {
		benchApply(b, metrics, func() table.Data { return table.MetricsOf(benchMetrics()) }, eachRow([]string{"k"}, func(row uint32) []uint64 {
			return join(set(row, abi.FieldValue, abi.TypeInt, 7), words(abi.Edit(row, 0, abi.OpSetAttribute, abi.TypeInt), 200))
		}), false)
	})
	b.Run("metrics,renamed", func(b *testing.B) {
		benchApply(b, metrics, func() table.Data { return table.MetricsOf(benchMetrics()) }, eachRow([]string{"k"}, func(row uint32) []uint64 {
			return set(row, abi.FieldMetricName, abi.TypeName, 0)
		}), true)
	})
	traces := abi.Manifest{Signals: []string{"traces"}, Reads: []string{"span.name"}, Writes: []string{"attributes.*", "resource.*", "span.name"}, Emits: []string{"metrics"}}
	b.Run("traces", func(b *testing.B) {
		benchApply(b, traces, func() table.Data { return table.TracesOf(benchTraces()) }, eachRow([]string{"k"}, func(row uint32) []uint64 {
			return join(set(row, abi.FieldSpanName, abi.TypeSlice, abi.Cell(0, 10)), words(abi.Edit(row, 0, abi.OpSetAttribute, abi.TypeInt), 200))
		}), false)
	})
	b.Run("traces,resources", func(b *testing.B) {
		benchApply(b, traces, func() table.Data { return table.TracesOf(benchTraces()) }, eachRow([]string{"k"}, func(row uint32) []uint64 {
			return words(abi.Edit(row, 0, abi.OpSetResource, abi.TypeInt), uint64(row%3))
		}), true)
	})
	b.Run("traces,new points", func(b *testing.B) {
		benchApply(b, traces, func() table.Data { return table.TracesOf(benchTraces()) }, eachRow([]string{"k"}, func(row uint32) []uint64 {
			return join(words(abi.Edit(row, 0, abi.OpNew, abi.Type(abi.SignalMetrics)), 0),
				set(row, abi.FieldMetricName, abi.TypeName, 0), set(row, abi.FieldValue, abi.TypeInt, 1))
		}), false)
	})
}

// BenchmarkPdata is the work of BenchmarkApply/logs by plain pdata calls.
func BenchmarkPdata(b *testing.B) {
	w := newStopwatch()
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		ld := benchLogs()
		b.StartTimer()
		w.start()
		records := ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
		for i := range benchRows {
			r := records.At(i)
			text := r.Body().Str()
			m := r.Attributes()
			m.EnsureCapacity(m.Len() + len(benchTexts) + len(benchNumbers))
			for k, key := range benchTexts {
				m.PutStr(key, text[10*k:10*k+10])
			}
			for _, key := range benchNumbers {
				m.PutInt(key, 200)
			}
			r.SetSeverityNumber(9)
			r.SetSeverityText("INFO")
		}
		w.stop()
	}
	w.report(b)
}
