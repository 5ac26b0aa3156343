// Package genlogs writes access-log lines for benchmarks: the same lines for the same number every time, on every
// machine, so that figures of two programs or two days can be put side by side.
package genlogs

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// Format is how a line is wrapped.
type Format int

const (
	// Plain is the access-log line alone, as nginx writes it to a file: about 150 bytes.
	Plain Format = iota
	// CRI is the line as containerd writes it for a container on a node: about 190 bytes.
	CRI
)

// PodPath is a path, relative to /var/log/pods, that a kubelet would give to a container's log; receivers read the
// pod's identity from it.
const PodPath = "demo_web-1_11111111-2222-3333-4444-555555555555/nginx/0.log"

// start is the time of the first line; each line is a millisecond later.
var start = time.Date(2026, time.November, 23, 10, 0, 0, 0, time.UTC)

// seed makes the lines what they are.
const seed = 7

type generator struct {
	rnd    *rand.Rand
	format Format
}

// Write writes the given number of lines.
func Write(w io.Writer, lines int, format Format) error {
	buf := bufio.NewWriterSize(w, 1<<20)
	g := generator{rnd: rand.New(rand.NewPCG(seed, seed)), format: format}
	var line []byte
	for i := range lines {
		line = g.line(line[:0], i)
		if _, err := buf.Write(line); err != nil {
			return fmt.Errorf("generate lines: %w", err)
		}
	}
	if err := buf.Flush(); err != nil {
		return fmt.Errorf("generate lines: %w", err)
	}
	return nil
}

// line appends a request as nginx's combined format has it.
func (g *generator) line(b []byte, i int) []byte {
	at := start.Add(time.Duration(i) * time.Millisecond)
	if g.format == CRI {
		b = at.AppendFormat(b, "2006-01-02T15:04:05.000000000Z07:00")
		b = append(b, " stdout F "...)
	}
	return fmt.Appendf(b, "10.%d.%d.%d - - [%s] \"GET %s HTTP/1.1\" %d %d \"https://example.com/\" \"%s\"\n",
		g.rnd.IntN(256), g.rnd.IntN(256), g.rnd.IntN(256), at.Format("02/Jan/2006:15:04:05 -0700"), g.path(), g.status(), 100+g.rnd.IntN(90_000), g.agent())
}

func (g *generator) path() string {
	switch g.rnd.IntN(7) {
	case 0:
		return "/"
	case 1:
		return "/api/v1/users"
	case 2:
		return fmt.Sprintf("/api/v1/orders/%d", 1+g.rnd.IntN(99_999))
	case 3:
		return "/static/app.js"
	case 4:
		return "/login"
	case 5:
		return "/health"
	default:
		return fmt.Sprintf("/api/v2/search?q=%d", 1+g.rnd.IntN(99_999))
	}
}

// status is 200 in four lines of five, and an error of the server in one of 25.
func (g *generator) status() int {
	switch p := g.rnd.IntN(100); {
	case p < 80:
		return 200
	case p < 85:
		return 201
	case p < 88:
		return 301
	case p < 96:
		return 404
	case p < 98:
		return 500
	default:
		return 503
	}
}

func (g *generator) agent() string {
	switch g.rnd.IntN(4) {
	case 0:
		return "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36"
	case 1:
		return "curl/8.5.0"
	case 2:
		return "kube-probe/1.30"
	default:
		return "Go-http-client/1.1"
	}
}
