package influxdb

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

var testTime = time.Unix(1_700_000_000, 123_456_789).UTC()

// answer is what a sink says to the lines of a request.
type answer func(lines []string) (status int, body string)

func stored([]string) (int, string) { return http.StatusNoContent, "" }

// sink stands in for the server: an http.RoundTripper.
type sink struct {
	mu       sync.Mutex
	answer   answer
	requests []*http.Request
	bodies   []string
	kept     []string // lines of requests that were answered with success
}

func (s *sink) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := strings.SplitAfter(strings.TrimSuffix(string(body), "\n"), "\n")
	status, text := s.answer(lines)
	s.requests, s.bodies = append(s.requests, req), append(s.bodies, string(body))
	if status == http.StatusNoContent {
		s.kept = append(s.kept, lines...)
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: req,
	}, nil
}

// bench is an exporter with a sink and its telemetry.
type testExporter struct {
	*influxExporter
	sink *sink
	tel  *componenttest.Telemetry
	logs *observer.ObservedLogs
}

func testConfig(change func(*Config)) *Config {
	c := createDefaultConfig().(*Config)
	c.ClientConfig.Endpoint = "http://influx.test:8086"
	c.Org, c.Bucket, c.Token = "o", "b", "hunter2"
	if change != nil {
		change(c)
	}
	return c
}

func newTestExporter(t testing.TB, change func(*Config), a answer) *testExporter {
	t.Helper()
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	core, logs := observer.New(zapcore.DebugLevel)
	c := testConfig(change)
	require.NoError(t, c.Validate())
	set := exporter.Settings{
		ID:                component.MustNewIDWithName("influxdb", "test"),
		TelemetrySettings: tel.NewTelemetrySettings(),
		BuildInfo:         component.NewDefaultBuildInfo(),
	}
	set.Logger = zap.New(core)
	e, err := newInfluxExporter(c, set, c.Precision)
	require.NoError(t, err)
	s := &sink{answer: a}
	e.client = &http.Client{Transport: s, CheckRedirect: stayPost}
	e.now = func() time.Time { return testTime }
	e.influxNow()
	return &testExporter{influxExporter: e, sink: s, tel: tel, logs: logs}
}

// influxNow gives the telemetry the same clock.
func (e *influxExporter) influxNow() { e.tel.now = func() time.Time { return e.now() } }

// counts returns a counter's values by their attributes but `exporter`.
func (e *testExporter) counts(t *testing.T, name string) map[string]int64 {
	t.Helper()
	found, err := e.tel.GetMetric(name)
	counts := map[string]int64{}
	if err != nil {
		return counts // never counted
	}
	for _, dp := range found.Data.(metricdata.Sum[int64]).DataPoints {
		var parts []string
		for _, kv := range dp.Attributes.ToSlice() {
			if kv.Key == "exporter" {
				require.Equal(t, attribute.StringValue("influxdb/test"), kv.Value)
				continue
			}
			parts = append(parts, kv.Value.AsString())
		}
		counts[strings.Join(parts, " ")] = dp.Value
	}
	return counts
}

// discard is a server that takes everything.
type discard struct{}

func (discard) RoundTrip(req *http.Request) (*http.Response, error) {
	_, err := io.Copy(io.Discard, req.Body)
	return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: http.NoBody, Request: req}, err
}
