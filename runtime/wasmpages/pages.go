package wasmpages

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/go-units"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"

	"github.com/obsd-io/obsd/runtime/engine"
)

// pages serves the state of all plugins. It is an [engine.Board]: engines find it among the host's extensions.
type pages struct {
	config    *Config
	telemetry component.TelemetrySettings
	server    *http.Server
	listening string // the address, since the port may be chosen by the system
	done      sync.WaitGroup

	mu    sync.Mutex
	next  int
	shown map[int]shown
}

type shown struct {
	component string
	page      func() engine.Page
}

// Show lists a plugin until remove is called.
func (p *pages) Show(component string, page func() engine.Page) (remove func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown == nil {
		p.shown = map[int]shown{}
	}
	p.next++
	key := p.next
	p.shown[key] = shown{component, page}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.shown, key)
	}
}

// Start listens.
func (p *pages) Start(ctx context.Context, host component.Host) error {
	listener, err := p.config.HTTP.ToListener(ctx)
	if err != nil {
		return fmt.Errorf("wasm_pages: listen: %w", err)
	}
	p.listening = listener.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.serve)
	if p.server, err = p.config.HTTP.ToServer(ctx, host.GetExtensions(), p.telemetry, mux); err != nil {
		return errors.Join(fmt.Errorf("wasm_pages: %w", err), listener.Close())
	}
	p.telemetry.Logger.Info("plugins are shown", zap.String("address", "http://"+p.listening))
	p.done.Go(func() {
		if err := p.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(fmt.Errorf("wasm_pages: serve: %w", err)))
		}
	})
	return nil
}

// Shutdown ends the server. It may be called twice and before Start.
func (p *pages) Shutdown(context.Context) error {
	if p.server == nil {
		return nil
	}
	err := p.server.Close()
	p.done.Wait()
	return err
}

// pages asks all engines, sorted by component.
func (p *pages) pages() []engine.Page {
	p.mu.Lock()
	list := make([]shown, 0, len(p.shown))
	for _, s := range p.shown {
		list = append(list, s)
	}
	p.mu.Unlock()
	slices.SortFunc(list, func(a, b shown) int { return strings.Compare(a.component, b.component) })
	out := []engine.Page{}
	for _, s := range list {
		if page := s.page(); page.Digest != "" { // else it ended meanwhile
			out = append(out, page)
		}
	}
	return out
}

func (p *pages) serve(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	var err error
	kind := "text/html; charset=utf-8"
	switch format := r.URL.Query().Get("format"); format {
	case "", "html":
		err = page.Execute(&body, p.pages())
	case "json":
		kind = "application/json"
		enc := json.NewEncoder(&body)
		enc.SetIndent("", "  ")
		err = enc.Encode(p.pages())
	default:
		http.Error(w, fmt.Sprintf("format %q: want html or json", format), http.StatusBadRequest)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(body.Bytes()) // a reader that went away is not our concern
}

//go:embed page.html
var source string

// page is the one template; it takes []engine.Page.
var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"size":  func(n int64) string { return units.BytesSize(float64(n)) },
	"since": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"short": func(digest string) string { return digest[:min(len(digest), 19)] },
	"list":  func(s []string) string { return strings.Join(s, ", ") },
	"round": func(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) },
	"group": group,
}).Parse(source))

// group writes a number with a comma between thousands.
func group(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
