package table_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/obsd-io/obsd/internal/wasmtest"
	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/table"
)

// fixed is two rows of a signal: of data points, one of a sum and one of a histogram.
func fixed(signal abi.Signal) table.Data {
	d := table.NewData(signal)
	switch signal {
	case abi.SignalLogs:
		r := d.Logs.ResourceLogs().AppendEmpty()
		r.Resource().Attributes().PutStr("host.name", "host")
		records := r.ScopeLogs().AppendEmpty().LogRecords()
		records.AppendEmpty().Body().SetStr("one")
		records.AppendEmpty().SetTraceID(pcommon.TraceID{1})
	case abi.SignalMetrics:
		r := d.Metrics.ResourceMetrics().AppendEmpty()
		r.Resource().Attributes().PutStr("host.name", "host")
		metrics := r.ScopeMetrics().AppendEmpty().Metrics()
		sum := metrics.AppendEmpty()
		sum.SetName("requests")
		sum.SetUnit("1")
		sum.SetDescription("what")
		sum.SetEmptySum().SetIsMonotonic(true)
		sum.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		sum.Sum().DataPoints().AppendEmpty().SetIntValue(5)
		histogram := metrics.AppendEmpty()
		histogram.SetName("duration")
		histogram.SetEmptyHistogram().DataPoints().AppendEmpty().SetCount(3)
	default:
		r := d.Traces.ResourceSpans().AppendEmpty()
		r.Resource().Attributes().PutStr("host.name", "host")
		spans := r.ScopeSpans().AppendEmpty().Spans()
		spans.AppendEmpty().SetName("GET")
		spans.AppendEmpty().SetKind(ptrace.SpanKindServer)
	}
	return d
}

// words are edits in a row: first words and cells.
func words(w ...uint64) []uint64 { return w }

func set(row uint32, f abi.Field, typ abi.Type, cell uint64) []uint64 {
	return words(abi.Edit(row, uint16(f), abi.OpSet, typ), cell)
}

func join(parts ...[]uint64) (all []uint64) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// What a signal does not have, or what new rows may not be, is refused by name; neither rows nor the table change.
func TestRefusedFields(t *testing.T) {
	manifest := allowed()
	manifest.Writes = []string{"attributes.a", "resource.r", "trace_id", "span_id", "flags", "value", "metric.unit", "span.kind", "span.status", "body"}
	manifest.Emits = []string{"logs", "metrics"}
	f := func(signal abi.Signal, edits []uint64, want string) {
		t.Helper()
		t.Run(fmt.Sprint(abi.SignalNames[signal], " ", want), func(t *testing.T) {
			t.Helper()
			d := fixed(signal)
			before := marshal(t, d)
			tab, s := send(t, manifest, d)
			r := wasmtest.Result{
				Rows: 2, Names: []string{"a", "r", "other", ""}, Arena: "0123456789abcdef!", Sets: []uint64{1},
				Edits: join(words(abi.Edit(0, 0, abi.OpSetAttribute, abi.TypeInt), 1), edits), Verdicts: []uint16{abi.Drop, abi.Set},
			}
			memory, packed := r.Memory()
			require.EqualError(t, s.Apply(memory, packed), want)
			require.Zero(t, s.Edits())
			require.Equal(t, []uint16{0, 0}, tab.Verdicts)
			require.Empty(t, tab.Sets)
			for _, of := range allSignals {
				require.Zero(t, tab.New(of))
			}
			require.Equal(t, 2, tab.Settle())
			require.Equal(t, before, marshal(t, d))
		})
	}
	fresh := func(row uint32, verdict uint16, typ abi.Type) []uint64 {
		return words(abi.Edit(row, verdict, abi.OpNew, typ), 0)
	}
	const logs, metrics, traces = abi.SignalLogs, abi.SignalMetrics, abi.SignalTraces
	text := abi.Cell(0, 3)

	f(logs, set(1, 99, abi.TypeInt, 1), "edit 1: row 1: field 99 is not known")
	f(logs, set(1, 12, abi.TypeInt, 1), "edit 1: row 1: field 12 is not known")
	f(logs, set(1, 0, abi.TypeInt, 1), "edit 1: row 1: field 0 is not known")
	f(logs, set(1, abi.FieldSpanName, abi.TypeString, text), "edit 1: row 1: span.name: a log record has none")
	f(metrics, set(1, abi.FieldBody, abi.TypeInt, 1), "edit 1: row 1: body: a data point has none")
	f(traces, set(1, abi.FieldTime, abi.TypeInt, 1), "edit 1: row 1: time: a span has none")
	f(metrics, set(1, abi.FieldValue, abi.TypeInt, 1), "edit 1: row 1: value: the data point is of a metric of type histogram, which has none")
	f(metrics, set(0, abi.FieldValue, abi.TypeString, text), "edit 1: row 0: value: type 1 is neither int nor double")
	f(metrics, set(0, abi.FieldMetricName, abi.TypeString, text), `edit 1: row 0: sets metric.name, which the manifest does not declare: add "metric.name" to its writes`)
	f(metrics, set(0, abi.FieldMetricType, abi.TypeInt, 1), "edit 1: row 0: metric.type: only a new data point that is no copy can be given one")
	f(metrics, set(0, abi.FieldMetricTemporality, abi.TypeInt, 1), "edit 1: row 0: metric.temporality: only a new data point that is no copy can be given one")
	f(metrics, join(fresh(0, 0, abi.NewCopy), set(0, abi.FieldMetricMonotonic, abi.TypeBool, 1)), "edit 2: row 0: metric.monotonic: only a new data point that is no copy can be given one")
	f(metrics, set(0, abi.FieldMetricUnit, abi.TypeInt, 1), "edit 1: row 0: metric.unit: type 2 is not a string")
	f(traces, set(0, abi.FieldSpanKind, abi.TypeInt, 6), "edit 1: row 0: span.kind: type 2, value 6; want type 2, 0 to 5")
	f(traces, set(0, abi.FieldSpanStatusCode, abi.TypeDouble, 1), "edit 1: row 0: span.status_code: type 3, value 1; want type 2, 0 to 2")
	f(traces, set(0, abi.FieldFlags, abi.TypeInt, 1<<32), "edit 1: row 0: flags: type 2, value 4294967296; want type 2, 0 to 4294967295")
	f(traces, set(0, abi.FieldSpanParentID, abi.TypeNone, 0), `edit 1: row 0: sets span.parent_id, which the manifest does not declare: add "span.parent_id" to its writes`)
	f(logs, set(0, abi.FieldTraceID, abi.TypeString, abi.Cell(0, 16)), "edit 1: row 0: trace_id: type 1 is not bytes")
	f(logs, set(0, abi.FieldTraceID, abi.TypeBytes, abi.Cell(0, 15)), "edit 1: row 0: trace_id: 15 bytes, want 16")
	f(logs, set(0, abi.FieldTraceID, abi.TypeBytes, abi.Cell(2, 16)), "edit 1: row 0: value: 16 bytes at 2 lie outside the arena of 17")
	f(logs, set(0, abi.FieldSpanID, abi.TypeBytes, abi.Cell(0, 16)), "edit 1: row 0: span_id: 16 bytes, want 8")
	f(logs, set(0, abi.FieldTraceID, abi.TypeSlice, abi.Cell(0, 3)), "edit 1: row 0: trace_id: a slice of column 0, which is not bytes")
	f(logs, set(1, abi.FieldTraceID, abi.TypeSlice|3, abi.Cell(0, 8)), "edit 1: row 1: trace_id: 8 bytes, want 16")
	f(logs, set(0, abi.FieldTraceID, abi.TypeName, 0), "edit 1: row 0: trace_id: type 7 is not bytes")

	f(logs, words(abi.Edit(0, 2, abi.OpSetResource, abi.TypeInt), 1), `edit 1: row 0: sets resource.other, which the manifest does not declare: add "resource.other" to its writes`)
	f(logs, words(abi.Edit(0, 0, abi.OpDeleteResource, 0), 0), `edit 1: row 0: sets resource.a, which the manifest does not declare: add "resource.a" to its writes`)
	f(logs, words(abi.Edit(0, 0, abi.OpDeleteAttribute, abi.TypeInt), 0), "edit 1: row 0: a deletion has type 2, want 0")
	f(logs, words(abi.Edit(0, 1, abi.OpSetResource, abi.TypeNone), 0), "edit 1: row 0: value: type 0 is not known")
	f(logs, words(abi.Edit(0, abi.NameInline, abi.OpSetResource, abi.TypeInt), 0), "edit 1: row 0: the entry with the key is missing")
	f(logs, words(abi.Edit(0, abi.NameInline, abi.OpSetResource, abi.TypeInt), 0, abi.Edit(0, 0, abi.OpExt, abi.TypeBytes), text), "edit 1: row 0: the next entry is not its key")
	f(logs, words(abi.Edit(0, abi.NameInline, abi.OpSetAttribute, abi.TypeInt), 0, abi.Edit(0, 0, abi.OpExt, abi.TypeString), abi.Cell(10, 10)), "edit 1: row 0: value: 10 bytes at 10 lie outside the arena of 17")

	f(logs, fresh(0, abi.Keep, 9), "edit 1: row 0: new row: type 9 is no signal")
	f(logs, fresh(0, abi.Keep, abi.Type(traces)), `edit 1: row 0: makes a span, which the manifest does not declare: add "traces" to its emits`)
	f(traces, fresh(0, abi.Keep, abi.NewCopy), `edit 1: row 0: makes a span, which the manifest does not declare: add "traces" to its emits`)
	f(logs, fresh(0, abi.Drop, abi.NewCopy), "edit 1: row 0: new row: its verdict is to drop it")
	f(logs, fresh(0, abi.Route+2, abi.NewCopy), "edit 1: row 0: new row: verdict 4: the manifest has 2 routes, the result 1 sets")
	f(logs, fresh(0, abi.Set+1, abi.NewCopy), "edit 1: row 0: new row: verdict 32769: the manifest has 2 routes, the result 1 sets")
	f(logs, words(abi.Edit(0, 0, abi.OpNew, 0), 7), "edit 1: row 0: new row: cell 0x7, want 0")
	f(logs, fresh(2, abi.Keep, abi.NewCopy), "edit 1: row 2: want rows in order, below 2")
	f(logs, join(fresh(0, 0, abi.Type(metrics)), set(0, abi.FieldBody, abi.TypeInt, 1)), "edit 2: row 0: body: a data point has none")
	f(metrics, join(fresh(1, 0, abi.NewCopy), set(1, abi.FieldValue, abi.TypeInt, 1)), "edit 2: row 1: value: the data point is of a metric of type histogram, which has none")
	var many []uint64
	for range abi.MaxNew + 1 {
		many = append(many, fresh(0, abi.Keep, abi.NewCopy)...)
	}
	f(logs, many, "edit 65537: row 0: new row: there are more than 65536")

	point := fresh(0, abi.Keep, abi.Type(metrics))
	name, value := set(0, abi.FieldMetricName, abi.TypeName, 0), set(0, abi.FieldValue, abi.TypeDouble, 0)
	sum := set(0, abi.FieldMetricType, abi.TypeInt, abi.MetricSum)
	f(logs, join(point, value), "edit 2: row 0: new data point: it has no metric.name")
	f(logs, join(point, name), "edit 2: row 0: new data point: it has no value")
	f(logs, join(point, name, value, sum), "edit 4: row 0: new data point: it is of a sum and has no metric.temporality")
	f(logs, join(point, name, value, set(0, abi.FieldMetricMonotonic, abi.TypeBool, 0)),
		"edit 4: row 0: new data point: it is of a gauge, which has no metric.temporality and is not metric.monotonic")
	f(logs, join(point, set(0, abi.FieldMetricName, abi.TypeName, 3)), "edit 2: row 0: metric.name: empty")
	f(logs, join(point, set(0, abi.FieldMetricName, abi.TypeString, 0)), "edit 2: row 0: metric.name: empty")
	f(logs, join(point, set(0, abi.FieldMetricType, abi.TypeInt, abi.MetricHistogram)), "edit 2: row 0: metric.type: type 2, value 3; want type 2, 1 to 2")
	f(logs, join(point, set(0, abi.FieldMetricMonotonic, abi.TypeInt, 1)), "edit 2: row 0: metric.monotonic: type 2 is not a bool")
	// Each new data point is held to it, and a row's own edits before it do not count.
	f(metrics, join(set(0, abi.FieldValue, abi.TypeInt, 1), point, name), "edit 3: row 0: new data point: it has no value")
	f(logs, join(point, name, value, point, name), "edit 5: row 0: new data point: it has no value")
	f(logs, join(point, name, point, name, value), "edit 2: row 0: new data point: it has no value")
	f(logs, join(point, name, words(abi.Edit(1, 0, abi.OpSetAttribute, abi.TypeInt), 1)), "edit 2: row 0: new data point: it has no value")
}

// obsd_flush makes new rows out of nothing: they lie in an empty resource and scope, at the time of the call.
func TestFlush(t *testing.T) {
	var edits []uint64
	fresh := func(verdict uint16, signal abi.Signal) {
		edits = append(edits, abi.Edit(0, verdict, abi.OpNew, abi.Type(signal)), 0)
	}
	fresh(abi.Keep, abi.SignalMetrics)
	edits = join(edits, set(0, abi.FieldMetricName, abi.TypeName, 0), set(0, abi.FieldValue, abi.TypeInt, 5))
	fresh(abi.Keep, abi.SignalMetrics)
	edits = join(edits, set(0, abi.FieldValue, abi.TypeInt, 6), set(0, abi.FieldMetricName, abi.TypeName, 0))
	edits = join(edits, words(abi.Edit(0, 1, abi.OpSetResource, abi.TypeInt), 1))
	fresh(abi.Route, abi.SignalLogs)
	edits = join(edits, set(0, abi.FieldBody, abi.TypeName, 0))
	r := wasmtest.Result{Names: []string{"total", "k"}, Edits: edits}
	memory, packed := r.Memory()

	tab := new(table.Table)
	d := table.NewData(abi.SignalLogs)
	tab.Reset(d)
	s := table.NewSession(plan(t, allowed()))
	require.NoError(t, s.ApplyFlush(tab, 42, memory, packed))
	require.Equal(t, 6+3, s.Edits())
	require.Equal(t, []int{1, 2, 0}, []int{tab.New(abi.SignalLogs), tab.New(abi.SignalMetrics), tab.New(abi.SignalTraces)})

	md := tab.Split(abi.SignalMetrics, 4)[abi.Keep].Metrics
	require.Equal(t, 2, md.ResourceMetrics().Len())
	for i, want := range []map[string]any{{}, {"k": int64(1)}} {
		rm := md.ResourceMetrics().At(i)
		require.Equal(t, want, rm.Resource().Attributes().AsRaw())
		p := rm.ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints().At(0)
		require.Equal(t, []int64{int64(5 + i), 42}, []int64{p.IntValue(), int64(p.Timestamp())})
	}
	parts := tab.Split(abi.SignalLogs, 4)
	record := parts[abi.Route].Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	require.Equal(t, "total", record.Body().Str())
	require.Equal(t, []pcommon.Timestamp{42, 42}, []pcommon.Timestamp{record.Timestamp(), record.ObservedTimestamp()})

	f := func(want string, edits ...uint64) {
		t.Helper()
		tab.Reset(d)
		memory, packed := (&wasmtest.Result{First: 2, Edits: edits}).Memory()
		require.EqualError(t, s.ApplyFlush(tab, 42, memory, packed), want)
	}
	f("edit 0: row 0: obsd_flush has no rows: an edit must follow a new row", abi.Edit(0, 0, abi.OpSetAttribute, abi.TypeInt), 1)
	f("edit 0: row 0: new row: obsd_flush has no row to copy", abi.Edit(0, 0, abi.OpNew, abi.NewCopy), 0)
	f("edit 0: row 1: want rows in order, below 1", abi.Edit(1, 0, abi.OpNew, abi.Type(abi.SignalLogs)), 0)
	f("edit 1: row 0: value: a slice of column 0, which has no text in this row",
		abi.Edit(0, 0, abi.OpNew, abi.Type(abi.SignalLogs)), 0, abi.Edit(0, 0, abi.OpSetAttribute, abi.TypeSlice), 0)
	memory, packed = (&wasmtest.Result{Rows: 1}).Memory()
	require.EqualError(t, s.ApplyFlush(tab, 42, memory, packed), "the result is for 1 rows, the batch has 0")
	require.NoError(t, s.ApplyFlush(tab, 42, nil, 0))
}

// A resource or metric that all rows change alike is changed where it lies; the others' rows find one place.
func TestInPlace(t *testing.T) {
	resource := func(row uint32, name, value uint64) []uint64 {
		return words(abi.Edit(row, uint16(name), abi.OpSetResource, abi.TypeName), value)
	}
	f := func(name string, edits []uint64, verdicts []uint16, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			d := fixed(abi.SignalMetrics)
			tab, s := send(t, allowed(), d)
			memory, packed := (&wasmtest.Result{Rows: 2, Names: []string{"k", "one", "two"}, Edits: edits, Verdicts: verdicts}).Memory()
			require.NoError(t, s.Apply(memory, packed))
			left := tab.Settle()
			require.Equal(t, d.Rows(), left)
			got := ""
			for _, rm := range d.Metrics.ResourceMetrics().All() {
				value := ""
				if v, ok := rm.Resource().Attributes().Get("k"); ok {
					value = v.Str()
				}
				got += fmt.Sprintf("[%s:", value)
				for _, sm := range rm.ScopeMetrics().All() {
					for _, m := range sm.Metrics().All() {
						got += fmt.Sprintf(" %s×%d", m.Name(), points(m))
					}
				}
				got += "]"
			}
			require.Equal(t, want, got)
		})
	}
	rename := func(row uint32, name uint64) []uint64 { return set(row, abi.FieldMetricName, abi.TypeName, name) }
	f("all rows alike", join(resource(0, 0, 1), resource(1, 0, 1)), nil, "[one: requests×1 duration×1]")
	f("each its own", join(resource(0, 0, 1), resource(1, 0, 2)), nil, "[one: requests×1][two: duration×1]")
	f("one of two", resource(1, 0, 1), nil, "[: requests×1][one: duration×1]")
	f("the other is dropped", resource(1, 0, 1), []uint16{abi.Drop, abi.Keep}, "[one: duration×1]")
	f("metric", rename(0, 2), nil, "[: two×1 duration×1]")
	f("metric and resource", join(resource(0, 0, 1), rename(0, 2), resource(1, 0, 1)), nil, "[one: two×1 duration×1]")
	f("same name, other metric", join(rename(0, 2), rename(1, 2)), nil, "[: two×1 two×1]")
}
