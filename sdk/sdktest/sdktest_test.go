package sdktest_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/sdk"
	"github.com/obsd-io/obsd/sdk/sdktest"
)

// failing is a test that takes down how it fails.
type failing struct {
	testing.TB
}

// failure is what a failing test says.
type failure string

func (failing) Helper() {}

func (failing) Fatalf(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }

// fails runs f, which must fail the test with that text.
func fails(t *testing.T, want string, f func(t testing.TB)) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := recover(); got != failure(want) {
			t.Errorf("\ngot  %v\nwant %s", got, want)
		}
	}()
	f(failing{t})
}

var name = sdk.NameOf("k")

// What the host would refuse of a batch of two log records, or of two rows of another signal, fails the test.
func TestRefusals(t *testing.T) {
	gauge := sdk.Metric{Name: sdk.NameOf("gauge")}
	f := func(title string, p sdk.Plugin, process func(b *sdk.Batch), want string) {
		t.Helper()
		t.Run(title, func(t *testing.T) {
			t.Helper()
			p.Reads = []string{"attributes.k", "attributes.n", "attributes.b"}
			signal := p.Name
			p.Name = "n"
			switch signal {
			case "metrics":
				p.Metrics = process
			case "traces":
				p.Traces = process
			case "flush":
				p.Logs, p.Flush, p.FlushEvery = func(*sdk.Batch) {}, process, time.Second
			default:
				p.Logs = process
			}
			sdk.Register(p)
			attributes := map[string]any{"k": "text", "n": 1, "b": []byte("bytes")}
			fails(t, want, func(t testing.TB) {
				plugin := sdktest.New(t, `{}`)
				switch signal {
				case "metrics":
					plugin.RunPoints(sdktest.Point{Name: "m", Attributes: attributes}, sdktest.Point{Type: abi.MetricHistogram})
				case "traces":
					plugin.RunSpans(sdktest.Span{}, sdktest.Span{})
				case "flush":
					plugin.Flush()
				default:
					plugin.Run(sdktest.Log{Attributes: attributes}, sdktest.Log{})
				}
			})
		})
	}
	all := sdk.Plugin{
		Writes: []string{"body", "time", "severity", "event_name", "trace_id", "flags", "attributes.*"}, Emits: []string{"logs", "metrics"}, Routes: []string{"r"},
	}
	f("rows out of order", all, func(b *sdk.Batch) { b.Edit(1).Int(name, 1); b.Edit(0).Int(name, 1) }, "edit 1 is of row 0, after row 1 of 2")
	f("a row that is not there", all, func(b *sdk.Batch) { b.Edit(2).Int(name, 1) }, "edit 0 is of row 2, after row 0 of 2")
	f("inline without key", all, func(b *sdk.Batch) { b.Edit(0).Int(sdk.Inline, 1); b.Edit(1).Key("k") }, "row 0: a change with Inline has no Key right after it")
	f("inline at the end", all, func(b *sdk.Batch) { b.Edit(0).Int(sdk.Inline, 1) }, "row 0: a change with Inline has no Key right after it")
	f("key without inline", all, func(b *sdk.Batch) { b.Edit(0).Key("k") }, "edit 0: op 255")
	f("no such route", all, func(b *sdk.Batch) { b.Route(0, 1) }, `row 0: route 1: the manifest has ["r"]`)
	f("no such route in a set", all, func(b *sdk.Batch) { b.RouteSet(1, 6) }, `row 1: route 1: the manifest has ["r"]`)
	f("a field as a value", all, func(b *sdk.Batch) { b.Edit(0).Name(name, sdk.Inline) }, "there is no name 65535: a field is no value")

	f("attribute not declared", sdk.Plugin{Writes: []string{"attributes.x"}}, func(b *sdk.Batch) { b.Edit(0).Delete(name) },
		"sets attributes.k, which the manifest does not declare: add it to Writes")
	f("resource not declared", all, func(b *sdk.Batch) { b.Edit(0).Int(name.Resource(), 1) },
		"sets resource.k, which the manifest does not declare: add it to Writes")
	f("field not declared", all, func(b *sdk.Batch) { b.Edit(0).Int(sdk.ObservedTime, 1) },
		"sets observed_time, which the manifest does not declare: add it to Writes")
	f("severity not declared", sdk.Plugin{}, func(b *sdk.Batch) { b.Edit(0).Severity(9) },
		"sets severity, which the manifest does not declare: add it to Writes")
	f("field of another signal", all, func(b *sdk.Batch) { b.Edit(0).Int(sdk.SpanKind, 1) }, "row 0: sets span.kind, which logs do not have")

	f("negative time", all, func(b *sdk.Batch) { b.Edit(1).Int(sdk.Time, -1) }, "row 1: time: -1, want 0 to 9223372036854775807")
	f("time of another type", all, func(b *sdk.Batch) { b.Edit(1).Double(sdk.Time, 1) }, "row 1: time: a value of type 3, want an int")
	f("severity beyond", all, func(b *sdk.Batch) { b.Edit(0).Int(sdk.SeverityNumber, 25) }, "row 0: severity_number: 25, want 0 to 24")
	f("flags beyond", all, func(b *sdk.Batch) { b.Edit(0).Int(sdk.Flags, math.MaxUint32+1) }, "row 0: flags: 4294967296, want 0 to 4294967295")
	f("text of another type", all, func(b *sdk.Batch) { b.Edit(0).Int(sdk.EventName, 1) }, "row 0: event_name: a value of type 2, want a string")
	f("no text", all, func(b *sdk.Batch) { b.Edit(0).Delete(sdk.EventName) }, "row 0: event_name: a value of type 0, want a string")
	f("short id", all, func(b *sdk.Batch) { b.Edit(0).Bytes(sdk.TraceID, []byte("1234567")) }, "row 0: trace_id: 7 bytes, want 16")
	f("id of another type", all, func(b *sdk.Batch) { b.Edit(0).String(sdk.TraceID, "0123456789abcdef") }, "row 0: trace_id: a value of type 1, want bytes")
	f("slice beyond", all, func(b *sdk.Batch) { c := b.ColumnAt(0); b.Edit(0).Slice(name, &c, sdk.SpanOf(2, 3)) },
		"row 0: slice of 3 bytes at 2 of column attributes.k, which has 4")
	f("slice of an int", all, func(b *sdk.Batch) { c := b.ColumnAt(1); b.Edit(0).Slice(name, &c, 0) },
		"row 0: slice of column attributes.n, which has no text")
	f("slice of nothing", all, func(b *sdk.Batch) { c := b.ColumnAt(0); b.Edit(1).Slice(name, &c, 0) },
		"row 1: slice of column attributes.k, which has no text")
	f("slice of a string as id", all, func(b *sdk.Batch) { c := b.ColumnAt(0); b.Edit(0).Slice(sdk.TraceID, &c, 0) },
		"row 0: trace_id: a value of type 128, want bytes")

	f("emits nothing", sdk.Plugin{}, func(b *sdk.Batch) { b.Copy(1) },
		`row 1: makes a row of logs, which the manifest does not declare: add "logs" to Emits`)
	f("emits another signal", all, func(b *sdk.Batch) { b.NewSpan(0) },
		`row 0: makes a row of traces, which the manifest does not declare: add "traces" to Emits`)
	f("new row to no such route", all, func(b *sdk.Batch) { b.Copy(0).Route(2) }, `row 0: route 2: the manifest has ["r"]`)
	f("new row that is dropped", all, func(b *sdk.Batch) { b.Copy(0).RouteSet(0) }, "row 0: makes a row and drops it")
	f("new point without value", all, func(b *sdk.Batch) { b.NewPoint(0, &gauge); b.NewLog(0) },
		"row 0: a new data point of gauge has no value: set PointValue")
	f("new point without name", all, func(b *sdk.Batch) { b.NewPoint(1, &sdk.Metric{}).Int(sdk.PointValue, 1) },
		"row 1: a new data point has no name: set MetricName")
	f("field of another signal of a new row", all, func(b *sdk.Batch) { b.NewPoint(0, &gauge).String(sdk.Body, "") },
		"row 0: sets body, which metrics do not have")
	f("too many", all, func(b *sdk.Batch) {
		for range abi.MaxNew + 1 {
			b.Copy(0)
		}
	}, "more than 65536 new rows")

	metrics := sdk.Plugin{Name: "metrics", Writes: []string{"value"}, Emits: []string{"metrics"}}
	f("value of a histogram", metrics, func(b *sdk.Batch) { b.Edit(1).Int(sdk.PointValue, 1) }, "row 1: value: only data points of a gauge or sum have one")
	f("value of another type", metrics, func(b *sdk.Batch) { b.Edit(0).Bool(sdk.PointValue, true) }, "row 0: value: a value of type 4, want an int or double")
	f("no value", metrics, func(b *sdk.Batch) { b.Edit(0).Delete(sdk.PointValue) }, "row 0: value: a value of type 0, want an int or double")
	f("metric not declared", metrics, func(b *sdk.Batch) { b.Edit(0).String(sdk.MetricUnit, "s") },
		"sets metric.unit, which the manifest does not declare: add it to Writes")
	const field = sdk.MetricName &^ 0xffff
	f("type of a row", metrics, func(b *sdk.Batch) { b.Edit(0).Int(field|sdk.Name(abi.FieldMetricType), 1) }, "row 0: sets metric.type, which only new data points can")
	f("type of a copy", metrics, func(b *sdk.Batch) { b.Copy(0).Int(field|sdk.Name(abi.FieldMetricType), 1) }, "row 0: sets metric.type, which only new data points can")
	f("type of a new point", metrics, func(b *sdk.Batch) { b.NewPoint(0, &gauge).Int(field|sdk.Name(abi.FieldMetricType), 3) }, "row 0: metric.type: 3, want 1 to 2")
	f("monotonic of another type", metrics, func(b *sdk.Batch) { b.NewPoint(0, &gauge).Int(field|sdk.Name(abi.FieldMetricMonotonic), 1) },
		"row 0: metric.monotonic: a value of type 2, want a bool")
	f("no such field", metrics, func(b *sdk.Batch) { b.Edit(0).Int(field|999, 1) }, "row 0: sets field 999, which is not known")

	traces := sdk.Plugin{Name: "traces", Writes: []string{"span.kind", "span.status"}}
	f("span kind", traces, func(b *sdk.Batch) { b.Edit(0).Int(sdk.SpanKind, 6) }, "row 0: span.kind: 6, want 0 to 5")
	f("span status", traces, func(b *sdk.Batch) { b.Edit(0).Int(sdk.SpanStatusCode, 3) }, "row 0: span.status_code: 3, want 0 to 2")

	flush := sdk.Plugin{Name: "flush", Emits: []string{"logs"}}
	f("flush changes a row", flush, func(b *sdk.Batch) { b.Edit(0).Int(name, 1) }, "edit 0 changes a row: a flush has none")
	f("flush makes a row of another", flush, func(b *sdk.Batch) { b.NewLog(1) }, "edit 0 is of row 1, after row 0 of 0")
}

func TestCapabilityRefusals(t *testing.T) {
	counter, kv := sdk.Counter("c", "", ""), sdk.KV{}
	for capability, use := range map[string]func(){
		"log":     func() { sdk.Log(9, "") },
		"metrics": func() { counter.Record(1) },
		"kv":      func() { kv.Add("k", 1) },
		"lookup":  func() { sdk.NewLookup("t", "c").Found() },
	} {
		sdk.Logs(sdk.Plugin{Name: "n"}, func(*sdk.Batch) { use() })
		fails(t, "uses the capability "+capability+", which the manifest does not declare: add it to Capabilities", func(t testing.TB) {
			sdktest.New(t, `{}`).Run(sdktest.Log{})
		})
	}
	for want, use := range map[string]func(){
		"counter c: -1: want a number that is not negative":                      func() { counter.Record(-1) },
		"counter c: NaN: want a number that is not negative":                     func() { counter.Record(math.NaN()) },
		`a series named "no spaces": want letters, digits, dots and underscores`: func() { sdk.Gauge("no spaces", "", "").Record(1) },
	} {
		sdk.Logs(sdk.Plugin{Name: "n", Capabilities: []string{"metrics"}}, func(*sdk.Batch) { use() })
		fails(t, want, func(t testing.TB) { sdktest.New(t, `{}`).Run(sdktest.Log{}) })
	}
}

func TestWrongUse(t *testing.T) {
	sdk.Logs(sdk.Plugin{Name: "n"}, func(*sdk.Batch) {})
	fails(t, "the plugin does not take traces", func(t testing.TB) { sdktest.New(t, `{}`).RunSpans(sdktest.Span{}) })
	fails(t, "the plugin has no Flush", func(t testing.TB) { sdktest.New(t, `{}`).Flush() })
	sdk.Logs(sdk.Plugin{Name: "n", Reads: []string{"bdoy"}}, func(*sdk.Batch) {})
	fails(t, `reads: there is no column "bdoy"`, func(t testing.TB) { sdktest.New(t, `{}`).Run(sdktest.Log{}) })
	sdk.Logs(sdk.Plugin{Name: "n", Configure: func(*sdk.Plugin, sdk.JSON) error { return fmt.Errorf("no") }}, func(*sdk.Batch) {})
	fails(t, "configure: no", func(t testing.TB) { sdktest.New(t, `{}`) })
}
