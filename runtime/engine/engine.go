// Package engine joins a plugin to pdata: it finds and loads the module, selects rows, cuts batches into calls within
// their budgets, applies the policy for failures, and puts a changed module in the place of the running one. The
// components wasmprocessor and wasmconnector stand on it.
//
//	pdata → table.Table (flat rows) → where → for each call: an instance of host.Plugin → verdicts, edits, new rows
//	                                    └→ failed calls are halved: the rows to blame follow on_error
//
// A component's factory holds a [Shared]; each component that it creates gets a [Port]. All ports of one configuration
// use one [Engine].
package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/capability"
	"github.com/obsd-io/obsd/runtime/host"
	"github.com/obsd-io/obsd/runtime/source"
	"github.com/obsd-io/obsd/runtime/table"
)

// Engine runs one plugin for all ports that use it. It is safe for concurrent use.
type Engine struct {
	name         string
	config       *Config
	pluginConfig json.RawMessage
	set          component.TelemetrySettings
	cacheDir     string
	// log says the same thing once in ten seconds.
	log     *zap.Logger
	figures figures
	breaker *breaker
	batches sync.Pool

	versions atomic.Uint64 // the newest version's number
	current  atomic.Pointer[version]
	shadow   atomic.Pointer[shadow]
	// reflush tells the flush loop that another version serves.
	reflush chan struct{}
	// rolledBack tells the renewal loop that doomed has versions to end; ending is held while versions are retired.
	rolledBack chan struct{}
	ending     sync.Mutex

	// life serializes start, stop and the flushes of ports; it is not held while batches run.
	life       sync.Mutex
	started    int // ports
	grants     *capability.Set
	extensions map[component.ID]component.Component // the daemon's, of which grants may ask some
	source     *source.Source
	dead       *deadFile
	stops      []func() error // in the order of starting
	cancel     context.CancelFunc
	loops      sync.WaitGroup

	mu      sync.Mutex
	ports   []*Port
	doomed  []*version // rolled back and not ended yet
	refusal string     // the newest module's
	silent  bool       // the module's source did not answer when it was asked last
}

func newEngine(id component.ID, set component.TelemetrySettings, c *Config) *Engine {
	e := &Engine{name: id.String(), config: c, set: set, reflush: make(chan struct{}, 1), rolledBack: make(chan struct{}, 1)}
	e.batches.New = func() any { return new(batch) }
	e.breaker = newBreaker(c.Circuit, e.circuit)
	e.log = set.Logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, 10*time.Second, 1, 0)
	}))
	return e
}

// alone is the host of an engine without components.
type alone struct{}

func (alone) GetExtensions() map[component.ID]component.Component { return nil }

// Load makes an engine that belongs to no component and checks no routes, for tests and tools. id names the plugin in errors
// and metrics.
func Load(ctx context.Context, id component.ID, set component.TelemetrySettings, c *Config) (*Engine, error) {
	e := newEngine(id, set, c)
	return e, e.start(ctx, alone{})
}

// Close ends an engine of [Load]; no batch may be at work.
func (e *Engine) Close(ctx context.Context) error { return e.stop(ctx) }

// Manifest is the plugin's manifest.
func (e *Engine) Manifest() *abi.Manifest { return e.current.Load().plugin.Manifest() }

// Run has the plugin work on d, changes it in place, and hands the verdicts to use, which must not keep them.
//
// # Errors
//
// What use returns; the context's error; or, where on_error is fail, a permanent error with the plugin's name.
func (e *Engine) Run(ctx context.Context, d table.Data, use func(*table.Table) error) error {
	b, err := e.process(ctx, d)
	if err != nil {
		return err
	}
	defer e.done(b)
	return use(&b.table)
}

// start loads the plugin; ctx bounds that. After an error all is as before.
func (e *Engine) start(ctx context.Context, h component.Host) error {
	err := e.assemble(ctx, h)
	if err != nil {
		return errors.Join(err, e.stop(context.WithoutCancel(ctx)))
	}
	return nil
}

// assemble starts the parts one after another, each with its stop.
func (e *Engine) assemble(ctx context.Context, h component.Host) (err error) {
	fail := func(err error) error { return fmt.Errorf("plugin %q: %w", e.name, err) }
	if e.config.Config != nil {
		if e.pluginConfig, err = json.Marshal(e.config.Config); err != nil {
			return fail(fmt.Errorf("config: %w", err))
		}
	}
	if e.cacheDir, err = cacheFolder("wasm"); err != nil {
		e.set.Logger.Warn("compiled plugins are not kept between starts: no cache folder", zap.Error(err))
	}
	if e.config.DeadLetter.Path != "" {
		if e.dead, err = openDeadFile(e.config.DeadLetter); err != nil {
			return fail(err)
		}
		e.stops = append(e.stops, e.dead.close)
	}
	e.extensions = h.GetExtensions()
	if e.grants, err = capability.New(e.config.Grants, e.name, e.set.Logger, e.set.MeterProvider.Meter(scope)); err != nil {
		return fail(fmt.Errorf("grants: %w", err))
	}
	e.stops = append(e.stops, func() error { e.grants.Close(); return nil })
	if err := e.grants.Start(ctx, e.extensions); err != nil {
		return fail(fmt.Errorf("grants: %w", err))
	}
	module, err := e.fetch(ctx)
	if err != nil {
		return fail(err)
	}
	v, err := e.load(ctx, module, e.grants)
	if err != nil {
		return err
	}
	e.current.Store(v)
	e.announce(v)
	return e.run(h) //nolint:contextcheck // what goes on beside the batches outlives the start
}

// fetch gets the module for the first time.
func (e *Engine) fetch(ctx context.Context) (*source.Module, error) {
	from := e.config.source()
	if len(from.Files()) == 0 {
		var err error
		if from.CacheDir, err = cacheFolder("modules"); err != nil {
			e.set.Logger.Warn("fetched plugins are not kept between starts: no cache folder", zap.Error(err))
		}
	}
	e.source = source.New(from)
	m, err := e.source.Fetch(ctx)
	if err == nil && m.Warning != nil {
		e.set.Logger.Warn("a plugin was fetched with trouble", zap.String("plugin", e.name), zap.Error(m.Warning))
	}
	return m, err
}

// run starts what goes on beside the batches.
func (e *Engine) run(h component.Host) error {
	stop, err := e.instrument(e.set)
	if err != nil {
		return err
	}
	e.stops = append(e.stops, stop)
	for _, extension := range h.GetExtensions() {
		if board, ok := extension.(Board); ok {
			remove := board.Show(e.name, e.Page)
			e.stops = append(e.stops, func() error { remove(); return nil })
		}
	}
	background, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	changes := e.watch(background)
	e.loops.Go(func() { e.renew(background, changes) })
	e.loops.Go(func() { e.flushes(background) })
	return nil
}

// stop ends all that start began, as far as it came, the plugin last.
func (e *Engine) stop(ctx context.Context) error {
	if e.cancel != nil {
		e.cancel()
		e.loops.Wait()
		e.cancel = nil
	}
	var errs []error
	if v := e.current.Swap(nil); v != nil {
		v.letGo()
		errs = append(errs, e.close(ctx, v))
	}
	e.endDoomed(ctx)
	for _, end := range slices.Backward(e.stops) {
		errs = append(errs, end())
	}
	e.stops = nil
	return errors.Join(errs...)
}

// close ends a retired version and the one that it keeps.
func (e *Engine) close(ctx context.Context, v *version) error {
	var errs []error
	for ; v != nil; v = v.fallback.Swap(nil) {
		errs = append(errs, v.plugin.Close(ctx))
	}
	return errors.Join(errs...)
}

func (e *Engine) announce(v *version) {
	m := v.plugin.Manifest()
	mode, why := v.plugin.Engine()
	e.set.Logger.Info("plugin loaded", zap.String("component", e.name), zap.String("plugin", m.Name), zap.String("version", m.Version),
		zap.String("origin", v.origin), zap.String("digest", v.plugin.Digest()), zap.String("signed by", v.signer),
		zap.Strings("reads", m.Reads), zap.Strings("routes", m.Routes), zap.String("engine", string(mode)))
	if mode == host.Interpreter {
		e.set.Logger.Warn("plugins are interpreted, about 50 times slower than compiled", zap.String("why", why))
	}
}

// circuit reports that the circuit opened, or that it closed.
func (e *Engine) circuit(why error) {
	event := componentstatus.NewEvent(componentstatus.StatusOK)
	if why != nil {
		event = componentstatus.NewRecoverableErrorEvent(fmt.Errorf("plugin %q: left alone after %d failures within %s, the last: %w", e.name, e.config.Circuit.Failures, e.config.Circuit.Window, why))
	}
	for _, h := range e.hosts() {
		componentstatus.ReportStatus(h, event)
	}
}

// hosts lists the hosts of the ports that are started and not shut down.
func (e *Engine) hosts() (hosts []component.Host) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.ports {
		if p.host != nil {
			hosts = append(hosts, p.host)
		}
	}
	return hosts
}

// process runs the plugin over d, which is changed in place, and applies on_error. The batch is the caller's to settle
// or split, and to give back to done.
func (e *Engine) process(ctx context.Context, d table.Data) (*batch, error) {
	v := e.hold()
	if v == nil {
		return nil, fmt.Errorf("plugin %q: not started", e.name)
	}
	b := e.batches.Get().(*batch)
	shadow := e.shadow.Load()
	copied := shadow != nil && shadow.take()
	var before table.Data
	if copied {
		before = clone(d)
	}
	b.begin(v, d, e.breaker, &e.figures)
	var held []part
	if v.flush > 0 {
		b.flush = func(inst *host.Instance) { held = append(held, e.flushInstance(ctx, v, inst, nil)...) }
	}
	err := b.process(ctx)
	e.deliver(ctx, held)
	if copied {
		shadow.give(before, b.failedRows(), err == nil)
	}
	if err == nil && len(b.failures) > 0 {
		e.judge(ctx, b)
		err = e.apply(b)
	}
	if err != nil {
		e.done(b)
		return nil, err
	}
	e.figures.settled(b, v.routed)
	return b, nil
}

// done takes a batch back.
func (e *Engine) done(b *batch) {
	v := b.version
	b.end()
	e.batches.Put(b)
	v.letGo()
}

// signalOf gives a signal's number by its name in manifests.
func signalOf(name string) abi.Signal {
	for s, n := range abi.SignalNames {
		if n == name && n != "" {
			return abi.Signal(s)
		}
	}
	panic("BUG: no signal " + name)
}
