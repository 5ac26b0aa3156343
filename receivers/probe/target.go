package probe

import (
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// label is an attribute.
type label struct{ key, value string }

// target is what is checked.
type target struct {
	kind     string
	endpoint string
	checker  checker
	timeout  time.Duration
	points   []label // attributes of its points besides probe.type and probe.target
	resource []label // those of its resource

	busy   atomic.Bool
	began  time.Time      // since when it is counted
	counts map[string]int // checks by failure, "" for those that succeeded; of the check under way
	up     int            // 1, -1, or 0 before the first check; of the check under way

	next time.Time // of the schedule
	slot int       // in its heap
}

// key is the same for targets that make the same series.
func (t *target) key() string {
	var b strings.Builder
	add := func(s string) { b.WriteString(s); b.WriteByte(0) }
	add(t.kind)
	add(t.endpoint)
	for _, list := range [][]label{t.points, t.resource} {
		for _, l := range list {
			add(l.key)
			add(l.value)
		}
		add("")
	}
	return b.String()
}

// schedule says which targets are to be checked when: each at its own place in the interval, so that they do not all come at
// once. It is safe for concurrent use.
type schedule struct {
	interval time.Duration
	begin    time.Time // of an interval

	mu     sync.Mutex
	owners map[string]map[string]*target // by what named the target, and by the target's key
	queue  queue
	wake   chan struct{} // has one when the first of the queue may be another
}

func newSchedule(interval time.Duration, begin time.Time) *schedule {
	return &schedule{interval: interval, begin: begin, owners: map[string]map[string]*target{}, wake: make(chan struct{}, 1)}
}

// set makes the targets of an owner those of the list. A target that stays the same keeps its place and its counts.
func (s *schedule) set(owner string, list []*target, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.owners[owner]
	if len(list) == 0 && len(old) == 0 {
		return
	}
	current := make(map[string]*target, len(list))
	for _, t := range list {
		key := t.key()
		if current[key] != nil {
			continue
		}
		if known, ok := old[key]; ok {
			current[key] = known
			continue
		}
		current[key] = t
		t.began, t.next = now, s.first(owner+key, now)
		heap.Push(&s.queue, t)
	}
	for key, t := range old {
		if current[key] == nil {
			heap.Remove(&s.queue, t.slot)
		}
	}
	s.owners[owner] = current
	if len(current) == 0 {
		delete(s.owners, owner)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// first is the first time from now on that is the key's place in an interval.
func (s *schedule) first(key string, now time.Time) time.Time {
	sum := sha256.Sum256([]byte(key)) // keys are much alike, and places should not be
	at := s.begin.Add(time.Duration(binary.LittleEndian.Uint64(sum[:]) % uint64(s.interval)))
	return s.following(at, now)
}

// following is the first time that is a whole number of intervals after at, and not before now.
func (s *schedule) following(at, now time.Time) time.Time {
	if behind := now.Sub(at); behind > 0 {
		at = at.Add((behind + s.interval - 1) / s.interval * s.interval)
	}
	return at
}

// due returns the targets whose time has come, and how long it is until the next one's.
func (s *schedule) due(now time.Time) (ready []*target, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 0 {
		t := s.queue[0]
		if wait := t.next.Sub(now); wait > 0 {
			return ready, wait
		}
		ready = append(ready, t)
		t.next = s.following(t.next.Add(s.interval), now)
		heap.Fix(&s.queue, 0)
	}
	return ready, s.interval
}

// count is how many targets there are of each kind.
func (s *schedule) count() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[string]int64{kindHTTP: 0, kindTCP: 0, kindDNS: 0, kindGRPC: 0}
	for _, t := range s.queue {
		n[t.kind]++
	}
	return n
}

// queue is a heap of targets by the time of their next check.
type queue []*target

// Len implements heap.Interface.
func (q queue) Len() int { return len(q) }

// Less implements heap.Interface.
func (q queue) Less(i, j int) bool { return q[i].next.Before(q[j].next) }

// Swap implements heap.Interface.
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].slot, q[j].slot = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	t := x.(*target)
	t.slot = len(*q)
	*q = append(*q, t)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return t
}
