package k8saggregate

import (
	"slices"
	"strings"
	"time"

	"github.com/obsd-io/obsd/internal/heapster"
)

// settle is how far apart the parts of one report of a node may arrive. What is older than the newest part by more is
// not in the report: it is gone.
const settle = 500 * time.Millisecond

// state is the last that was heard of every node, pod and container. Times are when it arrived here, in nanoseconds, so
// that a node whose clock is off is judged like any other.
type state struct {
	nodes   map[string]*node
	objects int
	max     int
	// full is when an object last found no room.
	full int64
	// keep is how long what is stated (requests, limits, allocatable) holds without being stated again.
	keep time.Duration
}

type podKey struct{ namespace, name string }

type node struct {
	reading
	name string
	// reported is when measured values last came, heard when anything did. Both are 0 before.
	reported, heard int64
	pods            map[podKey]*pod
}

type pod struct {
	reading
	seen int64
	// over is set when the pod has ended: it holds no requests any more.
	over       bool
	containers []container // a few
}

type container struct {
	reading
	name string
	seen int64
}

func newState(max int, keep time.Duration) *state {
	return &state{nodes: make(map[string]*node), max: max, keep: keep}
}

// room counts a new object, if there is room for it.
func (s *state) room(now int64) bool {
	if s.objects >= s.max {
		s.full = now
		return false
	}
	s.objects++
	return true
}

// node, pod and container find an object or make it; nil where there is no room.
func (s *state) node(name string, now int64) *node {
	n := s.nodes[name]
	if n == nil && s.room(now) {
		n = &node{name: strings.Clone(name), pods: make(map[podKey]*pod)}
		s.nodes[n.name] = n
	}
	return n
}

func (s *state) pod(n *node, o *heapster.Object, now int64) *pod {
	p := n.pods[podKey{o.Namespace, o.Pod}]
	if p == nil && s.room(now) {
		p = &pod{}
		n.pods[podKey{strings.Clone(o.Namespace), strings.Clone(o.Pod)}] = p
	}
	return p
}

// container gives one that may be moved when the pod gets another.
func (s *state) container(p *pod, name string, now int64) *container {
	for i := range p.containers {
		if p.containers[i].name == name {
			return &p.containers[i]
		}
	}
	if !s.room(now) {
		return nil
	}
	p.containers = append(slices.Clip(p.containers), container{name: strings.Clone(name)})
	return &p.containers[len(p.containers)-1]
}

// prune lets go what is not in the node's newest report.
func (s *state) prune(n *node) {
	since := n.reported - int64(settle)
	for key, p := range n.pods {
		if p.seen < since {
			s.objects -= 1 + len(p.containers)
			delete(n.pods, key)
			continue
		}
		before := len(p.containers)
		p.containers = slices.DeleteFunc(p.containers, func(c container) bool { return c.seen < since })
		s.objects -= before - len(p.containers)
	}
}

// forget lets go of a node and all on it.
func (s *state) forget(n *node) {
	s.objects--
	for _, p := range n.pods {
		s.objects -= 1 + len(p.containers)
	}
	delete(s.nodes, n.name)
}

// current is from when on a value is of the node's newest report.
func (n *node) current() int64 { return n.reported - int64(settle) }

// since is from when on a value counts: what is measured as long as it is current, what is stated for a while.
func (s *state) since(n *node, q quantity) int64 {
	if q.measured() {
		return n.current()
	}
	return max(n.reported, n.heard) - int64(s.keep)
}

// podTotal is what the pod says of itself, or else the sum of its containers, or else what it said before.
func (s *state) podTotal(n *node, p *pod) (t total) {
	for q := range summed {
		if v, ok := p.get(q, n.current()); ok {
			t.add(q, v)
			continue
		}
		since := s.since(n, q)
		for i := range p.containers {
			if v, ok := p.containers[i].get(q, since); ok {
				t.add(q, v)
			}
		}
		if v, ok := p.get(q, since); ok && !t.has[q] {
			t.add(q, v)
		}
	}
	return t
}

// share is what the pod adds to the sums above it: one that has ended holds no requests.
func (s *state) share(n *node, p *pod) total {
	t := s.podTotal(n, p)
	if p.over {
		for q := cpuRequest; q <= memoryLimit; q++ {
			t.value[q], t.has[q] = 0, false
		}
	}
	return t
}

// nodeTotal is what the node says of itself, and the sum of its pods where it says nothing.
func (s *state) nodeTotal(n *node) (t total) {
	var pods total
	for _, p := range n.pods {
		share := s.share(n, p)
		pods.merge(&share)
	}
	for q := range summed {
		if v, ok := n.get(q, n.current()); ok {
			t.add(q, v)
		} else if pods.has[q] {
			t.add(q, pods.value[q])
		}
	}
	for q := summed; q < quantities; q++ {
		if v, ok := n.get(q, s.since(n, q)); ok {
			t.add(q, v)
		}
	}
	return t
}
