package model

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/obsd-io/obsd/internal/kubetest"
)

func TestHealth(t *testing.T) {
	m := start(t, nil)
	status, body := get(t, m, "/healthz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "no metrics have come yet: is there a k8s_aggregate processor with this extension as its model?", body)
	feed(t, m)
	status, body = get(t, m, "/healthz")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "ok", body)
	m.store.consume(pmetric.NewMetrics(), time.Now().Add(-time.Hour))
	status, body = get(t, m, "/healthz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Regexp(t, `^the newest metrics came 1h\d+m\d+s ago$`, body)
}

func TestMetricsPage(t *testing.T) {
	m := start(t, func(c *Config) { c.HeapsterMetrics = true })
	get(t, m, "/nothing")
	feed(t, m)
	get(t, m, "/metrics")
	_, body := get(t, m, "/metrics")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	_, err := parser.TextToMetricFamilies(strings.NewReader(body + "\n"))
	require.NoError(t, err)
	for _, want := range []string{
		`obsd_model_objects{type="pod_container"} 4`, `obsd_model_series 20`, "obsd_model_dropped_total 0", "obsd_model_last_batch_timestamp_seconds ",
		`obsd_model_http_requests_total{code="404"} 1`, `obsd_model_http_requests_total{code="200"} 1`, "obsd_model_consume_duration_seconds_count 3",
		`heapster_exporter_last_time_seconds{exporter="Metric Sink"} `, `heapster_scraper_last_time_seconds{source="kubelet_summary:n1"} `,
		`heapster_exporter_duration_milliseconds_count{exporter="Metric Sink"} 3`,
	} {
		require.Contains(t, body, want)
	}

	m = start(t, nil)
	feed(t, m)
	_, body = get(t, m, "/metrics")
	require.NotContains(t, body, "heapster")
}

func TestTelemetry(t *testing.T) {
	tel := componenttest.NewTelemetry()
	defer func() { require.NoError(t, tel.Shutdown(t.Context())) }()
	m := startWith(t, tel.NewTelemetrySettings(), func(c *Config) { c.MaxSeries = 1 })
	b := kubetest.NewBatch(begin).Node("n1").Gauge("k8s.node.cpu.usage", 1).Int("k8s.node.memory.rss", 1)
	require.NoError(t, m.ConsumeMetrics(t.Context(), b.Metrics))
	got, err := tel.GetMetric("obsd_model_dropped")
	require.NoError(t, err)
	require.Equal(t, int64(1), got.Data.(metricdata.Sum[int64]).DataPoints[0].Value)
	got, err = tel.GetMetric("obsd_model_series")
	require.NoError(t, err)
	require.Equal(t, int64(1), got.Data.(metricdata.Gauge[int64]).DataPoints[0].Value)
}
