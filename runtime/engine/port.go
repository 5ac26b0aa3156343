package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/table"
)

// Names of routes that are the connector's, not a plugin's.
const (
	// DefaultRoute is where rows go that the plugin keeps without naming a route.
	DefaultRoute = "default"
	// DeadLetterRoute is where rows go that the plugin failed on, where on_error is dead_letter.
	DeadLetterRoute = "dead_letter"
)

// Sink takes the rows of one signal, which are then its own.
type Sink func(context.Context, table.Data) error

// LogsSink is a Sink of logs.
func LogsSink(next consumer.Logs) Sink {
	return func(ctx context.Context, d table.Data) error { return next.ConsumeLogs(ctx, d.Logs) }
}

// MetricsSink is a Sink of metrics.
func MetricsSink(next consumer.Metrics) Sink {
	return func(ctx context.Context, d table.Data) error { return next.ConsumeMetrics(ctx, d.Metrics) }
}

// TracesSink is a Sink of traces.
func TracesSink(next consumer.Traces) Sink {
	return func(ctx context.Context, d table.Data) error { return next.ConsumeTraces(ctx, d.Traces) }
}

// Use says what a component does with a plugin.
type Use struct {
	// Source is the signal that comes in.
	Source abi.Signal
	// Target is the signal that goes out: Source, for a processor.
	Target abi.Signal
	// Routes has for each configured route of a connector the pipelines of signal Target, nil if there are none. It is
	// nil for a processor.
	Routes map[string]Sink
	// Next is what follows a processor: it takes the rows that a plugin held back.
	Next Sink
}

func (u *Use) connector() bool { return u.Routes != nil }

// Shared has the engines of a factory's components, by their configuration: the Collector hands all components of one id the
// same one. The zero value is ready. It is safe for concurrent use.
type Shared struct {
	mu      sync.Mutex
	engines map[*Config]*Engine
}

// Port makes a component's way to the engine of its configuration. It does no I/O.
func (s *Shared) Port(id component.ID, set component.TelemetrySettings, c *Config, use Use) *Port {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.engines[c]
	if e == nil {
		if s.engines == nil {
			s.engines = map[*Config]*Engine{}
		}
		e = newEngine(id, set, c)
		s.engines[c] = e
	}
	p := &Port{Use: use, shared: s, engine: e}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ports = append(e.ports, p)
	if use.connector() {
		e.group(use.Source)
	}
	return p
}

// leave takes a port off its engine, and with the last one the engine out of the set.
func (s *Shared) leave(p *Port) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := p.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ports = slices.DeleteFunc(e.ports, func(q *Port) bool { return q == p })
	if len(e.ports) == 0 {
		delete(s.engines, e.config)
	}
}

// Port is one component's way to the engine. Consume and Process are safe for concurrent use between Start and Shutdown.
type Port struct {
	Use
	shared *Shared
	engine *Engine
	host   component.Host // of a started port, by engine.mu
	left   sync.Once

	// group has the ports of a connector with the same source. The Collector hands each batch to all of them; the first
	// one has the plugin work on it, once, and serves all.
	group []*Port

	targets atomic.Pointer[targets]
}

// group sorts the ports with a source: the one that goes on with the same signal first. e.mu is held.
func (e *Engine) group(source abi.Signal) {
	var group []*Port
	for _, p := range e.ports {
		if p.connector() && p.Source == source {
			group = append(group, p)
		}
	}
	slices.SortStableFunc(group, func(a, b *Port) int { return a.rank() - b.rank() })
	for _, p := range group {
		p.group = group
	}
}

func (p *Port) rank() int {
	if p.Target == p.Source {
		return 0
	}
	return int(p.Target)
}

// Start loads the plugin, unless another port did, and holds its manifest against the port.
func (p *Port) Start(ctx context.Context, h component.Host) error {
	e := p.engine
	e.life.Lock()
	defer e.life.Unlock()
	if e.started == 0 {
		if err := e.start(ctx, h); err != nil {
			return err
		}
	}
	if err := e.fits(e.current.Load(), p); err != nil {
		if e.started == 0 {
			err = errors.Join(err, e.stop(context.WithoutCancel(ctx)))
		}
		return err
	}
	e.started++
	e.mu.Lock()
	defer e.mu.Unlock()
	p.host = h
	return nil
}

// Shutdown hands on what a stateful plugin holds back, and with the last port ends the plugin. It may be called twice
// and before Start.
func (p *Port) Shutdown(ctx context.Context) error {
	var err error
	p.left.Do(func() {
		e := p.engine
		e.life.Lock()
		defer e.life.Unlock()
		if p.started() {
			// What follows this port still runs; it may not when the last port is shut down.
			e.flushFor(ctx, p)
			e.mu.Lock()
			p.host = nil
			e.mu.Unlock()
			if e.started--; e.started == 0 {
				err = e.stop(ctx)
			}
		}
		p.shared.leave(p)
	})
	return err
}

func (p *Port) started() bool {
	p.engine.mu.Lock()
	defer p.engine.mu.Unlock()
	return p.host != nil
}

// Process runs the plugin over d, changes it in place, and returns how many rows are left.
//
// # Errors
//
// The context's error; or, where on_error is fail, a permanent error with the plugin's name.
func (p *Port) Process(ctx context.Context, d table.Data) (left int, err error) {
	b, err := p.engine.process(ctx, d)
	if err != nil {
		return 0, err
	}
	defer p.engine.done(b)
	return b.table.Settle(), nil
}

// part is what goes to one sink.
type part struct {
	to   Sink
	data table.Data
}

// Consume runs the plugin over d and hands each pipeline its rows; d is void afterwards. An error of one pipeline does not
// keep rows from the others; a caller that sends the batch again then sends to those twice, as with any fan-out of the
// Collector.
//
// # Errors
//
// As Process, and what the sinks return.
func (p *Port) Consume(ctx context.Context, d table.Data) error {
	if p.group[0] != p {
		return nil
	}
	b, err := p.engine.process(ctx, d)
	if err != nil {
		return err
	}
	var parts []part
	// Splitting the batch's own signal moves its rows, so that goes last.
	for _, port := range slices.Backward(p.group) {
		parts = port.split(b, parts)
	}
	p.engine.done(b)
	var errs []error
	for _, part := range parts {
		errs = append(errs, part.to(ctx, part.data))
	}
	return errors.Join(errs...)
}

// split adds what a port's sinks get of a batch.
func (p *Port) split(b *batch, parts []part) []part {
	if p.Target != p.Source && b.table.New(p.Target) == 0 {
		return parts
	}
	return p.hand(b.version, &b.table, parts)
}

// hand adds the rows of a table, of signal Target, that go to the sinks.
func (p *Port) hand(v *version, t *table.Table, parts []part) []part {
	sinks := p.sinks(v)
	for verdict, d := range t.Split(p.Target, len(sinks)) {
		if to := sinks[verdict]; to != nil && d.Rows() > 0 {
			parts = append(parts, part{to, d})
		}
	}
	return parts
}

// targets has the sink of each verdict for one version: of default at abi.Keep, of route i at abi.Route+i, and behind
// them of dead_letter.
type targets struct {
	id    uint64
	sinks []Sink
}

// sinks gives the sinks by verdict, made once a version.
func (p *Port) sinks(v *version) []Sink {
	if t := p.targets.Load(); t != nil && t.id == v.id {
		return t.sinks
	}
	routes := v.plugin.Manifest().Routes
	sinks := make([]Sink, abi.Route+len(routes)+1)
	sinks[abi.Keep] = p.Next
	if p.connector() {
		sinks[abi.Keep] = p.Routes[DefaultRoute]
		for i, name := range routes {
			sinks[abi.Route+i] = p.Routes[name]
		}
		sinks[abi.Route+len(routes)] = p.Routes[DeadLetterRoute]
	}
	p.targets.Store(&targets{v.id, sinks})
	return sinks
}

// fits holds a version's manifest against a port: the configuration must have a place for all that the plugin may do.
func (e *Engine) fits(v *version, p *Port) error {
	m := v.plugin.Manifest()
	var errs []error
	refuse := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("plugin %q: "+format, append([]any{e.name}, args...)...))
	}
	source, target := abi.SignalNames[p.Source], abi.SignalNames[p.Target]
	if !slices.Contains(m.Signals, source) {
		refuse("it works on %q and is used in a pipeline of %s: its manifest's signals must have it", m.Signals, source)
	}
	if p.connector() {
		if p.Target != p.Source && !slices.Contains(m.Emits, target) {
			refuse("it is used from %s to %s, but makes no %s (it emits %q): take it out of the %s pipelines, or add %q to its manifest's emits", source, target, target, m.Emits, target, target)
		}
		p.fitRoutes(m, refuse)
		return errors.Join(errs...)
	}
	if len(m.Routes) > 0 {
		refuse("it routes to %q, which a processor cannot: use it as a connector", m.Routes)
	}
	for _, s := range m.Emits {
		if s != source {
			refuse("it makes %s, which a processor of %s cannot pass on: use it as a connector", s, source)
		}
	}
	if m.Flush != "" && e.uses(p.Source) > 1 {
		refuse("it holds rows back, and none of them knows which of several %s pipelines it came from: give each pipeline a component of its own", source)
	}
	return errors.Join(errs...)
}

// uses counts the ports with a source.
func (e *Engine) uses(source abi.Signal) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.ports {
		if p.Source == source {
			n++
		}
	}
	return n
}

// fitRoutes matches the plugin's routes with the configured ones.
func (p *Port) fitRoutes(m *abi.Manifest, refuse func(string, ...any)) {
	for _, name := range m.Routes {
		if name == DefaultRoute || name == DeadLetterRoute {
			refuse("manifest: routes: %s is obsd's own name: rename the plugin's route", name)
		} else if _, ok := p.Routes[name]; !ok {
			refuse("routes: %s is missing: the plugin may route to it; name pipelines, or [] to drop what goes there", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Routes)) {
		if name != DefaultRoute && name != DeadLetterRoute && !slices.Contains(m.Routes, name) {
			refuse("routes: %s: the plugin has no such route; it has %q", name, m.Routes)
		}
	}
}
