package bench

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/obsd-io/obsd/extensions/model"
	"github.com/obsd-io/obsd/internal/kubetest"
	"github.com/obsd-io/obsd/processors/k8saggregate"
)

// large is a cluster of 5,014 pods with 10,028 containers. Each report has what the kubelet receiver tells of a node, all
// groups and metadata on.
func large() kubetest.Cluster {
	return kubetest.Cluster{Nodes: 46, PodsPerNode: 109, ContainersPerPod: 2, Start: time.Now().Add(-time.Hour)}
}

// gcPercent is the daemon's.
const gcPercent = 200

// memoryLimit is the GOMEMLIMIT that the README of the model gives for 5,000 pods.
const memoryLimit = 270 << 20

// interval is how often every node reports.
const interval = 30 * time.Second

type host struct {
	component.Host
	extensions map[component.ID]component.Component
}

func (h host) GetExtensions() map[component.ID]component.Component { return h.extensions }

// gateway is k8s_aggregate in scope cluster that feeds a model.
func gateway(tb testing.TB, tel *componenttest.Telemetry, next consumer.Metrics) (processor.Metrics, *model.Model) {
	tb.Helper()
	f := model.NewFactory()
	set := extensiontest.NewNopSettings(f.Type())
	set.TelemetrySettings = tel.NewTelemetrySettings()
	ext, err := f.Create(tb.Context(), set, f.CreateDefaultConfig())
	require.NoError(tb, err)
	id := component.NewID(f.Type())
	p := k8saggregate.NewFactory()
	config := p.CreateDefaultConfig().(*k8saggregate.Config)
	config.Scope, config.Model = k8saggregate.ScopeCluster, &id
	agg, err := p.CreateMetrics(tb.Context(), processortest.NewNopSettings(p.Type()), config, next)
	require.NoError(tb, err)
	require.NoError(tb, agg.Start(tb.Context(), host{componenttest.NewNopHost(), map[component.ID]component.Component{id: ext}}))
	return agg, ext.(*model.Model)
}

// TestClusterMemory holds 5,000 pods, aggregated cluster-wide and in the model, to 300 MB: all that the runtime holds
// over twenty minutes of reports every 30 s, which is more than the model keeps, and in which half of the pods are replaced,
// with the daemon's setting of the collector and the GOMEMLIMIT that the README gives.
func TestClusterMemory(t *testing.T) {
	const most, rounds = 300 << 20, 40
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(memoryLimit))
	synctest.Test(t, func(t *testing.T) {
		c := large()
		c.Turnover = 2 * rounds
		tel := componenttest.NewTelemetry()
		agg, m := gateway(t, tel, consumertest.NewNop())
		var peak, live uint64
		for round := range rounds {
			c.Round = round
			for node := range c.Nodes {
				require.NoError(t, agg.ConsumeMetrics(t.Context(), c.Report(node, time.Now())))
				time.Sleep(interval / time.Duration(c.Nodes))
			}
			if held, heap := memory(round == rounds-1); heap > 0 {
				peak, live = max(peak, held), max(live, heap)
			} else {
				peak = max(peak, held)
			}
		}
		t.Logf("held from the system at most %d MB; in use after a collection %d MB; %d series", peak>>20, live>>20, series(t, tel))
		require.LessOrEqual(t, peak, uint64(most))
		require.NoError(t, agg.Shutdown(context.Background()))
		require.NoError(t, m.Shutdown(context.Background()))
	})
}

// memory is what the runtime holds from the system, and after a collection also what of it is in use.
func memory(collect bool) (held, live uint64) {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	held = s.Sys - s.HeapReleased
	if collect {
		runtime.GC()
		runtime.ReadMemStats(&s)
		live = s.HeapAlloc
	}
	return held, live
}

// series is how many the model holds.
func series(t *testing.T, tel *componenttest.Telemetry) int64 {
	t.Helper()
	m, err := tel.GetMetric("obsd_model_series")
	require.NoError(t, err)
	return m.Data.(metricdata.Gauge[int64]).DataPoints[0].Value
}

// BenchmarkCluster is one round of reports of all nodes, aggregated and in the model. It tells the share of a core that this
// takes at an interval of 30 s.
func BenchmarkCluster(b *testing.B) {
	c := large()
	agg, m := gateway(b, componenttest.NewTelemetry(), consumertest.NewNop())
	at := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(interval)
		for node := range c.Nodes {
			b.StopTimer()
			md := c.Report(node, at)
			b.StartTimer()
			if err := agg.ConsumeMetrics(context.Background(), md); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/interval.Seconds()*100, "%core")
	if err := errors.Join(agg.Shutdown(context.Background()), m.Shutdown(context.Background())); err != nil {
		b.Fatal(err)
	}
}
