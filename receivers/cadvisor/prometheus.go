package cadvisor

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/cadvisor/lib/container"
	"github.com/google/cadvisor/lib/metrics"
	info "github.com/google/cadvisor/lib/model"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"k8s.io/utils/clock"
)

// prometheusWriter writes samples under cAdvisor's own names, with the labels of a kubelet's /metrics/cadvisor: the
// library's collector is asked for the values, so that names, units and conditions are its.
type prometheusWriter struct {
	node, version string
	registry      *prometheus.Registry
	provider      *provider
}

func newPrometheusWriter(node, version string, groups []string, ofMachine bool) (*prometheusWriter, error) {
	set := container.MetricSet{}
	for _, g := range groups {
		set[container.MetricKind(g)] = struct{}{}
	}
	w := &prometheusWriter{node: node, version: version, registry: prometheus.NewRegistry(), provider: &provider{}}
	collector := metrics.NewPrometheusCollector(w.provider, w.provider.labels, set, clock.RealClock{}, info.RequestOptions{})
	if err := w.registry.Register(collector); err != nil {
		return nil, fmt.Errorf("cadvisor: make collector: %w", err)
	}
	if !ofMachine {
		return w, nil
	}
	if err := w.registry.Register(metrics.NewPrometheusMachineCollector(w.provider, set)); err != nil {
		return nil, fmt.Errorf("cadvisor: make collector: %w", err)
	}
	return w, nil
}

// write may be used by one goroutine at a time. A series that the library made wrong is an error, the others are written.
func (w *prometheusWriter) write(samples []sample, machine *info.MachineInfo) (pmetric.Metrics, error) {
	w.provider.set(samples, machine)
	families, err := w.registry.Gather()
	out := pmetric.NewMetrics()
	sm := appendScope(out, w.node, w.version)
	now := pcommon.NewTimestampFromTime(time.Now())
	for _, f := range families {
		if w.provider.psi || !strings.HasPrefix(f.GetName(), "container_pressure_") {
			appendFamily(sm.Metrics(), f, now)
		}
	}
	if err != nil {
		err = fmt.Errorf("cadvisor: gather: %w", err)
	}
	return out, err
}

func appendScope(out pmetric.Metrics, node, version string) pmetric.ScopeMetrics {
	rm := out.ResourceMetrics().AppendEmpty()
	if node != "" {
		rm.Resource().Attributes().PutStr("k8s.node.name", node)
	}
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(scope)
	sm.Scope().SetVersion(version)
	return sm
}

// provider hands the samples of one collection to the library's collectors.
type provider struct {
	containers map[string]*info.ContainerInfo
	who        map[string]*sample
	machine    *info.MachineInfo
	psi        bool
}

func (p *provider) set(samples []sample, machine *info.MachineInfo) {
	p.machine = machine
	p.psi = false
	p.containers = make(map[string]*info.ContainerInfo, len(samples))
	p.who = make(map[string]*sample, len(samples))
	for i := range samples {
		s := &samples[i]
		if s.sandbox || s.stats == nil {
			continue
		}
		c := &info.ContainerInfo{Spec: s.spec, Stats: []*info.ContainerStats{s.stats}}
		c.Name, c.Id = s.path, s.containerID
		if !s.created.IsZero() {
			c.Spec.CreationTime = s.created
		}
		p.containers[s.path] = c
		p.who[s.path] = s
		p.psi = p.psi || s.psi
	}
}

// labels are those of a kubelet: all of them on every series, `container` empty for a pod.
func (p *provider) labels(c *info.ContainerInfo) map[string]string {
	s := p.who[c.Name]
	image := s.image
	if s.imageTag != "" {
		image += ":" + s.imageTag
	}
	name := s.containerID
	if s.podUID == "" && s.container != "" {
		name = s.container // of the Docker engine, as cAdvisor itself has it
	}
	labels := map[string]string{"id": s.path, "name": name, "image": image, "pod": s.podName, "namespace": s.namespace, "container": ""}
	if s.podUID != "" {
		labels["container"] = s.container
	}
	for k, v := range labels { // the library panics at a label that is no text, and a cgroup may be named as one likes
		labels[k] = strings.ToValidUTF8(v, "\ufffd")
	}
	return labels
}

// GetRequestedContainersInfo implements what the library's collector asks.
func (p *provider) GetRequestedContainersInfo(string, info.RequestOptions) (map[string]*info.ContainerInfo, error) {
	return p.containers, nil
}

// GetVersionInfo implements what the library's collector asks.
func (p *provider) GetVersionInfo() (*info.VersionInfo, error) { return &info.VersionInfo{}, nil }

// GetMachineInfo implements what the library's collector asks.
func (p *provider) GetMachineInfo() (*info.MachineInfo, error) {
	if p.machine == nil {
		return &info.MachineInfo{}, nil
	}
	return p.machine, nil
}

// appendFamily translates counters, gauges and untyped series, which is all that cAdvisor has; it returns how many
// series it left out. Points without a time of their own get the given one; empty labels are left out.
func appendFamily(metrics pmetric.MetricSlice, f *dto.MetricFamily, at pcommon.Timestamp) (malformed int) {
	if len(f.GetMetric()) == 0 {
		return 0
	}
	m := metrics.AppendEmpty()
	m.SetName(f.GetName())
	m.SetDescription(f.GetHelp())
	var points pmetric.NumberDataPointSlice
	if f.GetType() == dto.MetricType_COUNTER {
		sum := m.SetEmptySum()
		sum.SetIsMonotonic(true)
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		points = sum.DataPoints()
	} else {
		points = m.SetEmptyGauge().DataPoints()
	}
	points.EnsureCapacity(len(f.GetMetric()))
	for _, series := range f.GetMetric() {
		var value float64
		switch {
		case series.Counter != nil:
			value = series.GetCounter().GetValue()
		case series.Gauge != nil:
			value = series.GetGauge().GetValue()
		case series.Untyped != nil:
			value = series.GetUntyped().GetValue()
		default: // a histogram or a summary
			malformed++
			continue
		}
		dp := points.AppendEmpty()
		dp.SetDoubleValue(value)
		dp.SetTimestamp(at)
		if series.TimestampMs != nil {
			dp.SetTimestamp(pcommon.Timestamp(series.GetTimestampMs() * 1e6))
		}
		for _, l := range series.GetLabel() {
			if l.GetValue() != "" {
				dp.Attributes().PutStr(l.GetName(), l.GetValue())
			}
		}
	}
	if points.Len() == 0 {
		metrics.RemoveIf(func(m pmetric.Metric) bool { return m.Name() == f.GetName() })
	}
	return malformed
}

func deviceNumber(d info.PerDiskStats) string {
	return strconv.FormatUint(d.Major, 10) + ":" + strconv.FormatUint(d.Minor, 10)
}
