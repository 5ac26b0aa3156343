package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/capability"
	"github.com/obsd-io/obsd/runtime/host"
	"github.com/obsd-io/obsd/runtime/source"
	"github.com/obsd-io/obsd/runtime/table"
)

const (
	// startRows is how many rows the first call gets, maxRows the most: more gains nothing (a call costs 600 ns).
	startRows = 256
	maxRows   = 1024
	// callTarget is how long a call should take: a guest cannot be preempted, and the garbage collector waits for it.
	callTarget = time.Millisecond
	// callAllowance is what a call gets beside the time of its records: a guest's own garbage collection may fall into it.
	callAllowance = 2 * time.Millisecond
)

// version is one module at work. A batch keeps the version that it began with; the last one to let go of a retired
// version closes drained.
type version struct {
	id     uint64
	name   string // the component's
	plugin *host.Plugin
	plan   *table.Plan
	filter *table.Filter // nil if all rows go to the plugin
	flush  time.Duration // the interval; 0 if there is nothing to flush
	origin string
	signer string
	loaded time.Time
	// routed counts the rows of each route, and at last those that are put aside.
	routed []*atomic.Int64

	// Fuel: of a batch, a record, a call beside its records, and the most of a call.
	batchFuel, recordFuel, allowance, callFuel int64
	limits                                     Limits
	// callTime is how long a call should take.
	callTime time.Duration
	// cost is how many sixteenths of a nanosecond a row takes, a moving average; 0 if nothing was measured.
	cost atomic.Int64
	// rowFuel is how much fuel a row takes, likewise.
	rowFuel atomic.Int64

	// refs counts the batches at work and, until it is retired, the engine.
	refs    atomic.Int64
	drained chan struct{}
	// fallback is the version before, kept for the time of probation.
	fallback atomic.Pointer[version]
}

// load makes a version of a module: compiled, configured and with its manifest held against all ports.
func (e *Engine) load(ctx context.Context, m *source.Module, grants *capability.Set) (*version, error) {
	v := &version{name: e.name, limits: e.config.Limits, callTime: callTarget, origin: m.Origin, signer: m.SignedBy, loaded: time.Now()}
	var planErr error
	var err error
	v.plugin, err = host.Load(ctx, host.Settings{
		Name: e.name, Module: m.Bytes, Digest: m.Digest, Config: e.pluginConfig, CacheDir: e.cacheDir, Capabilities: grants,
		Limits: host.Limits{Memory: int64(e.config.Limits.Memory), Instances: e.config.Limits.Instances},
		NewSession: func(manifest *abi.Manifest) any {
			if v.plan == nil { // the first call is within Load
				if v.plan, planErr = table.NewPlan(manifest); planErr != nil {
					return nil
				}
			}
			return table.NewSession(v.plan)
		},
	})
	if err != nil {
		return nil, err
	}
	if planErr == nil {
		planErr = v.prepare(e.config)
	}
	if planErr != nil {
		return nil, errors.Join(fmt.Errorf("plugin %q: %w", e.name, planErr), v.plugin.Close(ctx))
	}
	for _, name := range append(slices.Clone(v.plugin.Manifest().Routes), DeadLetterRoute) {
		v.routed = append(v.routed, e.figures.route(name))
	}
	v.id = e.versions.Add(1)
	v.open()
	return v, nil
}

// prepare derives from manifest and configuration what each batch needs.
func (v *version) prepare(c *Config) error {
	m := v.plugin.Manifest()
	var err error
	if v.filter, err = newFilter(m, c.Where); err != nil {
		return err
	}
	if m.Flush != "" {
		if v.flush, err = time.ParseDuration(m.Flush); err != nil {
			return fmt.Errorf("manifest: flush: %w", err)
		}
	}
	p := v.plugin
	v.batchFuel, v.recordFuel = p.Fuel(c.Limits.TimePerBatch), p.Fuel(c.Limits.TimePerRecord)
	v.allowance, v.callFuel = p.Fuel(callAllowance), p.MaxCallFuel()
	return nil
}

// newFilter joins the manifest's condition with the configuration's; both must hold.
func newFilter(m *abi.Manifest, where string) (*table.Filter, error) {
	text := ""
	for _, part := range []struct{ key, text string }{{"manifest: where", m.Where}, {"where", where}} {
		if part.text == "" {
			continue
		}
		if _, err := table.NewFilter(part.text, m.Signals); err != nil {
			return nil, fmt.Errorf("%s: %w", part.key, err)
		}
		if text != "" {
			text = "(" + text + ") and (" + part.text + ")"
		} else {
			text = part.text
		}
	}
	if text == "" {
		return nil, nil
	}
	return table.NewFilter(text, m.Signals)
}

// selected appends to rows[:0] the rows that go to the plugin.
func (v *version) selected(t *table.Table, rows []int32) []int32 {
	if v.filter != nil {
		return v.filter.Select(t, rows)
	}
	rows = rows[:0]
	for i := range t.Rows() {
		rows = append(rows, int32(i))
	}
	return rows
}

// rowsPerCall is how many rows the next call should get: as many as take callTime, or half of a call's fuel, which
// leaves the other half to rows that take more than those before.
func (v *version) rowsPerCall() int {
	cost := v.cost.Load()
	if cost == 0 {
		return startRows
	}
	n := min(int64(v.callTime)*16/cost, v.callFuel/2/v.rowFuel.Load(), maxRows)
	return int(max(n, 1))
}

// learn takes in how long a call took, and how much fuel. One slow call, as when the thread was not scheduled, counts for
// little.
func (v *version) learn(rows int, took time.Duration, fuel int64) {
	average(&v.rowFuel, fuel/int64(rows))
	average(&v.cost, int64(took)*16/int64(rows))
}

// average moves an average, which is at least 1, an eighth of the way to a sample, or to four times itself if that is less.
func average(of *atomic.Int64, sample int64) {
	if old := of.Load(); old > 0 {
		sample = old + (min(sample, 4*old)-old)/8
	}
	of.Store(max(sample, 1))
}

// budget is the fuel of a call: for each row and each KiB, on top of what any call may need.
func (v *version) budget(rows, bytes int) int64 {
	return min(v.allowance+v.recordFuel*int64(rows+bytes>>10), v.callFuel)
}

// open makes the version ready to be held, as new or as one that comes back.
func (v *version) open() {
	v.drained = make(chan struct{})
	v.refs.Store(1)
}

// hold takes a reference, unless the version is drained.
func (v *version) hold() bool {
	for {
		n := v.refs.Load()
		if n == 0 {
			return false
		}
		if v.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// letGo gives a reference back.
func (v *version) letGo() {
	if v.refs.Add(-1) == 0 {
		close(v.drained)
	}
}

// hold gives the version that serves, held.
func (e *Engine) hold() *version {
	for {
		v := e.current.Load()
		if v == nil {
			return nil
		}
		if v.hold() {
			if e.current.Load() == v {
				return v
			}
			v.letGo()
		}
		// Another one has taken its place between the lines.
	}
}
