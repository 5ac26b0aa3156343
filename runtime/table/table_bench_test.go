package table_test

import (
	"fmt"
	"testing"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/obsd-io/obsd/internal/wasmtest"
	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/table"
)

const benchRows = 1000

var (
	benchTexts   = []string{"client.address", "http.request.method", "url.path", "network.protocol.version", "http.request.header.referer", "user_agent.original"}
	benchNumbers = []string{"http.response.status_code", "http.response.body.size"}
)

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

func benchSession(b *testing.B) *table.Session {
	m := abi.Manifest{Reads: []string{"body", "time"}, Writes: []string{"severity", "time"}}
	for _, key := range append(benchTexts, benchNumbers...) {
		m.Writes = append(m.Writes, "attributes."+key)
	}
	return table.NewSession(plan(b, m))
}

// BenchmarkEncode lays out a batch of body and time.
func BenchmarkEncode(b *testing.B) {
	ld, s := benchLogs(), benchSession(b)
	var l table.Logs
	buf := make([]byte, 1<<20)
	b.ReportAllocs()
	for b.Loop() {
		l.Reset(ld)
		s.Encode(buf[:s.Measure(&l, 0, benchRows)], 1)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/record")
}

// BenchmarkApply checks and applies what an access-log parser returns: 8 attributes and a severity a row.
// BenchmarkPdata, beside it, is the same attributes set by plain pdata calls: what no boundary can beat.
func BenchmarkApply(b *testing.B) {
	r := wasmtest.Result{Rows: benchRows, Names: append(append([]string{"INFO"}, benchTexts...), benchNumbers...)}
	for row := range uint32(benchRows) {
		for i := range benchTexts {
			r.Edits = append(r.Edits, abi.Edit(row, uint16(1+i), abi.OpSetAttribute, abi.TypeSlice), abi.Cell(uint32(10*i), 10))
		}
		for i := range benchNumbers {
			r.Edits = append(r.Edits, abi.Edit(row, uint16(1+len(benchTexts)+i), abi.OpSetAttribute, abi.TypeInt), 200)
		}
		r.Edits = append(r.Edits, abi.Edit(row, uint16(abi.FieldSeverity), abi.OpSet, abi.TypeName), 9)
	}
	memory, packed := r.Memory()
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		ld, s := benchLogs(), benchSession(b)
		var l table.Logs
		l.Reset(ld)
		s.Encode(make([]byte, s.Measure(&l, 0, benchRows)), 1)
		b.StartTimer()
		if err := s.Apply(memory, packed); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/record")
}

// BenchmarkPdata is the work of BenchmarkApply by plain pdata calls.
func BenchmarkPdata(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		ld := benchLogs()
		b.StartTimer()
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
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/record")
}
