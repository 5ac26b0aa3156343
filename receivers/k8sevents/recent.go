package k8sevents

import (
	"hash/maphash"
	"time"

	v1 "k8s.io/api/core/v1"
)

// recentSize is how many events are remembered: about 400 KB.
const recentSize = 8192

// occurrence is what makes an event new again: it has happened once more.
type occurrence struct {
	count int32
	last  int64 // Unix nanoseconds
}

func occurrenceOf(e *v1.Event) occurrence {
	return occurrence{count: countOf(e), last: timeOf(e).UnixNano()}
}

// recent remembers the events sent last, so that what changes about an event without its happening again is not sent, nor
// what a list repeats. It forgets the oldest.
type recent struct {
	seed  maphash.Seed
	known map[uint64]occurrence
	order []uint64 // a ring
	next  int
}

func newRecent() recent {
	return recent{seed: maphash.MakeSeed(), known: map[uint64]occurrence{}}
}

func (r *recent) key(e *v1.Event) uint64 {
	if e.UID == "" {
		return maphash.String(r.seed, e.Namespace+"/"+e.Name)
	}
	return maphash.String(r.seed, string(e.UID))
}

func (r *recent) has(key uint64, o occurrence) bool {
	known, ok := r.known[key]
	return ok && known == o
}

func (r *recent) put(key uint64, o occurrence) {
	if _, ok := r.known[key]; !ok {
		if len(r.order) < recentSize {
			r.order = append(r.order, key)
		} else {
			delete(r.known, r.order[r.next])
			r.order[r.next] = key
			r.next = (r.next + 1) % recentSize
		}
	}
	r.known[key] = o
}

// countOf is how often an event has happened. Events of events.k8s.io have a series only from their second time on.
func countOf(e *v1.Event) int32 {
	if e.Series != nil {
		return max(e.Series.Count, e.Count)
	}
	return max(e.Count, 1)
}

// timeOf is when an event happened last.
func timeOf(e *v1.Event) time.Time {
	var last time.Time
	newer := func(t time.Time) {
		if t.After(last) {
			last = t
		}
	}
	newer(e.FirstTimestamp.Time)
	newer(e.LastTimestamp.Time)
	newer(e.EventTime.Time)
	if e.Series != nil {
		newer(e.Series.LastObservedTime.Time)
	}
	if last.IsZero() {
		return e.CreationTimestamp.Time
	}
	return last
}
