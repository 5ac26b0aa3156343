package engine

import (
	"context"
	"errors"

	"github.com/obsd-io/obsd/runtime/host"
)

// maxSearches is how many calls one batch may spend on the search for the rows that its plugin fails on. Each row costs up to
// 2·log2(1024) = 20, and half of them an instance.
const maxSearches = 256

// work calls the plugin for all the rows. Those of a call that failed are halved until the rows that it fails on are
// alone; the others go through.
func (b *batch) work(ctx context.Context, rows []int32) error {
	for len(rows) > 0 {
		if b.over || b.breaker != nil && b.breaker.open() {
			b.refuse(rows)
			return nil
		}
		if b.fuel <= 0 {
			b.fail(rows, &host.Error{Plugin: b.version.name, Func: "process", Kind: host.KindTimeout, Err: b.outOfTime()})
			return nil
		}
		n, err := b.call(ctx, rows)
		part := rows[:n]
		rows = rows[n:]
		if err == nil {
			continue
		}
		b.release(ctx)
		var failed *host.Error
		if !errors.As(err, &failed) || failed.Kind == host.KindCanceled {
			return err
		}
		if err := b.search(ctx, part, failed); err != nil {
			return err
		}
	}
	return nil
}

// search looks in the rows of a failed call for those to blame.
func (b *batch) search(ctx context.Context, rows []int32, why *host.Error) error {
	// An instance that could not be made, as after a swap of the machine's memory, is no row's fault.
	if len(rows) == 1 || b.searches < 2 || why.Func != "process" && why.Func != "alloc" {
		b.fail(rows, why)
		return nil
	}
	b.searches -= 2
	half := len(rows) / 2
	if err := b.work(ctx, rows[:half]); err != nil {
		return err
	}
	return b.work(ctx, rows[half:])
}
