package table_test

import (
	"fmt"
	"testing"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/table"
)

// BenchmarkFilter is what a condition costs a log record of 8 attributes. No shape of it allocates.
func BenchmarkFilter(b *testing.B) {
	const rows = 1000
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("k8s.pod.name", "web-1")
	rl.Resource().Attributes().PutStr("k8s.namespace.name", "shop")
	sl := rl.ScopeLogs().AppendEmpty()
	for i := range rows {
		r := sl.LogRecords().AppendEmpty()
		r.Body().SetStr(fmt.Sprintf("GET /api/v1/orders/%d", i))
		r.SetSeverityNumber(plog.SeverityNumber(9 + i%2*8))
		for k := range 6 {
			r.Attributes().PutStr(fmt.Sprintf("http.request.%d", k), fmt.Sprintf("value %d", i%7))
		}
		r.Attributes().PutInt("http.response.status_code", int64(200+i%400))
		r.Attributes().PutStr("url.path", fmt.Sprintf("/api/v%d/orders", i%3))
	}
	t := &table.Table{}
	t.Reset(table.LogsOf(ld))
	for _, bc := range []struct{ name, text string }{
		{"severity", `severity_number >= SEVERITY_NUMBER_ERROR`},
		{"first attribute", `attributes["http.request.0"] == "value 3"`},
		{"last attribute", `attributes["url.path"] == "/api/v1/orders"`},
		{"int attribute", `attributes["http.response.status_code"] >= 500`},
		{"absent attribute", `attributes["url.query"] != nil`},
		{"resource", `resource.attributes["k8s.namespace.name"] == "shop"`},
		{"body", `body == "GET /api/v1/orders/7"`},
		{"prefix", `HasPrefix(body, "GET /api/v1/")`},
		{"contains", `Contains(body, "/orders/9")`},
		{"regexp", `IsMatch(body, "^GET /api/v[0-9]/")`},
		{"and", `severity_number >= SEVERITY_NUMBER_ERROR and attributes["url.path"] == "/api/v1/orders"`},
		{"resource and attribute", `resource.attributes["k8s.namespace.name"] == "other" and attributes["url.path"] == "/api/v1/orders"`},
		{"other signal", `metric.name == "x"`},
	} {
		b.Run(bc.name, func(b *testing.B) {
			f, err := table.NewFilter(bc.text, abi.SignalNames[abi.SignalLogs:])
			if err != nil {
				b.Fatal(err)
			}
			selected := make([]int32, 0, rows)
			b.ReportAllocs()
			for b.Loop() {
				selected = f.Select(t, selected)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
			b.ReportMetric(float64(len(selected))/rows, "selected")
		})
	}
}
