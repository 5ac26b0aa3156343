package main

import (
	"fmt"
	"testing"

	"github.com/obsd-io/obsd/internal/guest/enginetest"
	"github.com/obsd-io/obsd/sdk/sdktest"
)

// benchLine is what a Go or Java service writes: 10 members, 250 bytes.
func benchLine(i int) string {
	return fmt.Sprintf(`{"time":"2026-11-23T10:%02d:%02d.%03dZ","level":"info","logger":"com.example.orders.OrderService","thread":"http-nio-8080-exec-%d","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","user_id":%d,"duration_ms":%d.25,"cached":true,"path":"/api/v1/orders/%d","message":"order was placed"}`,
		i/6000%60, i/100%60, i%1000, i%8, 1000+i, i%300, i)
}

// benchMixed is a line of one of four programs.
func benchMixed(i int) string {
	switch i % 4 {
	case 0:
		return benchLine(i)
	case 1:
		return fmt.Sprintf(`{"level":30,"time":%d,"pid":%d,"hostname":"web-1","reqId":"req-%d","res":{"statusCode":200},"responseTime":%d.5,"msg":"request completed"}`, 1795428000000+i, 100+i%3, i, i%90)
	case 2:
		return fmt.Sprintf(`{"ts":%d.123456,"level":"warn","caller":"server/http.go:%d","msg":"slow \"request\"\n","took":"%dms"}`, 1795428000+i, i%400, i)
	}
	return fmt.Sprintf(`{"@timestamp":"2026-11-23T10:%02d:00+01:00","log.level":"ERROR","service.name":"cart","error.stack_trace":"java.lang.X\n\tat a.b.C(%d)","message":"no"}`, i%60, i)
}

// BenchmarkNative is the plugin's own part without wasm.
func BenchmarkNative(b *testing.B) {
	for name, line := range map[string]func(int) string{"one": benchLine, "mixed": benchMixed} {
		b.Run(name, func(b *testing.B) {
			logs := make([]sdktest.Log, 1000)
			for i := range logs {
				logs[i].Body = line(i)
			}
			run := sdktest.New(b, `{}`).Loop(logs...)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(logs)), "ns/record")
		})
	}
}

// BenchmarkHost is a batch of 1,000 lines laid out, parsed in wasm and applied.
func BenchmarkHost(b *testing.B) {
	for name, line := range map[string]func(int) string{"one": benchLine, "mixed": benchMixed} {
		b.Run(name, func(b *testing.B) {
			lines := make([]string, 1000)
			for i := range lines {
				lines[i] = line(i)
			}
			ld, _ := enginetest.Bodies(lines...)
			enginetest.Bench(b, enginetest.Load(b, ".", nil), ld)
		})
	}
}
