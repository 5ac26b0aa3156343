package table_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/obsd-io/obsd/internal/race"
	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/condition"
	"github.com/obsd-io/obsd/runtime/table"
	"github.com/obsd-io/obsd/sdk"
	guest "github.com/obsd-io/obsd/sdk/condition"
)

var everySignal = abi.SignalNames[abi.SignalLogs:]

func selected(t testing.TB, d table.Data, text string) []int32 {
	t.Helper()
	f, err := table.NewFilter(text, everySignal)
	require.NoError(t, err, text)
	tbl := &table.Table{}
	tbl.Reset(d)
	return f.Select(tbl, nil)
}

// The rows of two resources, by their numbers.
func TestFilter(t *testing.T) {
	logs := plog.NewLogs()
	for i, namespace := range []string{"shop", "bank"} {
		rl := logs.ResourceLogs().AppendEmpty()
		rl.Resource().Attributes().PutStr("ns", namespace)
		sl := rl.ScopeLogs().AppendEmpty()
		sl.Scope().SetName("scope-" + namespace)
		for k := range 2 {
			r := sl.LogRecords().AppendEmpty()
			r.SetSeverityNumber(plog.SeverityNumber(9 + 8*k))
			r.Body().SetStr(fmt.Sprintf("line %d", 2*i+k))
			r.Attributes().PutInt("n", int64(2*i+k))
		}
	}
	logs.ResourceLogs().At(1).ScopeLogs().At(0).LogRecords().At(1).SetTraceID(pcommon.TraceID{0xab, 15: 1})
	metrics := pmetric.NewMetrics()
	sm := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty()
	gauge, histogram := sm.Metrics().AppendEmpty(), sm.Metrics().AppendEmpty()
	gauge.SetName("free")
	gauge.SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(5)
	gauge.Gauge().DataPoints().AppendEmpty().SetDoubleValue(0.5)
	histogram.SetName("took")
	histogram.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	histogram.Histogram().DataPoints().AppendEmpty().SetCount(7)
	traces := ptrace.NewTraces()
	spans := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	server, client := spans.AppendEmpty(), spans.AppendEmpty()
	server.SetName("GET /")
	server.SetKind(ptrace.SpanKindServer)
	server.SetStartTimestamp(100)
	server.SetEndTimestamp(350)
	client.SetKind(ptrace.SpanKindClient)
	client.Status().SetCode(ptrace.StatusCodeError)
	for _, c := range []struct {
		text                  string
		logs, metrics, traces []int32
	}{
		{`true`, []int32{0, 1, 2, 3}, []int32{0, 1, 2}, []int32{0, 1}},
		{`false`, nil, nil, nil},
		{`severity_number >= SEVERITY_NUMBER_ERROR`, []int32{1, 3}, nil, nil},
		{`not severity_number >= SEVERITY_NUMBER_ERROR`, []int32{0, 2}, []int32{0, 1, 2}, []int32{0, 1}},
		{`resource.attributes["ns"] == "bank"`, []int32{2, 3}, nil, nil},
		{`resource.attributes["ns"] != "bank" and severity_number == 17`, []int32{1}, nil, nil},
		{`scope.name == "scope-shop" or attributes["n"] > 2`, []int32{0, 1, 3}, nil, nil},
		{`attributes["n"] == 1 or attributes["n"] == 2.0 or body == "line 3"`, []int32{1, 2, 3}, nil, nil},
		{`HasSuffix(body, " 0") or IsMatch(body, "^l.* [23]$")`, []int32{0, 2, 3}, nil, nil},
		{`trace_id.string == "ab000000000000000000000000000001"`, []int32{3}, nil, nil},
		{`trace_id != nil`, []int32{3}, nil, nil},
		{`metric.name == "free"`, nil, []int32{0, 1}, nil},
		{`value >= 0.5 and datapoint.value_int < 1`, nil, []int32{1}, nil},
		{`metric.type == METRIC_DATA_TYPE_HISTOGRAM and count > 5`, nil, []int32{2}, nil},
		{`metric.aggregation_temporality == AGGREGATION_TEMPORALITY_DELTA`, nil, []int32{2}, nil},
		{`span.kind == SPAN_KIND_SERVER and span.duration > 200`, nil, nil, []int32{0}},
		{`status.code == STATUS_CODE_ERROR or HasPrefix(span.name, "GET")`, nil, nil, []int32{0, 1}},
		{`span.name == ""`, nil, nil, []int32{1}},
		{`body == nil and metric.name == nil`, nil, nil, []int32{0, 1}},
	} {
		t.Run(c.text, func(t *testing.T) {
			require.ElementsMatch(t, c.logs, selected(t, table.LogsOf(logs), c.text))
			require.ElementsMatch(t, c.metrics, selected(t, table.MetricsOf(metrics), c.text))
			require.ElementsMatch(t, c.traces, selected(t, table.TracesOf(traces), c.text))
		})
	}
}

func TestFilterRefuses(t *testing.T) {
	_, err := table.NewFilter(`body == "x" and level > 3`, []string{"logs"})
	var wrong *condition.Error
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, 17, wrong.Column)
	require.EqualError(t, err, `column 17: "level" is not known; there are in log: body, severity_number, severity_text, event_name, time_unix_nano, observed_time_unix_nano, trace_id, span_id, trace_id.string, span_id.string, flags, attributes["key"]; in scope: name, version, attributes["key"]; in resource: attributes["key"]`)
	_, err = table.NewFilter(`body == "x" or span.name == "x"`, []string{"logs", "traces"})
	require.NoError(t, err)
	_, err = table.NewFilter(`IsMatch(body, "(")`, []string{"logs"})
	require.EqualError(t, err, "column 15: error parsing regexp: missing closing ): `(`")
	_, err = table.NewFilter(`true`, []string{"profiles"})
	require.EqualError(t, err, `manifest: signals: unknown "profiles"; known are logs, metrics, traces`)
}

// A filter may be used by several at once, and its scratch keeps nothing of a batch that a later one could see.
func TestFilterConcurrently(t *testing.T) {
	f, err := table.NewFilter(`attributes["k"] == "x" and resource.attributes["r"] != "y" or body == attributes["k"]`, everySignal)
	require.NoError(t, err)
	results := make(chan error)
	for i := range 4 {
		go func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for range 50 {
				d := randomLogs(r)
				tbl := &table.Table{}
				tbl.Reset(d)
				got, want := f.Select(tbl, nil), f.Select(tbl, nil)
				if !slices.Equal(got, want) {
					results <- fmt.Errorf("got %v and %v", got, want)
					return
				}
			}
			results <- nil
		}()
	}
	for range 4 {
		require.NoError(t, <-results)
	}
}

// What the filter selects of pdata is what the same condition selects in a guest, of the batch that the guest gets:
// random rows of every signal against random conditions over every path.
func TestFilterAgreesWithGuest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	matched := 0
	for range 300 {
		text := randomCondition(r, 2)
		f, err := table.NewFilter(text, everySignal)
		require.NoError(t, err, text)
		for _, d := range []table.Data{randomLogs(r), randomMetrics(r), randomTraces(r)} {
			tbl := &table.Table{}
			tbl.Reset(d)
			got := f.Select(tbl, nil)
			require.Equal(t, inGuest(t, tbl, text), append([]int32{}, got...), "%s: %s", abi.SignalNames[d.Signal], text)
			matched += len(got)
		}
	}
	require.Positive(t, matched)
}

func compileRegexp(pattern string) (func(string) bool, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	return re.MatchString, nil
}

// inGuest lists the rows for which a plugin finds that a condition holds.
func inGuest(t *testing.T, tbl *table.Table, text string) []int32 {
	t.Helper()
	p := guest.Parser{Regexp: compileRegexp}
	when, err := p.Parse(text)
	require.NoError(t, err)
	var rows guest.Rows
	process := func(b *sdk.Batch) {
		rows.Reset(b, len(p.Columns))
		for row := range b.Rows() {
			rows.Row = row
			if held := rows.Match(when); held {
				b.Drop(row)
			}
			if rows.Match(when) != when.Match(&rows) {
				panic("BUG: two ways to match differ")
			}
		}
	}
	sdk.Register(sdk.Plugin{Name: "test", Reads: p.Columns, Logs: process, Metrics: process, Traces: process})
	var m abi.Manifest
	require.NoError(t, json.Unmarshal(sdk.Manifest(), &m))
	plan, err := table.NewPlan(&m)
	require.NoError(t, err)
	s := table.NewSession(plan)
	var all []int32
	for row := range int32(tbl.Rows()) {
		all = append(all, row)
	}
	size := s.Measure(tbl, all)
	batch := make([]byte, size, size+sdk.ReadAhead)
	s.Encode(batch, 1)
	held := []int32{}
	for row, verdict := range sdk.Process(batch).Verdicts {
		if verdict == abi.Drop {
			held = append(held, int32(row))
		}
	}
	return held
}

// Nothing is allocated for a batch, but for ids, bytes, maps and arrays.
func TestFilterAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector has pools forget")
	}
	r := rand.New(rand.NewPCG(3, 4))
	spans, points := randomTraces(r), randomMetrics(r)
	for text, d := range map[string]table.Data{
		`severity_number > 1`: plainLogs(), `body == "x"`: plainLogs(), `attributes["k"] != nil and resource.attributes["l"] == 2`: plainLogs(),
		`attributes["k"] == body or HasPrefix(attributes["k"], "v")`: plainLogs(), `IsMatch(body, "[xy]") and time == observed_time`: plainLogs(),
		`kind == SPAN_KIND_SERVER or name == scope.name and duration > 1`: spans, `Contains(status.message, "x") or span.end_time > 2`: spans,
		`value > 1 or metric.name == "x"`: points, `count > 1 and metric.type == METRIC_DATA_TYPE_SUMMARY or time > 1`: points,
	} {
		f, err := table.NewFilter(text, everySignal)
		require.NoError(t, err)
		tbl := &table.Table{}
		tbl.Reset(d)
		require.Positive(t, tbl.Rows(), text)
		rows := make([]int32, 0, 2*tbl.Rows())
		if n := testing.AllocsPerRun(50, func() { rows = f.Select(tbl, rows) }); n > 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

func plainLogs() table.Data {
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for i := range 1000 {
		l := records.AppendEmpty()
		l.Body().SetStr("x")
		l.Attributes().PutStr("j", "none")
		l.Attributes().PutStr("k", "value")
		l.SetSeverityNumber(plog.SeverityNumber(i % 24))
	}
	return table.LogsOf(ld)
}

// Whatever the text, NewFilter ends in an error that says where, or in a filter that selects rows in their order.
func FuzzFilter(f *testing.F) {
	f.Add(`severity_number >= SEVERITY_NUMBER_ERROR and not HasPrefix(body, "x")`)
	f.Add(`metric.type == METRIC_DATA_TYPE_SUM or span.status.code == 2 and scope.attributes["k"] != resource.attributes["l"]`)
	f.Add(`trace_id.string == "01000000000000000000000000000000" or IsMatch(datapoint.value_double, "^1")`)
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := table.NewFilter(text, everySignal)
		if err != nil {
			if _, ok := errors.AsType[*condition.Error](err); !ok {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		r := rand.New(rand.NewPCG(5, 6))
		for _, d := range []table.Data{randomLogs(r), randomMetrics(r), randomTraces(r)} {
			tbl := &table.Table{}
			tbl.Reset(d)
			rows := filter.Select(tbl, nil)
			if !slices.IsSorted(rows) || len(rows) > tbl.Rows() {
				t.Fatalf("%q: %v", text, rows)
			}
		}
	})
}
