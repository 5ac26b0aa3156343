package table_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/table"
)

// every lists all columns of abi.Fields, and one of each kind with a key.
func every() (names []string) {
	for _, info := range abi.Fields {
		if info.Column != "" {
			names = append(names, info.Column)
		}
	}
	return append(names, "attributes.k", "attributes.*", "resource.k", "resource.*", "scope.attributes.k")
}

// columns lays d out with every column, and returns the entries of a row that are not absent.
func columns(t *testing.T, d table.Data, row int) map[string]any {
	t.Helper()
	names := every()
	s := table.NewSession(plan(t, abi.Manifest{Signals: []string{"logs", "metrics", "traces"}, Reads: names}))
	tab := new(table.Table)
	tab.Reset(d)
	b := make([]byte, s.Measure(tab, span(0, tab.Rows())))
	for i := range b {
		b[i] = 0xaa
	}
	s.Encode(b, 42)
	r := newReader(t, b)
	require.Equal(t, uint32(d.Signal), le.Uint32(b[abi.BatchSignal:]))
	got := map[string]any{}
	for i, name := range names {
		if name == abi.AllAttributes || name == abi.AllResource {
			if m := r.attributes(i, row); len(m) > 0 {
				got[name] = m
			}
			continue
		}
		if v := r.value(i, row); v != nil {
			got[name] = v
		}
	}
	return got
}

func TestColumnsOfLogs(t *testing.T) {
	d := table.NewData(abi.SignalLogs)
	rl := d.Logs.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutInt("k", 1)
	sl := rl.ScopeLogs().AppendEmpty()
	sl.LogRecords().AppendEmpty()
	sl = rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName("lib")
	sl.Scope().SetVersion("2")
	sl.Scope().Attributes().PutBool("k", true)
	r := sl.LogRecords().AppendEmpty()
	r.Body().SetStr("text")
	r.SetTimestamp(1)
	r.SetObservedTimestamp(2)
	r.SetSeverityNumber(9)
	r.SetSeverityText("INFO")
	r.SetEventName("event")
	r.SetTraceID([16]byte{1})
	r.SetSpanID([8]byte{2})
	r.SetFlags(3)
	r.Attributes().PutDouble("k", 0.5)
	resource := map[string]any{"resource.k": int64(1), "resource.*": [][2]any{{"k", int64(1)}}}
	require.Equal(t, resource, columns(t, d, 0))
	require.Equal(t, map[string]any{
		"body": "text", "time": int64(1), "observed_time": int64(2), "severity_number": int64(9), "severity_text": "INFO", "event_name": "event",
		"trace_id": "\x01" + string(make([]byte, 15)), "span_id": "\x02" + string(make([]byte, 7)), "flags": int64(3),
		"scope.name": "lib", "scope.version": "2", "scope.attributes.k": true,
		"attributes.k": 0.5, "attributes.*": [][2]any{{"k", 0.5}},
		"resource.k": int64(1), "resource.*": [][2]any{{"k", int64(1)}},
	}, columns(t, d, 1))
}

func TestColumnsOfSpans(t *testing.T) {
	d := table.NewData(abi.SignalTraces)
	ss := d.Traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty()
	backwards := ss.Spans().AppendEmpty()
	backwards.SetStartTimestamp(5)
	backwards.SetEndTimestamp(3)
	s := ss.Spans().AppendEmpty()
	s.SetName("GET")
	s.SetKind(ptrace.SpanKindServer)
	s.SetStartTimestamp(5)
	s.SetEndTimestamp(12)
	s.Status().SetCode(ptrace.StatusCodeError)
	s.Status().SetMessage("broken")
	s.TraceState().FromRaw("a=b")
	s.SetTraceID([16]byte{1})
	s.SetSpanID([8]byte{2})
	s.SetParentSpanID([8]byte{3})
	s.SetFlags(4)
	require.Equal(t, map[string]any{"start_time": int64(5), "span.end_time": int64(3)}, columns(t, d, 0))
	require.Equal(t, map[string]any{
		"span.name": "GET", "span.kind": int64(2), "start_time": int64(5), "span.end_time": int64(12), "span.duration": int64(7),
		"span.status_code": int64(2), "span.status_message": "broken", "span.trace_state": "a=b",
		"trace_id": "\x01" + string(make([]byte, 15)), "span_id": "\x02" + string(make([]byte, 7)), "span.parent_id": "\x03" + string(make([]byte, 7)),
		"flags": int64(4),
	}, columns(t, d, 1))
}

func TestColumnsOfPoints(t *testing.T) {
	d := table.NewData(abi.SignalMetrics)
	metrics := d.Metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	next := func(name string) pmetric.Metric {
		m := metrics.AppendEmpty()
		m.SetName(name)
		return m
	}
	g := next("gauge")
	g.SetUnit("s")
	g.SetDescription("what")
	n := g.SetEmptyGauge().DataPoints().AppendEmpty()
	n.SetDoubleValue(0)
	n.SetTimestamp(1)
	n.SetStartTimestamp(2)
	n.SetFlags(3)
	n.Attributes().PutStr("k", "v")
	g.Gauge().DataPoints().AppendEmpty()
	sum := next("sum").SetEmptySum()
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	sum.DataPoints().AppendEmpty().SetIntValue(0)
	next("nothing")
	h := next("histogram").SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	p := h.DataPoints().AppendEmpty()
	p.SetCount(3)
	p.SetSum(1.5)
	p.SetMin(-1)
	p.ExplicitBounds().FromRaw([]float64{0.5, math.Inf(1)})
	p.BucketCounts().FromRaw([]uint64{1, 2, 0})
	e := next("exponential").SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
	e.SetScale(-2)
	e.SetZeroCount(4)
	e.SetZeroThreshold(0.25)
	e.SetMax(math.Inf(-1))
	e.Positive().SetOffset(-1)
	e.Positive().BucketCounts().FromRaw([]uint64{5, math.MaxUint64})
	s := next("summary").SetEmptySummary().DataPoints().AppendEmpty()
	s.SetSum(2)
	for _, q := range []float64{0.5, 1} {
		v := s.QuantileValues().AppendEmpty()
		v.SetQuantile(q)
		v.SetValue(math.NaN())
	}
	for row, want := range []map[string]any{
		{
			"metric.name": "gauge", "metric.unit": "s", "metric.description": "what", "metric.type": int64(1), "value": 0.0,
			"time": int64(1), "start_time": int64(2), "flags": int64(3), "attributes.k": "v", "attributes.*": [][2]any{{"k", "v"}},
		},
		{"metric.name": "gauge", "metric.unit": "s", "metric.description": "what", "metric.type": int64(1)},
		{"metric.name": "sum", "metric.type": int64(2), "metric.temporality": int64(1), "metric.monotonic": false, "value": int64(0)},
		{
			"metric.name": "histogram", "metric.type": int64(3), "metric.temporality": int64(2), "point.count": int64(3), "point.sum": 1.5, "point.min": -1.0,
			"point.buckets": `{"explicitBounds":[0.5,"Infinity"],"bucketCounts":[1,2,0]}`,
		},
		{
			"metric.name": "exponential", "metric.type": int64(4), "point.count": int64(0), "point.max": math.Inf(-1),
			"point.buckets": `{"scale":-2,"zeroCount":4,"zeroThreshold":0.25,"positive":{"offset":-1,"bucketCounts":[5,18446744073709551615]},"negative":{"offset":0,"bucketCounts":[]}}`,
		},
		{
			"metric.name": "summary", "metric.type": int64(5), "point.count": int64(0), "point.sum": 2.0,
			"point.buckets": `{"quantileValues":[{"quantile":0.5,"value":"NaN"},{"quantile":1,"value":"NaN"}]}`,
		},
	} {
		require.Equal(t, want, columns(t, d, row), "row %d", row)
	}
}

// A batch that is measured in vain, as one that is too large is, takes no key's number with it.
func TestMeasuredTwice(t *testing.T) {
	d := table.NewData(abi.SignalLogs)
	records := d.Logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, key := range []string{"a", "b", "c"} {
		records.AppendEmpty().Attributes().PutStr(key, "v")
	}
	s := table.NewSession(plan(t, abi.Manifest{Reads: []string{"attributes.*"}}))
	tab := new(table.Table)
	tab.Reset(d)
	s.Measure(tab, span(0, 3))
	for _, want := range []struct {
		rows []int32
		key  string
	}{{[]int32{2}, "c"}, {[]int32{0}, "a"}, {[]int32{1}, "b"}, {[]int32{0}, "a"}} {
		b := make([]byte, s.Measure(tab, want.rows))
		s.Encode(b, 42)
		require.Equal(t, [][2]any{{want.key, "v"}}, newReader(t, b).attributes(0, 0))
		require.NoError(t, s.Apply(nil, 0))
	}
}
