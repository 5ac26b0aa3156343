package sdk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/sdk"
	"github.com/obsd-io/obsd/sdk/sdktest"
)

var (
	nameA, nameB, nameC = sdk.NameOf("a"), sdk.NameOf("b"), sdk.NameOf("c")
	value               = sdk.NameOf("value")
)

var everything = sdk.Plugin{
	Name: "test", Version: "1.2.3", Summary: "Says \"hello\".",
	Reads: []string{"body", "attributes.a", "resource.r", "attributes.*", "severity_number", "time", "severity_text", "observed_time"},
	Writes: []string{
		"body", "time", "observed_time", "severity", "event_name", "trace_id", "span_id", "flags", "attributes.*", "resource.*",
	},
	Routes: []string{"x", "y", "z"},
}

func run(t *testing.T, process func(*sdk.Batch), logs ...sdktest.Log) []sdktest.Result {
	t.Helper()
	sdk.Logs(everything, process)
	return sdktest.New(t, `{}`).Run(logs...)
}

func TestManifest(t *testing.T) {
	process := func(*sdk.Batch) {}
	f := func(name string, p sdk.Plugin, want abi.Manifest) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			sdk.Register(p)
			got := abi.Manifest{}
			if err := json.Unmarshal(sdk.Manifest(), &got); err != nil {
				t.Fatal(err)
			}
			for _, list := range []*[]string{&want.Signals, &want.Reads, &want.Writes, &want.Emits, &want.Routes, &want.Capabilities} {
				if *list == nil {
					*list = []string{}
				}
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("\ngot  %+v\nwant %+v", got, want)
			}
		})
	}
	f("least", sdk.Plugin{Name: "n", Traces: process}, abi.Manifest{Name: "n", Signals: []string{"traces"}})
	f("most", sdk.Plugin{
		Name: "n", Version: "1", Summary: `"s"`, Reads: []string{"body", "attributes.\n"}, Writes: []string{"body"}, Emits: []string{"metrics"},
		Routes: []string{"r"}, Where: `body == "x"`, Capabilities: []string{"kv", "log"}, Config: `{"type":"object"}`,
		Logs: process, Metrics: process, Flush: process, FlushEvery: 90 * time.Second,
	}, abi.Manifest{
		Name: "n", Version: "1", Summary: `"s"`, Signals: []string{"logs", "metrics"}, Reads: []string{"body", "attributes.\n"}, Writes: []string{"body"},
		Emits: []string{"metrics"}, Routes: []string{"r"}, Where: `body == "x"`, Capabilities: []string{"kv", "log"}, Stateful: true, Flush: "1m30s",
		Config: map[string]any{"type": "object"},
	})
	f("stateful", sdk.Plugin{Name: "n", Stateful: true, Logs: process}, abi.Manifest{Name: "n", Signals: []string{"logs"}, Stateful: true})
}

func TestConfigure(t *testing.T) {
	sdk.Logs(sdk.Plugin{}, nil)
	if got, want := sdk.Configure([]byte(`{}`)), "the plugin takes no signal: call sdk.Logs, sdk.Metrics, sdk.Traces or sdk.Register from init"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for name, p := range map[string]sdk.Plugin{
		"no interval": {Logs: func(*sdk.Batch) {}, Flush: func(*sdk.Batch) {}}, "no flush": {Logs: func(*sdk.Batch) {}, FlushEvery: time.Second},
	} {
		sdk.Register(p)
		if got, want := sdk.Configure([]byte(`{}`)), "the plugin has one of Flush and FlushEvery without the other"; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	sdk.Logs(sdk.Plugin{Configure: func(p *sdk.Plugin, c sdk.JSON) error {
		p.Reads = c.Get("reads").Strings()
		if len(p.Reads) == 0 {
			return errors.New("reads: nothing")
		}
		return nil
	}}, func(*sdk.Batch) {})
	for config, want := range map[string]string{`{"reads":["body"]}`: "", `{}`: "reads: nothing", `{`: "not JSON at byte 1"} {
		if got := sdk.Configure([]byte(config)); got != want {
			t.Errorf("%s: got %q, want %q", config, got, want)
		}
	}
}

func TestColumns(t *testing.T) {
	logs := []sdktest.Log{
		{Body: "text", Attributes: map[string]any{"a": 5, "k": "v"}, Resource: map[string]any{"r": "first"}, Severity: 9, SeverityText: "INFO", Time: 1, ObservedTime: 2},
		{},
		{Body: map[string]any{"k": 1}, Attributes: map[string]any{"a": 0.5, "z": true}, Resource: map[string]any{"r": "third"}},
		{Body: []byte("raw"), Attributes: map[string]any{"a": "s"}},
	}
	var got []string
	p := func(b *sdk.Batch) {
		body, a, r, all, severity, none := b.Column("body"), b.Column("attributes.a"), b.Column("resource.r"), b.Column("attributes.*"), b.Column("severity_number"), b.Column("none")
		for row := range b.Rows() {
			bodyText, isText := body.String(row)
			number, isInt := a.Int(row)
			resource, _ := r.String(row)
			s, _ := severity.Int(row)
			_, missing := none.String(row)
			line := fmt.Sprintf("%q %t %d %t %v %q %d %t %d;", bodyText, isText, number, isInt, a.Value(row).Type, resource, s, missing, none.Value(row).Type)
			all.Attributes(row, func(key string, v sdk.Value) bool {
				line += fmt.Sprintf(" %s=%d/%d/%v/%t/%q", key, v.Type, v.Int(), v.Double(), v.Bool(), v.Text().String())
				return true
			})
			got = append(got, line)
			all.Attributes(row, func(string, sdk.Value) bool { return false })
			body.Attributes(row, func(string, sdk.Value) bool { panic("not a map") })
			if now := b.Now(); now != 77 {
				t.Errorf("now: got %d", now)
			}
		}
	}
	sdk.Logs(everything, p)
	plugin := sdktest.New(t, `{}`)
	plugin.SetNow(77)
	plugin.Run(logs...)
	want := []string{
		`"text" true 5 true 2 "first" 9 false 0; a=2/5/5/false/"" k=1/0/0/false/"v"`,
		`"" false 0 false 0 "" 0 false 0;`,
		`"{\"k\":1}" false 0 false 3 "third" 0 false 0; a=3/0/0.5/false/"" z=4/0/0/true/""`,
		`"raw" false 0 false 1 "" 0 false 0; a=1/0/0/false/"s"`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\ngot  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
	// The names of keys are kept from batch to batch.
	got = nil
	plugin.Run(logs[0], sdktest.Log{Attributes: map[string]any{"z": 1, "new": 2}})
	if !strings.HasSuffix(got[1], ` new=2/2/2/false/"" z=2/1/1/false/""`) {
		t.Errorf("second batch: got %s", got[1])
	}
}

func TestVerdicts(t *testing.T) {
	got := run(t, func(b *sdk.Batch) {
		b.Drop(1)
		b.Route(2, 2)
		b.RouteSet(3, 0b101)
		b.RouteSet(4, 0)
		b.RouteSet(5, 0b101)
	}, make([]sdktest.Log, 7)...)
	var text []string
	for _, r := range got {
		text = append(text, fmt.Sprint(r.Dropped, r.Routes))
	}
	if got, want := strings.Join(text, ", "), "false [], true [], false [z], false [x z], true [], false [x z], false []"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, r := range run(t, func(*sdk.Batch) {}, make([]sdktest.Log, 7)...) {
		if r.Dropped || r.Routes != nil {
			t.Errorf("the next batch has verdicts of the last: %+v", r)
		}
	}
}

func TestEdits(t *testing.T) {
	f := func(name string, change func(e *sdk.Edit, body *sdk.Column), want func(l *sdktest.Log)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			log := func() sdktest.Log {
				return sdktest.Log{Body: `{"k":"v\n"}`, Time: 1, Severity: 5, SeverityText: "t", Attributes: map[string]any{"a": "old"}}
			}
			got := run(t, func(b *sdk.Batch) {
				body := b.ColumnAt(0)
				change(b.Edit(1), &body)
			}, log(), log(), log())
			changed := log()
			want(&changed)
			for row, want := range []sdktest.Log{log(), changed, log()} {
				if !reflect.DeepEqual(got[row].Log, want) {
					t.Errorf("row %d\ngot  %+v\nwant %+v", row, got[row].Log, want)
				}
			}
		})
	}
	attribute := func(key string, v any) func(*sdktest.Log) {
		return func(l *sdktest.Log) { l.Attributes[key] = v }
	}
	f("nothing", func(*sdk.Edit, *sdk.Column) {}, func(*sdktest.Log) {})
	f("slice", func(e *sdk.Edit, c *sdk.Column) { e.Slice(nameA, c, sdk.SpanOf(2, 1)) }, attribute("a", "k"))
	f("empty slice", func(e *sdk.Edit, c *sdk.Column) { e.Slice(nameB, c, 0) }, attribute("b", ""))
	f("slices", func(e *sdk.Edit, c *sdk.Column) {
		e.Slices([]sdk.Name{nameA, nameB, nameC}, c, []sdk.Span{sdk.SpanOf(0, 1), 0, sdk.SpanOf(2, 1)})
	}, func(l *sdktest.Log) { l.Attributes["a"], l.Attributes["c"] = "{", "k" })
	f("int", func(e *sdk.Edit, _ *sdk.Column) { e.Int(nameB, -7) }, attribute("b", int64(-7)))
	f("double", func(e *sdk.Edit, _ *sdk.Column) { e.Double(nameB, -0.5) }, attribute("b", -0.5))
	f("true", func(e *sdk.Edit, _ *sdk.Column) { e.Bool(nameB, true) }, attribute("b", true))
	f("false", func(e *sdk.Edit, _ *sdk.Column) { e.Bool(nameB, false) }, attribute("b", false))
	f("bytes", func(e *sdk.Edit, _ *sdk.Column) { e.Bytes(nameB, []byte{1, 0}) }, attribute("b", []byte{1, 0}))
	f("name", func(e *sdk.Edit, _ *sdk.Column) { e.Name(nameB, value) }, attribute("b", "value"))
	f("string", func(e *sdk.Edit, _ *sdk.Column) { e.String(nameB, "copy"); e.String(nameC, "") }, func(l *sdktest.Log) {
		l.Attributes["b"], l.Attributes["c"] = "copy", ""
	})
	f("json", func(e *sdk.Edit, _ *sdk.Column) { e.JSON(nameB, `{"k":[1,0.5]}`) }, attribute("b", map[string]any{"k": []any{int64(1), 0.5}}))
	f("not json", func(e *sdk.Edit, _ *sdk.Column) { e.JSON(nameB, `{"k"`) }, attribute("b", `{"k"`))
	f("delete", func(e *sdk.Edit, _ *sdk.Column) { e.Delete(nameA); e.Delete(nameB) }, func(l *sdktest.Log) { delete(l.Attributes, "a") })
	f("inline", func(e *sdk.Edit, _ *sdk.Column) {
		e.Int(sdk.Inline, 5)
		e.Key("rare")
		e.Delete(sdk.Inline)
		e.Key("a")
	}, func(l *sdktest.Log) { l.Attributes["rare"] = int64(5); delete(l.Attributes, "a") })
	f("body", func(e *sdk.Edit, _ *sdk.Column) { e.String(sdk.Body, "new") }, func(l *sdktest.Log) { l.Body = "new" })
	f("body slice", func(e *sdk.Edit, c *sdk.Column) { e.Slice(sdk.Body, c, sdk.SpanOf(1, 3)) }, func(l *sdktest.Log) { l.Body = `"k"` })
	f("body value", func(e *sdk.Edit, c *sdk.Column) {
		var o sdk.Object
		o.Read(c.Text(1))
		o.Next()
		e.Value(sdk.Body, c, &o.Value)
		e.Value(nameB, c, &o.Value)
		e.Value(sdk.Body, c, &o.Key)
	}, func(l *sdktest.Log) { l.Body, l.Attributes["b"] = "k", "v\n" })
	f("severity", func(e *sdk.Edit, _ *sdk.Column) { e.Severity(sdk.SeverityError + 1) }, func(l *sdktest.Log) { l.Severity, l.SeverityText = 18, "ERROR2" })
	f("severity number", func(e *sdk.Edit, _ *sdk.Column) { e.Int(sdk.SeverityNumber, int64(sdk.SeverityFatal)) }, func(l *sdktest.Log) { l.Severity = 21 })
	f("severity text", func(e *sdk.Edit, c *sdk.Column) { e.Slice(sdk.SeverityText, c, sdk.SpanOf(2, 1)) }, func(l *sdktest.Log) { l.SeverityText = "k" })
	f("time", func(e *sdk.Edit, _ *sdk.Column) { e.Int(sdk.Time, 1<<60) }, func(l *sdktest.Log) { l.Time = 1 << 60 })
	f("observed time", func(e *sdk.Edit, _ *sdk.Column) { e.Int(sdk.ObservedTime, 5) }, func(l *sdktest.Log) { l.ObservedTime = 5 })
	f("event name", func(e *sdk.Edit, _ *sdk.Column) { e.Name(sdk.EventName, value) }, func(l *sdktest.Log) { l.EventName = "value" })
	f("ids", func(e *sdk.Edit, _ *sdk.Column) {
		e.Bytes(sdk.TraceID, []byte("0123456789abcdef"))
		e.Bytes(sdk.SpanID, []byte("01234567"))
		e.Int(sdk.Flags, 1)
	}, func(l *sdktest.Log) {
		l.TraceID, l.SpanID, l.Flags = []byte("0123456789abcdef"), []byte("01234567"), 1
	})
	f("no body, no id", func(e *sdk.Edit, _ *sdk.Column) {
		e.Bytes(sdk.SpanID, []byte("01234567"))
		e.Delete(sdk.SpanID)
		e.Delete(sdk.Body)
	}, func(l *sdktest.Log) { l.Body = nil })
	f("body of a type", func(e *sdk.Edit, _ *sdk.Column) { e.JSON(sdk.Body, `[1]`) }, func(l *sdktest.Log) { l.Body = []any{int64(1)} })
	f("resource", func(e *sdk.Edit, c *sdk.Column) {
		e.Int(nameA.Resource(), 1)
		e.Slice(nameB.Resource(), c, sdk.SpanOf(2, 1))
		e.Name(nameC.Resource(), value)
		e.Delete(nameA.Resource())
		e.Double(sdk.Inline.Resource(), 0.5)
		e.Key("rare")
	}, func(l *sdktest.Log) { l.Resource = map[string]any{"b": "k", "c": "value", "rare": 0.5} })
	f("undo", func(e *sdk.Edit, _ *sdk.Column) { e.Int(nameA, 1); e.String(sdk.Body, "x"); e.Undo(); e.Int(nameB, 2) }, attribute("b", int64(2)))
	f("undo after more", func(e *sdk.Edit, _ *sdk.Column) {
		for range 10 {
			e.More(sdk.Room)
			for range sdk.Room {
				e.Int(nameA, 1)
			}
		}
		e.Undo()
	}, func(*sdktest.Log) {})
	f("more than one room", func(e *sdk.Edit, _ *sdk.Column) {
		e.More(1000)
		for i := range 1000 {
			e.Int(nameB, int64(i))
		}
	}, attribute("b", int64(999)))
}

func TestRoomIsABound(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("writing without room does not panic")
		}
	}()
	run(t, func(b *sdk.Batch) {
		e := b.Edit(0)
		for range 1 << 20 {
			e.Int(nameA, 1)
		}
	}, sdktest.Log{})
}

// A value of each type, read from a row and written to it.
func TestValue(t *testing.T) {
	body := `{"s":"x","e":"\u00e9","i":-5,"big":9223372036854775808,"f":0.25,"huge":-1e999,"t":true,"n":null,"l":[1],"o":{}}`
	got := run(t, func(b *sdk.Batch) {
		c := b.ColumnAt(0)
		e := b.Edit(0)
		var o sdk.Object
		for o.Read(c.Text(0)); o.Next(); {
			if e.Value(sdk.Inline, &c, &o.Value) {
				e.Key(o.Key.String(""))
			} else if o.Value.Kind() != sdk.KindNull {
				t.Errorf("%s was left out", o.Key.String(""))
			}
		}
	}, sdktest.Log{Body: body})[0].Attributes
	want := map[string]any{
		"s": "x", "e": "é", "i": int64(-5), "big": float64(1 << 63), "f": 0.25, "huge": "-1e999", "t": true, "l": []any{int64(1)}, "o": map[string]any{},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\ngot  %v\nwant %v", got, want)
	}
}

func TestNoAllocations(t *testing.T) {
	sdk.Logs(everything, func(b *sdk.Batch) {
		body, resource, all := b.ColumnAt(0), b.ColumnAt(2), b.ColumnAt(3)
		var o sdk.Object
		for row := range b.Rows() {
			e := b.Edit(row)
			for o.Read(body.Text(row)); o.Next(); {
				e.Value(nameB, &body, &o.Value)
			}
			if r, ok := resource.String(row); ok {
				e.String(nameC, r)
			}
			all.Attributes(row, func(string, sdk.Value) bool { return true })
			e.Int(sdk.Inline, 1)
			e.Key("rare")
			e.Severity(9)
			b.RouteSet(row, 3)
		}
	})
	logs := make([]sdktest.Log, 500)
	for i := range logs {
		logs[i] = sdktest.Log{Body: `{"a":"x\n","b":1,"c":0.5,"d":{"e":[1]}}`, Resource: map[string]any{"r": "r"}, Attributes: map[string]any{"a": 1, "k": "v"}}
	}
	// Three columns a batch may move to the heap.
	if n := testing.AllocsPerRun(20, sdktest.New(t, `{}`).Loop(logs...)); n > 3 {
		t.Errorf("%v allocations for %d rows", n, len(logs))
	}
}

// It runs in a process of its own, whose names it uses up.
func TestNameOf(t *testing.T) {
	const alone = "SDK_TEST_NAMES"
	if os.Getenv(alone) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestNameOf$")
		cmd.Env = append(os.Environ(), alone+"=alone")
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, output)
		}
		return
	}
	if sdk.NameOf("a") != nameA || nameA == nameB {
		t.Error("a name has not one number")
	}
	defer func() {
		text, _ := recover().(string)
		if want := `BUG: sdk.NameOf: 4096 names are taken, none is left for "name-`; !strings.HasPrefix(text, want) || !strings.HasSuffix(text, ": give keys that are not bounded in number with sdk.Inline") {
			t.Errorf("got %q", text)
		}
		if sdk.NameOf("a") != nameA {
			t.Error("a name that was numbered is lost")
		}
	}()
	for i := range abi.MaxNames + 1 {
		sdk.NameOf(fmt.Sprintf("name-%d", i))
	}
}
