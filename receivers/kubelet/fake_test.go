package kubelet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/obsd-io/obsd/internal/certtest"
)

// fakeKubelet is a TLS server that answers what a test tells it to. The token it takes and its certificate can change.
type fakeKubelet struct {
	*httptest.Server
	ca *certtest.Authority

	mu      sync.Mutex
	token   string
	cert    tls.Certificate
	clients *x509.CertPool // whom it asks for a certificate of; nobody if it is nil
	answers map[string]http.HandlerFunc
	asked   map[string]int
}

func newFakeKubelet(t testing.TB) *fakeKubelet {
	t.Helper()
	f := &fakeKubelet{ca: certtest.NewAuthority(t), token: "one", answers: map[string]http.HandlerFunc{}, asked: map[string]int{}}
	f.cert = f.ca.Issue(t, time.Hour)
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(f.serve))
	f.Config.ErrorLog = zap.NewStdLog(zap.NewNop())
	f.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		c := &tls.Config{Certificates: []tls.Certificate{f.cert}, MinVersion: tls.VersionTLS12}
		if f.clients != nil {
			c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, f.clients
		}
		return c, nil
	}}
	f.StartTLS()
	t.Cleanup(f.Close)
	for path, file := range map[string]string{
		"/stats/summary": "summary.json", "/metrics/resource": "resource.txt", "/metrics/cadvisor": "cadvisor.txt",
		"/metrics/probes": "probes.txt", "/pods": "pods.json",
	} {
		f.answer(path, string(captured(t, file)))
	}
	return f
}

func captured(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "kubelet", file))
	require.NoError(t, err)
	return b
}

func (f *fakeKubelet) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	token, answer := f.token, f.answers[r.URL.Path]
	f.asked[r.URL.Path]++
	f.mu.Unlock()
	switch {
	case token != "" && r.Header.Get("Authorization") != "Bearer "+token:
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
	case answer == nil:
		http.NotFound(w, r)
	default:
		answer(w, r)
	}
}

// answer sets the body of a path.
func (f *fakeKubelet) answer(path, body string) {
	f.handle(path, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
}

func (f *fakeKubelet) handle(path string, h http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[path] = h
}

func (f *fakeKubelet) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeKubelet) times(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[path]
}

// config is one for the fake, with files of its own for its token and its CA.
func (f *fakeKubelet) config(t testing.TB) *Config {
	t.Helper()
	dir := t.TempDir()
	cfg := createDefaultConfig().(*Config)
	cfg.Endpoint = f.URL
	cfg.CAFile, cfg.TokenFile = filepath.Join(dir, "ca.crt"), filepath.Join(dir, "token")
	f.ca.Write(t, cfg.CAFile)
	require.NoError(t, os.WriteFile(cfg.TokenFile, []byte(f.token+"\n"), 0o600))
	return cfg
}

// harness is a receiver whose scrapes a test makes one by one.
type harness struct {
	*kubeletReceiver
	tel  *componenttest.Telemetry
	logs *observer.ObservedLogs
	got  []pmetric.Metrics
}

func newHarness(t testing.TB, cfg *Config) *harness {
	t.Helper()
	require.NoError(t, cfg.Validate())
	h := &harness{tel: componenttest.NewTelemetry()}
	core, logs := observer.New(zapcore.InfoLevel)
	h.logs = logs
	set := receivertest.NewNopSettings(NewFactory().Type())
	set.TelemetrySettings = h.tel.NewTelemetrySettings()
	set.Logger = zap.New(core)
	next, err := consumer.NewMetrics(func(_ context.Context, md pmetric.Metrics) error {
		h.got = append(h.got, md)
		return nil
	})
	require.NoError(t, err)
	h.kubeletReceiver, err = newReceiver(cfg, set, next)
	require.NoError(t, err)
	require.NoError(t, h.connect())
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		require.NoError(t, h.Shutdown(ctx))
		require.NoError(t, h.tel.Shutdown(ctx))
	})
	return h
}

// once scrapes all targets, one after the other, and returns what came; nothing at all if nothing did.
func (h *harness) once(t testing.TB) pmetric.Metrics {
	t.Helper()
	h.got = nil
	h.each(func(tg *target) { h.scrape(h.ctx, tg) })
	all := pmetric.NewMetrics()
	for _, md := range h.got {
		md.ResourceMetrics().MoveAndAppendTo(all.ResourceMetrics())
	}
	return all
}

// warnings are the texts of all warnings, and their reasons.
func (h *harness) warnings() (out []string) {
	for _, e := range h.logs.All() {
		if e.Level == zapcore.WarnLevel {
			out = append(out, e.ContextMap()["reason"].(string))
		}
	}
	return out
}

// sinkFunc is a consumer that calls a function for each batch.
type sinkFunc func()

func (sinkFunc) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (f sinkFunc) ConsumeMetrics(context.Context, pmetric.Metrics) error {
	f()
	return nil
}
