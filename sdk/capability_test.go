package sdk_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/obsd-io/obsd/sdk"
	"github.com/obsd-io/obsd/sdk/sdktest"
)

func capable(t *testing.T, process func(*sdk.Batch)) *sdktest.Plugin {
	t.Helper()
	sdk.Logs(sdk.Plugin{Name: "n", Capabilities: []string{"log", "metrics", "kv", "lookup"}}, process)
	return sdktest.New(t, `{}`)
}

func TestLog(t *testing.T) {
	p := capable(t, func(*sdk.Batch) { sdk.Log(sdk.SeverityWarn, "text") })
	p.Run(sdktest.Log{})
	p.Run(sdktest.Log{})
	if got, want := p.Lines(), []sdktest.Line{{Severity: sdk.SeverityWarn, Text: "text"}, {Severity: sdk.SeverityWarn, Text: "text"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSeries(t *testing.T) {
	counter, gauge := sdk.Counter("c", "{row}", "d", "k", "v", "l", `"w"`), sdk.Gauge("g", "", "")
	histogram, other := sdk.Histogram("h", "s", ""), sdk.Counter("c", "{row}", "d")
	for range 2 { // the series of one host are not those of the next
		p := capable(t, func(*sdk.Batch) {
			counter.Record(1)
			counter.Record(2)
			gauge.Record(-0.5)
			histogram.Record(3)
		})
		p.Run(sdktest.Log{})
		got := fmt.Sprint(p.Recorded("c", "l", `"w"`, "k", "v"), p.Recorded("g"), p.Recorded("h"), p.Recorded("c"))
		if want := "[1 2] [-0.5] [3] []"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		other.Record(0)
		if got := p.Recorded("c"); len(got) != 1 {
			t.Errorf("got %v", got)
		}
	}
	defer func() {
		if got, want := recover(), `BUG: sdk: counter "c": an attribute's key has no value`; got != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}()
	sdk.Counter("c", "", "", "k") //nolint:staticcheck // this is the mistake that it panics on
}

func TestKV(t *testing.T) {
	var got []string
	short, long := sdk.KV{TTL: time.Microsecond}, sdk.KV{}
	p := capable(t, func(*sdk.Batch) {
		add := func(v any, ok bool) { got = append(got, fmt.Sprintf("%v %t", v, ok)) }
		v, ok := short.Get("k")
		add(v, ok)
		add("set", short.Set("k", "value"))
		add("set", long.Set("long", strings.Repeat("x", 3000)))
		first, ok := short.Get("k")
		big, _ := short.Get("long")
		add(len(big), ok)
		add(first, true) // it stays although the answer after it found no room
		add(short.Add("n", 5), true)
		add(short.Add("n", -7), true)
		add(short.Add("k", 1), true) // not 8 bytes long: replaced
		add("delete", short.Delete("n"))
		add("delete", short.Delete("n"))
	})
	p.SetNow(1000)
	p.Run(sdktest.Log{})
	want := []string{" false", "set true", "set true", "3000 true", "value true", "5 true", "-2 true", "1 true", "delete true", "delete false"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\ngot  %q\nwant %q", got, want)
	}
	for _, c := range []struct {
		now  int64
		want string
	}{{1000 + 999_999, "true true"}, {1000 + 1_000_000, "false true"}} { // a millisecond is the least
		p.SetNow(c.now)
		_, k := short.Get("k")
		_, l := short.Get("long")
		if got := fmt.Sprint(k, l); got != c.want {
			t.Errorf("at %d: got %s, want %s", c.now, got, c.want)
		}
	}
}

// The time to live is that of the first addition.
func TestKVAddKeepsTheTime(t *testing.T) {
	p := capable(t, func(*sdk.Batch) {})
	kv := sdk.KV{TTL: time.Second}
	kv.Add("k", 1)
	p.SetNow(9e8)
	if n := kv.Add("k", 1); n != 2 {
		t.Errorf("got %d, want 2", n)
	}
	p.SetNow(1e9)
	if n := kv.Add("k", 1); n != 1 {
		t.Errorf("after the time: got %d, want 1", n)
	}
}

func TestLookup(t *testing.T) {
	name, none, nowhere := sdk.NewLookup("pods", "name"), sdk.NewLookup("pods", "wrong"), sdk.NewLookup("nodes", "name")
	var got []string
	sdk.Logs(sdk.Plugin{Name: "n", Capabilities: []string{"lookup"}, Configure: func(*sdk.Plugin, sdk.JSON) error {
		got = append(got, fmt.Sprint(name.Found(), none.Found(), nowhere.Found()))
		return nil
	}}, func(*sdk.Batch) {
		for _, l := range []*sdk.Lookup{name, none, nowhere} {
			for _, key := range []string{"uid-1", "uid-2", "uid-3"} {
				v, ok := l.Get(key)
				got = append(got, fmt.Sprintf("%s %t", v, ok))
			}
		}
	})
	p := sdktest.New(t, `{}`, sdktest.Table{Name: "pods", Columns: []string{"name"}, Rows: map[string]map[string]string{"uid-1": {"name": "web"}, "uid-2": {}}})
	p.Run(sdktest.Log{})
	want := []string{"true false false", "web true", " false", " false", " false", " false", " false", " false", " false", " false"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\ngot  %q\nwant %q", got, want)
	}
}

// A host that allocates nothing itself shows what the SDK allocates.
type quiet struct{ sdk.Host }

func (quiet) Log(sdk.Severity, string)               {}
func (quiet) Metric(string) int32                    { return 0 }
func (quiet) MetricRecord(int32, float64)            {}
func (quiet) KVGet(string) (string, bool)            { return "value", true }
func (quiet) KVSet(string, string, int64) bool       { return true }
func (quiet) KVAdd(string, int64, int64) int64       { return 0 }
func (quiet) KVDelete(string) bool                   { return true }
func (quiet) Lookup(string, string) int32            { return 0 }
func (quiet) LookupGet(int32, string) (string, bool) { return "value", true }

func TestCapabilitiesDoNotAllocate(t *testing.T) {
	counter, names, kv := sdk.Counter("c", "", ""), sdk.NewLookup("pods", "name"), sdk.KV{TTL: time.Minute}
	last := ""
	run := capable(t, func(b *sdk.Batch) {
		for range b.Rows() {
			sdk.Log(9, "text")
			counter.Record(1)
			kv.Set("k", "value")
			kv.Add("n", 1)
			kv.Delete("d")
			v, _ := kv.Get("k")
			name, _ := names.Get("uid-1")
			last = v + name[:0]
		}
	}).Loop(make([]sdktest.Log, 500)...)
	sdk.SetHost(quiet{})
	if n := testing.AllocsPerRun(20, run); n > 0 || last != "value" {
		t.Errorf("%v allocations for 500 rows, and %q", n, last)
	}
}

func TestNoHost(t *testing.T) {
	sdk.SetHost(nil)
	defer func() {
		if got, want := recover(), "BUG: sdk: a native program calls the host without one: run the plugin with sdktest"; got != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}()
	sdk.Log(9, "text")
}
