package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/host"
)

// figures are what an engine counts. A batch adds to them once, and a reader of metrics or of the page fetches them, so
// that they cost a few atomic additions a batch. The zero value counts without telling anyone.
type figures struct {
	calls, fuel, edits atomic.Int64
	// rows by signal and what became of them.
	rows [len(abi.SignalNames)][outcomes]atomic.Int64
	made [len(abi.SignalNames)]atomic.Int64

	mu sync.Mutex
	// These change seldom.
	routed   map[string]*atomic.Int64
	failures map[host.Kind]int64
	lost     map[lostKey]int64
	swaps    map[Outcome]int64

	duration metric.Float64Histogram // nil for a trial's
	plugin   metric.MeasurementOption
}

// What became of a row.
const (
	kept = iota
	dropped
	routed
	skipped // by where
	outcomes
)

var outcomeNames = [outcomes]string{kept: "kept", dropped: "dropped", routed: "routed", skipped: "skipped"}

type lostKey struct {
	signal abi.Signal
	kind   host.Kind
}

func (f *figures) call(ctx context.Context, took time.Duration, fuel int64) {
	f.calls.Add(1)
	f.fuel.Add(fuel)
	if f.duration != nil {
		f.duration.Record(ctx, took.Seconds(), f.plugin)
	}
}

func (f *figures) failed(kind host.Kind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failures == nil {
		f.failures = map[host.Kind]int64{}
	}
	f.failures[kind]++
}

func (f *figures) lose(signal abi.Signal, kind host.Kind, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lost == nil {
		f.lost = map[lostKey]int64{}
	}
	f.lost[lostKey{signal, kind}] += int64(n)
}

func (f *figures) swapped(o Outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.swaps == nil {
		f.swaps = map[Outcome]int64{}
	}
	f.swaps[o]++
}

// route is the counter of a route.
func (f *figures) route(name string) *atomic.Int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.routed == nil {
		f.routed = map[string]*atomic.Int64{}
	}
	if f.routed[name] == nil {
		f.routed[name] = new(atomic.Int64)
	}
	return f.routed[name]
}

// settled counts what became of a batch, before anything is moved. routes are the version's counters.
func (f *figures) settled(b *batch, routes []*atomic.Int64) {
	var n [outcomes]int64
	b.counts = append(b.counts[:0], make([]int64, len(routes))...)
	for _, v := range b.table.Verdicts {
		switch {
		case v == abi.Keep:
			n[kept]++
		case v == abi.Drop:
			n[dropped]++
		case v < abi.Set:
			n[routed]++
			if i := int(v) - abi.Route; i < len(b.counts) {
				b.counts[i]++
			}
		default:
			n[routed]++
			set := b.table.Sets[v-abi.Set]
			for i := range b.counts {
				if i < abi.MaxSetRoutes && set&(1<<i) != 0 {
					b.counts[i]++
				}
			}
		}
	}
	n[skipped] = int64(b.table.Rows() - len(b.rows))
	n[kept] -= n[skipped]
	for i, v := range n {
		if v != 0 {
			f.rows[b.data.Signal][i].Add(v)
		}
	}
	for i, v := range b.counts {
		if v != 0 {
			routes[i].Add(v)
		}
	}
	for _, s := range signals {
		if v := b.table.New(s); v > 0 {
			f.made[s].Add(int64(v))
		}
	}
}

// signals lists all signals.
var signals = [...]abi.Signal{abi.SignalLogs, abi.SignalMetrics, abi.SignalTraces}

// scope is the name of the engine's meter.
const scope = "github.com/obsd-io/obsd/runtime/engine"

// instruments reports an engine's figures to a meter.
type instruments struct {
	engine *Engine

	calls, fuel, edits, rows, routed, made, failures, lost, swaps metric.Int64ObservableCounter
	instances, memory, highWater, circuit, info                   metric.Int64ObservableGauge
}

// instrument has the meter ask for the engine's figures; stop ends that.
func (e *Engine) instrument(set component.TelemetrySettings) (stop func() error, err error) {
	meter := set.MeterProvider.Meter(scope)
	i := &instruments{engine: e}
	var errs []error
	counter := func(name, unit, text string) metric.Int64ObservableCounter {
		c, err := meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(text))
		errs = append(errs, err)
		return c
	}
	gauge := func(name, unit, text string) metric.Int64ObservableGauge {
		g, err := meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(text))
		errs = append(errs, err)
		return g
	}
	i.calls = counter("obsd_wasm_calls", "{call}", "Calls of a plugin.")
	i.fuel = counter("obsd_wasm_fuel", "{unit}", "Fuel that a plugin used.")
	i.edits = counter("obsd_wasm_edits", "{edit}", "Edits of a plugin that were applied.")
	i.rows = counter("obsd_wasm_rows", "{row}", "Rows (log records, data points, spans) by what became of them: kept, dropped, routed, or skipped by where.")
	i.routed = counter("obsd_wasm_routed_rows", "{row}", "Rows that a plugin routed, by route. A row for several routes counts for each.")
	i.made = counter("obsd_wasm_new_rows", "{row}", "Rows that a plugin made, by signal.")
	i.failures = counter("obsd_wasm_errors", "{error}", "Failures of a plugin, by kind.")
	i.lost = counter("obsd_wasm_lost_records", "{record}", "Records lost, by signal and by the kind of failure that they were lost for.")
	i.swaps = counter("obsd_wasm_swaps", "{swap}", "Changed modules, by what became of them.")
	i.instances = gauge("obsd_wasm_instances", "{instance}", "Instances of a plugin.")
	i.memory = gauge("obsd_wasm_memory", "By", "Memory of all instances of a plugin.")
	i.highWater = gauge("obsd_wasm_memory_high_water", "By", "The most memory that one instance of a plugin had.")
	i.circuit = gauge("obsd_wasm_circuit_state", "{state}", "0: the plugin is called, 1: one batch tries it, 2: it is left alone.")
	i.info = gauge("obsd_wasm_info", "{plugin}", "1, with the module that serves and how its code is run.")
	e.figures.plugin = metric.WithAttributeSet(attribute.NewSet(attribute.String("plugin", e.name)))
	e.figures.duration, err = meter.Float64Histogram("obsd_wasm_call_duration", metric.WithUnit("s"),
		metric.WithDescription("How long calls of a plugin took."),
		metric.WithExplicitBucketBoundaries(1e-6, 1e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 1e-1))
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	registration, err := meter.RegisterCallback(i.observe, i.calls, i.fuel, i.edits, i.rows, i.routed, i.made, i.failures,
		i.lost, i.swaps, i.instances, i.memory, i.highWater, i.circuit, i.info)
	if err != nil {
		return nil, err
	}
	return registration.Unregister, nil
}

func (i *instruments) observe(_ context.Context, o metric.Observer) error {
	p := i.engine.Page()
	if p.Digest == "" { // no module serves any more
		return nil
	}
	with := func(extra ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(append(extra, attribute.String("plugin", p.Component))...))
	}
	o.ObserveInt64(i.calls, p.Calls, with())
	o.ObserveInt64(i.fuel, p.Fuel, with())
	o.ObserveInt64(i.edits, p.Edits, with())
	for signal, rows := range p.Rows {
		for outcome, n := range rows {
			o.ObserveInt64(i.rows, n, with(attribute.String("signal", signal), attribute.String("outcome", outcome)))
		}
	}
	for route, n := range p.Routed {
		o.ObserveInt64(i.routed, n, with(attribute.String("route", route)))
	}
	for signal, n := range p.New {
		o.ObserveInt64(i.made, n, with(attribute.String("signal", signal)))
	}
	for kind, n := range p.Errors {
		o.ObserveInt64(i.failures, n, with(attribute.String("kind", kind)))
	}
	for _, l := range p.Lost {
		o.ObserveInt64(i.lost, l.Records, with(attribute.String("signal", l.Signal), attribute.String("kind", l.Kind)))
	}
	for outcome, n := range p.Swaps {
		o.ObserveInt64(i.swaps, n, with(attribute.String("outcome", outcome)))
	}
	o.ObserveInt64(i.instances, int64(p.Instances), with())
	o.ObserveInt64(i.memory, p.Memory, with())
	o.ObserveInt64(i.highWater, p.MemoryHighWater, with())
	o.ObserveInt64(i.circuit, int64(p.state), with())
	o.ObserveInt64(i.info, 1, with(attribute.String("name", p.Manifest.Name), attribute.String("version", p.Manifest.Version),
		attribute.String("digest", p.Digest), attribute.String("engine", p.Engine)))
	return nil
}
