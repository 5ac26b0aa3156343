package elasticsearch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// accessLogs is what file_log and the accesslog plugin hand over: n lines of a
// pod, with eight attributes each.
func accessLogs(n int) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	for k, v := range map[string]string{
		"k8s.namespace.name": "prod", "k8s.pod.name": "web-7d9c5b6f4-x2x8p", "k8s.pod.uid": "0b1c8a7e-8a6e-4d39-9a2c-0d3f4f1f9c11",
		"k8s.container.name": "nginx", "k8s.container.restart_count": "0", "host.name": "node-17", "service.name": "web",
	} {
		rl.Resource().Attributes().PutStr(k, v)
	}
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName("github.com/obsd-io/obsd/receivers/filelog")
	at := time.Date(2025, 6, 15, 12, 0, 0, 0, time.UTC)
	for i := range n {
		lr := sl.LogRecords().AppendEmpty()
		lr.SetTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Duration(i) * time.Millisecond)))
		lr.SetObservedTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Duration(i)*time.Millisecond + 731)))
		lr.SetSeverityNumber(plog.SeverityNumberInfo)
		lr.SetSeverityText("INFO")
		lr.Body().SetStr(fmt.Sprintf(`192.0.2.%d - - [15/Jun/2025:12:00:00 +0000] "GET /shop/item/%d?ref=home HTTP/1.1" 200 5120 "https://shop.example/" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"`, i%250, i))
		m := lr.Attributes()
		m.PutStr("client.address", fmt.Sprintf("192.0.2.%d", i%250))
		m.PutStr("http.request.method", "GET")
		m.PutStr("url.path", fmt.Sprintf("/shop/item/%d", i))
		m.PutStr("url.query", "ref=home")
		m.PutInt("http.response.status_code", 200)
		m.PutInt("http.response.body.size", 5120)
		m.PutStr("network.protocol.version", "1.1")
		m.PutStr("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36")
	}
	return ld
}

func encodeAll(e *encoder, ld plog.Logs) {
	e.reset()
	seq := 0
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			e.begin(rl.Resource(), rl.SchemaUrl(), sl.Scope(), sl.SchemaUrl())
			for _, lr := range sl.LogRecords().All() {
				e.add(lr, seq)
				seq++
			}
		}
	}
}

// report says figures per document.
func report(b *testing.B, docs, size int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*docs), "ns/doc")
	b.ReportMetric(float64(b.N*docs)/b.Elapsed().Seconds(), "docs/s")
	b.ReportMetric(float64(size)/float64(docs), "B/doc-json")
}

func BenchmarkEncode(b *testing.B) {
	const docs = 1000
	ld := accessLogs(docs)
	for _, mode := range []string{modeOTel, modeECS} {
		b.Run(mode, func(b *testing.B) {
			e := newEncoder(encoding{ecs: mode == modeECS, dynamicIndex: true})
			encodeAll(e, ld)
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				encodeAll(e, ld)
			}
			report(b, docs, len(e.body))
		})
	}
}

// BenchmarkEncodeMaps makes the same documents as users of go-elasticsearch do:
// a map for each, through encoding/json, which is what its esutil uses. (esutil
// itself would bring a thousand packages into this test.)
func BenchmarkEncodeMaps(b *testing.B) {
	const docs = 1000
	ld := accessLogs(docs)
	var body bytes.Buffer
	out := json.NewEncoder(&body)
	b.ReportAllocs()
	for b.Loop() {
		body.Reset()
		for _, rl := range ld.ResourceLogs().All() {
			resource := rl.Resource().Attributes().AsRaw()
			for _, sl := range rl.ScopeLogs().All() {
				for _, lr := range sl.LogRecords().All() {
					body.WriteString(`{"create":{"_index":"logs-generic.otel-default"}}` + "\n")
					err := out.Encode(map[string]any{
						"@timestamp":         lr.Timestamp().AsTime(),
						"observed_timestamp": lr.ObservedTimestamp().AsTime(),
						"severity_text":      lr.SeverityText(),
						"severity_number":    lr.SeverityNumber(),
						"data_stream":        map[string]any{"type": "logs", "dataset": "generic.otel", "namespace": "default"},
						"body":               map[string]any{"text": lr.Body().Str()},
						"attributes":         lr.Attributes().AsRaw(),
						"resource":           map[string]any{"attributes": resource},
						"scope":              map[string]any{"name": sl.Scope().Name()},
					})
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		}
	}
	report(b, docs, body.Len())
}

func BenchmarkPack(b *testing.B) {
	const docs = 1000
	e := newEncoder(encoding{dynamicIndex: true})
	encodeAll(e, accessLogs(docs))
	p := newPacker(true, 1)
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		out, err := p.pack(e.body)
		if err != nil {
			b.Fatal(err)
		}
		size = out.buf.Len()
		out.release()
	}
	report(b, docs, size)
}

func BenchmarkParseReply(b *testing.B) {
	const docs = 1000
	stored := replyOf(docs, func(int) string { return `{"create":{"status":201}}` })
	failed := replyOf(docs, func(i int) string {
		if i%10 > 0 {
			return `{"create":{"status":201}}`
		}
		return `{"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"rejected execution of primary operation"}}}`
	})
	failed = bytes.Replace(failed, []byte("false"), []byte("true"), 1)
	for _, bc := range []struct {
		name string
		body []byte
	}{{"all stored", stored}, {"one in ten failed", failed}} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parseReply(bc.body, docs); err != nil {
					b.Fatal(err)
				}
			}
			report(b, docs, len(bc.body))
		})
	}
}

func replyOf(n int, item func(i int) string) []byte {
	out := []byte(`{"errors":false,"items":[`)
	for i := range n {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, item(i)...)
	}
	return append(out, "]}"...)
}

func BenchmarkAppendString(b *testing.B) {
	for _, bc := range []struct{ name, text string }{
		{"plain", `192.0.2.1 - - [15/Jun/2025:12:00:00 +0000] GET /shop/item/1?ref=home HTTP/1.1 200 5120`},
		{"quotes", `{"level":"info","msg":"request","path":"/shop/item/1","status":200}`},
		{"greek", "Η σημείωση γράφτηκε στο αρχείο καταγραφής του διακομιστή"},
	} {
		b.Run(bc.name, func(b *testing.B) {
			var dst []byte
			b.SetBytes(int64(len(bc.text)))
			b.ReportAllocs()
			for b.Loop() {
				dst = appendString(dst[:0], bc.text)
			}
			if !json.Valid(dst) {
				b.Fatal("not JSON")
			}
		})
	}
}

// BenchmarkPush is the whole way to a server that only counts: encode, gzip,
// HTTP, answer.
func BenchmarkPush(b *testing.B) {
	const docs = 5000
	answer := replyOf(docs, func(int) string { return `{"create":{"status":201}}` })
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(answer)
	}))
	defer srv.Close()
	cfg := createDefaultConfig()
	cfg.ClientConfig.Endpoint = srv.URL
	cfg.Flush.Bytes = 50_000_000 // All in one request.
	e, err := newLogsExporter(cfg, exporter.Settings{TelemetrySettings: componenttest.NewNopTelemetrySettings()})
	if err != nil {
		b.Fatal(err)
	}
	if err := e.start(b.Context(), componenttest.NewNopHost()); err != nil {
		b.Fatal(err)
	}
	ld := accessLogs(docs)
	b.ReportAllocs()
	for b.Loop() {
		if err := e.push(b.Context(), ld); err != nil {
			b.Fatal(err)
		}
	}
	report(b, docs, 0)
	if err := e.shutdown(b.Context()); err != nil {
		b.Fatal(err)
	}
}
