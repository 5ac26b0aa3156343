package prometheus

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// startAt starts an exporter and tells where it listens.
func startAt(t *testing.T, endpoint string) (e exporter.Metrics, listens string, err error) {
	t.Helper()
	cfg := testConfig()
	cfg.HTTP.NetAddr.Endpoint = endpoint
	f := NewFactory()
	core, logs := observer.New(zap.InfoLevel)
	set := exportertest.NewNopSettings(f.Type())
	set.Logger = zap.New(core)
	e, err = f.CreateMetrics(t.Context(), set, cfg)
	require.NoError(t, err)
	if err = e.Start(t.Context(), componenttest.NewNopHost()); err == nil {
		listens = logs.FilterMessage("metrics can be scraped").All()[0].ContextMap()["endpoint"].(string)
	}
	return e, listens, err
}

// anyPort has the system choose a port.
const anyPort = "127.0.0.1:0"

func get(t *testing.T, url string, header ...string) (int, http.Header, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}).Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, resp.Header, body
}

func TestServe(t *testing.T) {
	e, endpoint, err := startAt(t, anyPort)
	require.NoError(t, err)
	require.NoError(t, e.ConsumeMetrics(t.Context(), newBuild("service.name", "s").gauge("g", 1, 1).md))
	url := "http://" + endpoint + "/metrics"
	const want = "# TYPE g gauge\ng{job=\"s\"} 1\n"

	status, header, body := get(t, url)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, want, string(body))
	require.Equal(t, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", header.Get("Content-Type"))

	_, header, body = get(t, url, "Accept-Encoding", "gzip")
	require.Equal(t, "gzip", header.Get("Content-Encoding"))
	gz, err := gzip.NewReader(strings.NewReader(string(body)))
	require.NoError(t, err)
	plain, err := io.ReadAll(gz)
	require.NoError(t, err)
	require.Equal(t, want, string(plain))

	_, header, body = get(t, url, "Accept-Encoding", "zstd", "Accept", acceptOpenMetrics)
	require.Equal(t, "zstd", header.Get("Content-Encoding"))
	require.Contains(t, header.Get("Content-Type"), "application/openmetrics-text; version=1.0.0")
	zr, err := zstd.NewReader(strings.NewReader(string(body)))
	require.NoError(t, err)
	defer zr.Close()
	plain, err = io.ReadAll(zr)
	require.NoError(t, err)
	require.Equal(t, "# TYPE g gauge\ng{job=\"s\"} 1.0\n# EOF\n", string(plain))

	status, _, _ = get(t, "http://"+endpoint+"/")
	require.Equal(t, http.StatusNotFound, status)
	require.NoError(t, e.Shutdown(t.Context()))
	require.NoError(t, e.Shutdown(t.Context()), "twice")
}

func TestOpenMetricsCanBeOff(t *testing.T) {
	r := newRig(t, func(c *Config) { c.EnableOpenMetrics = false })
	r.push(t, newBuild().gauge("g", 1, 1).md)
	_, contentType := r.scrape(t, acceptOpenMetrics)
	require.Contains(t, contentType, "text/plain; version=0.0.4")
}

func TestPortInUse(t *testing.T) {
	first, endpoint, err := startAt(t, anyPort)
	require.NoError(t, err)
	second, _, err := startAt(t, endpoint)
	require.EqualError(t, err, fmt.Sprintf("prometheus: listen on %q: listen tcp %s: bind: address already in use", endpoint, endpoint))
	require.NoError(t, second.Shutdown(t.Context()))
	require.NoError(t, first.Shutdown(t.Context()))
}

func TestBadEndpoint(t *testing.T) {
	e, _, err := startAt(t, "127.0.0.1:notaport")
	require.ErrorContains(t, err, `prometheus: listen on "127.0.0.1:notaport": listen tcp: `)
	require.NoError(t, e.Shutdown(t.Context()))
}

// TestReload shuts one exporter down, with a scraper's connection still open,
// and starts the next on the same port, as a reload of the configuration does.
func TestReload(t *testing.T) {
	endpoint := anyPort
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for range 5 {
		e, listens, err := startAt(t, endpoint)
		require.NoError(t, err)
		endpoint = listens
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+endpoint+"/metrics", nil)
		require.NoError(t, err)
		resp, err := client.Do(req)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.NoError(t, e.Shutdown(t.Context()))
	}
}

func TestSeveralInstances(t *testing.T) {
	endpoints := make([]string, 2)
	for i := range endpoints {
		e, endpoint, err := startAt(t, anyPort)
		require.NoError(t, err)
		endpoints[i] = endpoint
		t.Cleanup(func() { require.NoError(t, e.Shutdown(context.WithoutCancel(t.Context()))) })
		require.NoError(t, e.ConsumeMetrics(t.Context(), newBuild().gauge("g", float64(i), 1).md))
	}
	for i, endpoint := range endpoints {
		_, _, body := get(t, "http://"+endpoint+"/metrics")
		require.Equal(t, []string{fmt.Sprint("g ", i)}, lines(string(body)))
	}
}

func TestShutdownUnstarted(t *testing.T) {
	f := NewFactory()
	require.Equal(t, component.MustNewType("prometheus"), f.Type())
	e, err := f.CreateMetrics(t.Context(), exportertest.NewNopSettings(f.Type()), f.CreateDefaultConfig())
	require.NoError(t, err)
	require.NoError(t, e.Shutdown(t.Context()))
	require.False(t, e.Capabilities().MutatesData)
}

func TestSeriesGauge(t *testing.T) {
	r := newRig(t)
	require.NoError(t, r.start(t.Context(), componenttest.NewNopHost()))
	r.push(t, newBuild("service.name", "s", "zone", "z").gauge("a", 1, 1).gauge("b", 1, 1).md)
	m, err := r.telemetry.GetMetric("obsd_prometheus_series")
	require.NoError(t, err)
	require.Equal(t, int64(3), m.Data.(metricdata.Gauge[int64]).DataPoints[0].Value, "two gauges and target_info")
	require.NoError(t, r.shutdown(t.Context()))
}
