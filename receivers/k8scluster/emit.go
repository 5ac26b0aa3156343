package k8scluster

import (
	"context"
	"time"
)

const (
	// settle is how long after a change others are waited for that belong to it, as the status of a Deployment does to that of its
	// pods. They are one batch.
	settle = 200 * time.Millisecond
	// step is how much older than the batch it comes in a point is that ends a series: what comes next under the same labels, as
	// the pod of the same name in a StatefulSet, is newer.
	step = time.Millisecond
	// pointsPerBatch is when a batch is full. An object is never divided. It bounds what all objects take while they are told.
	pointsPerBatch = 5000
)

// run tells of everything on each interval and of changes at once, until ctx ends.
func (r *clusterReceiver) run(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	desk := &desk{r: r, page: newPage(r.catalog, r.set.BuildInfo.Version)}
	tick := time.NewTicker(r.cfg.CollectionInterval)
	defer tick.Stop()
	desk.tell(ctx, true) // of what was followed before this obsd leads
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			begin := time.Now()
			desk.tell(ctx, true)
			r.tel.drop(ctx, int(time.Since(begin)/r.cfg.CollectionInterval), reasonLate)
		case <-r.state.changed:
			if !wait(ctx, settle) {
				return
			}
			desk.tell(ctx, false)
		}
	}
}

// wait returns false if ctx ends meanwhile.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// end ends all series that were told: another obsd tells them from now on.
func (r *clusterReceiver) end(ctx context.Context) {
	desk := &desk{r: r, page: newPage(r.catalog, r.set.BuildInfo.Version)}
	desk.deliver(ctx, r.state.forget(), true, time.Unix(0, r.told.Load()).Add(2*step), func([]telling, bool) {})
}

// desk tells what is known. It belongs to one goroutine.
type desk struct {
	r    *clusterReceiver
	page *page
}

// tell tells of all objects, or of those that have changed.
func (d *desk) tell(ctx context.Context, all bool) {
	now := time.Now()
	// Even right after the last batch an end is newer than what it ends.
	if earliest := time.Unix(0, d.r.told.Load()).Add(2 * step); now.Before(earliest) {
		now = earliest
	}
	d.r.told.Store(now.UnixNano())
	whole := d.deliver(ctx, d.r.state.take(all), all, now, func(list []telling, ok bool) {
		if ok {
			d.r.state.tell(list)
		} else {
			d.r.state.back(list)
		}
	})
	if all && whole {
		d.r.tel.lastEmit.Store(now.UnixNano())
	}
}

// deliver writes objects in batches and hands them on. After each, done hears of what was in it and whether the pipeline took it;
// what ctx left undone counts as not taken.
func (d *desk) deliver(ctx context.Context, list []telling, all bool, now time.Time, done func([]telling, bool)) (whole bool) {
	whole = len(list) > 0
	from := 0
	d.page.begin(now)
	for i, t := range list {
		if ctx.Err() != nil {
			done(list[from:], false)
			return false
		}
		d.page.object(t, all)
		if d.page.points < pointsPerBatch && i+1 < len(list) {
			continue
		}
		ok := d.send(ctx)
		done(list[from:i+1], ok)
		whole = whole && ok
		from = i + 1
		d.page.begin(now)
	}
	return whole
}

// send hands a page to the pipeline and says whether it took it.
func (d *desk) send(ctx context.Context) bool {
	md, n := d.page.done(), d.page.points
	if n == 0 {
		return true
	}
	opCtx := d.r.obs.StartMetricsOp(ctx)
	err := d.r.next.ConsumeMetrics(opCtx, md)
	d.r.obs.EndMetricsOp(opCtx, "kubernetes", n, err)
	if err != nil && ctx.Err() == nil {
		d.r.tel.drop(ctx, n, reasonRefused)
	}
	return err == nil
}
