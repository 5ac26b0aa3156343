package prometheus

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// load10k is 10,000 points: 20 metrics of 500 pods, with six attributes each.
func load10k() pmetric.Metrics {
	md := pmetric.NewMetrics()
	for pod := range 500 {
		b := newBuild("service.name", "bench", "service.instance.id", fmt.Sprint(pod), "k8s.pod.name", fmt.Sprint("pod-", pod), "k8s.namespace.name", "default")
		for m := range 20 {
			attrs := []string{"http.request.method", "GET", "http.route", "/api/v1/things", "http.response.status_code", "200", "server.address", "shop.example", "network.protocol.version", "1.1", "error.type", ""}
			if m%2 == 0 {
				b.gauge(fmt.Sprintf("bench.gauge.%d", m), float64(m), 1, attrs...)
			} else {
				b.sum(fmt.Sprintf("bench.sum.%d", m), cumulative, true, float64(m), 0, 1, attrs...)
			}
		}
		b.md.ResourceMetrics().MoveAndAppendTo(md.ResourceMetrics())
	}
	return md
}

// advance gives every point a later time, as the next interval would.
func advance(md pmetric.Metrics, ts int) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			if m.Type() == pmetric.MetricTypeGauge {
				m.Gauge().DataPoints().At(0).SetTimestamp(at(ts))
			} else {
				m.Sum().DataPoints().At(0).SetTimestamp(at(ts))
			}
		}
	}
}

func BenchmarkConsume10kKnown(b *testing.B) {
	r, md := newRig(b), load10k()
	r.push(b, md)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		advance(md, i+2)
		b.StartTimer()
		require.NoError(b, r.consume(b.Context(), md))
	}
}

func BenchmarkConsume10kNew(b *testing.B) {
	md := load10k()
	b.ReportAllocs()
	for b.Loop() {
		r := newRig(b)
		require.NoError(b, r.consume(b.Context(), md))
	}
}

// discard is a response that goes nowhere.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return io.Discard.Write(p) }
func (d discard) WriteHeader(int)             {}

func BenchmarkScrape10k(b *testing.B) {
	for _, format := range []struct{ name, accept, encoding string }{
		{"text", acceptText, ""},
		{"openmetrics", acceptOpenMetrics, ""},
		{"proto", acceptProto, ""},
		{"text_gzip", acceptText, "gzip"},
		{"text_zstd", acceptText, "zstd"},
	} {
		b.Run(format.name, func(b *testing.B) {
			r := newRig(b)
			r.push(b, load10k())
			h := r.handler()
			req := httptest.NewRequestWithContext(b.Context(), http.MethodGet, metricsPath, nil)
			req.Header.Set("Accept", format.accept)
			req.Header.Set("Accept-Encoding", format.encoding)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(discard{http.Header{}}, req)
			}
		})
	}
}

func BenchmarkGather10k(b *testing.B) {
	r := newRig(b)
	r.push(b, load10k())
	b.ReportAllocs()
	for b.Loop() {
		_, done, err := r.gatherer.Gather()
		require.NoError(b, err)
		done()
	}
}
