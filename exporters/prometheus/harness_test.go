package prometheus

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

const (
	acceptText        = "text/plain;version=0.0.4"
	acceptOpenMetrics = "application/openmetrics-text;version=1.0.0"
	acceptUTF8        = acceptOpenMetrics + ";escaping=allow-utf-8"
	acceptProto       = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
)

// at is the time of a test's points, in whole seconds after a fixed moment.
func at(seconds int) pcommon.Timestamp {
	return pcommon.NewTimestampFromTime(time.Unix(1_700_000_000+int64(seconds), 0))
}

func testConfig(edit ...func(*Config)) *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.HTTP.NetAddr.Endpoint = "127.0.0.1:0"
	for _, f := range edit {
		f(cfg)
	}
	return cfg
}

// rig is an exporter that is not started, with its self-telemetry.
type rig struct {
	*metricsExporter
	telemetry *componenttest.Telemetry
}

func newRig(tb testing.TB, edit ...func(*Config)) *rig {
	tb.Helper()
	tel := componenttest.NewTelemetry()
	tb.Cleanup(func() { require.NoError(tb, tel.Shutdown(context.WithoutCancel(tb.Context()))) })
	set := exportertest.NewNopSettings(component.MustNewType("prometheus"))
	set.TelemetrySettings = tel.NewTelemetrySettings()
	return &rig{metricsExporter: mustExporter(tb, testConfig(edit...), set), telemetry: tel}
}

func mustExporter(tb testing.TB, cfg *Config, set exporter.Settings) *metricsExporter {
	tb.Helper()
	require.NoError(tb, cfg.Validate())
	e, err := newExporter(cfg, set)
	require.NoError(tb, err)
	return e
}

func (r *rig) push(tb testing.TB, md pmetric.Metrics) {
	tb.Helper()
	require.NoError(tb, r.consume(tb.Context(), md))
}

// scrape asks the handler for the exposition in the accepted format.
func (r *rig) scrape(tb testing.TB, accept string) (body, contentType string) {
	tb.Helper()
	req := httptest.NewRequestWithContext(tb.Context(), http.MethodGet, metricsPath, nil)
	req.Header.Set("Accept", accept)
	rec := httptest.NewRecorder()
	r.handler().ServeHTTP(rec, req)
	require.Equal(tb, http.StatusOK, rec.Code)
	got, err := io.ReadAll(rec.Body)
	require.NoError(tb, err)
	return string(got), rec.Header().Get("Content-Type")
}

func (r *rig) text(tb testing.TB) string {
	tb.Helper()
	body, _ := r.scrape(tb, acceptText)
	return body
}

// dropped returns the counted drops by reason.
func (r *rig) dropped(tb testing.TB) map[string]int64 {
	tb.Helper()
	return r.sums(tb, "obsd_prometheus_dropped_series", "reason")
}

func (r *rig) sums(tb testing.TB, name, by string) map[string]int64 {
	tb.Helper()
	got := map[string]int64{}
	m, err := r.telemetry.GetMetric(name)
	if err != nil {
		return got
	}
	for _, dp := range m.Data.(metricdata.Sum[int64]).DataPoints {
		v, _ := dp.Attributes.Value(attribute.Key(by))
		got[v.AsString()] += dp.Value
	}
	return got
}

// build is a short way to write a batch of one resource and scope.
type build struct {
	md    pmetric.Metrics
	res   pcommon.Resource
	scope pmetric.ScopeMetrics
}

func newBuild(resource ...string) *build {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	putAll(rm.Resource().Attributes(), resource)
	return &build{md: md, res: rm.Resource(), scope: rm.ScopeMetrics().AppendEmpty()}
}

func putAll(m pcommon.Map, pairs []string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		m.PutStr(pairs[i], pairs[i+1])
	}
}

func (b *build) metric(name string) pmetric.Metric {
	m := b.scope.Metrics().AppendEmpty()
	m.SetName(name)
	return m
}

func (b *build) gauge(name string, v float64, ts int, attrs ...string) *build {
	dp := b.metric(name).SetEmptyGauge().DataPoints().AppendEmpty()
	dp.SetDoubleValue(v)
	dp.SetTimestamp(at(ts))
	putAll(dp.Attributes(), attrs)
	return b
}

func (b *build) sum(name string, temporality pmetric.AggregationTemporality, monotonic bool, v float64, start, ts int, attrs ...string) *build {
	s := b.metric(name).SetEmptySum()
	s.SetAggregationTemporality(temporality)
	s.SetIsMonotonic(monotonic)
	dp := s.DataPoints().AppendEmpty()
	dp.SetDoubleValue(v)
	dp.SetStartTimestamp(at(start))
	dp.SetTimestamp(at(ts))
	putAll(dp.Attributes(), attrs)
	return b
}
