package k8saggregate

import (
	"testing"
	"time"

	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/obsd-io/obsd/internal/kubetest"
)

// BenchmarkBatch takes the report of a node with 110 pods and 220 containers and adds its sums.
func BenchmarkBatch(b *testing.B) {
	run := func(name string, change func(*Config)) {
		b.Run(name, func(b *testing.B) {
			begin := time.Now()
			c := kubetest.Cluster{Nodes: 1, PodsPerNode: 110, ContainersPerPod: 2, Start: begin}
			report := c.Report(0, begin)
			h := start(b, change)
			b.ReportAllocs()
			for b.Loop() {
				md := pmetric.NewMetrics()
				report.CopyTo(md)
				h.send(md)
				h.sink.Reset()
			}
		})
	}
	run("node", nil)
	run("cluster", cluster)
	run("heapster", func(c *Config) { c.HeapsterNames = HeapsterOnly })
	b.Run("copy alone", func(b *testing.B) {
		report := kubetest.Cluster{Nodes: 1, PodsPerNode: 110, ContainersPerPod: 2, Start: time.Now()}.Report(0, time.Now())
		b.ReportAllocs()
		for b.Loop() {
			report.CopyTo(pmetric.NewMetrics())
		}
	})
}

// BenchmarkCluster sums up 5,000 pods on 46 nodes.
func BenchmarkCluster(b *testing.B) {
	c := kubetest.Cluster{Nodes: 46, PodsPerNode: 110, ContainersPerPod: 2, Start: time.Now()}
	a, err := newAggregator(processortest.NewNopSettings(NewFactory().Type()), createDefaultConfig().(*Config), consumertest.NewNop())
	if err != nil {
		b.Fatal(err)
	}
	for n := range c.Nodes {
		a.take(c.Report(n, time.Now()), time.Now().UnixNano())
	}
	b.ReportAllocs()
	for b.Loop() {
		a.metrics(a.sums(time.Now()), time.Now())
	}
}
