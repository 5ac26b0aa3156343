package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// pool holds a plugin's instances. Each place in it is at any time either a slot (no instance), an idle instance, or out.
type pool struct {
	idle  chan *Instance
	slots chan struct{}

	closing sync.Once
	closed  chan struct{}
	// closeMu is held by whoever gathers the places; left is how many are still to come.
	closeMu sync.Mutex
	left    int

	created, discarded, recycled atomic.Uint64
	live                         atomic.Int64
	memory, highWater            atomic.Int64
}

// start fills the places: one has the first instance, the others are slots.
func (o *pool) start(places int, first *Instance) {
	o.idle = make(chan *Instance, places)
	o.slots = make(chan struct{}, places)
	o.closed = make(chan struct{})
	o.left = places
	for range places - 1 {
		o.slots <- struct{}{}
	}
	o.add(first)
	o.idle <- first
}

func (o *pool) add(inst *Instance) {
	o.created.Add(1)
	o.live.Add(1)
	inst.setMark()
	o.measure(inst)
}

// measure brings the sums up to date with an instance's memory, which only grows.
func (o *pool) measure(inst *Instance) {
	now := int64(inst.memory.Size())
	o.memory.Add(now - inst.measured)
	inst.measured = now
	for {
		most := o.highWater.Load()
		if now <= most || o.highWater.CompareAndSwap(most, now) {
			return
		}
	}
}

func (o *pool) remove(ctx context.Context, inst *Instance) error {
	o.live.Add(-1)
	o.memory.Add(-inst.measured)
	return inst.module.Close(context.WithoutCancel(ctx))
}

// Stats are counts of a plugin's instances since it was loaded.
type Stats struct {
	// Instances is how many there are, Idle how many of them wait for a call.
	Instances, Idle int
	// Memory is the memory of all instances in bytes, as it was when each was last released.
	Memory int64
	// MemoryHighWater is the most memory that one instance had.
	MemoryHighWater int64
	// Created counts instances made; Discarded those that failed; Recycled those that were [Instance.Worn].
	Created, Discarded, Recycled uint64
}

// Stats tells how the pool fares.
func (p *Plugin) Stats() Stats {
	o := &p.pool
	return Stats{
		Instances: int(o.live.Load()), Idle: len(o.idle), Memory: o.memory.Load(), MemoryHighWater: o.highWater.Load(),
		Created: o.created.Load(), Discarded: o.discarded.Load(), Recycled: o.recycled.Load(),
	}
}

// errClosed is the cause of an [Plugin.Acquire] that comes too late.
var errClosed = errors.New("the plugin is closed")

// Acquire waits for an instance and gives it to the caller alone, until [Plugin.Release].
//
// # Errors
//
// An [*Error] of kind canceled when ctx ends or the plugin is closed; or of any kind and Func "load" or "configure" if a
// new instance is due and cannot be made.
func (p *Plugin) Acquire(ctx context.Context) (*Instance, error) {
	select {
	case <-p.pool.closed:
		return nil, p.acquireError(errClosed)
	default:
	}
	select {
	case inst := <-p.pool.idle:
		return inst, nil
	default:
	}
	select {
	case inst := <-p.pool.idle:
		return inst, nil
	case <-p.pool.slots:
	case <-p.pool.closed:
		return nil, p.acquireError(errClosed)
	case <-ctx.Done():
		return nil, p.acquireError(ctx.Err())
	}
	inst, err := p.newInstance(ctx)
	if err != nil {
		p.pool.slots <- struct{}{}
		return nil, err
	}
	p.pool.add(inst)
	return inst, nil
}

func (p *Plugin) acquireError(err error) error {
	return &Error{Plugin: p.settings.Name, Func: "acquire", Kind: KindCanceled, Err: err}
}

// Release gives an instance back. One whose call failed is in an unknown state, and one that is [Instance.Worn] has more
// memory than it should keep, since memory never shrinks: both are closed, and the pool makes another when one is wanted.
func (p *Plugin) Release(ctx context.Context, inst *Instance) {
	p.pool.measure(inst)
	switch {
	case inst.broken:
		p.pool.discarded.Add(1)
	case inst.Worn():
		p.pool.recycled.Add(1)
	default:
		p.pool.idle <- inst
		return
	}
	_ = p.pool.remove(ctx, inst)
	p.pool.slots <- struct{}{}
}

// Close lets no more instances out, waits for those that are out, and ends all. It may be called again, and must be after
// an error that says that ctx ended first.
func (p *Plugin) Close(ctx context.Context) error {
	o := &p.pool
	o.closing.Do(func() { close(o.closed) })
	o.closeMu.Lock()
	defer o.closeMu.Unlock()
	if o.left == 0 {
		return nil
	}
	var errs []error
	for ; o.left > 0; o.left-- {
		inst, err := o.gather(ctx)
		if err != nil {
			err = fmt.Errorf("%d of its instances are still at work: %w", o.left, err)
			return errors.Join(append(errs, &Error{Plugin: p.settings.Name, Func: "close", Kind: KindCanceled, Err: err})...)
		}
		if inst != nil {
			errs = append(errs, o.remove(ctx, inst))
		}
	}
	return errors.Join(append(errs, p.closeRuntime(ctx))...)
}

// gather takes a place that is not out out of use: at once if there is one, even where ctx has ended.
func (o *pool) gather(ctx context.Context) (*Instance, error) {
	select {
	case inst := <-o.idle:
		return inst, nil
	case <-o.slots:
		return nil, nil
	default:
	}
	select {
	case inst := <-o.idle:
		return inst, nil
	case <-o.slots:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// closeRuntime ends what compile made, as far as it came.
func (p *Plugin) closeRuntime(ctx context.Context) error {
	var errs []error
	if p.runtime != nil {
		errs = append(errs, p.runtime.Close(ctx))
	}
	if p.cache != nil {
		errs = append(errs, p.cache.Close(ctx))
	}
	return errors.Join(errs...)
}
