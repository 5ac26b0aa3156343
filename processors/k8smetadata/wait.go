package k8smetadata

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// maxHeld is how many batches wait at once for pods that are not known yet.
const maxHeld = 100

// missed is a resource whose pod is not known.
type missed struct {
	attributes pcommon.Map
	id         identity
	by         association
}

// awaitLists holds a batch up until the first lists are in, or their time is over.
func (e *enricher) awaitLists(ctx context.Context) {
	select {
	case <-e.table.Ready():
		return
	default:
	}
	left := time.Until(e.until)
	if left <= 0 {
		return
	}
	e.tel.wait(ctx, waitStart)
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-e.table.Ready():
	case <-timer.C:
	case <-ctx.Done():
	case <-e.over:
	}
}

// awaitUnknown holds a batch up for pods that are not known yet, and counts the resources that go on without theirs.
func (e *enricher) awaitUnknown(ctx context.Context, missing []missed, c *counts) {
	select {
	case <-e.table.PodsListed():
	default:
		c.missAll(missing, reasonNoList)
		return
	}
	hopeful := missing[:0]
	for _, r := range missing {
		if e.config.UnknownWait == 0 || e.given.up(r.id.key(r.by), time.Now()) {
			c.miss(&r, reasonUnknown)
			continue
		}
		hopeful = append(hopeful, r)
	}
	if len(hopeful) == 0 {
		return
	}
	defer e.held.Add(-1)
	if e.held.Add(1) > maxHeld {
		c.missAll(hopeful, reasonBusy)
		return
	}
	e.tel.wait(ctx, waitUnknown)
	hopeful, whole := e.await(ctx, hopeful, c)
	if whole {
		for i := range hopeful {
			e.given.giveUp(hopeful[i].id.key(hopeful[i].by), time.Now())
		}
	}
	c.missAll(hopeful, reasonUnknown)
}

// await sets the attributes of resources whose pods come within unknown_wait, and returns the others. whole says that the
// time was over, and not the caller's.
func (e *enricher) await(ctx context.Context, missing []missed, c *counts) (left []missed, whole bool) {
	timer := time.NewTimer(e.config.UnknownWait)
	defer timer.Stop()
	for {
		changed := e.table.Changed()
		left = missing[:0]
		for _, r := range missing {
			if _, done := e.enrich(r.attributes, &r.id, c); !done {
				left = append(left, r)
			}
		}
		if missing = left; len(left) == 0 {
			return nil, true
		}
		select {
		case <-changed:
		case <-timer.C:
			return left, true
		case <-ctx.Done():
			return left, false
		case <-e.over:
			return left, false
		}
	}
}

// givenUp remembers what was waited for in vain, for giveUpFor to twice as long, so that what never comes (a pod of a namespace
// that is not followed, a client outside of the cluster) holds up one batch and not all.
type givenUp struct {
	mu         sync.Mutex
	young, old map[string]struct{}
	youngSince time.Time
}

const (
	giveUpFor  = 5 * time.Minute
	maxGivenUp = 10_000 // of each age
)

// up says whether a key is remembered.
func (g *givenUp) up(key string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.age(now)
	if _, young := g.young[key]; young {
		return true
	}
	_, old := g.old[key]
	return old
}

// giveUp remembers a key.
func (g *givenUp) giveUp(key string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.age(now)
	g.young[key] = struct{}{}
}

func (g *givenUp) age(now time.Time) {
	if g.young != nil && now.Sub(g.youngSince) < giveUpFor && len(g.young) < maxGivenUp {
		return
	}
	if now.Sub(g.youngSince) >= 2*giveUpFor {
		g.young = nil
	}
	g.old, g.young, g.youngSince = g.young, map[string]struct{}{}, now
}
