package table_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/obsd-io/obsd/runtime/table"
)

// someTexts are few, so that random rows and conditions meet.
var someTexts = []string{"", "x", "y", "xy", "\x01\xff", "é"}

func randomValue(r *rand.Rand, v pcommon.Value) {
	switch r.IntN(9) {
	case 0:
	case 1:
		v.SetInt(int64(r.IntN(4)))
	case 2:
		v.SetDouble(float64(r.IntN(6)) / 2)
	case 3:
		v.SetBool(r.IntN(2) == 0)
	case 4:
		v.SetEmptyBytes().FromRaw([]byte(someTexts[r.IntN(len(someTexts))]))
	case 5:
		v.SetEmptyMap().PutInt("k", int64(r.IntN(2)))
	case 6:
		v.SetEmptySlice().AppendEmpty().SetStr("x")
	default:
		v.SetStr(someTexts[r.IntN(len(someTexts))])
	}
}

func randomMap(r *rand.Rand, m pcommon.Map) {
	for _, key := range []string{"k", "l", "m"} {
		if r.IntN(3) > 0 {
			randomValue(r, m.PutEmpty(key))
		}
	}
}

func randomText(r *rand.Rand) string { return someTexts[r.IntN(len(someTexts))] }

func randomTime(r *rand.Rand) pcommon.Timestamp { return pcommon.Timestamp(r.IntN(4)) }

func randomScope(r *rand.Rand, s pcommon.InstrumentationScope) {
	s.SetName(randomText(r))
	s.SetVersion(randomText(r))
	randomMap(r, s.Attributes())
}

func randomLogs(r *rand.Rand) table.Data {
	ld := plog.NewLogs()
	for range 1 + r.IntN(3) {
		rl := ld.ResourceLogs().AppendEmpty()
		randomMap(r, rl.Resource().Attributes())
		for range 1 + r.IntN(2) {
			sl := rl.ScopeLogs().AppendEmpty()
			randomScope(r, sl.Scope())
			for range r.IntN(6) * r.IntN(6) * r.IntN(6) { // sometimes more than a chunk altogether
				l := sl.LogRecords().AppendEmpty()
				randomValue(r, l.Body())
				randomMap(r, l.Attributes())
				l.SetSeverityNumber(plog.SeverityNumber(r.IntN(4)))
				l.SetSeverityText(randomText(r))
				l.SetEventName(randomText(r))
				l.SetTimestamp(randomTime(r))
				l.SetObservedTimestamp(randomTime(r))
				l.SetTraceID(pcommon.TraceID{byte(r.IntN(2))})
				l.SetSpanID(pcommon.SpanID{byte(r.IntN(2))})
				l.SetFlags(plog.LogRecordFlags(r.IntN(3)))
			}
		}
	}
	return table.LogsOf(ld)
}

func randomMetrics(r *rand.Rand) table.Data {
	md := pmetric.NewMetrics()
	for range 1 + r.IntN(2) {
		rm := md.ResourceMetrics().AppendEmpty()
		randomMap(r, rm.Resource().Attributes())
		sm := rm.ScopeMetrics().AppendEmpty()
		randomScope(r, sm.Scope())
		for range r.IntN(6) {
			m := sm.Metrics().AppendEmpty()
			m.SetName(randomText(r))
			m.SetUnit(randomText(r))
			m.SetDescription(randomText(r))
			randomPoints(r, m)
		}
	}
	return table.MetricsOf(md)
}

func randomPoints(r *rand.Rand, m pmetric.Metric) {
	temporality := pmetric.AggregationTemporality(r.IntN(3))
	switch r.IntN(5) {
	case 0:
		n := m.SetEmptyGauge().DataPoints().AppendEmpty()
		n.SetDoubleValue(float64(r.IntN(6)) / 2)
		randomPoint(r, n)
	case 1:
		m.SetEmptySum().SetIsMonotonic(r.IntN(2) == 0)
		m.Sum().SetAggregationTemporality(temporality)
		n := m.Sum().DataPoints().AppendEmpty()
		n.SetIntValue(int64(r.IntN(4)))
		randomPoint(r, n)
		randomPoint(r, m.Sum().DataPoints().AppendEmpty())
	case 2:
		m.SetEmptyHistogram().SetAggregationTemporality(temporality)
		h := m.Histogram().DataPoints().AppendEmpty()
		h.SetCount(uint64(r.IntN(3)))
		h.SetMin(float64(r.IntN(3)))
		randomPoint(r, h)
	case 3:
		m.SetEmptyExponentialHistogram().SetAggregationTemporality(temporality)
		e := m.ExponentialHistogram().DataPoints().AppendEmpty()
		e.SetSum(float64(r.IntN(3)))
		e.SetMax(float64(r.IntN(3)))
		randomPoint(r, e)
	default:
		s := m.SetEmptySummary().DataPoints().AppendEmpty()
		s.SetCount(uint64(r.IntN(3)))
		randomPoint(r, s)
	}
}

// dataPoint is what the data points of all types have.
type dataPoint interface {
	Attributes() pcommon.Map
	SetTimestamp(pcommon.Timestamp)
	SetStartTimestamp(pcommon.Timestamp)
	SetFlags(pmetric.DataPointFlags)
}

func randomPoint(r *rand.Rand, p dataPoint) {
	randomMap(r, p.Attributes())
	p.SetTimestamp(randomTime(r))
	p.SetStartTimestamp(randomTime(r))
	p.SetFlags(pmetric.DataPointFlags(r.IntN(2)))
}

func randomTraces(r *rand.Rand) table.Data {
	td := ptrace.NewTraces()
	for range 1 + r.IntN(2) {
		rs := td.ResourceSpans().AppendEmpty()
		randomMap(r, rs.Resource().Attributes())
		ss := rs.ScopeSpans().AppendEmpty()
		randomScope(r, ss.Scope())
		for range r.IntN(20) {
			s := ss.Spans().AppendEmpty()
			randomMap(r, s.Attributes())
			s.SetName(randomText(r))
			s.SetKind(ptrace.SpanKind(r.IntN(6)))
			s.Status().SetCode(ptrace.StatusCode(r.IntN(3)))
			s.Status().SetMessage(randomText(r))
			s.TraceState().FromRaw(randomText(r))
			s.SetStartTimestamp(randomTime(r))
			s.SetEndTimestamp(randomTime(r))
			s.SetTraceID(pcommon.TraceID{byte(r.IntN(2))})
			s.SetSpanID(pcommon.SpanID{byte(r.IntN(2))})
			s.SetParentSpanID(pcommon.SpanID{byte(r.IntN(2))})
			s.SetFlags(uint32(r.IntN(3)))
		}
	}
	return table.TracesOf(td)
}

var (
	somePaths = strings.Split(`body severity_number severity_text event_name time observed_time trace_id span_id flags log.flags log.trace_id span.trace_id `+
		`value datapoint.value_int datapoint.time start_time count sum min max buckets metric.name metric.unit metric.description metric.type metric.aggregation_temporality metric.is_monotonic `+
		`name kind status.code status.message parent_span_id trace_state span.start_time end_time duration scope.name scope.version scope.attributes["k"] `+
		`attributes["k"] attributes["l"] attributes["none"] log.attributes["k"] datapoint.attributes["l"] span.attributes["m"] resource.attributes["k"] resource.attributes["l"]`, " ")
	someLiterals = strings.Split(`nil true false 0 1 2 3 0.5 1.0 2.5 "" "x" "y" "xy" "é" "{\"k\":1}" SPAN_KIND_CLIENT METRIC_DATA_TYPE_SUM SEVERITY_NUMBER_TRACE2`, " ")
)

func randomCondition(r *rand.Rand, depth int) string {
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	if depth > 0 {
		switch a, b := randomCondition(r, depth-1), randomCondition(r, depth-1); r.IntN(4) {
		case 0:
			return a + " and " + b
		case 1:
			return a + " or " + b
		case 2:
			return "not (" + a + ")"
		}
	}
	switch r.IntN(6) {
	case 0:
		return fmt.Sprintf(`%s(%s, %s)`, pick([]string{"HasPrefix", "HasSuffix", "Contains"}), pick(somePaths), pick([]string{`""`, `"x"`, `"y"`, `"\xff"`}))
	case 1:
		return fmt.Sprintf(`IsMatch(%s, %s)`, pick(somePaths), pick([]string{`""`, `"x"`, `"^x$"`, `"[x2]"`, `"^0"`, `"^$"`, `"ff$"`}))
	case 2:
		return fmt.Sprintf(`trace_id.string %s "01000000000000000000000000000000"`, pick([]string{"==", "!="}))
	}
	left, right := pick(somePaths), pick(someLiterals)
	if r.IntN(4) == 0 {
		right = pick(somePaths)
	}
	if r.IntN(4) == 0 {
		left, right = right, left
	}
	return left + " " + pick([]string{"==", "!=", "<", "<=", ">", ">="}) + " " + right
}
