package filelog

import (
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
)

const (
	// idleClose is how long a file must be quiet before its descriptor is given back.
	idleClose = 5 * time.Minute
	// partialMemory bounds the text of unfinished messages that is kept in memory between turns. What does not fit is read again.
	partialMemory = 32 << 20
	// smallPartial is how much text one file may always keep.
	smallPartial = 64 << 10
)

// rest ends a turn: it gives back what is not needed, counts what is left to read, and sets the time of the next turn.
func (f *follower) rest(now time.Time) {
	var lag int64
	done := 0
	for _, g := range slices.Clone(f.gens) {
		f.bound(g)
		f.giveBack(g, now)
		if g.done {
			done++
		} else {
			lag += max(0, g.size-g.offset)
		}
	}
	f.lag.Store(lag)
	if !f.settleAt.IsZero() {
		f.wake(f.settleAt)
	}
	if done > 0 {
		f.wake(f.doneAt)
	}
	open := slices.ContainsFunc(f.gens, func(g *generation) bool { return g.file != nil })
	f.dead = (len(f.gens) == 0 && !f.troubled && (f.missing || f.current == nil)) || (f.vanished && f.missing && !open)
}

// giveBack closes files that are not needed open, and lets go of text that memory has no room for.
func (f *follower) giveBack(g *generation, now time.Time) {
	f.r.weigh(g)
	if g.held > smallPartial && f.r.partial.Load() > partialMemory && g.file != nil {
		for i := range g.asm.parts {
			if p := &g.asm.parts[i]; p.active && p.start >= 0 {
				p.text, g.unloaded = nil, true
			}
		}
		f.r.weigh(g)
	}
	if g.file == nil {
		return
	}
	crowded := f.r.opened.Load() > int64(f.r.cfg.MaxConcurrentFiles)
	if g != f.current {
		if crowded && g.deleted == 0 && g != f.gens[0] {
			f.r.shut(g) // found again by its number when its turn comes
		}
		return
	}
	if g.offset < g.size || g.asm.pending() {
		return
	}
	if quiet := now.Sub(g.grew); crowded || quiet >= idleClose {
		f.r.shut(g)
	} else {
		f.wake(now.Add(idleClose - quiet))
	}
}

// weigh keeps the sum of partial text in memory.
func (r *fileLog) weigh(g *generation) {
	var held int64
	for i := range g.asm.parts {
		held += int64(cap(g.asm.parts[i].text))
	}
	r.partial.Add(held - g.held)
	g.held = held
}

// weighDeleted keeps the sum of deleted files held open.
func (r *fileLog) weighDeleted(g *generation, size int64) {
	r.deleted.Add(size - g.deleted)
	g.deleted = size
}

// bearsDeleted does so unless the sum were more than it may be. Only what there is room for is in the sum: of two files that come at
// one moment the one goes for which there is none, and not both.
func (r *fileLog) bearsDeleted(g *generation, size int64) bool {
	for {
		sum := r.deleted.Load()
		with := sum + size - g.deleted
		if with > int64(r.cfg.MaxDeletedSize) {
			return false
		}
		if r.deleted.CompareAndSwap(sum, with) {
			g.deleted = size
			return true
		}
	}
}

// formatName is what the receiver's spans call the format.
func (f *follower) formatName() string {
	if f.current == nil {
		return formatAuto
	}
	return f.current.asm.format.String()
}

// forget lets go of the last batch, which its consumer may still hold.
func (b *batch) forget() {
	b.logs, b.records, b.text = plog.Logs{}, plog.LogRecordSlice{}, strings.Builder{}
}

// queue holds the followers that wait for a worker. Each is in it once at most.
type queue struct {
	mu     sync.Mutex
	filled sync.Cond
	list   []*follower
	closed bool
}

func (q *queue) init() { q.filled.L = &q.mu }

func (q *queue) put(f *follower) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = append(q.list, f)
	q.filled.Signal()
}

// take returns the follower that waits longest, or false when the queue is closed.
func (q *queue) take() (*follower, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.list) == 0 && !q.closed {
		q.filled.Wait()
	}
	if q.closed {
		return nil, false
	}
	f := q.list[0]
	q.list = slices.Delete(q.list, 0, 1)
	return f, true
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.filled.Broadcast()
}
