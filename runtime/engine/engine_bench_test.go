package engine

import (
	"context"
	"fmt"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/obsd-io/obsd/runtime/table"
)

func accessLogs(n int) plog.Logs {
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	records.EnsureCapacity(n)
	for i := range n {
		r := records.AppendEmpty()
		r.Body().SetStr(fmt.Sprintf(`10.1.%d.%d - - [23/Nov/2026:10:00:%02d +0000] "GET /api/v1/orders/%d HTTP/1.1" 200 %d "https://example.com/" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"`, i%256, i%200, i/200, i, 100+i))
		r.Attributes().PutStr("log.iostream", "stdout")
	}
	return ld
}

// BenchmarkAccessLog is a line parsed into 8 attributes by the bundled Go plugin: layout, call and edits.
func BenchmarkAccessLog(b *testing.B) {
	for _, deadline := range []bool{false, true} {
		b.Run(fmt.Sprintf("deadline=%t", deadline), func(b *testing.B) {
			c := NewConfig()
			c.Module = "builtin:accesslog"
			if !deadline {
				c.Limits.TimePerBatch = 0
			}
			e, err := Load(context.Background(), component.MustNewIDWithName("wasm", "accesslog"), componenttest.NewNopTelemetrySettings(), &c)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = e.Close(context.Background()) }()
			const rows = 1000
			b.ReportAllocs()
			b.StopTimer()
			for range b.N {
				ld := accessLogs(rows)
				b.StartTimer()
				if err := e.Logs(b.Context(), ld, func(*table.Logs) error { return nil }); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if n := ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(rows - 1).Attributes().Len(); n != 9 {
					b.Fatal(n, ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(rows-1).Attributes().AsRaw())
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/record")
		})
	}
}
