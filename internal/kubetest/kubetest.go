// Package kubetest makes the metrics of a cluster, with the resources and names that the receivers of obsd give, for tests
// of what works on them.
package kubetest

import (
	"fmt"
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Batch builds a batch resource by resource.
type Batch struct {
	Metrics pmetric.Metrics
	at      pcommon.Timestamp
	to      pmetric.MetricSlice
}

// NewBatch begins a batch whose points have a time.
func NewBatch(at time.Time) *Batch {
	return &Batch{Metrics: pmetric.NewMetrics(), at: pcommon.NewTimestampFromTime(at)}
}

// Resource begins a resource with attributes, which are given as key, value, key, value.
func (b *Batch) Resource(attributes ...string) *Batch {
	rm := b.Metrics.ResourceMetrics().AppendEmpty()
	for i := 0; i < len(attributes); i += 2 {
		rm.Resource().Attributes().PutStr(attributes[i], attributes[i+1])
	}
	b.to = rm.ScopeMetrics().AppendEmpty().Metrics()
	return b
}

// Node begins the resource of a node.
func (b *Batch) Node(node string) *Batch { return b.Resource("k8s.node.name", node) }

// Pod begins the resource of a pod; more attributes may follow.
func (b *Batch) Pod(node, namespace, pod string, more ...string) *Batch {
	return b.Resource(append([]string{
		"k8s.node.name", node, "k8s.namespace.name", namespace, "k8s.pod.name", pod, "k8s.pod.uid", "uid-" + namespace + "-" + pod,
	}, more...)...)
}

// Container begins the resource of a container; more attributes may follow.
func (b *Batch) Container(node, namespace, pod, container string, more ...string) *Batch {
	return b.Pod(node, namespace, pod, append([]string{"k8s.container.name", container}, more...)...)
}

// Gauge adds a gauge of floats; attributes of the point may follow. A metric that was added last gets another point.
func (b *Batch) Gauge(name string, v float64, attributes ...string) *Batch {
	if m, fresh := b.metric(name); fresh {
		m.SetEmptyGauge()
	}
	b.point(attributes).SetDoubleValue(v)
	return b
}

// Int adds a gauge of integers, as Gauge does.
func (b *Batch) Int(name string, v int64, attributes ...string) *Batch {
	if m, fresh := b.metric(name); fresh {
		m.SetEmptyGauge()
	}
	b.point(attributes).SetIntValue(v)
	return b
}

// Sum adds a cumulative value that has grown since a start, as Gauge does.
func (b *Batch) Sum(name string, start time.Time, v float64, attributes ...string) *Batch {
	if m, fresh := b.metric(name); fresh {
		sum := m.SetEmptySum()
		sum.SetIsMonotonic(true)
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	}
	p := b.point(attributes)
	p.SetDoubleValue(v)
	p.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	return b
}

// metric is the metric that was added last, if it has the name, or else a new one.
func (b *Batch) metric(name string) (m pmetric.Metric, fresh bool) {
	if n := b.to.Len(); n > 0 && b.to.At(n-1).Name() == name {
		return b.to.At(n - 1), false
	}
	m = b.to.AppendEmpty()
	m.SetName(name)
	return m, true
}

func (b *Batch) point(attributes []string) pmetric.NumberDataPoint {
	var p pmetric.NumberDataPoint
	if m := b.to.At(b.to.Len() - 1); m.Type() == pmetric.MetricTypeSum {
		p = m.Sum().DataPoints().AppendEmpty()
	} else {
		p = m.Gauge().DataPoints().AppendEmpty()
	}
	p.SetTimestamp(b.at)
	for i := 0; i < len(attributes); i += 2 {
		p.Attributes().PutStr(attributes[i], attributes[i+1])
	}
	return p
}

// Cluster is a cluster of equal nodes. Pods are in ten namespaces and have labels.
type Cluster struct {
	Nodes, PodsPerNode, ContainersPerPod int
	// Turnover is after how many rounds every pod has been replaced, one after the other. With 0 none ever is.
	Turnover int
	// Round counts reports.
	Round int
	// Start is when everything started.
	Start time.Time
}

// Report is what a kubelet says of its node at a time, in the extent of /stats/summary and /pods: about 20 values for a
// pod and as many for a container.
func (c Cluster) Report(node int, at time.Time) pmetric.Metrics {
	b := NewBatch(at)
	name := fmt.Sprintf("node-%03d.example.com", node)
	b.Node(name)
	c.usage(b, "k8s.node.", at, 8)
	b.Gauge("k8s.node.allocatable_cpu", 64).Int("k8s.node.allocatable_memory", 256<<30).Int("k8s.node.allocatable_pods", 110)
	for _, system := range []string{"kubelet", "runtime", "pods"} {
		b.Resource("k8s.node.name", name, "k8s.node.system_container.name", system)
		c.usage(b, "k8s.node.system_container.", at, 1)
	}
	for p := range c.PodsPerNode {
		c.pod(b, name, node*c.PodsPerNode+p, at)
	}
	return b.Metrics
}

func (c Cluster) pod(b *Batch, node string, p int, at time.Time) {
	namespace, pod := fmt.Sprintf("team-%d", p%10), fmt.Sprintf("shop-%d-6c9f7d5b8-%05x", p%100, p)
	if c.Turnover > 0 {
		pod = fmt.Sprintf("%s-%d", pod, (c.Round+p%c.Turnover)/c.Turnover)
	}
	labels := []string{"k8s.pod.label.app", fmt.Sprintf("shop-%d", p%100), "k8s.pod.label.tier", "web", "k8s.deployment.name", "shop"}
	b.Pod(node, namespace, pod, labels...)
	c.usage(b, "k8s.pod.", at, float64(c.ContainersPerPod)*0.1)
	for _, direction := range []string{"receive", "transmit"} {
		b.Sum("k8s.pod.network.io", c.Start, 1000*at.Sub(c.Start).Seconds(), "interface", "eth0", "direction", direction)
	}
	for _, direction := range []string{"receive", "transmit"} {
		b.Sum("k8s.pod.network.errors", c.Start, 0, "interface", "eth0", "direction", direction)
	}
	for i := range c.ContainersPerPod {
		b.Container(node, namespace, pod, fmt.Sprintf("container-%d", i), append(labels, "container.image.name", "registry.example.com/shop/web",
			"container.id", fmt.Sprintf("%064x", p*c.ContainersPerPod+i))...)
		c.usage(b, "container.", at, 0.1)
		b.Gauge("k8s.container.cpu_request", 0.25).Gauge("k8s.container.cpu_limit", 1)
		b.Int("k8s.container.memory_request", 128<<20).Int("k8s.container.memory_limit", 512<<20)
		b.Int("k8s.container.restarts", 0).Int("k8s.container.ready", 1)
	}
	b.Pod(node, namespace, pod, "k8s.volume.name", fmt.Sprintf("kube-api-access-%05x", p), "k8s.volume.type", "projected")
	b.Int("k8s.volume.available", 1<<30).Int("k8s.volume.capacity", 2<<30).Int("k8s.volume.inodes", 1000).Int("k8s.volume.inodes.free", 990)
}

// usage is what node, pod and container have in common. It is now a little more and now a little less, in steps that a kubelet
// has: nanocores and pages.
func (c Cluster) usage(b *Batch, prefix string, at time.Time, cores float64) {
	age := at.Sub(c.Start).Seconds()
	more := 0.9 + 0.2*math.Abs(math.Sin(float64(at.UnixMilli()%1e7)*cores))
	used, pages := math.Round(cores*more*1e9)/1e9, int64(cores*more*(1<<18))
	b.Gauge(prefix+"cpu.usage", used).Sum(prefix+"cpu.time", c.Start, math.Round(cores*age*1e9)/1e9)
	b.Int(prefix+"memory.usage", pages<<12).Int(prefix+"memory.working_set", pages<<11).Int(prefix+"memory.rss", pages<<10)
	b.Sum(prefix+"memory.page_faults", c.Start, 100*age).Sum(prefix+"memory.major_page_faults", c.Start, age)
	b.Int(prefix+"filesystem.available", 1<<33).Int(prefix+"filesystem.capacity", 1<<35).Int(prefix+"filesystem.usage", 1<<30)
	b.Gauge(prefix+"uptime", age)
}
