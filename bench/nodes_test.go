package bench

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	_ "go.opentelemetry.io/collector/exporter/otlpexporter" // it registers what it compresses with
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/obsd-io/obsd/internal/kubetest"
	"github.com/obsd-io/obsd/processors/k8saggregate"
)

// agents are the obsd-node of all nodes: each has a connection of its own and sends what deploy/kubernetes/node/obsd.yaml does, compressed
// as its exporter does, once an interval. The nodes are spread over the interval.
type agents struct {
	cluster  kubetest.Cluster
	interval time.Duration
	began    time.Time
	sums     processor.Metrics // adds what k8s_aggregate does on a node
	clients  []pmetricotlp.GRPCClient
	busy     chan struct{} // of nodes that send
	sent     atomic.Int64  // batches
	failed   atomic.Int64
	points   atomic.Int64
}

// mostBusy is how many nodes may send at a time. At rest it is one or two. Where there is too little CPU for the interval, the nodes take
// longer, and the gateway does not come to hold what all of them send at once.
const mostBusy = 4

// startAgents lets a cluster report to a gateway until the test ends.
func startAgents(t *testing.T, gateway string, interval time.Duration) *agents {
	t.Helper()
	a := &agents{
		cluster: kubetest.Cluster{
			Nodes: clusterNodes, PodsPerNode: clusterPods / clusterNodes, ContainersPerPod: 2, Start: time.Now().Add(-time.Hour),
		},
		interval: interval, began: time.Now(), busy: make(chan struct{}, mostBusy),
	}
	f := k8saggregate.NewFactory()
	next, err := consumer.NewMetrics(func(context.Context, pmetric.Metrics) error { return nil },
		consumer.WithCapabilities(consumer.Capabilities{}))
	require.NoError(t, err)
	a.sums, err = f.CreateMetrics(t.Context(), processortest.NewNopSettings(f.Type()), f.CreateDefaultConfig(), next)
	require.NoError(t, err)
	require.NoError(t, a.sums.Start(t.Context(), componenttest.NewNopHost()))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for node := range a.cluster.Nodes {
		connection, err := grpc.NewClient(gateway, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.UseCompressor("snappy"), grpc.WaitForReady(true))) // a slow start is no refusal
		require.NoError(t, err)
		a.clients = append(a.clients, pmetricotlp.NewGRPCClient(connection))
		t.Cleanup(func() { _ = connection.Close() })
		running.Go(func() { a.run(ctx, node) })
	}
	t.Cleanup(func() {
		cancel()
		running.Wait()
		require.NoError(t, a.sums.Shutdown(context.Background()))
	})
	return a
}

// run sends a node's reports, each at the node's own time within the interval.
func (a *agents) run(ctx context.Context, node int) {
	at := a.began.Add(a.interval * time.Duration(node) / time.Duration(a.cluster.Nodes))
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(at)):
		}
		a.busy <- struct{}{}
		a.report(ctx, node)
		<-a.busy
		at = at.Add(a.interval)
	}
}

// report sends what a node measures now.
func (a *agents) report(ctx context.Context, node int) {
	md := a.cluster.Report(node, time.Now())
	if err := a.sums.ConsumeMetrics(ctx, md); err != nil {
		a.failed.Add(1)
	}
	a.send(ctx, node, md)
}

func (a *agents) send(ctx context.Context, node int, md pmetric.Metrics) {
	n := md.DataPointCount()
	if _, err := a.clients[node].Export(ctx, pmetricotlp.NewExportRequestFromMetrics(md)); err != nil {
		if ctx.Err() == nil {
			a.failed.Add(1)
		}
		return
	}
	a.sent.Add(1)
	a.points.Add(int64(n))
}
