// Package quiet keeps what goes wrong again and again from filling the log. It says nothing itself: it tells its user
// whether there is something to say.
package quiet

import (
	"sync"
	"sync/atomic"
	"time"
)

// Outage remembers how something went that is tried again and again. Each kind of failure is to be said once, and once
// that it is over. The zero value has not failed. It is safe for concurrent use.
type Outage struct{ kind atomic.Pointer[string] }

// Failed notes a failure, and reports whether it is to be said: the last try went well, or failed in another way.
func (o *Outage) Failed(kind string) bool {
	last := o.kind.Swap(&kind)
	return last == nil || *last != kind
}

// Over notes that all is well, and reports whether that is to be said: the last try failed.
func (o *Outage) Over() bool { return o.kind.Swap(nil) != nil }

// every is how often a Limit has a kind said.
const every = time.Minute

// Limit has each kind of thing said at most once a minute. Its zero value is ready, and it is safe for concurrent use. Kinds
// must be few, since each is remembered.
type Limit struct {
	mu   sync.Mutex
	next map[string]time.Time
}

// Allow reports whether a kind is to be said now.
func (l *Limit) Allow(kind string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Before(l.next[kind]) {
		return false
	}
	if l.next == nil {
		l.next = make(map[string]time.Time)
	}
	l.next[kind] = now.Add(every)
	return true
}
