package k8saggregate

import (
	"maps"
	"math"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// scopeName is the instrumentation scope of what is added.
const scopeName = "github.com/obsd-io/obsd/processors/k8saggregate"

// fill adds to the batch what its pods and nodes lack, and in scope node each node's share of the namespaces.
func (a *aggregator) fill(b *batch) {
	for _, p := range b.pods {
		if !p.on.measured {
			continue // nothing was measured: there is a whole report to come
		}
		t := a.state.podTotal(p.on.node, p.pod)
		w := writer{prefix: "k8s.pod.", stamp: p.stamp}
		w.absent(&t, &p.pod.reading, b.now, func() pmetric.ResourceMetrics { return p.ownResource(b.md, podOnly) })
	}
	for _, p := range b.nodes {
		if !p.measured {
			continue
		}
		t := a.state.nodeTotal(p.node)
		w := writer{prefix: "k8s.node.", stamp: p.stamp}
		resource := func() pmetric.ResourceMetrics { return p.ownResource(b.md, nodeOnly) }
		w.absent(&t, &p.node.reading, b.now, resource)
		if !p.told {
			w.ratios(&t, resource)
		}
		if a.config.Scope == ScopeNode {
			a.shares(b, p)
		}
	}
}

// shares adds what a node has of each namespace.
func (a *aggregator) shares(b *batch, p *nodePart) {
	namespaces := make(map[string]*total)
	for key, pod := range p.node.pods {
		t := namespaces[key.namespace]
		if t == nil {
			t = &total{}
			namespaces[key.namespace] = t
		}
		share := a.state.share(p.node, pod)
		t.merge(&share)
	}
	for _, name := range slices.Sorted(maps.Keys(namespaces)) {
		w := writer{prefix: "k8s.namespace.", stamp: p.stamp}
		w.all(namespaces[name], func() pmetric.ResourceMetrics {
			rm := b.md.ResourceMetrics().AppendEmpty()
			rm.Resource().Attributes().PutStr("k8s.node.name", p.node.name)
			rm.Resource().Attributes().PutStr("k8s.namespace.name", name)
			return rm
		})
	}
}

// ownResource gives the object's resource, made from one of its parts' if it has none of its own.
func (p *part) ownResource(md pmetric.Metrics, keep func(key string) bool) pmetric.ResourceMetrics {
	if !p.own {
		made := md.ResourceMetrics().AppendEmpty()
		for key, value := range p.resource.Resource().Attributes().All() {
			if keep(key) {
				value.CopyTo(made.Resource().Attributes().PutEmpty(key))
			}
		}
		p.resource, p.own = made, true
	}
	return p.resource
}

func podOnly(key string) bool {
	return !strings.HasPrefix(key, "container.") && !strings.HasPrefix(key, "k8s.container.")
}

func nodeOnly(key string) bool {
	return key == "k8s.node.name" || key == "k8s.cluster.name" || strings.HasPrefix(key, "k8s.node.label.")
}

// writer appends gauges to a resource, which it asks for when there is something to write.
type writer struct {
	prefix string
	stamp  pcommon.Timestamp
	mark   string
	to     pmetric.MetricSlice
	open   bool
	// wrote is told of each metric, if set.
	wrote func(name, unit string)
}

// absent writes the quantities that the object did not tell itself in this batch.
func (w *writer) absent(t *total, own *reading, now int64, resource func() pmetric.ResourceMetrics) {
	for q := range summed {
		if t.has[q] && own.at[q] != now {
			w.gauge(known[q].name, known[q].unit, t.value[q], resource)
		}
	}
}

// all writes all quantities that there is a sum of.
func (w *writer) all(t *total, resource func() pmetric.ResourceMetrics) {
	for q := range quantities {
		if t.has[q] {
			w.gauge(known[q].name, known[q].unit, t.value[q], resource)
		}
	}
}

// ratios writes usage and requests by allocatable, as Heapster did: of memory the working set.
func (w *writer) ratios(t *total, resource func() pmetric.ResourceMetrics) {
	for _, r := range [...]struct {
		name              string
		used, allocatable quantity
	}{
		{"cpu.utilization", cpuUsage, cpuAllocatable},
		{"cpu.reservation", cpuRequest, cpuAllocatable},
		{"memory.utilization", memoryWorkingSet, memoryAllocatable},
		{"memory.reservation", memoryRequest, memoryAllocatable},
	} {
		if v, ok := t.ratio(r.used, r.allocatable); ok {
			w.gauge(r.name, unitRatio, v, resource)
		}
	}
}

func (w *writer) gauge(name, unit string, v float64, resource func() pmetric.ResourceMetrics) {
	p := w.point(name, unit, resource)
	if unit == unitBytes {
		p.SetIntValue(int64(math.Round(v)))
	} else {
		p.SetDoubleValue(v)
	}
}

// point appends a metric with one point that has no value yet.
func (w *writer) point(name, unit string, resource func() pmetric.ResourceMetrics) pmetric.NumberDataPoint {
	if !w.open {
		sm := resource().ScopeMetrics().AppendEmpty()
		sm.Scope().SetName(scopeName)
		w.to, w.open = sm.Metrics(), true
	}
	m := w.to.AppendEmpty()
	m.SetName(w.prefix + name)
	m.SetUnit(unit)
	p := m.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetTimestamp(w.stamp)
	if w.mark != "" {
		p.Attributes().PutStr(attrIncomplete, w.mark)
	}
	if w.wrote != nil {
		w.wrote(m.Name(), unit)
	}
	return p
}
