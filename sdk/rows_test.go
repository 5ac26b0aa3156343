package sdk_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/sdk"
	"github.com/obsd-io/obsd/sdk/sdktest"
)

// One function for all signals: a column that a signal does not have is absent there.
func TestSignals(t *testing.T) {
	columns := []string{
		"body", "value", "span.name", "resource.r", "resource.*", "scope.name", "scope.attributes.s", "metric.name", "metric.type", "metric.monotonic", "metric.temporality",
		"point.count", "point.sum", "point.buckets", "start_time", "span.duration", "trace_id", "flags",
	}
	var got []string
	process := func(b *sdk.Batch) {
		for row := range b.Rows() {
			line := abi.SignalNames[b.Signal()] + ":"
			for _, name := range columns {
				c := b.Column(name)
				if v := c.Value(row); v.Type != abi.TypeNone {
					d, _ := c.Double(row)
					line += fmt.Sprintf(" %s=%q/%g/%t", name, c.Text(row).String(), d, v.Bool())
				}
				c.Attributes(row, func(key string, v sdk.Value) bool {
					line += fmt.Sprintf(" %s[%s]=%s", name, key, v.Text().String())
					return true
				})
			}
			got = append(got, line)
		}
	}
	sdk.Register(sdk.Plugin{Name: "n", Reads: columns, Logs: process, Metrics: process, Traces: process})
	p := sdktest.New(t, `{}`)
	shared := map[string]any{"r": "x"}
	p.Run(sdktest.Log{Body: "b", Flags: 3}, sdktest.Log{Resource: shared, Scope: sdktest.Scope{Name: "lib", Attributes: map[string]any{"s": 1}}})
	p.RunPoints(
		sdktest.Point{Name: "m", Value: 0.5, StartTime: 7},
		sdktest.Point{Name: "m", Type: abi.MetricSum, Temporality: 2, Value: 3, Resource: shared},
		sdktest.Point{Name: "h", Type: abi.MetricHistogram, Count: 4, Sum: 1.5, Buckets: map[string]any{"bucketCounts": []any{4}}},
	)
	p.RunSpans(sdktest.Span{Name: "s", TraceID: []byte("0123456789abcdef"), StartTime: 5, EndTime: 7}, sdktest.Span{StartTime: 7, EndTime: 5})
	want := []string{
		`logs: body="b"/0/false flags=""/3/false`,
		`logs: resource.r="x"/0/false resource.*[r]=x scope.name="lib"/0/false scope.attributes.s=""/1/false`,
		`metrics: value=""/0.5/false metric.name="m"/0/false metric.type=""/1/false start_time=""/7/false`,
		`metrics: value=""/3/false resource.r="x"/0/false resource.*[r]=x metric.name="m"/0/false metric.type=""/2/false metric.monotonic=""/0/false metric.temporality=""/2/false`,
		`metrics: metric.name="h"/0/false metric.type=""/3/false point.count=""/4/false point.sum=""/1.5/false point.buckets="{\"bucketCounts\":[4]}"/0/false`,
		`traces: span.name="s"/0/false start_time=""/5/false span.duration=""/2/false trace_id="0123456789abcdef"/0/false`,
		`traces: start_time=""/7/false`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\ngot  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func TestEachSignalHasItsFunction(t *testing.T) {
	var got []abi.Signal
	for signal, register := range map[abi.Signal]func(sdk.Plugin, func(*sdk.Batch)){
		abi.SignalLogs: sdk.Logs, abi.SignalMetrics: sdk.Metrics, abi.SignalTraces: sdk.Traces,
	} {
		got = nil
		register(sdk.Plugin{Name: "n"}, func(b *sdk.Batch) { got = append(got, b.Signal()) })
		p := sdktest.New(t, `{}`)
		switch signal {
		case abi.SignalLogs:
			p.Run(sdktest.Log{})
		case abi.SignalMetrics:
			p.RunPoints(sdktest.Point{})
		case abi.SignalTraces:
			p.RunSpans(sdktest.Span{})
		}
		if !reflect.DeepEqual(got, []abi.Signal{signal}) {
			t.Errorf("%s: got %v", abi.SignalNames[signal], got)
		}
	}
}

func TestPointEdits(t *testing.T) {
	sdk.Metrics(sdk.Plugin{
		Name: "n", Reads: []string{"metric.name"}, Writes: []string{"value", "metric.name", "metric.unit", "metric.description", "time", "start_time", "flags", "attributes.a"},
	}, func(b *sdk.Batch) {
		names := b.ColumnAt(0)
		e := b.Edit(0)
		e.Int(sdk.PointValue, 5)
		e.Slice(sdk.MetricName, &names, sdk.SpanOf(4, 2))
		e.String(sdk.MetricUnit, "s")
		e.Name(sdk.MetricDescription, value)
		e.Int(sdk.Time, 1)
		e.Int(sdk.StartTime, 2)
		e.Int(sdk.Flags, 1)
		e.Bool(nameA, true)
		b.Edit(1).Double(sdk.PointValue, 0.5)
	})
	got := sdktest.New(t, `{}`).RunPoints(sdktest.Point{Name: "old_up", Value: 1.5}, sdktest.Point{Name: "n", Value: 1})
	want := []sdktest.PointResult{
		{Point: sdktest.Point{
			Name: "up", Unit: "s", Description: "value", Value: int64(5), Time: 1, StartTime: 2, Flags: 1, Attributes: map[string]any{"a": true},
		}},
		{Point: sdktest.Point{Name: "n", Value: 0.5, Attributes: map[string]any{}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\ngot  %+v\nwant %+v", got, want)
	}
}

func TestSpanEdits(t *testing.T) {
	sdk.Traces(sdk.Plugin{Name: "n", Reads: []string{"span_id"}, Writes: []string{
		"span.name", "span.kind", "trace_id", "span_id", "span.parent_id", "span.trace_state", "flags", "start_time", "span.end_time", "span.status",
	}}, func(b *sdk.Batch) {
		ids := b.ColumnAt(0)
		e := b.Edit(0)
		e.String(sdk.SpanName, "GET")
		e.Int(sdk.SpanKind, 2)
		e.Bytes(sdk.TraceID, []byte("0123456789abcdef"))
		e.Slice(sdk.SpanParentID, &ids, sdk.SpanOf(0, 8))
		e.Delete(sdk.SpanID)
		e.String(sdk.SpanTraceState, "k=v")
		e.Int(sdk.Flags, 1)
		e.Int(sdk.StartTime, 3)
		e.Int(sdk.SpanEndTime, 4)
		e.Int(sdk.SpanStatusCode, 2)
		e.String(sdk.SpanStatusMessage, "no")
	})
	got := sdktest.New(t, `{}`).RunSpans(sdktest.Span{Name: "old", SpanID: []byte("parent!!")})[0].Span
	want := sdktest.Span{
		Name: "GET", Kind: 2, TraceID: []byte("0123456789abcdef"), ParentID: []byte("parent!!"), TraceState: "k=v", Flags: 1, StartTime: 3, EndTime: 4,
		StatusCode: 2, StatusMessage: "no", Attributes: map[string]any{},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\ngot  %+v\nwant %+v", got, want)
	}
}

var (
	requests = sdk.Metric{Name: sdk.NameOf("requests"), Unit: sdk.NameOf("{request}"), Description: sdk.NameOf("all"), Sum: true, Delta: true, Monotonic: true}
	level    = sdk.Metric{Name: sdk.NameOf("level")}
)

// New rows of each kind from log records, and the verdicts of them and of their origins.
func TestNewRows(t *testing.T) {
	sdk.Logs(sdk.Plugin{Name: "n", Reads: []string{"body"}, Writes: []string{"attributes.a"}, Emits: []string{"logs", "metrics", "traces"}, Routes: []string{"x", "y"}}, func(b *sdk.Batch) {
		body := b.ColumnAt(0)
		e := b.Edit(0)
		e.Int(nameA, 1)
		e.Route(1) // as b.Route(0, 1)
		e = b.Copy(0)
		e.String(sdk.Body, "undone")
		e.Undo()
		e.Slice(sdk.EventName, &body, sdk.SpanOf(0, 2))
		e.Route(0)
		e = b.Copy(0)
		e.RouteSet(0b11)
		e.Delete(nameB)
		b.Drop(1)
		e = b.NewLog(1)
		e.String(sdk.Body, "made")
		e.Bool(nameB.Resource(), true)
		b.NewLog(1).Int(sdk.ObservedTime, 1)
		e = b.NewPoint(1, &requests)
		e.Int(sdk.PointValue, 1)
		e.Undo()
		e.Int(sdk.PointValue, 2)
		e = b.NewPoint(1, &level)
		e.Double(sdk.PointValue, 0.5)
		e.Int(sdk.Time, 5)
		b.NewSpan(1).String(sdk.SpanName, "s")
		b.Edit(2).Int(nameA, 2)
	})
	p := sdktest.New(t, `{}`)
	p.SetNow(99)
	resource, scope := map[string]any{"r": "x"}, sdktest.Scope{Name: "lib"}
	got := p.Run(
		sdktest.Log{Body: "body", Attributes: map[string]any{"b": 0}},
		sdktest.Log{Body: "one", Resource: resource, Scope: scope, Attributes: map[string]any{"b": 1}}, sdktest.Log{},
	)
	attributes := map[string]any{}
	want := []sdktest.Result{
		{
			Log: sdktest.Log{Body: "body", Attributes: map[string]any{"a": int64(1), "b": 0}},
			Outcome: sdktest.Outcome{Routes: []string{"y"}, New: []sdktest.Made{
				{Log: &sdktest.Log{Body: "body", EventName: "bo", Attributes: map[string]any{"b": 0}}, Routes: []string{"x"}},
				{Log: &sdktest.Log{Body: "body", Attributes: attributes}, Routes: []string{"x", "y"}},
			}},
		},
		{
			Log: sdktest.Log{Body: "one", Resource: resource, Scope: scope, Attributes: map[string]any{"b": 1}},
			Outcome: sdktest.Outcome{Dropped: true, New: []sdktest.Made{
				{Log: &sdktest.Log{Body: "made", Time: 99, ObservedTime: 99, Attributes: attributes, Resource: map[string]any{"r": "x", "b": true}, Scope: scope}},
				{Log: &sdktest.Log{Time: 99, ObservedTime: 1, Attributes: attributes, Resource: resource, Scope: scope}},
				{Point: &sdktest.Point{
					Name: "requests", Unit: "{request}", Description: "all", Type: abi.MetricSum, Temporality: 1, Monotonic: true, Value: int64(2), Time: 99,
					Attributes: attributes, Resource: resource, Scope: scope,
				}},
				{Point: &sdktest.Point{Name: "level", Type: abi.MetricGauge, Value: 0.5, Time: 5, Attributes: attributes, Resource: resource, Scope: scope}},
				{Span: &sdktest.Span{Name: "s", Attributes: attributes, Resource: resource, Scope: scope}},
			}},
		},
		{Log: sdktest.Log{Attributes: map[string]any{"a": int64(2)}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\ngot  %+v\nwant %+v", got, want)
	}
}

// A thousand copies of each row go beyond any room that was made before.
func TestManyNewRows(t *testing.T) {
	sdk.Metrics(sdk.Plugin{Name: "n", Emits: []string{"metrics"}, Writes: []string{"value"}}, func(b *sdk.Batch) {
		for row := range b.Rows() {
			b.Edit(row).Int(sdk.PointValue, -1)
			for i := range 1000 {
				e := b.Copy(row)
				e.More(100)
				for j := range 100 {
					e.Int(sdk.PointValue, int64(i+j))
				}
			}
		}
	})
	for _, r := range sdktest.New(t, `{}`).RunPoints(make([]sdktest.Point, 3)...) {
		if r.Value != int64(-1) || len(r.New) != 1000 {
			t.Fatalf("got value %v and %d new rows", r.Value, len(r.New))
		}
		for i, made := range r.New {
			if made.Point.Value != int64(i+99) {
				t.Errorf("new row %d: got %v", i, made.Point.Value)
			}
		}
	}
}

func TestNewRowsPanic(t *testing.T) {
	f := func(name string, process func(*sdk.Batch), want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			sdk.Register(sdk.Plugin{Name: "n", Emits: []string{"logs"}, Logs: process, Flush: process, FlushEvery: time.Second})
			p := sdktest.New(t, `{}`)
			defer func() {
				t.Helper()
				if got := recover(); got != want {
					t.Errorf("got %v, want %s", got, want)
				}
			}()
			if strings.HasPrefix(name, "flush") {
				p.Flush()
			} else {
				p.Run(make([]sdktest.Log, 3)...)
			}
		})
	}
	late := "BUG: sdk.Batch.Edit: new rows were made of the row before: edit it first"
	f("edit after a copy", func(b *sdk.Batch) { b.Copy(1); b.Edit(1) }, late)
	f("edit after a new row with room", func(b *sdk.Batch) { b.NewLog(1).More(1000); b.Edit(1) }, late)
	f("edit of the next row", func(b *sdk.Batch) { b.Copy(1); b.Edit(2); b.Edit(2); panic("reached") }, "reached")
	f("flush has nothing to copy", func(b *sdk.Batch) { b.Copy(0) }, "BUG: sdk.Batch.Copy: a flush has no rows to copy")
}

func TestFlush(t *testing.T) {
	count := 0
	sdk.Register(sdk.Plugin{
		Name: "n", Reads: []string{"body"}, Emits: []string{"logs", "metrics"}, Routes: []string{"x"}, FlushEvery: time.Second,
		Logs: func(b *sdk.Batch) { count += b.Rows() },
		Flush: func(b *sdk.Batch) {
			if body := b.Column("body"); b.Rows() != 0 || b.Signal() != 0 || body.Value(0).Type != abi.TypeNone {
				t.Errorf("got %d rows of signal %d", b.Rows(), b.Signal())
			}
			e := b.NewPoint(0, &requests)
			e.Int(sdk.PointValue, int64(count))
			e.String(nameA.Resource(), "r")
			b.NewLog(0).Route(0)
			count = 0
		},
	})
	p := sdktest.New(t, `{}`)
	p.Run(make([]sdktest.Log, 3)...)
	p.SetNow(7)
	want := func(n int64) []sdktest.Made {
		return []sdktest.Made{
			{Point: &sdktest.Point{
				Name: "requests", Unit: "{request}", Description: "all", Type: abi.MetricSum, Temporality: 1, Monotonic: true, Value: n, Time: 7,
				Attributes: map[string]any{}, Resource: map[string]any{"a": "r"},
			}},
			{Log: &sdktest.Log{Time: 7, ObservedTime: 7, Attributes: map[string]any{}}, Routes: []string{"x"}},
		}
	}
	for _, n := range []int64{3, 0} {
		if got := p.Flush(); !reflect.DeepEqual(got, want(n)) {
			t.Errorf("\ngot  %+v\nwant %+v", got, want(n))
		}
	}
	// A flush does not forget the names of keys that batches bring.
	p.Run(sdktest.Log{})
	if count != 1 {
		t.Errorf("after the flush: %d rows", count)
	}
}

// A plugin without Flush is flushed all the same before it goes.
func TestNoFlush(t *testing.T) {
	sdk.Logs(sdk.Plugin{Name: "n"}, func(*sdk.Batch) {})
	if r := sdk.Process(make([]byte, abi.BatchHeaderSize)); len(r.Edits) != 0 || len(r.Verdicts) != 0 {
		t.Errorf("got %+v", r)
	}
}

func TestNewRowsDoNotAllocate(t *testing.T) {
	sdk.Logs(sdk.Plugin{Name: "n", Emits: []string{"logs", "metrics"}}, func(b *sdk.Batch) {
		for row := range b.Rows() {
			b.Copy(row).String(sdk.Body, "copy")
			e := b.NewPoint(row, &requests)
			e.Int(sdk.PointValue, 1)
			e.RouteSet(3)
		}
	})
	if n := testing.AllocsPerRun(20, sdktest.New(t, `{}`).Loop(make([]sdktest.Log, 500)...)); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
