package k8saggregate

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/obsd-io/obsd/internal/kubetest"
)

// report is what a node with one pod in a namespace of its own and one in a shared namespace says.
func report(node string) *kubetest.Batch {
	const cores = 1.0
	b := kubetest.NewBatch(now())
	b.Node(node).Gauge("k8s.node.cpu.usage", 2*cores).Gauge("k8s.node.allocatable_cpu", 4)
	b.Pod(node, "shared", "a-"+node).Gauge("k8s.pod.cpu.usage", cores)
	b.Pod(node, "of-"+node, "b-"+node).Gauge("k8s.pod.cpu.usage", cores/2)
	return b
}

// TestCluster follows two nodes of which one falls silent and comes back: fresh, late, missing, fresh.
func TestCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, func(c *Config) {
			cluster(c)
			c.LateAfter, c.MissingAfter = time.Minute, 2*time.Minute
		})
		time.Sleep(29 * time.Second)
		// next sends what the nodes say and gives the sums that follow a second later.
		next := func(nodes ...string) []string {
			h.got()
			for _, node := range nodes {
				h.send(report(node).Metrics)
			}
			h.got()
			time.Sleep(time.Second)
			synctest.Wait()
			lines := h.got("k8s.cluster.", "k8s.namespace.")
			time.Sleep(29 * time.Second)
			return lines
		}
		require.Equal(t, []string{
			"default k8s.cluster.cpu.usage{k8s.aggregate.incomplete=starting} 3",
			"default k8s.cluster.allocatable_cpu{k8s.aggregate.incomplete=starting} 8",
			"default k8s.cluster.cpu.utilization{k8s.aggregate.incomplete=starting} 0.375",
			"default k8s.cluster.nodes{state=fresh} 2",
			"default k8s.cluster.nodes{state=late} 0",
			"default k8s.cluster.nodes{state=missing} 0",
			"of-n1 k8s.namespace.cpu.usage{k8s.aggregate.incomplete=starting} 0.5",
			"of-n2 k8s.namespace.cpu.usage{k8s.aggregate.incomplete=starting} 0.5",
			"shared k8s.namespace.cpu.usage{k8s.aggregate.incomplete=starting} 2",
		}, next("n1", "n2"))
		fresh := []string{
			"default k8s.cluster.cpu.usage{} 3",
			"default k8s.cluster.allocatable_cpu{} 8",
			"default k8s.cluster.cpu.utilization{} 0.375",
			"default k8s.cluster.nodes{state=fresh} 2",
			"default k8s.cluster.nodes{state=late} 0",
			"default k8s.cluster.nodes{state=missing} 0",
			"of-n1 k8s.namespace.cpu.usage{} 0.5",
			"of-n2 k8s.namespace.cpu.usage{} 0.5",
			"shared k8s.namespace.cpu.usage{} 2",
		}
		ended := func(mark string) []string {
			return []string{
				fmt.Sprintf("default k8s.cluster.allocatable_cpu{%s} ended", mark),
				fmt.Sprintf("default k8s.cluster.cpu.usage{%s} ended", mark),
				fmt.Sprintf("default k8s.cluster.cpu.utilization{%s} ended", mark),
			}
		}
		started := append(slices.Clone(fresh), ended("k8s.aggregate.incomplete=starting")...)
		for _, namespace := range []string{"of-n1", "of-n2", "shared"} {
			started = append(started, namespace+" k8s.namespace.cpu.usage{k8s.aggregate.incomplete=starting} ended")
		}
		require.Equal(t, started, next("n1", "n2"))
		require.Equal(t, fresh, next("n1")) // n2 is 31 s old
		late := []string{
			"default k8s.cluster.cpu.usage{k8s.aggregate.incomplete=late} 3",
			"default k8s.cluster.allocatable_cpu{k8s.aggregate.incomplete=late} 8",
			"default k8s.cluster.cpu.utilization{k8s.aggregate.incomplete=late} 0.375",
			"default k8s.cluster.nodes{state=fresh} 1",
			"default k8s.cluster.nodes{state=late} 1",
			"default k8s.cluster.nodes{state=missing} 0",
			"of-n1 k8s.namespace.cpu.usage{} 0.5",
			"of-n2 k8s.namespace.cpu.usage{k8s.aggregate.incomplete=late} 0.5",
			"shared k8s.namespace.cpu.usage{k8s.aggregate.incomplete=late} 2",
		}
		require.Equal(t, append(append(slices.Clone(late), ended("")...),
			"of-n2 k8s.namespace.cpu.usage{} ended", "shared k8s.namespace.cpu.usage{} ended"), next("n1"))
		require.Equal(t, late, next("n1"))
		missing := []string{
			"default k8s.cluster.cpu.usage{k8s.aggregate.incomplete=missing} 1.5",
			"default k8s.cluster.allocatable_cpu{k8s.aggregate.incomplete=missing} 4",
			"default k8s.cluster.cpu.utilization{k8s.aggregate.incomplete=missing} 0.375",
			"default k8s.cluster.nodes{state=fresh} 1",
			"default k8s.cluster.nodes{state=late} 0",
			"default k8s.cluster.nodes{state=missing} 1",
			"of-n1 k8s.namespace.cpu.usage{} 0.5",
			"shared k8s.namespace.cpu.usage{k8s.aggregate.incomplete=missing} 1",
		}
		require.Equal(t, append(append(slices.Clone(missing), ended("k8s.aggregate.incomplete=late")...),
			"of-n2 k8s.namespace.cpu.usage{k8s.aggregate.incomplete=late} ended",
			"shared k8s.namespace.cpu.usage{k8s.aggregate.incomplete=late} ended"), next("n1"))
		require.Equal(t, missing, next("n1"))
		require.Equal(t, append(append(slices.Clone(fresh), ended("k8s.aggregate.incomplete=missing")...),
			"shared k8s.namespace.cpu.usage{k8s.aggregate.incomplete=missing} ended"), next("n1", "n2"))
	})
}

// TestForget checks that a node which is gone for good is forgotten with all on it, and that its age is told until then.
func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, func(c *Config) {
			cluster(c)
			c.ForgetAfter = 10 * time.Minute
		})
		h.send(report("n1").Metrics)
		h.got()
		time.Sleep(30*time.Second + time.Millisecond)
		require.Equal(t, []string{"n1 k8s.node.report_age{} 30"}, h.got("k8s.node.report_age"))
		time.Sleep(10 * time.Minute)
		h.got()
		h.send(report("n2").Metrics)
		h.got()
		time.Sleep(30 * time.Second)
		require.Equal(t, []string{
			"default k8s.cluster.nodes{state=fresh} 1",
			"default k8s.cluster.nodes{state=late} 0",
			"default k8s.cluster.nodes{state=missing} 0",
		}, h.got("k8s.cluster.nodes"))
		time.Sleep(20 * time.Minute)
		h.got()
		time.Sleep(30 * time.Second)
		require.Empty(t, h.got(), "nothing is known, and all that was is ended")
	})
}

// TestNeverReported checks that a node which is known, but never told anything measured, is missing.
func TestNeverReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, cluster)
		for range 4 {
			h.send(kubetest.NewBatch(now()).Node("n2").Gauge("k8s.node.allocatable_cpu", 4).Metrics)
			h.send(report("n1").Metrics)
			h.got()
			time.Sleep(30 * time.Second)
		}
		synctest.Wait()
		lines := h.got("k8s.cluster.")
		require.Equal(t, []string{
			"default k8s.cluster.cpu.usage{k8s.aggregate.incomplete=missing} 1.5",
			"default k8s.cluster.allocatable_cpu{k8s.aggregate.incomplete=missing} 4",
			"default k8s.cluster.cpu.utilization{k8s.aggregate.incomplete=missing} 0.375",
			"default k8s.cluster.nodes{state=fresh} 1",
			"default k8s.cluster.nodes{state=late} 0",
			"default k8s.cluster.nodes{state=missing} 1",
		}, lines[:6])
	})
}

// TestSomeAllocatable checks that usage of all nodes is not set in relation to what some can allocate.
func TestSomeAllocatable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, cluster)
		h.send(report("n1").Metrics)
		h.send(kubetest.NewBatch(now()).Pod("n2", "shop", "a").Gauge("k8s.pod.cpu.usage", 1).Metrics)
		h.got()
		time.Sleep(31 * time.Second)
		require.Equal(t, []string{"default k8s.cluster.cpu.usage{k8s.aggregate.incomplete=starting} 2.5"}, h.got("k8s.cluster.cpu", "k8s.cluster.allocatable"))
	})
}

// TestLimit checks that what there is no room for passes, is counted, and marks the sums.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel := componenttest.NewTelemetry()
		defer func() { require.NoError(t, tel.Shutdown(t.Context())) }()
		set := processortest.NewNopSettings(NewFactory().Type())
		set.TelemetrySettings = tel.NewTelemetrySettings()
		h := startWith(t, set, componenttest.NewNopHost(), func(c *Config) {
			cluster(c)
			c.MaxObjects = 3
		})
		for range 3 {
			b := kubetest.NewBatch(now())
			for i := range 4 {
				b.Pod("n1", "shop", fmt.Sprint("p", i)).Gauge("k8s.pod.cpu.usage", 1)
			}
			b.Resource("k8s.namespace.name", "shop", "k8s.pod.name", "lost").Gauge("k8s.pod.cpu.usage", 1)
			h.send(b.Metrics)
			require.Len(t, h.got("k8s.pod.cpu.usage"), 5)
			time.Sleep(30 * time.Second)
			synctest.Wait()
		}
		require.Equal(t, "default k8s.cluster.cpu.usage{k8s.aggregate.incomplete=over_limit} 2", h.got("k8s.cluster.cpu.usage")[0])
		require.Equal(t, map[string]int64{"over_limit": 6, "no_node": 3}, counts(t, tel, "obsd_k8s_aggregate_dropped", "reason"))
		require.Equal(t, map[string]int64{"fresh": 1, "late": 0, "missing": 0}, counts(t, tel, "obsd_k8s_aggregate_nodes", "state"))
		require.NoError(t, h.p.Shutdown(t.Context()))
	})
}

// TestRefused checks that sums which the pipeline does not take are counted.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel := componenttest.NewTelemetry()
		defer func() { require.NoError(t, tel.Shutdown(t.Context())) }()
		set := processortest.NewNopSettings(NewFactory().Type())
		set.TelemetrySettings = tel.NewTelemetrySettings()
		config := createDefaultConfig().(*Config)
		cluster(config)
		p, err := NewFactory().CreateMetrics(t.Context(), set, config, consumertest.NewErr(errors.New("full")))
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
		require.EqualError(t, p.ConsumeMetrics(t.Context(), report("n1").Metrics), "full")
		time.Sleep(31 * time.Second)
		require.Equal(t, map[string]int64{"refused": 9}, counts(t, tel, "obsd_k8s_aggregate_dropped", "reason"))
		require.NoError(t, p.Shutdown(t.Context()))
	})
}

// TestSumsOnly feeds the model everything and hands on what is made on the interval.
func TestSumsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := new(modelSink)
		id := component.MustNewID("model")
		h := startWith(t, processortest.NewNopSettings(NewFactory().Type()), host{extensions: map[component.ID]component.Component{id: model}}, func(c *Config) {
			c.Scope, c.SumsOnly, c.Model = ScopeCluster, true, &id
		})
		h.send(report("n1").Metrics)
		require.Zero(t, h.sink.DataPointCount())
		require.Positive(t, model.DataPointCount())
		time.Sleep(30 * time.Second)
		synctest.Wait()
		require.NotEmpty(t, h.got("k8s.cluster."))
		h.read = 0
		require.Empty(t, h.got("k8s.node.cpu", "k8s.node.allocatable", "k8s.pod."))
	})
}
