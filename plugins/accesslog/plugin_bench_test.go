package main

import (
	"fmt"
	"testing"

	"github.com/obsd-io/obsd/internal/guest/enginetest"
	"github.com/obsd-io/obsd/sdk/sdktest"
)

// benchLine is a line of 144 bytes and more in the combined format.
func benchLine(i int) string {
	return fmt.Sprintf(`10.1.%d.%d - - [23/Nov/2026:10:00:%02d +0000] "GET /api/v1/orders/%d HTTP/1.1" 200 %d "https://example.com/" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"`, i%256, i%200, i/200, i, 100+i)
}

// BenchmarkNative is the plugin's own part without wasm.
func BenchmarkNative(b *testing.B) {
	logs := make([]sdktest.Log, 1000)
	for i := range logs {
		logs[i].Body = benchLine(i)
	}
	run := sdktest.New(b, `{}`).Loop(logs...)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		run()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(logs)), "ns/record")
}

// BenchmarkHost is a batch of 1,000 lines laid out, parsed in wasm and applied.
func BenchmarkHost(b *testing.B) {
	lines := make([]string, 1000)
	for i := range lines {
		lines[i] = benchLine(i)
	}
	ld, _ := enginetest.Bodies(lines...)
	enginetest.Bench(b, enginetest.Load(b, ".", nil), ld)
}
