package k8saggregate

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// attrIncomplete marks a sum that is not made of fresh reports of all nodes. A sum that is has no such attribute.
const attrIncomplete = "k8s.aggregate.incomplete"

// Values of attrIncomplete, the gravest first.
const (
	markMissing  = "missing"    // the part of a node that no longer reports is not in the sum
	markFull     = "over_limit" // objects beyond max_objects are not in the sum
	markLate     = "late"       // what a late node last said is in the sum
	markStarting = "starting"   // there may be nodes that have not reported since obsd started
)

// States of a node, as values of the attribute `state`.
const (
	stateFresh   = "fresh"
	stateLate    = "late"
	stateMissing = "missing"
)

// sums is what is known of the cluster at a moment.
type sums struct {
	nodes map[string]int // by state
	// ages is how long ago each node reported last, in seconds; a node that never did has none.
	ages       map[string]float64
	cluster    total
	namespaces map[string]*total
	// marks are those of the namespaces, and of the cluster under the empty name.
	marks map[string]string
}

// sums adds up all nodes. Nodes that are gone for good are forgotten.
func (a *aggregator) sums(now time.Time) *sums {
	s := &sums{
		nodes: map[string]int{stateFresh: 0, stateLate: 0, stateMissing: 0},
		ages:  make(map[string]float64), namespaces: make(map[string]*total), marks: make(map[string]string),
	}
	counted, withCPU, withMemory := 0, 0, 0
	for _, n := range a.state.nodes {
		state, ok := a.stateOf(n, now)
		if !ok {
			a.state.forget(n)
			continue
		}
		s.nodes[state]++
		if n.reported != 0 {
			s.ages[n.name] = now.Sub(time.Unix(0, n.reported)).Seconds()
		}
		s.take(a.state, n, state)
		if state == stateMissing {
			continue
		}
		counted++
		for q, count := range map[quantity]*int{cpuAllocatable: &withCPU, memoryAllocatable: &withMemory} {
			if v, ok := n.get(q, a.state.since(n, q)); ok {
				s.cluster.add(q, v)
				*count++
			}
		}
	}
	// What can be allocated on some nodes only is no measure of what all of them use.
	s.cluster.has[cpuAllocatable] = counted > 0 && withCPU == counted
	s.cluster.has[memoryAllocatable] = counted > 0 && withMemory == counted
	a.markAll(s, now)
	return s
}

// take adds a node's pods to the sums of their namespaces and of the cluster.
func (s *sums) take(st *state, n *node, state string) {
	mark := map[string]string{stateLate: markLate, stateMissing: markMissing}[state]
	s.mark("", mark)
	for key, pod := range n.pods {
		s.mark(key.namespace, mark)
		if state == stateMissing {
			continue
		}
		t := s.namespaces[key.namespace]
		if t == nil {
			t = &total{}
			s.namespaces[key.namespace] = t
		}
		share := st.share(n, pod)
		t.merge(&share)
		s.cluster.merge(&share)
	}
}

// mark keeps the gravest mark of each sum.
func (s *sums) mark(namespace, mark string) {
	order := []string{markMissing, markFull, markLate, markStarting, ""}
	if slices.Index(order, mark) < slices.Index(order, s.marks[namespace]) {
		s.marks[namespace] = mark
	}
}

// markAll sets the marks that do not come from a node.
func (a *aggregator) markAll(s *sums, now time.Time) {
	mark := ""
	if now.Sub(a.started) < a.config.LateAfter {
		mark = markStarting
	}
	if full := a.state.full; full != 0 && now.Sub(time.Unix(0, full)) < a.config.LateAfter {
		mark = markFull
	}
	s.mark("", mark)
	for namespace := range s.namespaces {
		s.mark(namespace, mark)
	}
}

// stateOf judges a node by when it last reported. It is not ok when the node is to be forgotten.
func (a *aggregator) stateOf(n *node, now time.Time) (state string, ok bool) {
	if n.reported == 0 {
		return stateMissing, now.Sub(time.Unix(0, n.heard)) <= a.config.ForgetAfter
	}
	switch age := now.Sub(time.Unix(0, n.reported)); {
	case age <= a.config.LateAfter:
		return stateFresh, true
	case age <= a.config.MissingAfter:
		return stateLate, true
	default:
		return stateMissing, now.Sub(time.Unix(0, max(n.reported, n.heard))) <= a.config.ForgetAfter
	}
}

// series names what was written, to end it when it is written no more.
type series struct{ namespace, metric, unit, mark string }

// metrics writes the sums, and ends the series of the sums before that are no more.
func (a *aggregator) metrics(s *sums, now time.Time) pmetric.Metrics {
	md := pmetric.NewMetrics()
	stamp := pcommon.NewTimestampFromTime(now)
	written := make(map[series]bool)
	for _, namespace := range append([]string{""}, slices.Sorted(maps.Keys(s.namespaces))...) {
		w := writer{prefix: "k8s.namespace.", stamp: stamp, mark: s.marks[namespace]}
		w.wrote = func(name, unit string) { written[series{namespace, name, unit, s.marks[namespace]}] = true }
		resource := func() pmetric.ResourceMetrics { return a.sumResource(md, namespace) }
		if namespace != "" {
			w.all(s.namespaces[namespace], resource)
			continue
		}
		w.prefix = "k8s.cluster."
		w.all(&s.cluster, resource)
		w.ratios(&s.cluster, resource)
		w.mark, w.wrote = "", nil
		for _, state := range []string{stateFresh, stateLate, stateMissing} {
			p := w.point("nodes", "{node}", resource)
			p.SetIntValue(int64(s.nodes[state]))
			p.Attributes().PutStr("state", state)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.ages)) {
		w := writer{prefix: "k8s.node.", stamp: stamp}
		w.gauge("report_age", "s", s.ages[name], func() pmetric.ResourceMetrics {
			rm := md.ResourceMetrics().AppendEmpty()
			rm.Resource().Attributes().PutStr("k8s.node.name", name)
			return rm
		})
	}
	a.end(md, written, stamp)
	return md
}

func (a *aggregator) sumResource(md pmetric.Metrics, namespace string) pmetric.ResourceMetrics {
	rm := md.ResourceMetrics().AppendEmpty()
	if namespace != "" {
		rm.Resource().Attributes().PutStr("k8s.namespace.name", namespace)
	} else {
		rm.Resource().Attributes().PutStr("k8s.cluster.name", a.config.ClusterName)
	}
	return rm
}

// end writes a point without a value for each series that was written the last time and is not now, so that nobody
// takes an old sum, or one under another mark, for a present one.
func (a *aggregator) end(md pmetric.Metrics, written map[series]bool, stamp pcommon.Timestamp) {
	var ended []series
	for s := range a.written {
		if !written[s] {
			ended = append(ended, s)
		}
	}
	slices.SortFunc(ended, func(x, y series) int {
		return cmp.Or(cmp.Compare(x.namespace, y.namespace), cmp.Compare(x.metric, y.metric), cmp.Compare(x.mark, y.mark))
	})
	for i, s := range ended {
		w := writer{stamp: stamp, mark: s.mark}
		if i > 0 && ended[i-1].namespace == s.namespace {
			last := md.ResourceMetrics().At(md.ResourceMetrics().Len() - 1)
			w.to, w.open = last.ScopeMetrics().At(0).Metrics(), true
		}
		p := w.point(s.metric, s.unit, func() pmetric.ResourceMetrics { return a.sumResource(md, s.namespace) })
		p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	}
	a.written = written
}
