package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/zap"

	"github.com/obsd-io/obsd/runtime/capability"
	"github.com/obsd-io/obsd/runtime/source"
	"github.com/obsd-io/obsd/runtime/table"
)

// Outcome is what became of a changed module.
type Outcome string

// Outcomes.
const (
	// Swapped: it serves.
	Swapped Outcome = "swapped"
	// Unavailable: it could not be fetched, or is not the one that digest or verify want.
	Unavailable Outcome = "unavailable"
	// Refused: it does not load, or does not fit the configuration.
	Refused Outcome = "refused"
	// FailedTrial: it failed on copies of rows that the running one managed.
	FailedTrial Outcome = "failed trial"
	// RolledBack: it served, failed on rows that the former one managed, and the former one serves again.
	RolledBack Outcome = "rolled back"
)

// trialWait is how long a new module waits for a batch to be tried on, before it serves untried.
const trialWait = 10 * time.Second

// renew has a changed module take the place of the running one, and ends those that are done with.
func (e *Engine) renew(ctx context.Context, changes <-chan struct{}) {
	var probation <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-changes:
			if e.refresh(ctx) && e.config.Swap.Probation > 0 {
				probation = time.After(e.config.Swap.Probation)
			}
		case <-e.rolledBack:
			e.endDoomed(ctx)
		case <-probation:
			probation = nil
			if former := e.current.Load().fallback.Swap(nil); former != nil {
				e.warn(e.close(ctx, former))
			}
		}
	}
}

// refresh asks the source for another module and puts it to work; it says whether one serves since.
func (e *Engine) refresh(ctx context.Context) bool {
	m, err := e.source.Poll(ctx)
	if ctx.Err() != nil || e.unanswered(err) || err == nil && m == nil {
		return false
	}
	if err != nil {
		e.refuse(Unavailable, "", err)
		return false
	}
	if m.Digest == e.current.Load().plugin.Digest() {
		return false
	}
	outcome, err := e.swap(ctx, m)
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		e.refuse(outcome, m.Digest, err)
		return false
	}
	e.figures.swapped(outcome)
	return true
}

// unanswered says whether the source could not be asked. That is logged once until it answers again: its errors have the numbers
// of ports and the like, no two of which are the same.
func (e *Engine) unanswered(err error) bool {
	silent := source.Unreachable(err)
	e.mu.Lock()
	was := e.silent
	e.silent = silent
	if silent {
		e.refusal = err.Error()
	} else if was {
		e.refusal = ""
	}
	e.mu.Unlock()
	switch {
	case silent && !was:
		e.figures.swapped(Unavailable)
		e.set.Logger.Warn("the source of a plugin's module does not answer; the running one goes on, and this is not said again until it does",
			zap.String("plugin", e.name), zap.Error(err))
	case was && !silent:
		e.set.Logger.Info("the source of a plugin's module answers again", zap.String("plugin", e.name))
	}
	return silent
}

// refuse says why a module was not taken, once: the source gives it again when it changed.
func (e *Engine) refuse(o Outcome, digest string, why error) {
	e.mu.Lock()
	text := why.Error()
	again := o == Unavailable && e.refusal == text
	e.refusal = text
	e.mu.Unlock()
	if again {
		return
	}
	e.figures.swapped(o)
	e.set.Logger.Error("a changed module is not taken; the running one goes on", zap.String("plugin", e.name),
		zap.String("digest", digest), zap.String("outcome", string(o)), zap.Error(why))
}

func (e *Engine) warn(err error) {
	if err != nil {
		e.set.Logger.Warn("end a plugin's former module", zap.String("plugin", e.name), zap.Error(err))
	}
}

// swap puts a module to work while the running one serves on, and then in its place.
func (e *Engine) swap(ctx context.Context, m *source.Module) (Outcome, error) {
	next, err := e.load(ctx, m, e.grants)
	if err != nil {
		return Refused, err
	}
	fits := e.fitsAll(next)
	if fits == nil {
		err = e.try(ctx, next, m)
	}
	if err := errors.Join(fits, err, ctx.Err()); err != nil {
		e.warn(e.close(context.WithoutCancel(ctx), next))
		if fits != nil {
			return Refused, err
		}
		return FailedTrial, err
	}
	former := e.replace(ctx, next)
	older := former.fallback.Swap(nil)
	if e.config.Swap.Probation > 0 {
		former.open()
		next.fallback.Store(former)
	} else {
		e.warn(e.close(ctx, former))
	}
	if older != nil {
		e.warn(e.close(ctx, older))
	}
	return Swapped, nil
}

// replace has a version serve, and retires the former one. A port that shuts down meanwhile waits for that, since what follows it takes
// what the former version holds back.
func (e *Engine) replace(ctx context.Context, next *version) (former *version) {
	e.ending.Lock()
	defer e.ending.Unlock()
	former = e.current.Swap(next)
	e.breaker.reset()
	notify(e.reflush)
	e.announce(next)
	e.mu.Lock()
	e.refusal = ""
	e.mu.Unlock()
	e.retire(ctx, former)
	return former
}

// fitsAll holds a version against all ports.
func (e *Engine) fitsAll(v *version) error {
	e.mu.Lock()
	ports := slices.Clone(e.ports)
	e.mu.Unlock()
	var errs []error
	for _, p := range ports {
		errs = append(errs, e.fits(v, p))
	}
	return errors.Join(errs...)
}

// retire waits until the last batch has let go of a version that serves no more, and hands on what it holds back.
func (e *Engine) retire(ctx context.Context, v *version) {
	v.letGo()
	select {
	case <-v.drained:
		e.flush(ctx, v, nil)
	case <-ctx.Done():
	}
}

// endDoomed retires and closes the versions that were rolled back. When it returns, none of those that were doomed before
// is left, whoever ended it.
func (e *Engine) endDoomed(ctx context.Context) {
	e.ending.Lock()
	defer e.ending.Unlock()
	e.mu.Lock()
	doomed := e.doomed
	e.doomed = nil
	e.mu.Unlock()
	for _, v := range doomed {
		e.retire(ctx, v)
		e.warn(e.close(context.WithoutCancel(ctx), v))
	}
}

// shadow has batches copied for a new module's trial.
type shadow struct {
	wanted atomic.Bool
	copies chan sample
}

// sample is a copy of a batch as it came, and the rows that the running version failed on.
type sample struct {
	data   table.Data
	failed []int32
}

// take says whether to copy a batch; give must follow.
func (s *shadow) take() bool { return s.wanted.CompareAndSwap(true, false) }

func (s *shadow) give(d table.Data, failed []int32, ok bool) {
	if !ok || d.Rows() == 0 {
		s.wanted.Store(true)
		return
	}
	s.copies <- sample{d, failed} // has room for the one that was taken
}

// try has a new version work on copies of live batches: it must not fail on rows that the running one managed. What it
// makes of them is thrown away.
func (e *Engine) try(ctx context.Context, next *version, m *source.Module) error {
	if e.config.Swap.ShadowBatches == 0 {
		return nil
	}
	trier, end, err := e.rehearsal(ctx, next, m)
	if err != nil {
		return err
	}
	defer end()
	s := &shadow{copies: make(chan sample, 1)}
	e.shadow.Store(s)
	defer e.shadow.Store(nil)
	wait := time.NewTimer(trialWait)
	defer wait.Stop()
	for range e.config.Swap.ShadowBatches {
		s.wanted.Store(true)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wait.C:
			return nil
		case c := <-s.copies:
			if err := e.compare(ctx, trier, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// rehearsal gives the version to try. One that keeps something between batches is loaded once more for that, with
// capabilities of its own: nothing of the trial may be seen later.
func (e *Engine) rehearsal(ctx context.Context, next *version, m *source.Module) (v *version, end func(), err error) {
	manifest := next.plugin.Manifest()
	if !manifest.Stateful && len(manifest.Capabilities) == 0 {
		return next, func() {}, nil
	}
	grants, err := capability.New(e.config.Grants, e.name, zap.NewNop(), noop.NewMeterProvider().Meter(scope))
	if err != nil {
		return nil, nil, err
	}
	if err := grants.Start(ctx, e.extensions); err != nil {
		grants.Close()
		return nil, nil, err
	}
	v, err = e.load(ctx, m, grants)
	if err != nil {
		grants.Close()
		return nil, nil, err
	}
	return v, func() {
		e.warn(v.plugin.Close(context.WithoutCancel(ctx)))
		grants.Close()
	}, nil
}

// compare has a version work on a copy of a batch, and returns its first failure on a row that was not failed on before.
func (e *Engine) compare(ctx context.Context, v *version, c sample) error {
	b := new(batch)
	b.begin(v, c.data, nil, new(figures))
	if err := b.process(ctx); err != nil {
		return err
	}
	for _, f := range b.failures {
		for _, row := range f.rows {
			if _, before := slices.BinarySearch(c.failed, row); !before {
				return fmt.Errorf("trial on live records: failed on %d of %d, where the running module failed on %d, the first time: %w",
					len(b.failedRows()), c.data.Rows(), len(c.failed), f.err)
			}
		}
	}
	return nil
}

// maxJudged is how many failed rows the former version is asked about.
const maxJudged = 64

// judge takes a version on probation back if it failed on rows that the former one manages. Where the former one keeps
// something between batches it cannot be asked, and each failure counts.
func (e *Engine) judge(ctx context.Context, b *batch) {
	v := b.version
	former := v.fallback.Load()
	if former == nil || b.failures[0].err.Kind == kindOpen || !former.hold() {
		return
	}
	defer former.letGo()
	m := former.plugin.Manifest()
	if !m.Stateful && len(m.Capabilities) == 0 {
		rows := b.failedRows()
		copies := table.NewData(b.data.Signal)
		visit(b.data, rows[:min(len(rows), maxJudged)], func(r row) { r.copyTo(copies) })
		if e.compare(ctx, former, sample{data: copies}) != nil {
			return
		}
	}
	e.rollBack(v, b.failures[0].err)
}

// rollBack puts the former version back to work, unless another batch did.
func (e *Engine) rollBack(v *version, why error) {
	former := v.fallback.Swap(nil)
	if former == nil {
		return
	}
	if !e.current.CompareAndSwap(v, former) {
		v.fallback.Store(former)
		return
	}
	e.breaker.reset()
	notify(e.reflush)
	e.refuse(RolledBack, v.plugin.Digest(), why)
	e.mu.Lock()
	e.doomed = append(e.doomed, v)
	e.mu.Unlock()
	notify(e.rolledBack)
}
