package k8saggregate

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// quantity is something that is summed up. The first ones are measured, the others are stated in the objects' specs.
type quantity int

const (
	cpuUsage quantity = iota
	memoryUsage
	memoryWorkingSet
	cpuRequest
	cpuLimit
	memoryRequest
	memoryLimit
	cpuAllocatable    // of nodes only
	memoryAllocatable // of nodes only
	quantities

	summed = cpuAllocatable // the quantities before it are summed up
)

const (
	unitCPU   = "{cpu}"
	unitBytes = "By"
	unitRatio = "1"
)

// known says how a quantity is called: at the end of a name made here, and by the receivers.
var known = [quantities]struct{ name, unit, container, pod, node string }{
	cpuUsage:          {"cpu.usage", unitCPU, "container.cpu.usage", "k8s.pod.cpu.usage", "k8s.node.cpu.usage"},
	memoryUsage:       {"memory.usage", unitBytes, "container.memory.usage", "k8s.pod.memory.usage", "k8s.node.memory.usage"},
	memoryWorkingSet:  {"memory.working_set", unitBytes, "container.memory.working_set", "k8s.pod.memory.working_set", "k8s.node.memory.working_set"},
	cpuRequest:        {"cpu.request", unitCPU, "k8s.container.cpu_request", "k8s.pod.cpu.request", "k8s.node.cpu.request"},
	cpuLimit:          {"cpu.limit", unitCPU, "k8s.container.cpu_limit", "k8s.pod.cpu.limit", "k8s.node.cpu.limit"},
	memoryRequest:     {"memory.request", unitBytes, "k8s.container.memory_request", "k8s.pod.memory.request", "k8s.node.memory.request"},
	memoryLimit:       {"memory.limit", unitBytes, "k8s.container.memory_limit", "k8s.pod.memory.limit", "k8s.node.memory.limit"},
	cpuAllocatable:    {"allocatable_cpu", unitCPU, "", "", "k8s.node.allocatable_cpu"},
	memoryAllocatable: {"allocatable_memory", unitBytes, "", "", "k8s.node.allocatable_memory"},
}

// byName finds the quantity that a receiver's metric is.
func byName() map[string]quantity {
	m := make(map[string]quantity)
	for q := range quantities {
		for _, name := range []string{known[q].container, known[q].pod, known[q].node} {
			if name != "" {
				m[name] = q
			}
		}
	}
	return m
}

// measured tells usage, which is new in each report, from what is stated once and may come apart from it.
func (q quantity) measured() bool { return q <= memoryWorkingSet }

// reading holds the last value of each quantity with the time it arrived here, in nanoseconds.
type reading struct {
	value [quantities]float64
	at    [quantities]int64
}

func (r *reading) set(q quantity, v float64, now int64) { r.value[q], r.at[q] = v, now }

func (r *reading) get(q quantity, since int64) (float64, bool) {
	return r.value[q], r.at[q] != 0 && r.at[q] >= since
}

// total is a sum of readings. What nothing was said about is absent, which is not zero.
type total struct {
	value [quantities]float64
	has   [quantities]bool
}

func (t *total) add(q quantity, v float64) {
	t.value[q] += v
	t.has[q] = true
}

func (t *total) merge(o *total) {
	for q := range quantities {
		if o.has[q] {
			t.add(q, o.value[q])
		}
	}
}

// ratio is used by allocatable, where both are known.
func (t *total) ratio(used, allocatable quantity) (float64, bool) {
	if !t.has[used] || !t.has[allocatable] || t.value[allocatable] <= 0 {
		return 0, false
	}
	return t.value[used] / t.value[allocatable], true
}

// lastValue is the value of the last point of a metric that has one.
func lastValue(m pmetric.Metric) (pmetric.NumberDataPoint, float64, bool) {
	var points pmetric.NumberDataPointSlice
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		points = m.Gauge().DataPoints()
	case pmetric.MetricTypeSum:
		points = m.Sum().DataPoints()
	default:
		return pmetric.NumberDataPoint{}, 0, false
	}
	for i := points.Len() - 1; i >= 0; i-- {
		p := points.At(i)
		v := p.DoubleValue()
		switch {
		case p.Flags().NoRecordedValue(), p.ValueType() == pmetric.NumberDataPointValueTypeEmpty:
			continue
		case p.ValueType() == pmetric.NumberDataPointValueTypeInt:
			v = float64(p.IntValue())
		}
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			return p, v, true
		}
	}
	return pmetric.NumberDataPoint{}, 0, false
}
