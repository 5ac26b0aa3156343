package cadvisor

import (
	"strings"
	"time"

	info "github.com/google/cadvisor/lib/model"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

const scope = "github.com/obsd-io/obsd/receivers/cadvisor"

// otelWriter writes samples under the names of the semantic conventions, as contrib's kubeletstats receiver has them.
type otelWriter struct {
	node, version string
	before        map[string]cpuReading // by path
}

// cpuReading is the cumulative CPU time of a cgroup at a moment.
type cpuReading struct {
	total uint64 // ns
	at    time.Time
}

func newOTelWriter(node, version string) *otelWriter {
	return &otelWriter{node: node, version: version, before: map[string]cpuReading{}}
}

// write makes one resource for each sample that is something: not for the sandbox, whose figures are the pod's, and for the
// machine only if the node's name is known.
func (w *otelWriter) write(samples []sample) pmetric.Metrics {
	out := pmetric.NewMetrics()
	out.ResourceMetrics().EnsureCapacity(len(samples))
	now := make(map[string]cpuReading, len(samples))
	for i := range samples {
		s := &samples[i]
		if s.sandbox || (s.kind == rootKind && w.node == "") || s.stats == nil {
			continue
		}
		rm := out.ResourceMetrics().AppendEmpty()
		w.resource(rm.Resource().Attributes(), s)
		sm := rm.ScopeMetrics().AppendEmpty()
		sm.Scope().SetName(scope)
		sm.Scope().SetVersion(w.version)
		o := newOTelPage(sm.Metrics(), s)
		now[s.path] = o.cpu(s, w.before[s.path])
		o.memory(s)
		o.network(s)
		o.disk(s)
		o.processes(s)
		o.pressure(s)
	}
	w.before = now
	return out
}

// resource says whose figures they are. What is not known is left out.
func (w *otelWriter) resource(attrs pcommon.Map, s *sample) {
	set := func(key, value string) {
		if value != "" {
			attrs.PutStr(key, value)
		}
	}
	set("k8s.node.name", w.node)
	set("k8s.pod.uid", s.podUID)
	set("k8s.pod.name", s.podName)
	set("k8s.namespace.name", s.namespace)
	switch {
	case s.kind == containerKind:
		if s.podUID != "" {
			set("k8s.container.name", s.container)
		} else {
			set("container.name", s.container)
		}
		set("container.id", s.containerID)
		set("container.image.name", s.image)
		set("container.runtime.name", s.runtime)
		if s.imageTag != "" {
			attrs.PutEmptySlice("container.image.tags").AppendEmpty().SetStr(s.imageTag)
		}
	case s.kind == rawKind && w.node != "":
		set("k8s.node.system_container.name", s.path)
	case s.kind == rawKind:
		set("cgroup.path", s.path)
	}
}

// otelPage writes the metrics of one resource.
type otelPage struct {
	metrics   pmetric.MetricSlice
	prefix    string
	start, at pcommon.Timestamp
}

func newOTelPage(metrics pmetric.MetricSlice, s *sample) otelPage {
	o := otelPage{metrics: metrics, prefix: "container.", at: pcommon.NewTimestampFromTime(s.stats.Timestamp)}
	switch s.kind {
	case rootKind:
		o.prefix = "k8s.node."
	case podKind:
		o.prefix = "k8s.pod."
	}
	if !s.created.IsZero() && s.created.Before(s.stats.Timestamp) {
		o.start = pcommon.NewTimestampFromTime(s.created)
	}
	metrics.EnsureCapacity(16)
	return o
}

func (o otelPage) metric(name, unit, description string) pmetric.Metric {
	m := o.metrics.AppendEmpty()
	m.SetName(o.prefix + name)
	m.SetUnit(unit)
	m.SetDescription(description)
	return m
}

func (o otelPage) gauge(name, unit, description string, value uint64) {
	dp := o.metric(name, unit, description).SetEmptyGauge().DataPoints().AppendEmpty()
	dp.SetTimestamp(o.at)
	dp.SetIntValue(int64(value))
}

// counter is a total since the start of what is measured; points come by point.
func (o otelPage) counter(name, unit, description string) pmetric.NumberDataPointSlice {
	sum := o.metric(name, unit, description).SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	return sum.DataPoints()
}

func (o otelPage) point(points pmetric.NumberDataPointSlice) pmetric.NumberDataPoint {
	dp := points.AppendEmpty()
	dp.SetStartTimestamp(o.start)
	dp.SetTimestamp(o.at)
	return dp
}

// cpu returns the reading that the next usage is reckoned from.
func (o otelPage) cpu(s *sample, before cpuReading) cpuReading {
	c := s.stats.Cpu
	if c == nil {
		return before
	}
	now := cpuReading{total: c.Usage.Total, at: s.stats.Timestamp}
	o.point(o.counter("cpu.time", "s", "CPU time spent since the start, over all cores.")).SetDoubleValue(seconds(now.total))
	if span := now.at.Sub(before.at); !before.at.IsZero() && span > 0 && now.total >= before.total {
		dp := o.metric("cpu.usage", "{cpu}", "CPUs used, averaged over the time since the last collection.").SetEmptyGauge().DataPoints().AppendEmpty()
		dp.SetTimestamp(o.at)
		dp.SetDoubleValue(float64(now.total-before.total) / float64(span.Nanoseconds()))
	}
	if s.spec.Cpu.Quota > 0 {
		o.point(o.counter("cpu.throttling_data.periods", "{periods}", "Periods in which a CPU limit was enforced.")).SetIntValue(int64(c.CFS.Periods))
		o.point(o.counter("cpu.throttling_data.throttled_periods", "{periods}", "Periods in which the CPU limit was hit.")).SetIntValue(int64(c.CFS.ThrottledPeriods))
		o.point(o.counter("cpu.throttling_data.throttled_time", "ns", "Time that tasks waited because the CPU limit was hit.")).SetIntValue(int64(c.CFS.ThrottledTime))
	}
	return now
}

// unlimited is the least limit that is none: the kernel rounds the largest number to pages.
const unlimited = uint64(1) << 62

func (o otelPage) memory(s *sample) {
	m := s.stats.Memory
	if m == nil || !s.spec.HasMemory {
		return
	}
	o.gauge("memory.usage", "By", "All memory in use, page cache included.", m.Usage)
	o.gauge("memory.working_set", "By", "Memory that cannot be reclaimed at once.", m.WorkingSet)
	o.gauge("memory.rss", "By", "Anonymous memory.", m.RSS)
	o.gauge("memory.page_faults", "1", "Page faults since the start.", m.ContainerData.Pgfault)
	o.gauge("memory.major_page_faults", "1", "Major page faults since the start.", m.ContainerData.Pgmajfault)
	if limit := s.spec.Memory.Limit; limit > 0 && limit < unlimited && limit >= m.WorkingSet {
		o.gauge("memory.available", "By", "Memory that is left: the limit less the working set.", limit-m.WorkingSet)
	}
	if m.Swap > 0 && m.Swap < unlimited {
		o.gauge("memory.swap.usage", "By", "Swap in use.", m.Swap)
	}
	if s.oom || s.stats.OOMEvents > 0 {
		o.point(o.counter("memory.oom_kills", "{process}", "Processes that the kernel killed for want of memory.")).SetIntValue(int64(s.stats.OOMEvents))
	}
}

func (o otelPage) network(s *sample) {
	if !s.hasNetwork() {
		return
	}
	bytes := o.counter("network.io", "By", "Bytes received and sent.")
	errors := o.counter("network.errors", "1", "Network errors.")
	for _, i := range s.stats.Network.Interfaces {
		add := func(points pmetric.NumberDataPointSlice, direction string, value uint64) {
			dp := o.point(points)
			dp.Attributes().PutStr("interface", i.Name)
			dp.Attributes().PutStr("direction", direction)
			dp.SetIntValue(int64(value))
		}
		add(bytes, "receive", i.RxBytes)
		add(bytes, "transmit", i.TxBytes)
		add(errors, "receive", i.RxErrors)
		add(errors, "transmit", i.TxErrors)
	}
}

func (o otelPage) disk(s *sample) {
	if d := s.stats.DiskIo; d != nil {
		o.diskOps("disk.io", "By", "Bytes read from and written to block devices.", d.IoServiceBytes)
		o.diskOps("disk.operations", "{operation}", "Reads from and writes to block devices.", d.IoServiced)
	}
	if len(s.stats.Filesystem) == 0 || s.kind == rootKind {
		return
	}
	layer := s.stats.Filesystem[0]
	o.gauge("filesystem.usage", "By", "Space that the writable layer takes, as its runtime counts it.", layer.Usage)
	if layer.HasInodes {
		o.gauge("filesystem.inode.used", "{inode}", "Inodes that the writable layer takes, as its runtime counts them.", layer.Inodes)
	}
}

func (o otelPage) diskOps(name, unit, description string, devices []info.PerDiskStats) {
	if len(devices) == 0 {
		return
	}
	points := o.counter(name, unit, description)
	for _, d := range devices {
		for _, op := range []string{"Read", "Write"} {
			dp := o.point(points)
			if d.Device != "" {
				dp.Attributes().PutStr("device", d.Device)
			} else {
				dp.Attributes().PutStr("device", deviceNumber(d))
			}
			dp.Attributes().PutStr("direction", strings.ToLower(op))
			dp.SetIntValue(int64(d.Stats[op]))
		}
	}
}

func (o otelPage) processes(s *sample) {
	p := s.stats.Processes
	if p == nil {
		return
	}
	if p.ThreadsCurrent > 0 { // the kernel counts them, those of the cgroups below too
		o.gauge("thread.count", "{thread}", "Threads.", p.ThreadsCurrent)
	}
	if s.own && (s.kind == podKind || s.kind == rootKind) { // whose processes are in the cgroups below
		return
	}
	o.gauge("process.count", "{process}", "Processes.", p.ProcessCount)
	o.gauge("open_file_descriptor.count", "{file_descriptor}", "Open file descriptors of all processes.", p.FdCount)
}

// pressure is on cgroup v2 only.
func (o otelPage) pressure(s *sample) {
	if !s.psi {
		return
	}
	points := o.counter("psi.time", "s", "Time that some or all tasks waited for a resource.")
	add := func(resource string, psi info.PSIStats) {
		for _, k := range []struct {
			name  string
			total uint64
		}{{"some", psi.Some.Total}, {"full", psi.Full.Total}} {
			dp := o.point(points)
			dp.Attributes().PutStr("system.psi.resource", resource)
			dp.Attributes().PutStr("system.psi.stall_type", k.name)
			dp.SetDoubleValue(float64(k.total) / 1e6) // the kernel counts microseconds
		}
	}
	if c := s.stats.Cpu; c != nil {
		add("cpu", c.PSI)
	}
	if m := s.stats.Memory; m != nil {
		add("memory", m.PSI)
	}
	if d := s.stats.DiskIo; d != nil {
		add("io", d.PSI)
	}
}

func seconds(ns uint64) float64 { return float64(ns) / 1e9 }
