package hosttest

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/table"
)

// put enters a column unless the value is that of an absent one.
func put[T comparable](r Row, column string, v T) {
	var zero T
	if v != zero {
		r[column] = v
	}
}

func (r Row) take(prefix string, from pcommon.Map) {
	for key, v := range from.All() {
		r[prefix+key] = v.AsRaw()
	}
}

// ids enters trace and span ids as hex.
func (r Row) ids(trace pcommon.TraceID, span pcommon.SpanID) {
	put(r, "trace_id", trace.String())
	put(r, "span_id", span.String())
}

// in starts a row of a resource and scope.
func in(resource pcommon.Resource, scope pcommon.InstrumentationScope) Row {
	r := Row{}
	r.take(abi.ResourcePrefix, resource.Attributes())
	r.take(abi.ScopeAttributePrefix, scope.Attributes())
	put(r, "scope.name", scope.Name())
	put(r, "scope.version", scope.Version())
	return r
}

// read is the reverse of build.
func read(d table.Data) []Row {
	switch d.Signal {
	case abi.SignalMetrics:
		return readMetrics(d.Metrics)
	case abi.SignalTraces:
		return readTraces(d.Traces)
	default:
		return readLogs(d.Logs)
	}
}

func readLogs(ld plog.Logs) (rows []Row) {
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, l := range sl.LogRecords().All() {
				r := in(rl.Resource(), sl.Scope())
				if l.Body().Type() != pcommon.ValueTypeEmpty {
					r["body"] = l.Body().AsRaw()
				}
				put(r, "time", int64(l.Timestamp()))
				put(r, "observed_time", int64(l.ObservedTimestamp()))
				put(r, "severity_number", int64(l.SeverityNumber()))
				put(r, "severity_text", l.SeverityText())
				put(r, "event_name", l.EventName())
				put(r, "flags", int64(l.Flags()))
				r.ids(l.TraceID(), l.SpanID())
				r.take(abi.AttributePrefix, l.Attributes())
				rows = append(rows, r)
			}
		}
	}
	return rows
}

func readMetrics(md pmetric.Metrics) (rows []Row) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				for _, p := range points(m).All() {
					r := in(rm.Resource(), sm.Scope())
					readMetric(r, m)
					put(r, "time", int64(p.Timestamp()))
					put(r, "start_time", int64(p.StartTimestamp()))
					put(r, "flags", int64(p.Flags()))
					switch p.ValueType() {
					case pmetric.NumberDataPointValueTypeInt:
						r["value"] = p.IntValue()
					case pmetric.NumberDataPointValueTypeDouble:
						r["value"] = p.DoubleValue()
					}
					r.take(abi.AttributePrefix, p.Attributes())
					rows = append(rows, r)
				}
			}
		}
	}
	return rows
}

// points are those of a gauge or sum; the rows of this package have no others.
func points(m pmetric.Metric) pmetric.NumberDataPointSlice {
	switch m.Type() {
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints()
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints()
	default:
		return pmetric.NewNumberDataPointSlice()
	}
}

func readMetric(r Row, m pmetric.Metric) {
	put(r, "metric.name", m.Name())
	put(r, "metric.unit", m.Unit())
	put(r, "metric.description", m.Description())
	r["metric.type"] = int64(abi.MetricGauge)
	if m.Type() == pmetric.MetricTypeSum {
		r["metric.type"] = int64(abi.MetricSum)
		put(r, "metric.temporality", int64(m.Sum().AggregationTemporality()))
		put(r, "metric.monotonic", m.Sum().IsMonotonic())
	}
}

func readTraces(td ptrace.Traces) (rows []Row) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				r := in(rs.Resource(), ss.Scope())
				put(r, "span.name", s.Name())
				put(r, "span.kind", int64(s.Kind()))
				put(r, "start_time", int64(s.StartTimestamp()))
				put(r, "span.end_time", int64(s.EndTimestamp()))
				put(r, "span.trace_state", s.TraceState().AsRaw())
				put(r, "span.status_code", int64(s.Status().Code()))
				put(r, "span.status_message", s.Status().Message())
				put(r, "flags", int64(s.Flags()))
				put(r, "span.parent_id", s.ParentSpanID().String())
				r.ids(s.TraceID(), s.SpanID())
				r.take(abi.AttributePrefix, s.Attributes())
				rows = append(rows, r)
			}
		}
	}
	return rows
}

// clone is a deep copy.
func clone(d table.Data) table.Data {
	switch d.Signal {
	case abi.SignalMetrics:
		md := pmetric.NewMetrics()
		d.Metrics.CopyTo(md)
		return table.MetricsOf(md)
	case abi.SignalTraces:
		td := ptrace.NewTraces()
		d.Traces.CopyTo(td)
		return table.TracesOf(td)
	default:
		ld := plog.NewLogs()
		d.Logs.CopyTo(ld)
		return table.LogsOf(ld)
	}
}
