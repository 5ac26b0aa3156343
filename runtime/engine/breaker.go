package engine

import (
	"sync"
	"sync/atomic"
	"time"
)

// State is a circuit's state.
type State int32

// States. Their numbers are what obsd_wasm_circuit_state reports.
const (
	// Closed: the plugin is called.
	Closed State = iota
	// HalfOpen: one batch tries the plugin, the others follow on_error.
	HalfOpen
	// Open: the plugin is not called, all rows follow on_error.
	Open
)

var stateNames = [...]string{Closed: "closed", HalfOpen: "half-open", Open: "open"}

// String names the state.
func (s State) String() string { return stateNames[s] }

// breaker is a circuit breaker: after Circuit.Failures within Circuit.Window it opens, and after a back-off it lets one
// batch try. While it is closed and nothing fails it costs one atomic load a batch. It is safe for concurrent use.
type breaker struct {
	limits Circuit
	// changed is told of each change between closed and not closed, in their order; why is nil when it closes.
	changed func(why error)

	state atomic.Int32

	mu      sync.Mutex
	times   []time.Time // the last Failures failures, a ring
	next    int
	backoff time.Duration
	until   time.Time // when an open circuit may be tried
}

func newBreaker(limits Circuit, changed func(error)) *breaker {
	return &breaker{limits: limits, changed: changed, times: make([]time.Time, limits.Failures)}
}

// allow says whether a batch may call the plugin, and whether it is the one to try it: then it must be followed by
// one call of failed, succeeded or gaveUp.
func (b *breaker) allow() (ok, trial bool) {
	if State(b.state.Load()) == Closed {
		return true, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch State(b.state.Load()) {
	case Closed:
		return true, false
	case Open:
		if !time.Now().Before(b.until) {
			b.state.Store(int32(HalfOpen))
			return true, true
		}
	}
	return false, false
}

// open says whether the circuit opened meanwhile: the rest of a batch is not tried then.
func (b *breaker) open() bool { return State(b.state.Load()) == Open }

// failed counts one failure.
func (b *breaker) failed(trial bool, why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	switch state := State(b.state.Load()); {
	case trial && state == HalfOpen:
		b.backoff = min(2*b.backoff, b.limits.MaxBackoff)
		b.until = now.Add(b.backoff)
		b.state.Store(int32(Open))
	case state == Closed:
		b.times[b.next] = now
		b.next = (b.next + 1) % len(b.times)
		// The ring's next place has the oldest of the last Failures failures, which for one is the one just noted.
		if oldest := b.times[b.next]; oldest.IsZero() || now.Sub(oldest) > b.limits.Window {
			return
		}
		b.backoff = b.limits.Backoff
		b.until = now.Add(b.backoff)
		b.state.Store(int32(Open))
		b.changed(why)
	}
}

// succeeded ends a trial well.
func (b *breaker) succeeded() { b.reset() }

// gaveUp ends a trial that told nothing: the next batch may try.
func (b *breaker) gaveUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if State(b.state.Load()) == HalfOpen {
		b.until = time.Now()
		b.state.Store(int32(Open))
	}
}

// reset closes the circuit and forgets all failures: the plugin works, or another one has taken its place.
func (b *breaker) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := State(b.state.Load())
	clear(b.times)
	b.next = 0
	b.state.Store(int32(Closed))
	if was != Closed {
		b.changed(nil)
	}
}

// status tells the state, and for how long an open circuit stays so.
func (b *breaker) status() (state State, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	state = State(b.state.Load())
	if state == Open {
		wait = max(time.Until(b.until), 0)
	}
	return state, wait
}
