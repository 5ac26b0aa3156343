package main

import (
	"fmt"
	"testing"

	"github.com/obsd-io/obsd/internal/guest/enginetest"
	"github.com/obsd-io/obsd/sdk"
	"github.com/obsd-io/obsd/sdk/sdktest"
)

const benchConfig = `{"rules":[
	{"when":"severity_number >= SEVERITY_NUMBER_ERROR or attributes[\"http.response.status_code\"] >= 500","to":["errors"]},
	{"when":"resource.attributes[\"k8s.namespace.name\"] == \"shop\" and not HasPrefix(body, \"GET /health\")","to":["shop","audit"]}]}`

func benchLog(i int) sdktest.Log {
	return sdktest.Log{
		Body: fmt.Sprintf("GET /api/v1/orders/%d", i), Severity: sdk.Severity(9 + i%2*4),
		Attributes: map[string]any{"http.response.status_code": 200 + i%400},
		Resource:   map[string]any{"k8s.namespace.name": "shop"},
	}
}

// BenchmarkNative is the plugin's own part without wasm: two rules over four fields.
func BenchmarkNative(b *testing.B) {
	logs := make([]sdktest.Log, 1000)
	for i := range logs {
		logs[i] = benchLog(i)
	}
	run := sdktest.New(b, benchConfig).Loop(logs...)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		run()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(logs)), "ns/record")
}

// BenchmarkHost is a batch of 1,000 records laid out and judged in wasm by one rule.
func BenchmarkHost(b *testing.B) {
	for name, when := range map[string]string{
		"severity":  `severity_number >= SEVERITY_NUMBER_ERROR`,
		"prefix":    `HasPrefix(body, "GET /api/v2")`,
		"contains":  `Contains(body, "/users/")`,
		"plain":     `IsMatch(body, "/users/")`,
		"regexp":    `IsMatch(body, "^GET /api/v[23]/")`,
		"attribute": `attributes["http.response.status_code"] >= 500`,
	} {
		b.Run(name, func(b *testing.B) {
			ld, records := enginetest.Bodies()
			for i := range 1000 {
				r := records.AppendEmpty()
				r.Body().SetStr(fmt.Sprintf("GET /api/v1/orders/%d", i))
				r.SetSeverityNumber(9)
				r.Attributes().PutInt("http.response.status_code", 200)
			}
			e := enginetest.Load(b, ".", map[string]any{"rules": []any{map[string]any{"when": when, "to": []any{"a"}}}})
			enginetest.Bench(b, e, ld)
		})
	}
}
