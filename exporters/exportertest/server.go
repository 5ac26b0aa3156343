package exportertest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/obsd-io/obsd/internal/porttest"
)

// bodyLimit bounds what the server reads of one request, before and after
// decompression.
const bodyLimit = 64 << 20

// mark is what every generated record carries, so that the server can tell
// which records arrived.
var mark = regexp.MustCompile(`mark[0-9]{6}x`)

// answer writes one scripted answer. A nil answer means success.
type answer func(w http.ResponseWriter, r *http.Request)

// script chooses the answer for the nth request (counted from 0) by its body.
type script func(n int, body []byte) answer

// server is a sink whose behaviour a check scripts. It notes which records it
// accepted, that is: answered with success.
type server struct {
	success func(w http.ResponseWriter, body []byte)
	records func(body []byte) int

	mu       sync.Mutex
	http     *httptest.Server
	script   script
	requests int
	accepted int
	seen     map[string]int
	faults   []error
	gated    <-chan struct{}
	closing  chan struct{}
}

func newServer(s Suite) *server {
	srv := &server{
		success: s.Success,
		records: s.Records,
		seen:    map[string]int{},
		closing: make(chan struct{}),
	}
	srv.http = porttest.NewUnstartedServer(srv)
	srv.http.Start()
	return srv
}

// url is the server's base URL, the same before stop and after restart.
func (s *server) url() string { return s.http.URL }

// host is host:port, which an error text must name.
func (s *server) host() string { return s.http.Listener.Addr().String() }

// play sets the script and counts requests from 0 again.
func (s *server) play(sc script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script, s.requests = sc, 0
}

// always is a script with one answer.
func always(a answer) script { return func(int, []byte) answer { return a } }

// steps is a script that gives its answers in turn, then success.
func steps(answers ...answer) script {
	return func(n int, _ []byte) answer {
		if n < len(answers) {
			return answers[n]
		}
		return nil
	}
}

// ServeHTTP reads the request, then answers as the script says.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	s.wait()
	s.mu.Lock()
	var a answer
	if s.script != nil {
		a = s.script(s.requests, body)
	}
	s.requests++
	if err != nil && a == nil {
		s.faults = append(s.faults, err)
	}
	if a == nil && err == nil {
		s.accept(body)
	}
	s.mu.Unlock()
	switch {
	case a != nil:
		a(w, r)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	default:
		s.success(w, body)
	}
}

// gate holds every request from now on until open is closed.
func (s *server) gate(open <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gated = open
}

// wait waits at the gate.
func (s *server) wait() {
	s.mu.Lock()
	gated := s.gated
	s.mu.Unlock()
	if gated == nil {
		return
	}
	select {
	case <-gated:
	case <-s.closing:
	}
}

// forget makes the server as new.
func (s *server) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.accepted = 0, 0
	clear(s.seen)
}

// accept notes the records of a request. The caller holds the lock.
func (s *server) accept(body []byte) {
	s.accepted += s.records(body)
	// One record may show its mark in more than one place.
	inBody := map[string]bool{}
	for _, m := range mark.FindAll(body, -1) {
		inBody[string(m)] = true
	}
	for m := range inBody {
		s.seen[m]++
	}
}

// delivered reports what is missing of the records [0, n), or delivered twice
// when once is asked for.
func (s *server) delivered(n int, once bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	missing, doubled := 0, 0
	for i := range n {
		switch got := s.seen[markOf(i)]; {
		case got == 0:
			missing++
		case got > 1:
			doubled++
		}
	}
	if missing > 0 {
		return fmt.Errorf("%d of %d records did not arrive", missing, n)
	}
	if once && doubled > 0 {
		return fmt.Errorf("%d of %d records arrived more than once", doubled, n)
	}
	if once && s.accepted != n {
		return fmt.Errorf("server counted %d records, want %d", s.accepted, n)
	}
	return nil
}

// fault reports a request that the server could not read.
func (s *server) fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) > 0 {
		return s.faults[0]
	}
	return nil
}

// count is the number of requests since play.
func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// stop closes the listener and every connection: connection refused.
func (s *server) stop() {
	s.http.CloseClientConnections()
	s.http.Close()
}

// restart listens on the same address again.
func (s *server) restart() error {
	addr := s.host()
	var listener net.Listener
	var err error
	for range 1000 {
		if listener, err = net.Listen("tcp", addr); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("server: listen on %s again: %w", addr, err)
	}
	next := httptest.NewUnstartedServer(s)
	_ = next.Listener.Close()
	next.Listener = listener
	next.Start()
	s.http = next
	return nil
}

// close ends hanging answers and the server.
func (s *server) close() {
	close(s.closing)
	s.stop()
}

// readBody reads and decompresses a request.
func readBody(r *http.Request) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, bodyLimit))
	if err != nil {
		return nil, fmt.Errorf("server: read body: %w", err)
	}
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
		return raw, nil
	case "gzip":
		zr, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("server: read gzip body: %w", err)
		}
		return io.ReadAll(io.LimitReader(zr, bodyLimit))
	case "zstd":
		zr, err := zstd.NewReader(bytes.NewReader(raw), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("server: read zstd body: %w", err)
		}
		defer zr.Close()
		return io.ReadAll(io.LimitReader(zr, bodyLimit))
	default:
		return nil, fmt.Errorf("server: content encoding %q is not one that servers take", encoding)
	}
}

// status answers with a code, headers in pairs, and a body.
func status(code int, body string, headers ...string) answer {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// truncated promises more bytes than it sends.
func truncated(code int, body string) answer {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)+100))
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// hang never answers: it waits until the client gives up or the check ends.
func (s *server) hang(_ http.ResponseWriter, r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-s.closing:
	}
}

// reset ends the connection without an answer, with a TCP reset.
func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
