package hosttest

import (
	"encoding/hex"
	"fmt"
	"maps"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/table"
)

// Row is a log record, data point or span by the names of its columns, see [abi.Fields]: "body", "time",
// "attributes.<key>", "resource.<key>", "scope.name", "scope.attributes.<key>", "metric.name", "span.name" and so on. What
// is absent has no entry. Values of body, attributes and resource are string, int, float64, bool, []byte, map[string]any
// or []any; numbers and times are ints; trace_id, span_id and span.parent_id are strings of hex digits. In a result,
// "route" is the name of the route.
//
// Data points are of gauges and sums ("metric.type": 1 or 2, by default 1), with an int or float64 as "value".
type Row map[string]any

// plain is the row with its numbers as pdata has them.
func (r Row) plain() Row {
	out := maps.Clone(r)
	for column, v := range out {
		out[column] = plain(v)
	}
	return out
}

func plain(v any) any {
	value := pcommon.NewValueEmpty()
	if err := value.FromRaw(v); err != nil {
		panic("BUG: hosttest: " + err.Error())
	}
	return value.AsRaw()
}

func (r Row) text(column string) string { s, _ := r[column].(string); return s }

func (r Row) int(column string) int64 {
	v, _ := plain(r[column]).(int64)
	return v
}

func (r Row) time(column string) pcommon.Timestamp { return pcommon.Timestamp(r.int(column)) }

// fill sets the attributes of a prefix.
func (r Row) fill(prefix string, to pcommon.Map) {
	for column, v := range r {
		key, ok := strings.CutPrefix(column, prefix)
		if !ok {
			continue
		}
		if err := to.PutEmpty(key).FromRaw(v); err != nil {
			panic(fmt.Sprintf("BUG: hosttest: %s: %v", column, err))
		}
	}
}

func (r Row) id(column string, to []byte) {
	b, err := hex.DecodeString(r.text(column))
	if err != nil || len(b) != 0 && len(b) != len(to) {
		panic(fmt.Sprintf("BUG: hosttest: %s: want %d hex digits", column, 2*len(to)))
	}
	copy(to, b)
}

// place is the columns that rows share by their resource and scope.
func (r Row) place(resource pcommon.Resource, scope pcommon.InstrumentationScope) {
	r.fill(abi.ResourcePrefix, resource.Attributes())
	r.fill(abi.ScopeAttributePrefix, scope.Attributes())
	scope.SetName(r.text("scope.name"))
	scope.SetVersion(r.text("scope.version"))
}

// samePlace says whether rows can lie in one resource and scope.
func (r Row) samePlace(other Row) bool {
	of := func(r Row) string {
		part := Row{}
		for column, v := range r {
			if strings.HasPrefix(column, abi.ResourcePrefix) || strings.HasPrefix(column, "scope.") {
				part[column] = v
			}
		}
		return fmt.Sprint(part) // fmt sorts the keys
	}
	return of(r) == of(other)
}

// build lays rows out as pdata: neighbours of the same resource and scope lie together.
func build(signal abi.Signal, rows []Row) table.Data {
	switch signal {
	case abi.SignalMetrics:
		return table.MetricsOf(buildMetrics(rows))
	case abi.SignalTraces:
		return table.TracesOf(buildTraces(rows))
	default:
		return table.LogsOf(buildLogs(rows))
	}
}

func buildLogs(rows []Row) plog.Logs {
	ld := plog.NewLogs()
	var records plog.LogRecordSlice
	for i, r := range rows {
		if i == 0 || !r.samePlace(rows[i-1]) {
			rl := ld.ResourceLogs().AppendEmpty()
			sl := rl.ScopeLogs().AppendEmpty()
			r.place(rl.Resource(), sl.Scope())
			records = sl.LogRecords()
		}
		l := records.AppendEmpty()
		if err := l.Body().FromRaw(r["body"]); err != nil {
			panic("BUG: hosttest: body: " + err.Error())
		}
		l.SetTimestamp(r.time("time"))
		l.SetObservedTimestamp(r.time("observed_time"))
		l.SetSeverityNumber(plog.SeverityNumber(r.int("severity_number")))
		l.SetSeverityText(r.text("severity_text"))
		l.SetEventName(r.text("event_name"))
		l.SetFlags(plog.LogRecordFlags(r.int("flags")))
		var trace pcommon.TraceID
		var span pcommon.SpanID
		r.id("trace_id", trace[:])
		r.id("span_id", span[:])
		l.SetTraceID(trace)
		l.SetSpanID(span)
		r.fill(abi.AttributePrefix, l.Attributes())
	}
	return ld
}

func buildMetrics(rows []Row) pmetric.Metrics {
	md := pmetric.NewMetrics()
	var metrics pmetric.MetricSlice
	for i, r := range rows {
		if i == 0 || !r.samePlace(rows[i-1]) {
			rm := md.ResourceMetrics().AppendEmpty()
			sm := rm.ScopeMetrics().AppendEmpty()
			r.place(rm.Resource(), sm.Scope())
			metrics = sm.Metrics()
		}
		m := metrics.AppendEmpty()
		m.SetName(r.text("metric.name"))
		m.SetUnit(r.text("metric.unit"))
		m.SetDescription(r.text("metric.description"))
		var point pmetric.NumberDataPoint
		if r.int("metric.type") == abi.MetricSum {
			sum := m.SetEmptySum()
			sum.SetAggregationTemporality(pmetric.AggregationTemporality(r.int("metric.temporality")))
			monotonic, _ := r["metric.monotonic"].(bool)
			sum.SetIsMonotonic(monotonic)
			point = sum.DataPoints().AppendEmpty()
		} else {
			point = m.SetEmptyGauge().DataPoints().AppendEmpty()
		}
		point.SetTimestamp(r.time("time"))
		point.SetStartTimestamp(r.time("start_time"))
		point.SetFlags(pmetric.DataPointFlags(r.int("flags")))
		switch v := plain(r["value"]).(type) {
		case int64:
			point.SetIntValue(v)
		case float64:
			point.SetDoubleValue(v)
		}
		r.fill(abi.AttributePrefix, point.Attributes())
	}
	return md
}

func buildTraces(rows []Row) ptrace.Traces {
	td := ptrace.NewTraces()
	var spans ptrace.SpanSlice
	for i, r := range rows {
		if i == 0 || !r.samePlace(rows[i-1]) {
			rs := td.ResourceSpans().AppendEmpty()
			ss := rs.ScopeSpans().AppendEmpty()
			r.place(rs.Resource(), ss.Scope())
			spans = ss.Spans()
		}
		s := spans.AppendEmpty()
		s.SetName(r.text("span.name"))
		s.SetKind(ptrace.SpanKind(r.int("span.kind")))
		s.SetStartTimestamp(r.time("start_time"))
		s.SetEndTimestamp(r.time("span.end_time"))
		s.TraceState().FromRaw(r.text("span.trace_state"))
		s.Status().SetCode(ptrace.StatusCode(r.int("span.status_code")))
		s.Status().SetMessage(r.text("span.status_message"))
		s.SetFlags(uint32(r.int("flags")))
		var trace pcommon.TraceID
		var span, parent pcommon.SpanID
		r.id("trace_id", trace[:])
		r.id("span_id", span[:])
		r.id("span.parent_id", parent[:])
		s.SetTraceID(trace)
		s.SetSpanID(span)
		s.SetParentSpanID(parent)
		r.fill(abi.AttributePrefix, s.Attributes())
	}
	return td
}
