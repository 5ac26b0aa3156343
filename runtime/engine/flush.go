package engine

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/host"
	"github.com/obsd-io/obsd/runtime/table"
)

// kindFlush is the kind of a loss: nobody took the rows that a plugin had held back.
const kindFlush host.Kind = "flush"

// flushes has the serving version flushed at its interval.
func (e *Engine) flushes(ctx context.Context) {
	for {
		v := e.current.Load()
		var due <-chan time.Time
		if v.flush > 0 {
			due = time.After(v.flush)
		}
		select {
		case <-ctx.Done():
			return
		case <-e.reflush:
		case <-due:
			if v.hold() {
				e.flush(ctx, v, nil)
				v.letGo()
			}
		}
	}
}

// flushFor flushes for a port that is about to shut down: what follows it still runs. e.life is held.
func (e *Engine) flushFor(ctx context.Context, p *Port) {
	e.endDoomed(ctx)
	if v := e.hold(); v != nil {
		e.flush(ctx, v, p)
		v.letGo()
	}
}

// flush hands on what a version holds back, if it does. prefer, if set, is the port whose rows these most likely are.
func (e *Engine) flush(ctx context.Context, v *version, prefer *Port) {
	if v.flush == 0 {
		return
	}
	inst, err := v.plugin.Acquire(ctx)
	if err != nil {
		return // the context ended, or there is no instance, and so nothing held back
	}
	parts := e.flushInstance(ctx, v, inst, prefer)
	v.plugin.Release(ctx, inst)
	e.deliver(ctx, parts)
}

// flushInstance calls obsd_flush and gives what is to be handed on.
func (e *Engine) flushInstance(ctx context.Context, v *version, inst *host.Instance, prefer *Port) []part {
	now := time.Now()
	result, used, err := inst.Flush(ctx, now.UnixNano(), v.callFuel)
	e.figures.call(ctx, time.Since(now), used)
	if err == nil && result == 0 {
		return nil
	}
	t := new(table.Table)
	t.Reset(table.NewData(signalOf(v.plugin.Manifest().Signals[0])))
	if err == nil {
		if err = inst.Session().(*table.Session).ApplyFlush(t, now.UnixNano(), inst.Memory(), result); err != nil {
			err = inst.BadOutput("flush", err)
		}
	}
	if err != nil {
		if failed, ok := errors.AsType[*host.Error](err); ok {
			e.figures.failed(failed.Kind)
			e.breaker.failed(false, err)
		}
		e.log.Error("a plugin failed when it was to hand on what it held back, which is lost", zap.Error(err))
		return nil
	}
	var parts []part
	for _, s := range signals {
		n := t.New(s)
		if n == 0 {
			continue
		}
		e.figures.made[s].Add(int64(n))
		if p := e.outlet(s, prefer); p != nil {
			parts = p.hand(v, t, parts)
		} else {
			e.figures.lose(s, kindFlush, n)
		}
	}
	return parts
}

// outlet is a started port that rows of a signal can leave by; one with the source of prefer, if there is one.
func (e *Engine) outlet(s abi.Signal, prefer *Port) *Port {
	e.mu.Lock()
	defer e.mu.Unlock()
	var found *Port
	for _, p := range e.ports {
		if p.host == nil || p.Target != s {
			continue
		}
		if found == nil || prefer != nil && p.Source == prefer.Source {
			found = p
		}
	}
	return found
}

// deliver hands parts to their sinks when there is nobody to return an error to.
func (e *Engine) deliver(ctx context.Context, parts []part) {
	for _, p := range parts {
		rows := p.data.Rows()
		if err := p.to(ctx, p.data); err != nil {
			e.figures.lose(p.data.Signal, kindFlush, rows)
			e.log.Error("rows that a plugin had held back were refused by what follows and are lost", zap.String("plugin", e.name), zap.Int("rows", rows), zap.Error(err))
		}
	}
}
