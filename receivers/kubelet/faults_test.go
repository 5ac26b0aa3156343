package kubelet

import (
	"context"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/obsd-io/obsd/internal/certtest"
	"github.com/obsd-io/obsd/internal/metertest"
)

// counted is the sum of one of the receiver's own counters over the points with these attributes.
func (h *harness) counted(t *testing.T, name string, attributes ...string) int64 {
	t.Helper()
	return metertest.Sum(t, h.tel, name, attributes...)
}

func TestAllEndpoints(t *testing.T) {
	f := newFakeKubelet(t)
	cfg := f.config(t)
	cfg.Endpoints = []string{endpointSummary, endpointResource, endpointCadvisor, endpointProbes}
	h := newHarness(t, cfg)
	md := h.once(t)
	require.Len(t, h.got, 1, "one batch for a node")
	for _, name := range []string{"k8s.node.cpu.time", "container.memory.usage"} {
		_, ok := value(t, md, name)
		require.True(t, ok, name)
	}
	text := render(md)
	for _, name := range []string{"node_cpu_usage_seconds_total", "container_fs_reads_total", "machine_cpu_cores", "process_start_time_seconds"} {
		require.Contains(t, text, "  "+name+" ")
	}
	require.Empty(t, h.warnings())
	for _, e := range []string{endpointSummary, endpointResource, endpointCadvisor, endpointProbes} {
		require.Equal(t, 1, f.times(paths[e]))
	}
}

// fuse is a context that is over when a test says so, as if its time had passed.
type fuse struct {
	context.Context
	done chan struct{}
}

func (f *fuse) Done() <-chan struct{} { return f.done }

func (f *fuse) Err() error {
	select {
	case <-f.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// TestAHang asks a kubelet of which one endpoint never answers: that request is ended, the other's answer is delivered.
func TestAHang(t *testing.T) {
	f := newFakeKubelet(t)
	asked, ended := make(chan struct{}), make(chan struct{})
	f.handle("/stats/summary", func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
		close(ended)
	})
	cfg := f.config(t)
	cfg.Controller.Timeout = time.Hour
	cfg.Endpoints = []string{endpointSummary, endpointResource}
	h := newHarness(t, cfg)
	over, done := &fuse{context.Background(), make(chan struct{})}, make(chan struct{})
	h.each(func(tg *target) {
		go func() {
			defer close(done)
			h.scrape(over, tg)
		}()
		<-asked
		until(t, "the other endpoint has answered", func() bool { return tg.endpoints[1].points.Load() > 0 })
	})
	close(over.done)
	<-done
	require.Len(t, h.got, 1)
	require.Contains(t, render(h.got[0]), "node_cpu_usage_seconds_total")
	<-ended
	require.Equal(t, []string{"timeout"}, h.warnings())
	require.EqualValues(t, 1, h.counted(t, "obsd_kubelet_failed_scrapes", "endpoint", "summary", "reason", "timeout"))
}

// TestAHangInTheBody stops after the first bytes.
func TestAHangInTheBody(t *testing.T) {
	f := newFakeKubelet(t)
	f.handle("/stats/summary", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"node":`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	cfg := f.config(t)
	cfg.Controller.Timeout = 300 * time.Millisecond
	h := newHarness(t, cfg)
	require.Zero(t, h.once(t).DataPointCount())
	require.Equal(t, []string{"timeout"}, h.warnings())
}

// TestLate passes over a node whose last scrape has not ended, and counts that.
func TestLate(t *testing.T) {
	f := newFakeKubelet(t)
	asked, goOn := make(chan struct{}), make(chan struct{})
	f.handle("/stats/summary", func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-goOn
		_, _ = w.Write([]byte(rich))
	})
	h := newHarness(t, f.config(t))
	h.cycle()
	<-asked
	h.cycle()
	h.cycle()
	close(goOn)
	require.NoError(t, h.Shutdown(t.Context()))
	require.EqualValues(t, 2, h.counted(t, "obsd_kubelet_dropped", "reason", "late"))
	require.Equal(t, 1, f.times("/stats/summary"))
}

// TestTokenRotation changes the token on both sides, as Kubernetes does each hour: no scrape is lost.
func TestTokenRotation(t *testing.T) {
	f := newFakeKubelet(t)
	cfg := f.config(t)
	h := newHarness(t, cfg)
	require.NotZero(t, h.once(t).DataPointCount())
	f.set(func() { f.token = "two" })
	require.NoError(t, os.WriteFile(cfg.TokenFile, []byte("two"), 0o600))
	require.NotZero(t, h.once(t).DataPointCount())
	require.Empty(t, h.warnings())
	require.Equal(t, 3, f.times("/stats/summary"), "refused once, then asked again with the new token")
}

// TestAnOldToken is refused until the file changes, with one warning.
func TestAnOldToken(t *testing.T) {
	f := newFakeKubelet(t)
	cfg := f.config(t)
	h := newHarness(t, cfg)
	f.set(func() { f.token = "two" })
	for range 3 {
		require.Zero(t, h.once(t).DataPointCount())
	}
	require.Equal(t, []string{"status_401"}, h.warnings())
	require.Equal(t, 3, f.times("/stats/summary"), "nothing new to try with")
	require.NoError(t, os.WriteFile(cfg.TokenFile, []byte("two"), 0o600))
	require.NotZero(t, h.once(t).DataPointCount())
	require.Equal(t, 1, h.logs.FilterMessage("kubelet: endpoint answers again").Len())
}

// TestCARotation has the kubelet's certificate signed by another CA, which is in the file only later.
func TestCARotation(t *testing.T) {
	f := newFakeKubelet(t)
	cfg := f.config(t)
	h := newHarness(t, cfg)
	require.NotZero(t, h.once(t).DataPointCount())
	next := certtest.NewAuthority(t)
	f.set(func() { f.cert = next.Issue(t, time.Hour) })
	f.CloseClientConnections()
	require.Zero(t, h.once(t).DataPointCount())
	require.Equal(t, []string{"certificate"}, h.warnings())
	next.Write(t, cfg.CAFile)
	require.NotZero(t, h.once(t).DataPointCount())
	require.Equal(t, []string{"certificate"}, h.warnings())
}

func TestWrongCA(t *testing.T) {
	f := newFakeKubelet(t)
	cfg := f.config(t)
	certtest.NewAuthority(t).Write(t, cfg.CAFile)
	h := newHarness(t, cfg)
	require.Zero(t, h.once(t).DataPointCount())
	require.Equal(t, []string{"certificate"}, h.warnings())
	require.Contains(t, h.logs.All()[0].ContextMap()["error"], "kubelet: get "+f.URL+"/stats/summary: tls: failed to verify certificate: x509: ")

	cfg = f.config(t)
	cfg.CAFile, cfg.InsecureSkipVerify = "", true
	require.NotZero(t, newHarness(t, cfg).once(t).DataPointCount())
}

// TestClientCertificate shows a certificate, and a new one when the kubelet no longer takes the old one.
func TestClientCertificate(t *testing.T) {
	f := newFakeKubelet(t)
	cfg := f.config(t)
	dir := t.TempDir()
	cfg.AuthType, cfg.TokenFile, cfg.CertFile, cfg.KeyFile = authTLS, "", filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	use := func(a *certtest.Authority) {
		f.set(func() { f.token, f.clients = "", x509.NewCertPool(); f.clients.AddCert(a.Cert) })
		f.CloseClientConnections()
	}
	use(f.ca)
	certtest.WritePair(t, f.ca.Issue(t, time.Hour), cfg.CertFile, cfg.KeyFile)
	h := newHarness(t, cfg)
	require.NotZero(t, h.once(t).DataPointCount())

	next := certtest.NewAuthority(t)
	use(next)
	require.Zero(t, h.once(t).DataPointCount())
	require.Len(t, h.warnings(), 1)
	require.Contains(t, []string{"client_certificate", "connection"}, h.warnings()[0], "the alert may come after the connection is gone")
	certtest.WritePair(t, next.Issue(t, time.Hour), cfg.CertFile, cfg.KeyFile)
	require.NotZero(t, h.once(t).DataPointCount())
	require.Len(t, h.warnings(), 1)
}

// TestNoCredentials asks over plain HTTP, as on the kubelet's read-only port, and sends no token.
func TestNoCredentials(t *testing.T) {
	asked := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Header.Get("Authorization")
		_, _ = w.Write(captured(t, "summary.json"))
	}))
	t.Cleanup(s.Close)
	cfg := createDefaultConfig().(*Config)
	cfg.AuthType, cfg.Endpoint = authNone, strings.TrimPrefix(s.URL, "http://")
	h := newHarness(t, cfg)
	require.NotZero(t, h.once(t).DataPointCount())
	require.Empty(t, <-asked)
	require.Empty(t, h.warnings())
}

func TestFaultyAnswers(t *testing.T) {
	summary := string(captured(t, "summary.json"))
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) }
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no\nmore", code) }
	}
	f := func(reason, inError string, h http.HandlerFunc) {
		t.Helper()
		k := newFakeKubelet(t)
		k.handle("/stats/summary", h)
		cfg := k.config(t)
		cfg.Endpoints = []string{endpointSummary, endpointResource}
		r := newHarness(t, cfg)
		require.NotContains(t, render(r.once(t)), "  k8s.", reason)
		require.Len(t, r.got, 1, "the other endpoint is delivered")
		require.Equal(t, []string{reason}, r.warnings())
		require.Contains(t, r.logs.All()[0].ContextMap()["error"], inError)
		require.NotEmpty(t, r.logs.All()[0].ContextMap()["mend"])
	}
	f("status_410", "/stats/summary: status 410: no more", status(http.StatusGone))
	f("status_403", "/stats/summary: status 403: no more", status(http.StatusForbidden))
	f("status_503", "/stats/summary: status 503: no more", status(http.StatusServiceUnavailable))
	f("status_302", "/stats/summary: status 302", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
	})
	f("malformed", "not valid JSON at byte 8000 of 8000: the answer is cut off", text(summary[:8000]))
	f("malformed", "no node in it", text(`{"kind":"Status"}`))
	f("cut_off", "unexpected EOF", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "20000")
		_, _ = io.WriteString(w, summary[:8000])
	})
}

// TestMetadataThatFails leaves the metrics without it.
func TestMetadataThatFails(t *testing.T) {
	f := newFakeKubelet(t)
	cfg := f.config(t)
	cfg.Metadata.Source = sourceKubelet
	h := newHarness(t, cfg)
	_, ok := value(t, h.once(t), "k8s.container.restarts", attrContainer, "main", attrNamespace, "default")
	require.True(t, ok)
	f.handle("/pods", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusForbidden) })
	md := h.once(t)
	_, ok = value(t, md, "k8s.container.restarts")
	require.False(t, ok)
	_, ok = value(t, md, "container.memory.usage", attrContainer, "main")
	require.True(t, ok)
	require.Equal(t, []string{"status_403"}, h.warnings())
}

// TestLightSummary asks for the cheap form where that has all that is wanted.
func TestLightSummary(t *testing.T) {
	f := newFakeKubelet(t)
	asked := make(chan string, 1)
	f.handle("/stats/summary", func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.RawQuery
		_, _ = w.Write([]byte(rich))
	})
	cfg := f.config(t)
	newHarness(t, cfg).once(t)
	require.Empty(t, <-asked)
	cfg.MetricGroups = []string{groupContainer}
	cfg.Metrics = map[string]Toggle{}
	for _, name := range []string{"available", "capacity", "usage"} {
		cfg.Metrics["container.filesystem."+name] = Toggle{}
	}
	newHarness(t, cfg).once(t)
	require.Equal(t, "only_cpu_and_memory=true", <-asked)
}

func TestRefusedByThePipeline(t *testing.T) {
	f := newFakeKubelet(t)
	h := newHarness(t, f.config(t))
	h.next = consumertest.NewErr(consumererror.NewPermanent(io.ErrClosedPipe))
	h.once(t)
	m, err := h.tel.GetMetric("otelcol_receiver_refused_metric_points")
	if err == nil {
		metricdatatest.AssertHasAttributes(t, m)
	}
	require.Positive(t, h.counted(t, "obsd_kubelet_dropped", "reason", "refused"))
	require.Equal(t, 1, h.logs.FilterMessageSnippet("did not take a batch").Len())
}

// TestOwnMetrics names the figures that the receiver gives of itself.
func TestOwnMetrics(t *testing.T) {
	f := newFakeKubelet(t)
	cfg := f.config(t)
	cfg.HeapsterMetrics = true
	h := newHarness(t, cfg)
	require.NoError(t, h.kubeletReceiver.tel.observe(h.set.MeterProvider.Meter(scopeName), h.each))
	points := h.once(t).DataPointCount()
	for _, name := range []string{
		"obsd_kubelet_scrape_duration", "obsd_kubelet_last_success_time", "obsd_kubelet_series",
		"heapster_kubelet_summary_request_duration", "heapster_scraper_duration", "heapster_scraper_last_time",
	} {
		_, err := h.tel.GetMetric(name)
		require.NoError(t, err)
	}
	m, err := h.tel.GetMetric("obsd_kubelet_series")
	require.NoError(t, err)
	dp := m.Data.(metricdata.Gauge[int64]).DataPoints[0]
	require.EqualValues(t, points, dp.Value)
	node, _ := dp.Attributes.Value("node")
	require.Equal(t, "127.0.0.1", node.AsString())
	m, err = h.tel.GetMetric("obsd_kubelet_last_success_time")
	require.NoError(t, err)
	require.InDelta(t, time.Now().Unix(), m.Data.(metricdata.Gauge[float64]).DataPoints[0].Value, 60)
}

// TestLifecycle starts and ends the receiver as a pipeline does.
func TestLifecycle(t *testing.T) {
	f := newFakeKubelet(t)
	cfg := f.config(t)
	cfg.Controller.InitialDelay, cfg.Controller.CollectionInterval = 0, time.Hour
	came := make(chan struct{}, 1)
	r, err := NewFactory().CreateMetrics(t.Context(), receivertest.NewNopSettings(NewFactory().Type()), cfg, sinkFunc(func() { came <- struct{}{} }))
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	<-came
	require.NoError(t, r.Shutdown(t.Context()))
	require.NoError(t, r.Shutdown(t.Context()))

	r, err = NewFactory().CreateMetrics(t.Context(), receivertest.NewNopSettings(NewFactory().Type()), cfg, consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, r.Shutdown(t.Context()), "without a start")
}

func TestStartErrors(t *testing.T) {
	f := newFakeKubelet(t)
	fails := func(want string, change func(*Config)) {
		t.Helper()
		cfg := f.config(t)
		change(cfg)
		r, err := newReceiver(cfg, receivertest.NewNopSettings(NewFactory().Type()), consumertest.NewNop())
		require.NoError(t, err)
		err = r.Start(t.Context(), componenttest.NewNopHost())
		require.ErrorContains(t, err, want)
		require.NoError(t, r.Shutdown(t.Context()))
	}
	fails("kubelet: credentials: ", func(c *Config) { c.TokenFile = "/nowhere/token" })
	fails("/nowhere/token", func(c *Config) { c.TokenFile = "/nowhere/token" })
	fails("kubelet: credentials: open /nowhere/ca.crt: no such file or directory: check ca_file", func(c *Config) { c.CAFile = "/nowhere/ca.crt" })
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	fails("kubelet: find the API server: ", func(c *Config) { c.Endpoint, c.Nodes = "", nodesAll })
	fails("kubelet: read the kubeconfig: ", func(c *Config) { c.AuthType, c.KubeConfig = authKubeConfig, "/nowhere/config" })
}

func TestFailureTexts(t *testing.T) {
	for _, code := range []int{401, 403, 404, 410, 429, 500} {
		require.NotEmpty(t, mendStatus(code))
	}
	reason, mend := failure(io.ErrUnexpectedEOF)
	require.Equal(t, "cut_off", reason)
	require.True(t, strings.HasPrefix(mend, "the connection ended"))
}
