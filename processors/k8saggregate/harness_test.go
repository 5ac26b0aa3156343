package k8saggregate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// harness runs the processor with a sink behind it.
type harness struct {
	t    testing.TB
	p    processor.Metrics
	sink *consumertest.MetricsSink
	read int
}

// host has extensions.
type host struct {
	component.Host
	extensions map[component.ID]component.Component
}

func (h host) GetExtensions() map[component.ID]component.Component { return h.extensions }

// modelSink takes what a model would; it is an extension and a consumer.
type modelSink struct {
	component.StartFunc
	component.ShutdownFunc
	consumertest.MetricsSink
	err error
}

func (m *modelSink) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	copied := pmetric.NewMetrics() // the pipeline goes on to change it
	md.CopyTo(copied)
	return errors.Join(m.MetricsSink.ConsumeMetrics(ctx, copied), m.err)
}

func start(t testing.TB, change func(*Config)) *harness {
	return startWith(t, processortest.NewNopSettings(NewFactory().Type()), componenttest.NewNopHost(), change)
}

func startWith(t testing.TB, set processor.Settings, h component.Host, change func(*Config)) *harness {
	t.Helper()
	config := createDefaultConfig().(*Config)
	if change != nil {
		change(config)
	}
	require.NoError(t, config.Validate())
	sink := new(consumertest.MetricsSink)
	p, err := NewFactory().CreateMetrics(t.Context(), set, config, sink)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), h))
	t.Cleanup(func() {
		require.NoError(t, p.Shutdown(context.Background()))
		require.NoError(t, p.Shutdown(context.Background()))
	})
	return &harness{t: t, p: p, sink: sink}
}

func cluster(c *Config) { c.Scope = ScopeCluster }

func (h *harness) send(md pmetric.Metrics) {
	h.t.Helper()
	require.NoError(h.t, h.p.ConsumeMetrics(h.t.Context(), md))
}

// got writes the points that came out since the last call, those with one of the prefixes.
func (h *harness) got(prefixes ...string) []string {
	all := h.sink.AllMetrics()
	var lines []string
	for _, md := range all[h.read:] {
		lines = append(lines, write(md, prefixes...)...)
	}
	h.read = len(all)
	return lines
}

// write writes points as "resource metric{attributes} value", where the resource is node/namespace/pod/container.
func write(md pmetric.Metrics, prefixes ...string) (lines []string) {
	for _, rm := range md.ResourceMetrics().All() {
		var who []string
		for _, key := range []string{"k8s.cluster.name", "k8s.node.name", "k8s.namespace.name", "k8s.pod.name", "k8s.container.name"} {
			if v, ok := rm.Resource().Attributes().Get(key); ok {
				who = append(who, v.Str())
			}
		}
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(m.Name(), p) }) {
					lines = append(lines, writePoints(strings.Join(who, "/"), m)...)
				}
			}
		}
	}
	return lines
}

func writePoints(who string, m pmetric.Metric) (lines []string) {
	points := pmetric.NewNumberDataPointSlice()
	if m.Type() == pmetric.MetricTypeSum {
		points = m.Sum().DataPoints()
	} else if m.Type() == pmetric.MetricTypeGauge {
		points = m.Gauge().DataPoints()
	}
	for _, p := range points.All() {
		value := fmt.Sprint(p.DoubleValue())
		switch {
		case p.Flags().NoRecordedValue():
			value = "ended"
		case p.ValueType() == pmetric.NumberDataPointValueTypeInt:
			value = fmt.Sprint(p.IntValue())
		}
		lines = append(lines, fmt.Sprintf("%s %s{%s} %s", who, m.Name(), attributes(p.Attributes()), value))
	}
	return lines
}

func attributes(m pcommon.Map) string {
	var list []string
	for k, v := range m.All() {
		list = append(list, k+"="+v.AsString())
	}
	slices.Sort(list)
	return strings.Join(list, ",")
}

// now is a time that data is from; the processor goes by when it arrives.
func now() time.Time { return time.Now() }

// counts reads a metric of the processor's own, by the value of an attribute.
func counts(t *testing.T, tel *componenttest.Telemetry, name, key string) map[string]int64 {
	t.Helper()
	m, err := tel.GetMetric(name)
	require.NoError(t, err)
	by := make(map[string]int64)
	add := func(points []metricdata.DataPoint[int64]) {
		for _, p := range points {
			v, _ := p.Attributes.Value(attribute.Key(key))
			by[v.AsString()] += p.Value
		}
	}
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		add(data.DataPoints)
	case metricdata.Gauge[int64]:
		add(data.DataPoints)
	default:
		t.Fatalf("%s is a %T", name, data)
	}
	return by
}
