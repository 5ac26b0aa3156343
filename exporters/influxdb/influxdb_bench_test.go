package influxdb

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

const benchPoints = 1000

// benchMetrics is what a kubelet gives: a resource for each container, ten
// gauges each, two tags on every second of them.
func benchMetrics() pmetric.Metrics {
	md := pmetric.NewMetrics()
	for c := range benchPoints / 10 {
		rm := md.ResourceMetrics().AppendEmpty()
		benchResource(rm.Resource().Attributes(), c)
		sm := rm.ScopeMetrics().AppendEmpty()
		sm.Scope().SetName("kubelet")
		for i := range 10 {
			m := sm.Metrics().AppendEmpty()
			m.SetName(fmt.Sprintf("container.memory.metric%d", i))
			p := m.SetEmptyGauge().DataPoints().AppendEmpty()
			p.SetTimestamp(pointStamp)
			if i%2 == 0 {
				p.SetIntValue(int64(1000000 * (i + 1)))
			} else {
				p.SetDoubleValue(0.1234567 * float64(c+1))
				p.Attributes().PutStr("device", "/dev/sda1")
				p.Attributes().PutStr("direction", "read")
			}
		}
	}
	return md
}

func benchResource(a pcommon.Map, i int) {
	a.PutStr("service.name", "shop")
	a.PutStr("k8s.cluster.name", "production")
	a.PutStr("k8s.node.name", "node-17.example.com")
	a.PutStr("k8s.namespace.name", "shop")
	a.PutStr("k8s.pod.name", fmt.Sprintf("shop-6c9f7d5b8-%05d", i))
	a.PutStr("k8s.pod.uid", "6f0b5c1e-1d5e-4f4e-9d7e-000000000000")
	a.PutStr("k8s.container.name", "web")
	a.PutStr("container.id", fmt.Sprintf("%064d", i))
}

func benchHistograms() pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	benchResource(rm.Resource().Attributes(), 1)
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("http.server.request.duration")
	m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for i := range benchPoints {
		p := m.Histogram().DataPoints().AppendEmpty()
		p.SetTimestamp(pointStamp)
		p.Attributes().PutStr("http.route", fmt.Sprintf("/route/%d", i))
		p.SetCount(100)
		p.SetSum(12.5)
		p.ExplicitBounds().FromRaw([]float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10})
		p.BucketCounts().FromRaw([]uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
	}
	return md
}

// benchLogs is an access log, read from a file and parsed.
func benchLogs() plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	benchResource(rl.Resource().Attributes(), 1)
	sl := rl.ScopeLogs().AppendEmpty()
	for i := range benchPoints {
		rec := sl.LogRecords().AppendEmpty()
		rec.SetTimestamp(pointStamp + pcommon.Timestamp(i)*1_000_003)
		rec.SetObservedTimestamp(pointStamp)
		rec.SetSeverityNumber(plog.SeverityNumberInfo)
		rec.SetSeverityText("info")
		rec.Body().SetStr(`10.1.2.3 - - [14/Nov/2023:22:13:20 +0000] "GET /cart?id=17 HTTP/1.1" 200 5123 "https://shop.example.com/" "Mozilla/5.0 (X11; Linux x86_64)"`)
		a := rec.Attributes()
		a.PutStr("client.address", "10.1.2.3")
		a.PutStr("http.request.method", "GET")
		a.PutStr("url.path", "/cart")
		a.PutStr("url.query", "id=17")
		a.PutInt("http.response.status_code", 200)
		a.PutInt("http.response.body.size", 5123)
		a.PutStr("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)")
		a.PutStr("network.protocol.version", "1.1")
		a.PutStr("log.iostream", "stdout")
	}
	return ld
}

// encodeOnly measures the encoder without a client.
func encodeOnly(b *testing.B, change func(*Config), encode func(*batch) error) {
	e := newTestExporter(b, change, stored)
	e.maxLines, e.maxBytes = 1<<30, 1<<30
	ctx := context.Background()
	bytes := 0
	b.ReportAllocs()
	for b.Loop() {
		bt := e.batch(ctx)
		if err := encode(bt); err != nil {
			b.Fatal(err)
		}
		bytes = len(bt.line.buf)
		e.release(bt)
	}
	b.SetBytes(int64(bytes))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchPoints, "ns/point")
}

func BenchmarkEncodeGauges(b *testing.B) {
	md := benchMetrics()
	encodeOnly(b, nil, func(bt *batch) error { return bt.metrics(md) })
}

func BenchmarkEncodeHistograms(b *testing.B) {
	md := benchHistograms()
	encodeOnly(b, nil, func(bt *batch) error { return bt.metrics(md) })
}

func BenchmarkEncodeLogsJSON(b *testing.B) {
	ld := benchLogs()
	encodeOnly(b, nil, func(bt *batch) error { return bt.encodeLogs(ld) })
}

func BenchmarkEncodeLogsFields(b *testing.B) {
	ld := benchLogs()
	encodeOnly(b, func(c *Config) { c.LogAttributes = LogAttributesFields }, func(bt *batch) error { return bt.encodeLogs(ld) })
}

func BenchmarkStamp(b *testing.B) {
	for name, step := range map[string]pcommon.Timestamp{"distinct": 1_000_003, "same": 0} {
		b.Run(name, func(b *testing.B) {
			st := testStamper(b, testTime, "service.name", "host.name", "k8s.namespace.name", "k8s.pod.name", "k8s.container.name")
			ld := benchLogs()
			recs := ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
			at := pointStamp
			b.ReportAllocs()
			for b.Loop() {
				for _, rec := range recs.All() {
					at += step
					rec.SetTimestamp(at)
				}
				st.stamp(context.Background(), ld)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchPoints, "ns/record")
		})
	}
}

// BenchmarkPushLogs is the whole way to a server that takes everything.
func BenchmarkPushLogs(b *testing.B) {
	e := newTestExporter(b, nil, stored)
	e.client.Transport = discard{}
	ld := benchLogs()
	b.ReportAllocs()
	for b.Loop() {
		if err := e.pushLogs(context.Background(), ld); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed()/time.Nanosecond)/float64(b.N)/benchPoints, "ns/record")
}
