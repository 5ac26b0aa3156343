// Package fault is a reverse proxy that stands between obsd and a real server and makes trouble on command: it answers
// in the server's place, refuses requests that are too large, asks for a password, or speaks TLS.
package fault

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Fault decides about one request, whose body is given decompressed. It either answers it and returns true, or returns
// false and the request goes to the real server.
type Fault func(w http.ResponseWriter, r *http.Request, body []byte) bool

// Answer answers every request with the status and the text.
func Answer(status int, text string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
		return true
	}
}

// HangUp closes the connection without an answer.
func HangUp() Fault {
	return func(http.ResponseWriter, *http.Request, []byte) bool { panic(http.ErrAbortHandler) }
}

// TooLarge answers 413 to every request whose body has more bytes than the limit.
func TooLarge(limit int) Fault {
	return func(w http.ResponseWriter, _ *http.Request, body []byte) bool {
		if len(body) <= limit {
			return false
		}
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return true
	}
}

// LostAnswer lets the server do the work and then closes the connection, so that the client cannot know. It is the one
// fault that may double records.
func LostAnswer(p *Proxy) Fault {
	return func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
		p.proxy.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}
}

// Slow waits before each request goes on to the server.
func Slow(delay time.Duration) Fault {
	return func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
		}
		return false
	}
}

// RejectDocuments answers a bulk request with 200, as Elasticsearch does, but refuses each document with the status.
func RejectDocuments(status int) Fault {
	return func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		if !strings.HasSuffix(r.URL.Path, "/_bulk") {
			return false
		}
		docs := bytes.Count(body, []byte("\n")) / 2
		item := fmt.Sprintf(`{"create":{"_index":"x","status":%d,"error":{"type":"refused","reason":"by the test"}}}`, status)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		_, _ = io.WriteString(w, `{"took":1,"errors":true,"items":[`+strings.TrimSuffix(strings.Repeat(item+",", docs), ",")+`]}`)
		return true
	}
}

// Password asks for HTTP basic authentication and answers 401 without it.
func Password(user, password string) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		u, p, ok := r.BasicAuth()
		if ok && u == user && p == password {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="e2e"`)
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":{"type":"security_exception","reason":"unable to authenticate"},"status":401}`)
		return true
	}
}

// Proxy stands in front of one server. It is safe for concurrent use.
type Proxy struct {
	// URL is where it serves.
	URL string
	// Certificate is the PEM certificate that a client must trust, empty without TLS.
	Certificate []byte

	proxy *httputil.ReverseProxy

	mu      sync.Mutex
	fault   Fault
	answers int
}

// New starts a proxy in front of the server at the URL, without a fault; it ends with the test.
func New(t testing.TB, target string) *Proxy { return start(t, target, httptest.NewServer) }

// NewTLS starts a proxy that speaks TLS to its clients.
func NewTLS(t testing.TB, target string) *Proxy { return start(t, target, httptest.NewTLSServer) }

func start(t testing.TB, target string, serve func(http.Handler) *httptest.Server) *Proxy {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{proxy: httputil.NewSingleHostReverseProxy(to)}
	server := serve(p)
	t.Cleanup(server.Close)
	p.URL = server.URL
	if cert := server.Certificate(); cert != nil {
		p.Certificate = pemCertificate(cert.Raw)
	}
	return p
}

// Set puts a fault in force for all requests from now on; nil ends the trouble.
func (p *Proxy) Set(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.answers = f, 0
}

// Hits is how many requests the fault in force has answered (or cut off) in the server's place.
func (p *Proxy) Hits() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answers
}

// ServeHTTP asks the fault in force first.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	fault := p.fault
	p.mu.Unlock()
	if fault == nil {
		p.proxy.ServeHTTP(w, r)
		return
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	if p.answered(fault, w, r, plain(r, raw)) {
		return
	}
	p.proxy.ServeHTTP(w, r)
}

// answered runs the fault and counts it if it did something, even if that was to panic.
func (p *Proxy) answered(fault Fault, w http.ResponseWriter, r *http.Request, body []byte) (done bool) {
	done = true
	defer func() {
		if done {
			p.mu.Lock()
			p.answers++
			p.mu.Unlock()
		}
	}()
	done = fault(w, r, body)
	return done
}

// plain undoes gzip, for a fault looks at what is said and not at how it is packed.
func plain(r *http.Request, raw []byte) []byte {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return raw
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return raw
	}
	body, err := io.ReadAll(z)
	if err != nil {
		return raw
	}
	return body
}
