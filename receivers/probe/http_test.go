package probe

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.uber.org/zap"

	"github.com/obsd-io/obsd/internal/certtest"
	"github.com/obsd-io/obsd/internal/golden"
	"github.com/obsd-io/obsd/internal/porttest"
)

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func serveTLS(t *testing.T, cert tls.Certificate, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = zap.NewStdLog(zap.NewNop())
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// checkHTTP makes one check and returns its metrics with the server's address taken out.
func checkHTTP(t *testing.T, s *httptest.Server, path string, g HTTPConfig) string {
	t.Helper()
	cfg := config()
	g.Endpoints = []string{s.URL + path}
	cfg.HTTP = []HTTPConfig{g}
	return strings.ReplaceAll(only(t, cfg), strings.SplitN(s.URL, "://", 2)[1], "server")
}

func TestHTTP(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/ok", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/sad":
			http.Error(w, "no", http.StatusServiceUnavailable)
		case "/long":
			_, _ = io.WriteString(w, strings.Repeat("x", 3<<20)+"end")
		case "/echo":
			body, _ := io.ReadAll(r.Body)
			_, _ = io.WriteString(w, strings.Join([]string{r.Method, r.Host, r.Header.Get("X-Team"), r.UserAgent(), string(body)}, " "))
		default:
			_, _ = io.WriteString(w, "all is well")
		}
	})
	var b strings.Builder
	f := func(title, path string, g HTTPConfig) {
		t.Helper()
		b.WriteString("== " + title + "\n" + checkHTTP(t, s, path, g))
	}
	f("a good answer", "/ok", HTTPConfig{})
	f("a bad status", "/sad", HTTPConfig{})
	f("which is good here", "/sad", HTTPConfig{Status: []string{"200", "500-503"}})
	f("a redirect", "/moved", HTTPConfig{})
	f("a redirect that is followed", "/moved", HTTPConfig{FollowRedirects: true})
	f("redirects without end", "/loop", HTTPConfig{FollowRedirects: true})
	f("a body that matches", "/ok", HTTPConfig{BodyMatches: "is (well|fine)"})
	f("a body that does not", "/ok", HTTPConfig{BodyMatches: "is bad"})
	f("a body that does but must not", "/ok", HTTPConfig{BodyMatchesNot: "well"})
	f("a long body", "/long", HTTPConfig{})
	f("of which the end is not read", "/long", HTTPConfig{BodyMatches: "end", MaxBodySize: 1000})
	f("all of a request", "/echo", HTTPConfig{
		Method: http.MethodPost, Body: "hello", BodyMatches: "^POST shop.example blue obsd hello$",
		Headers: configopaque.MapList{{Name: "Host", Value: "shop.example"}, {Name: "X-Team", Value: "blue"}},
	})
	golden.Require(t, "http.want", b.String())
}

func TestHTTPS(t *testing.T) {
	a := certtest.NewAuthority(t)
	fine := serveTLS(t, a.Issue(t, 240*time.Hour+30*time.Minute), func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })
	var b strings.Builder
	b.WriteString("== a good certificate\n" + checkHTTP(t, fine, "/", HTTPConfig{TLS: trusting(a), BodyMatches: "HTTP/2.0"}))
	b.WriteString("== of an authority that is not trusted\n" + checkHTTP(t, fine, "/", HTTPConfig{TLS: trusting(certtest.NewAuthority(t))}))
	lax := trusting(a)
	lax.CAPem, lax.InsecureSkipVerify = "", true
	b.WriteString("== and that does not matter\n" + checkHTTP(t, fine, "/", HTTPConfig{TLS: lax}))
	old := serveTLS(t, a.Issue(t, -48*time.Hour-10*time.Minute), func(http.ResponseWriter, *http.Request) {})
	b.WriteString("== an expired one\n" + checkHTTP(t, old, "/", HTTPConfig{TLS: trusting(a)}))
	golden.Require(t, "https.want", b.String())
}

// bearer is an extension that authenticates requests.
type bearer struct {
	component.StartFunc
	component.ShutdownFunc
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (bearer) RoundTripper(base http.RoundTripper) (http.RoundTripper, error) {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer sesame")
		return base.RoundTrip(r)
	}), nil
}

func TestAuth(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer sesame" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	id := component.MustNewID("bearer")
	g := &HTTPConfig{Auth: configoptional.Some(configauth.Config{AuthenticatorID: id})}
	c, err := newHTTPChecker(t.Context(), g, &dialer{}, map[component.ID]component.Component{id: bearer{}})
	require.NoError(t, err)
	require.Empty(t, run(t.Context(), c, s.URL, deadline).failure)
	_, err = newHTTPChecker(t.Context(), g, &dialer{}, nil)
	require.ErrorContains(t, err, "auth: ")
}

// TestProxy goes through a proxy that is named, whatever the environment says.
func TestProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "by way of the proxy: "+r.URL.Host)
	})
	cfg := config()
	cfg.HTTP = []HTTPConfig{{Endpoints: []string{"http://shop.example/"}, ProxyURL: proxy.URL, BodyMatches: "proxy: shop.example"}}
	require.Contains(t, only(t, cfg), "probe.up {probe.target=http://shop.example/, probe.type=http} 1 ")
}

// TestFailures names what broke.
func TestFailures(t *testing.T) {
	garbage := raw(t, func(c conn) {
		_, _ = c.Read(make([]byte, 1))
		_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.6\r\n\r\n")
		_, _ = io.Copy(io.Discard, c)
	})
	half := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "half")
	})
	d := &dialer{resolver: resolverAt(nameServer(t, protocolUDP, nil))}
	f := func(want, endpoint string) {
		t.Helper()
		c, err := newHTTPChecker(t.Context(), &HTTPConfig{}, d, nil)
		require.NoError(t, err)
		res := run(t.Context(), c, endpoint, deadline)
		require.Equal(t, want, res.failure, "%v", res.err)
		require.Error(t, res.err)
	}
	f("connect", "http://"+porttest.Closed(t))
	f("response", "http://"+garbage)
	f("tls", "https://"+garbage)
	f("response", half.URL)
	f("dns", "http://name.invalid/")
}
