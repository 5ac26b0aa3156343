package k8saggregate

import (
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/obsd-io/obsd/internal/kubetest"
)

// TestNode checks what an agent adds to the batch of its node: what pods lack from their containers, what the node
// lacks from its pods, ratios, and the node's share of each namespace.
func TestNode(t *testing.T) {
	h := start(t, nil)
	b := kubetest.NewBatch(now())
	b.Node("n1").Gauge("k8s.node.cpu.usage", 1.5).Int("k8s.node.memory.working_set", 400).
		Gauge("k8s.node.allocatable_cpu", 4).Int("k8s.node.allocatable_memory", 1000)
	b.Pod("n1", "shop", "cart").Gauge("k8s.pod.cpu.usage", 0.5).Int("k8s.pod.memory.usage", 30)
	b.Container("n1", "shop", "cart", "web").Gauge("container.cpu.usage", 0.25).Int("container.memory.working_set", 10).
		Gauge("k8s.container.cpu_request", 1).Int("k8s.container.memory_request", 100).Gauge("k8s.container.cpu_limit", 2)
	b.Container("n1", "shop", "cart", "proxy").Gauge("container.cpu.usage", 0.125).Int("container.memory.working_set", 5).
		Gauge("k8s.container.cpu_request", 0.5)
	b.Container("n1", "bank", "ledger", "db").Gauge("container.cpu.usage", 0.75).Int("container.memory.usage", 70)
	h.send(b.Metrics)
	require.Equal(t, []string{
		"n1 k8s.node.cpu.usage{} 1.5",
		"n1 k8s.node.memory.working_set{} 400",
		"n1 k8s.node.allocatable_cpu{} 4",
		"n1 k8s.node.allocatable_memory{} 1000",
		"n1 k8s.node.memory.usage{} 100",
		"n1 k8s.node.cpu.request{} 1.5",
		"n1 k8s.node.cpu.limit{} 2",
		"n1 k8s.node.memory.request{} 100",
		"n1 k8s.node.cpu.utilization{} 0.375",
		"n1 k8s.node.cpu.reservation{} 0.375",
		"n1 k8s.node.memory.utilization{} 0.4",
		"n1 k8s.node.memory.reservation{} 0.1",
		"n1/shop/cart k8s.pod.cpu.usage{} 0.5",
		"n1/shop/cart k8s.pod.memory.usage{} 30",
		"n1/shop/cart k8s.pod.memory.working_set{} 15",
		"n1/shop/cart k8s.pod.cpu.request{} 1.5",
		"n1/shop/cart k8s.pod.cpu.limit{} 2",
		"n1/shop/cart k8s.pod.memory.request{} 100",
		"n1/bank/ledger k8s.pod.cpu.usage{} 0.75",
		"n1/bank/ledger k8s.pod.memory.usage{} 70",
		"n1/bank k8s.namespace.cpu.usage{} 0.75",
		"n1/bank k8s.namespace.memory.usage{} 70",
		"n1/shop k8s.namespace.cpu.usage{} 0.5",
		"n1/shop k8s.namespace.memory.usage{} 30",
		"n1/shop k8s.namespace.memory.working_set{} 15",
		"n1/shop k8s.namespace.cpu.request{} 1.5",
		"n1/shop k8s.namespace.cpu.limit{} 2",
		"n1/shop k8s.namespace.memory.request{} 100",
	}, h.got("k8s.node.", "k8s.pod.", "k8s.namespace."))
}

// TestAgain checks that a batch which comes a second time, or through a gateway, gets nothing twice.
func TestAgain(t *testing.T) {
	h := start(t, cluster)
	c := kubetest.Cluster{Nodes: 1, PodsPerNode: 2, ContainersPerPod: 2, Start: now()}
	h.send(c.Report(0, now()))
	once := h.sink.AllMetrics()[0]
	want := write(once)
	again := pmetric.NewMetrics()
	once.CopyTo(again)
	h.send(again)
	require.Equal(t, want, write(h.sink.AllMetrics()[1]))
}

// TestStamps checks that sums have the time of what they are made of.
func TestStamps(t *testing.T) {
	h := start(t, nil)
	at := time.Unix(1700000000, 0)
	h.send(kubetest.NewBatch(at).Container("n1", "shop", "cart", "web").Gauge("container.cpu.usage", 1).Metrics)
	out := h.sink.AllMetrics()[0].ResourceMetrics()
	require.Equal(t, 4, out.Len()) // container, pod, node, namespace
	for i := range 4 {
		p := out.At(i).ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints().At(0)
		require.True(t, p.Timestamp().AsTime().Equal(at))
	}
	pod := out.At(1).Resource().Attributes().AsRaw()
	require.Equal(t, map[string]any{
		"k8s.node.name": "n1", "k8s.namespace.name": "shop", "k8s.pod.name": "cart", "k8s.pod.uid": "uid-shop-cart",
	}, pod)
}

// TestOddValues checks that what has no value changes no sum, and takes nothing with it.
func TestOddValues(t *testing.T) {
	h := start(t, nil)
	b := kubetest.NewBatch(now())
	b.Container("n1", "shop", "cart", "web").Gauge("container.cpu.usage", math.NaN()).Int("container.memory.usage", 5)
	b.Container("n1", "shop", "cart", "proxy").Gauge("container.cpu.usage", math.Inf(1)).Int("container.memory.usage", 6)
	b.Container("n1", "shop", "cart", "init").Gauge("container.cpu.usage", 1).Int("k8s.container.restarts", 2)
	last := b.Metrics.ResourceMetrics().At(2).ScopeMetrics().At(0).Metrics()
	last.At(0).Gauge().DataPoints().At(0).SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	last.AppendEmpty().SetName("container.memory.usage") // of no type
	b.Resource("host.name", "a").Gauge("container.cpu.usage", 1)
	h.send(b.Metrics)
	require.Equal(t, []string{"n1/shop/cart k8s.pod.memory.usage{} 11"}, h.got("k8s.pod."))
}

// TestOver checks that a pod which has ended holds no requests.
func TestOver(t *testing.T) {
	h := start(t, nil)
	b := kubetest.NewBatch(now())
	b.Node("n1").Gauge("k8s.node.cpu.usage", 1)
	for phase, pod := range map[int64]string{1: "pending", 2: "running", 3: "succeeded", 4: "failed"} {
		b.Pod("n1", "shop", pod).Int("k8s.pod.phase", phase).Gauge("k8s.pod.cpu.request", 1)
	}
	h.send(b.Metrics)
	require.Equal(t, []string{"n1 k8s.node.cpu.request{} 2"}, h.got("k8s.node.cpu.request"))
}

// TestGone checks that pods and containers leave the sums with the first report that they are not in.
func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, nil)
		report := func(pods ...string) []string {
			b := kubetest.NewBatch(now()).Node("n1").Int("k8s.node.memory.rss", 1)
			for _, pod := range pods {
				b.Container("n1", "shop", pod, "web").Gauge("container.cpu.usage", 1)
			}
			h.send(b.Metrics)
			return h.got("k8s.node.cpu.usage", "k8s.namespace.")
		}
		require.Equal(t, []string{"n1 k8s.node.cpu.usage{} 2", "n1/shop k8s.namespace.cpu.usage{} 2"}, report("a", "b"))
		time.Sleep(time.Second)
		require.Equal(t, []string{"n1 k8s.node.cpu.usage{} 1", "n1/shop k8s.namespace.cpu.usage{} 1"}, report("b"))
		time.Sleep(time.Second)
		require.Equal(t, []string{"n1 k8s.node.cpu.usage{} 2", "n1/shop k8s.namespace.cpu.usage{} 2"}, report("b", "c"))
		require.NoError(t, h.p.Shutdown(t.Context()))
	})
}

// TestSplit checks that the parts of a report, as a batch processor may cut it, are one report.
func TestSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, cluster)
		for range 3 {
			h.send(kubetest.NewBatch(now()).Container("n1", "shop", "a", "web").Gauge("container.cpu.usage", 1).Metrics)
			time.Sleep(100 * time.Millisecond)
			h.send(kubetest.NewBatch(now()).Container("n1", "shop", "b", "web").Gauge("container.cpu.usage", 2).Metrics)
			time.Sleep(9900 * time.Millisecond)
		}
		time.Sleep(time.Second)
		require.Equal(t, []string{"shop k8s.namespace.cpu.usage{k8s.aggregate.incomplete=starting} 3"}, h.got("k8s.namespace."))
	})
}

// TestStatedApart checks that requests which come apart from what is measured hold for missing_after.
func TestStatedApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, nil)
		measure := func() []string {
			h.send(kubetest.NewBatch(now()).Node("n1").Int("k8s.node.memory.usage", 1).Pod("n1", "shop", "a").Gauge("k8s.pod.cpu.usage", 1).Metrics)
			return h.got("k8s.node.cpu.request")
		}
		require.Empty(t, measure())
		h.send(kubetest.NewBatch(now()).Pod("n1", "shop", "a").Gauge("k8s.pod.cpu.request", 2).Metrics)
		require.Empty(t, h.got("k8s.node.cpu.request"), "nothing was measured")
		for range 17 {
			time.Sleep(10 * time.Second)
			require.Equal(t, []string{"n1 k8s.node.cpu.request{} 2"}, measure())
		}
		time.Sleep(30 * time.Second)
		require.Empty(t, measure())
	})
}

func TestModel(t *testing.T) {
	model := &modelSink{err: errors.New("full")}
	id := component.MustNewIDWithName("model", "x")
	with := host{componenttest.NewNopHost(), map[component.ID]component.Component{id: model}}
	h := startWith(t, processortest.NewNopSettings(NewFactory().Type()), with, func(c *Config) {
		c.Model, c.HeapsterNames = &id, HeapsterOnly
	})
	h.send(kubetest.NewBatch(now()).Container("n1", "shop", "a", "web").Gauge("container.cpu.usage", 1).Metrics)
	require.Len(t, h.sink.AllMetrics(), 1, "a model that fails does not hold up the pipeline")
	require.Equal(t, []string{
		"n1/shop/a/web container.cpu.usage{} 1",
		"n1/shop/a k8s.pod.cpu.usage{} 1",
		"n1 k8s.node.cpu.usage{} 1",
		"n1/shop k8s.namespace.cpu.usage{} 1",
	}, write(model.AllMetrics()[0]))
}

func TestModelIsMissing(t *testing.T) {
	f := func(extension component.Component, want string) {
		t.Helper()
		id := component.MustNewID("model")
		extensions := map[component.ID]component.Component{}
		if extension != nil {
			extensions[id] = extension
		}
		config := createDefaultConfig().(*Config)
		config.Model = &id
		p, err := NewFactory().CreateMetrics(t.Context(), processortest.NewNopSettings(NewFactory().Type()), config, consumertest.NewNop())
		require.NoError(t, err)
		require.EqualError(t, p.Start(t.Context(), host{componenttest.NewNopHost(), extensions}), want)
		require.NoError(t, p.Shutdown(t.Context()))
	}
	f(nil, `k8s_aggregate: model: there is no extension "model": define it below extensions, and list it in service::extensions`)
	f(&struct {
		component.StartFunc
		component.ShutdownFunc
	}{}, `k8s_aggregate: model: the extension "model" takes no metrics: name one of type model`)
}

func TestShutdownWithoutStart(t *testing.T) {
	p, err := NewFactory().CreateMetrics(t.Context(), processortest.NewNopSettings(NewFactory().Type()), createDefaultConfig(), consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, p.Shutdown(t.Context()))
}
