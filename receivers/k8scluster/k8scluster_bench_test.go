package k8scluster

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// large is a receiver that knows 5,000 pods of two containers and a sidecar, and 500 nodes.
func large(b *testing.B) *clusterReceiver {
	b.Helper()
	r, err := newReceiver(config(nil), receivertest.NewNopSettings(NewFactory().Type()), consumertest.NewNop())
	require.NoError(b, err)
	pods, nodes := r.state.table("pods"), r.state.table("nodes")
	pod := load(b, "pod").(*v1.Pod)
	node := load(b, "node").(*v1.Node)
	for i := range 5000 {
		p := pod.DeepCopy()
		p.Name, p.UID = fmt.Sprintf("%s-%d", p.Name, i), types.UID(fmt.Sprintf("uid-%d", i))
		pods.put(keyOf(p), r.catalog.pod(p))
	}
	for i := range 500 {
		n := node.DeepCopy()
		n.Name = fmt.Sprintf("node%d", i)
		nodes.put(keyOf(n), r.catalog.node(n))
	}
	return r
}

// BenchmarkInterval tells of everything once.
func BenchmarkInterval(b *testing.B) {
	r := large(b)
	d := &desk{r: r, page: newPage(r.catalog, "")}
	sink := new(consumertest.MetricsSink)
	r.next = sink
	d.tell(b.Context(), true)
	points := sink.DataPointCount()
	r.next = consumertest.NewNop()
	b.ReportAllocs()
	for b.Loop() {
		d.tell(b.Context(), true)
	}
	b.ReportMetric(float64(points), "points/op")
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/r.cfg.CollectionInterval.Seconds()*100, "%core")
}

// BenchmarkPod takes one change of a pod in.
func BenchmarkPod(b *testing.B) {
	r := large(b)
	pod := load(b, "pod").(*v1.Pod)
	table := r.state.tables[0]
	b.ReportAllocs()
	for b.Loop() {
		pod.Status.ContainerStatuses[0].RestartCount++
		table.put(keyOf(pod), r.catalog.pod(pod))
	}
}
