package k8saggregate

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/obsd-io/obsd/internal/heapster"
)

// batch is what one batch said of which objects, and where in it sums can be added.
type batch struct {
	md    pmetric.Metrics
	now   int64
	nodes []*nodePart
	pods  []*podPart
	// without counts resources that do not say which node they are on; refused those there was no room for.
	without, refused int

	byNode map[*node]*nodePart
	byPod  map[*pod]*podPart
}

// part is an object's place in the batch.
type part struct {
	// resource is the object's own, if own is set; else one of its parts'.
	resource pmetric.ResourceMetrics
	own      bool
	// stamp is the newest time of a value.
	stamp pcommon.Timestamp
}

type nodePart struct {
	part
	node *node
	// measured is set when there are measured values of the node or of anything on it.
	measured bool
	// told is set when the node has its ratios already.
	told bool
}

type podPart struct {
	part
	on  *nodePart
	pod *pod
	ns  string
}

// take reads a batch into the state.
func (a *aggregator) take(md pmetric.Metrics, now int64) *batch {
	b := &batch{md: md, now: now, byNode: make(map[*node]*nodePart), byPod: make(map[*pod]*podPart)}
	for _, rm := range md.ResourceMetrics().All() {
		o := heapster.Identify(rm.Resource().Attributes())
		switch o.Type {
		case heapster.Node, heapster.Pod, heapster.Container:
			if o.Volume == "" {
				a.resource(b, &o, rm)
			}
		}
	}
	for _, part := range b.nodes {
		part.node.heard = now
		if part.measured {
			part.node.reported = now
			a.state.prune(part.node)
		}
	}
	return b
}

// resource reads one resource. An object is remembered only if there is something to remember of it.
func (a *aggregator) resource(b *batch, o *heapster.Object, rm pmetric.ResourceMetrics) {
	var into *reading
	var node *nodePart
	var pod *podPart
	told := false
	for _, sm := range rm.ScopeMetrics().All() {
		for _, m := range sm.Metrics().All() {
			q, summed := a.byName[m.Name()]
			phase := o.Type == heapster.Pod && m.Name() == "k8s.pod.phase"
			told = told || o.Type == heapster.Node && strings.HasSuffix(m.Name(), ".utilization")
			if !summed && !phase {
				continue
			}
			point, value, ok := lastValue(m)
			if !ok {
				continue
			}
			if into == nil {
				if into, node, pod = a.object(b, o, rm); into == nil {
					return
				}
			}
			if phase {
				pod.pod.over = value == 3 || value == 4 // Succeeded, Failed
				continue
			}
			into.set(q, value, b.now)
			node.measured = node.measured || q.measured()
			node.stamp = max(node.stamp, point.Timestamp())
			if pod != nil {
				pod.stamp = max(pod.stamp, point.Timestamp())
			}
		}
	}
	if node != nil {
		node.told = node.told || told
	}
}

// object finds the object that a resource is of, in the state and in the batch. The reading is nil where there is none.
func (a *aggregator) object(b *batch, o *heapster.Object, rm pmetric.ResourceMetrics) (*reading, *nodePart, *podPart) {
	if o.Node == "" {
		b.without++
		return nil, nil, nil
	}
	n := a.state.node(o.Node, b.now)
	if n == nil {
		b.refused++
		return nil, nil, nil
	}
	node := b.node(n, rm, o.Type == heapster.Node)
	if o.Type == heapster.Node {
		return &n.reading, node, nil
	}
	p := a.state.pod(n, o, b.now)
	if p == nil {
		b.refused++
		return nil, nil, nil
	}
	p.seen = b.now
	pod := b.pod(p, node, o.Namespace, rm, o.Type == heapster.Pod)
	if o.Type == heapster.Pod {
		return &p.reading, node, pod
	}
	c := a.state.container(p, o.Container, b.now)
	if c == nil {
		b.refused++
		return nil, nil, nil
	}
	c.seen = b.now
	return &c.reading, node, pod
}

func (b *batch) node(n *node, rm pmetric.ResourceMetrics, own bool) *nodePart {
	p := b.byNode[n]
	if p == nil {
		p = &nodePart{node: n}
		b.byNode[n] = p
		b.nodes = append(b.nodes, p)
	}
	p.place(rm, own)
	return p
}

func (b *batch) pod(pod *pod, on *nodePart, namespace string, rm pmetric.ResourceMetrics, own bool) *podPart {
	p := b.byPod[pod]
	if p == nil {
		p = &podPart{pod: pod, on: on, ns: namespace}
		b.byPod[pod] = p
		b.pods = append(b.pods, p)
	}
	p.place(rm, own)
	return p
}

// place keeps the first resource of the object's own, or else the first of its parts'.
func (p *part) place(rm pmetric.ResourceMetrics, own bool) {
	if p.own || !own && p.resource != (pmetric.ResourceMetrics{}) {
		return
	}
	p.resource, p.own = rm, own
}
