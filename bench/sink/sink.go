// Package sink is a server on loopback that takes what exporters of Elasticsearch and InfluxDB send, counts the
// records and keeps nothing. A real server would be the slower part of a benchmark.
package sink

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
)

// Sink is a running server.
type Sink struct {
	// URL is where it serves, without a slash at the end.
	URL     string
	server  *http.Server
	records atomic.Int64
}

// Start starts a sink; Close ends it.
func Start() (*Sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("sink: %w", err)
	}
	s := &Sink{URL: "http://" + l.Addr().String()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.root)
	mux.HandleFunc("POST /_bulk", s.bulk)
	mux.HandleFunc("POST /{index}/_bulk", s.bulk)
	mux.HandleFunc("POST /write", s.lines)
	mux.HandleFunc("POST /api/v2/write", s.lines)
	mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	s.server = &http.Server{Handler: mux}
	go func() {
		if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic("BUG: sink: " + err.Error()) // a listener on loopback does not fail by itself
		}
	}()
	return s, nil
}

// Records is how many documents or lines have arrived.
func (s *Sink) Records() int64 { return s.records.Load() }

// Close ends the server and all its connections.
func (s *Sink) Close() error { return s.server.Close() }

func (s *Sink) root(w http.ResponseWriter, _ *http.Request) {
	answer(w, `{"name":"sink","cluster_name":"sink","version":{"number":"8.19.21"},"tagline":"You Know, for Search"}`)
}

// bulk counts create and index actions, each of which is one line followed by one line of document.
func (s *Sink) bulk(w http.ResponseWriter, r *http.Request) {
	lines, err := countLines(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	docs := lines / 2
	s.records.Add(int64(docs))
	item := `{"create":{"_index":"sink","status":201}}`
	items := strings.TrimSuffix(strings.Repeat(item+",", docs), ",")
	answer(w, `{"took":1,"errors":false,"items":[`+items+`]}`)
}

// lines counts the lines of InfluxDB's line protocol.
func (s *Sink) lines(w http.ResponseWriter, r *http.Request) {
	lines, err := countLines(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.records.Add(int64(lines))
	w.WriteHeader(http.StatusNoContent)
}

func answer(w http.ResponseWriter, body string) {
	w.Header().Set("X-Elastic-Product", "Elasticsearch")
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, body) // a client that has gone asks again
}

// countLines counts the lines that are not empty; the last one needs no newline.
func countLines(r *http.Request) (int, error) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			return 0, fmt.Errorf("sink: gzip: %w", err)
		}
		body = z
	}
	reader := bufio.NewReaderSize(body, 64<<10)
	n, inLine := 0, false
	for {
		chunk, err := reader.ReadSlice('\n')
		content := len(bytes.TrimSuffix(chunk, []byte("\n"))) > 0
		switch {
		case err == nil && (content || inLine):
			n, inLine = n+1, false
		case errors.Is(err, bufio.ErrBufferFull):
			inLine = true
		case errors.Is(err, io.EOF):
			if content || inLine {
				n++
			}
			return n, nil
		case err != nil:
			return 0, fmt.Errorf("sink: read: %w", err)
		}
	}
}
