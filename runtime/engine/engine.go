// Package engine joins a plugin to pdata: it finds and loads the module, cuts batches into calls, and applies the
// policy for failures. The components wasmprocessor and wasmconnector stand on it.
//
//	plog.Logs → table.Logs (flat rows) → for each 256 rows: an instance of host.Plugin → verdicts and edits
package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/host"
	"github.com/obsd-io/obsd/runtime/table"
)

// maxRows is the most rows of one call: a guest cannot be preempted, and the garbage collector waits for it.
const maxRows = 256

// maxBytes is the most bytes of one call, unless a single row has more: long lines must neither hold up the collector
// for longer, nor fill a guest's memory.
const maxBytes = 1 << 20

// Engine runs one plugin. It is safe for concurrent use.
type Engine struct {
	name    string
	onError OnError
	plugin  *host.Plugin
	plan    *table.Plan
	tables  sync.Pool
	log     *zap.Logger
	errors  metric.Int64Counter
	lost    metric.Int64Counter
}

// Load finds, compiles and configures the plugin. id is the component's, and names the plugin in errors and metrics.
func Load(ctx context.Context, id component.ID, set component.TelemetrySettings, c *Config) (*Engine, error) {
	e := &Engine{name: id.String(), onError: c.OnError, tables: sync.Pool{New: func() any { return new(table.Logs) }}}
	e.log = set.Logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, 10*time.Second, 1, 0)
	}))
	if err := e.instruments(set); err != nil {
		return nil, err
	}
	module, err := c.module()
	if err != nil {
		return nil, fmt.Errorf("plugin %q: %w", e.name, err)
	}
	config, err := json.Marshal(c.Config)
	if err != nil {
		return nil, fmt.Errorf("plugin %q: config: %w", e.name, err)
	}
	if c.Config == nil {
		config = nil
	}
	dir, err := cacheDir()
	if err != nil {
		set.Logger.Warn("compiled plugins are not kept between starts: no cache folder", zap.Error(err))
	}
	e.plugin, err = host.Load(ctx, host.Settings{
		Name: e.name, Module: module, Config: config, CacheDir: dir,
		Limits:     host.Limits{Memory: int64(c.Limits.Memory), TimePerBatch: c.Limits.TimePerBatch, Instances: c.Limits.Instances},
		NewSession: e.newSession,
	})
	if err != nil {
		return nil, err
	}
	if e.plan == nil {
		_, err := table.NewPlan(e.plugin.Manifest())
		return nil, errors.Join(fmt.Errorf("plugin %q: %w", e.name, err), e.plugin.Close(ctx))
	}
	e.announce(set.Logger, c)
	return e, nil
}

// newSession is called once within Load, which is where the plan is made, and then for each new instance.
func (e *Engine) newSession(m *abi.Manifest) any {
	if e.plan == nil {
		plan, err := table.NewPlan(m)
		if err != nil {
			return nil
		}
		e.plan = plan
	}
	return table.NewSession(e.plan)
}

func (e *Engine) announce(log *zap.Logger, c *Config) {
	m := e.plugin.Manifest()
	log.Info("plugin loaded", zap.String("module", c.Module), zap.String("plugin", m.Name), zap.String("version", m.Version),
		zap.Strings("reads", m.Reads), zap.Strings("routes", m.Routes))
	if !e.plugin.Compiled() {
		log.Warn("plugins are interpreted on this processor architecture, about 50 times slower than compiled")
	}
}

func (e *Engine) instruments(set component.TelemetrySettings) (err error) {
	meter := set.MeterProvider.Meter("github.com/obsd-io/obsd/runtime/engine")
	e.errors, err = meter.Int64Counter("obsd_wasm_errors", metric.WithUnit("{error}"),
		metric.WithDescription("Calls of a plugin that failed, by kind."))
	if err != nil {
		return err
	}
	e.lost, err = meter.Int64Counter("obsd_wasm_lost_log_records", metric.WithUnit("{record}"),
		metric.WithDescription("Log records lost because their plugin failed and on_error is drop or fail, by kind of failure."))
	return err
}

// Manifest is the plugin's manifest.
func (e *Engine) Manifest() *abi.Manifest { return e.plugin.Manifest() }

// Close ends the plugin; no call may be under way.
func (e *Engine) Close(ctx context.Context) error { return e.plugin.Close(ctx) }

// Logs runs the plugin over ld, changes its records in place, and hands the verdicts to use, which must not keep them.
//
// # Errors
//
// What use returns; the context's error; or, where on_error is fail, a permanent error with the plugin's name.
func (e *Engine) Logs(ctx context.Context, ld plog.Logs, use func(*table.Logs) error) error {
	rows := e.tables.Get().(*table.Logs)
	defer func() {
		rows.Clear()
		e.tables.Put(rows)
	}()
	rows.Reset(ld)
	if err := e.run(ctx, rows); err != nil {
		return err
	}
	return use(rows)
}

func (e *Engine) run(ctx context.Context, rows *table.Logs) error {
	var inst *host.Instance
	defer func() {
		if inst != nil {
			e.plugin.Release(ctx, inst)
		}
	}()
	hi := 0
	for lo := 0; lo < rows.Rows(); lo = hi {
		hi = min(lo+maxRows, rows.Rows())
		var err error
		if inst == nil {
			inst, err = e.plugin.Acquire(ctx)
		}
		if err == nil {
			hi, err = call(ctx, inst, rows, lo, hi)
		}
		if err == nil {
			continue
		}
		if inst != nil {
			e.plugin.Release(ctx, inst)
			inst = nil
		}
		if err := e.failed(ctx, err, rows, lo, hi); err != nil {
			return err
		}
	}
	return nil
}

// call has one instance work on the rows from lo up to hi, or fewer if they are large, and returns up to which.
// After an error these rows are as they were.
func call(ctx context.Context, inst *host.Instance, rows *table.Logs, lo, hi int) (int, error) {
	session := inst.Session().(*table.Session)
	size := session.Measure(rows, lo, hi)
	for size > maxBytes && hi-lo > 1 {
		hi = lo + (hi-lo)/2
		size = session.Measure(rows, lo, hi)
	}
	block, err := inst.Block(ctx, size)
	if err != nil {
		return hi, err
	}
	session.Encode(block, time.Now().UnixNano())
	result, err := inst.Process(ctx, size)
	if err != nil {
		return hi, err
	}
	if err := session.Apply(inst.Memory(), result); err != nil {
		return hi, inst.BadOutput("process", err)
	}
	return hi, nil
}

// failed applies the policy to the rows from lo up to hi. An error from it ends the batch.
func (e *Engine) failed(ctx context.Context, err error, rows *table.Logs, lo, hi int) error {
	var failure *host.Error
	if !errors.As(err, &failure) || failure.Kind == host.KindCanceled {
		return err
	}
	plugin, kind := attribute.String("plugin", e.name), attribute.String("kind", string(failure.Kind))
	e.errors.Add(ctx, 1, metric.WithAttributes(plugin, kind))
	switch e.onError {
	case Drop:
		e.lost.Add(ctx, int64(hi-lo), metric.WithAttributes(plugin, kind))
		rows.Judge(lo, hi, abi.Drop)
	case Fail:
		e.lost.Add(ctx, int64(rows.Rows()), metric.WithAttributes(plugin, kind))
		return consumererror.NewPermanent(err)
	}
	e.log.Error("a plugin failed; its rows follow on_error", zap.Error(err), zap.Int("rows", hi-lo), zap.String("on_error", string(e.onError)))
	return nil
}
