package k8saggregate

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/obsd-io/obsd/internal/golden"
	"github.com/obsd-io/obsd/internal/kubetest"
)

// TestAliases holds all that a node and the cluster say under Heapster's names to a golden file.
func TestAliases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // time begins at the same moment each time
		h := start(t, func(c *Config) {
			cluster(c)
			c.HeapsterNames, c.ClusterName = HeapsterOnly, "blue"
		})
		c := kubetest.Cluster{Nodes: 1, PodsPerNode: 1, ContainersPerPod: 1, Start: now().Add(-time.Hour)}
		h.send(c.Report(0, now()))
		time.Sleep(10 * time.Second)
		h.send(c.Report(0, now())) // now there are rates
		time.Sleep(21 * time.Second)
		got := pmetric.NewMetrics()
		for _, md := range h.sink.AllMetrics()[1:] {
			md.ResourceMetrics().MoveAndAppendTo(got.ResourceMetrics())
		}
		compare(t, "aliases.txt", got)
	})
}

// TestAliasesBeside checks that our names stay where Heapster's are added.
func TestAliasesBeside(t *testing.T) {
	h := start(t, func(c *Config) { c.HeapsterNames = HeapsterAdd })
	h.send(kubetest.NewBatch(now()).Node("n1").Gauge("k8s.node.cpu.usage", 1).Metrics)
	require.Equal(t, []string{"n1 k8s.node.cpu.usage{} 1", " cpu/usage_rate{} 1000"}, h.got())
}

// TestNothingLeft checks that a batch without anything that Heapster knew ends here.
func TestNothingLeft(t *testing.T) {
	h := start(t, func(c *Config) { c.HeapsterNames = HeapsterOnly })
	h.send(kubetest.NewBatch(now()).Node("n1").Gauge("k8s.node.unknown", 1).Metrics)
	require.Empty(t, h.sink.AllMetrics())
}

// compare holds metrics, a line a point, to a golden file.
func compare(t *testing.T, name string, md pmetric.Metrics) {
	t.Helper()
	var got strings.Builder
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				for _, line := range writePoints(attributes(rm.Resource().Attributes()), m) {
					fmt.Fprintln(&got, line)
				}
			}
		}
	}
	golden.Require(t, name, got.String())
}
