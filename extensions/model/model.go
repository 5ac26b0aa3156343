// Package model is the extension "model": the API of Heapster (/api/v1/model) and of metrics.k8s.io, which `kubectl top`
// and autoscalers ask, over a bounded window of the newest values in memory. The processor k8s_aggregate feeds it.
//
// Sources: docs/model.md and metrics/api/v1 at kubernetes-retired/heapster e1e83412; types of k8s.io/metrics.
package model

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"
)

// Model is the extension. It takes the metrics of k8s_aggregate, and the handlers of components that have something to
// tell under the same address and the same guard. All methods may be called concurrently.
type Model struct {
	config *Config
	set    extension.Settings
	store  *store
	tel    *telemetry

	server    *http.Server
	listening string // the address, since the port may be chosen by the system
	done      sync.WaitGroup

	mux   atomic.Pointer[http.ServeMux]
	mu    sync.Mutex
	added map[string]http.Handler // by pattern
}

var _ consumer.Metrics = (*Model)(nil)

func newModel(set extension.Settings, config *Config) (*Model, error) {
	m := &Model{config: config, set: set, store: newStore(config), added: make(map[string]http.Handler)}
	mux, err := m.build()
	if err != nil {
		return nil, err
	}
	m.mux.Store(mux)
	m.tel, err = newTelemetry(set, m.store, config.HeapsterMetrics)
	return m, err
}

// Capabilities says that batches are only read.
func (m *Model) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// ConsumeMetrics takes the values that Heapster had a name for. It holds on to nothing of the batch, waits for nothing
// but the lock, and never fails: values beyond max_series are counted as dropped.
func (m *Model) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	begin := time.Now()
	dropped := m.store.consume(md, begin)
	m.tel.consumed(ctx, time.Since(begin), dropped)
	return nil
}

// Handle adds a handler for a pattern of [http.ServeMux] until unregister is called. A pattern that is taken is an error.
func (m *Model) Handle(pattern string, h http.Handler) (unregister func(), err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.added[pattern]; taken {
		return nil, fmt.Errorf("model: handle %q: it is taken by another component", pattern)
	}
	m.added[pattern] = h
	mux, err := m.build()
	if err != nil {
		delete(m.added, pattern)
		return nil, fmt.Errorf("model: handle %q: %w", pattern, err)
	}
	m.mux.Store(mux)
	return sync.OnceFunc(func() { m.remove(pattern) }), nil
}

func (m *Model) remove(pattern string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.added, pattern)
	if mux, err := m.build(); err == nil { // fewer patterns than before do not contradict each other
		m.mux.Store(mux)
	}
}

// build makes the mux anew, as patterns cannot be taken out of one. A pattern that contradicts another is an error.
func (m *Model) build() (mux *http.ServeMux, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	mux = http.NewServeMux()
	m.heapsterRoutes(mux)
	m.metricsRoutes(mux)
	m.ownRoutes(mux)
	for pattern, h := range m.added {
		mux.Handle(pattern, h)
	}
	return mux, nil
}

// Start listens.
func (m *Model) Start(ctx context.Context, host component.Host) error {
	listener, err := m.config.HTTP.ToListener(ctx)
	if err != nil {
		return fmt.Errorf("model: listen: %w", err)
	}
	m.listening = listener.Addr().String()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.mux.Load().ServeHTTP(w, r) })
	m.server, err = m.config.HTTP.ToServer(ctx, host.GetExtensions(), m.set.TelemetrySettings, m.tel.count(handler))
	if err != nil {
		return errors.Join(fmt.Errorf("model: %w", err), listener.Close())
	}
	m.set.Logger.Info("the model answers", zap.String("address", m.listening))
	if m.config.HTTP.Auth.HasValue() && !m.config.HTTP.TLS.HasValue() && !m.config.local() {
		m.set.Logger.Warn("model: clients send their credentials unencrypted: set tls")
	}
	m.done.Go(func() {
		if err := m.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(fmt.Errorf("model: serve: %w", err)))
		}
	})
	return nil
}

// Shutdown ends the server. It may be called twice and before Start.
func (m *Model) Shutdown(context.Context) error {
	m.tel.close()
	if m.server == nil {
		return nil
	}
	err := m.server.Close()
	m.done.Wait()
	return err
}
