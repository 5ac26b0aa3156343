package condition

import (
	"slices"
	"strings"
	"testing"

	"github.com/obsd-io/obsd/runtime/abi"
)

// Every path, and what it means for each signal: the value that its column has, what stands for one that is not set,
// and nil where the signal does not have it.
func TestPaths(t *testing.T) {
	signals := map[string]abi.Signal{"logs": abi.SignalLogs, "metrics": abi.SignalMetrics, "traces": abi.SignalTraces}
	f := func(path, column, of, absent string) {
		t.Helper()
		p := Parser{}
		if _, err := p.Parse(path + " == nil"); err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		if !slices.Equal(p.Columns, []string{column}) {
			t.Errorf("%s: got columns %q, want %s", path, p.Columns, column)
		}
		for name, signal := range signals {
			set := strings.Contains(of, name)
			if got := matchOf(t, signal, path+` == "set"`, map[string]Value{column: str("set")}); got != set {
				t.Errorf("%s, %s: its value is read: %t, want %t", name, path, got, set)
			}
			if want := map[bool]string{true: absent, false: "nil"}[set]; !matchOf(t, signal, path+" == "+want, nil) {
				t.Errorf("%s, %s: not set it is not %s", name, path, want)
			}
		}
	}
	const everywhere = "logs metrics traces"
	for _, prefix := range []string{"", "log."} {
		f(prefix+"body", "body", "logs", "nil")
		f(prefix+"severity_number", "severity_number", "logs", "0")
		f(prefix+"severity_text", "severity_text", "logs", `""`)
		f(prefix+"event_name", "event_name", "logs", `""`)
		f(prefix+"observed_time", "observed_time", "logs", "0")
		f(prefix+"observed_time_unix_nano", "observed_time", "logs", "0")
	}
	for prefix, of := range map[string]string{"": "logs traces", "log.": "logs", "span.": "traces"} {
		f(prefix+"trace_id", "trace_id", of, "nil")
		f(prefix+"span_id", "span_id", of, "nil")
	}
	for prefix, of := range map[string]string{"": "logs metrics", "log.": "logs", "datapoint.": "metrics"} {
		f(prefix+"time", "time", of, "0")
		f(prefix+"time_unix_nano", "time", of, "0")
	}
	for prefix, of := range map[string]string{"": "metrics traces", "datapoint.": "metrics", "span.": "traces"} {
		f(prefix+"start_time", "start_time", of, "0")
		f(prefix+"start_time_unix_nano", "start_time", of, "0")
	}
	for prefix, of := range map[string]string{"": everywhere, "log.": "logs", "datapoint.": "metrics", "span.": "traces"} {
		f(prefix+"flags", "flags", of, "0")
		f(prefix+`attributes["a.b"]`, "attributes.a.b", of, "nil")
	}
	for _, prefix := range []string{"", "datapoint."} {
		for _, name := range []string{"value", "value_int", "value_double"} {
			f(prefix+name, "value", "metrics", "nil")
		}
		for _, name := range []string{"count", "sum", "min", "max", "buckets"} {
			f(prefix+name, "point."+name, "metrics", "nil")
		}
	}
	f("metric.name", "metric.name", "metrics", `""`)
	f("metric.unit", "metric.unit", "metrics", `""`)
	f("metric.description", "metric.description", "metrics", `""`)
	f("metric.type", "metric.type", "metrics", "METRIC_DATA_TYPE_NONE")
	f("metric.aggregation_temporality", "metric.temporality", "metrics", "nil")
	f("metric.is_monotonic", "metric.monotonic", "metrics", "nil")
	for _, prefix := range []string{"", "span."} {
		f(prefix+"name", "span.name", "traces", `""`)
		f(prefix+"kind", "span.kind", "traces", "SPAN_KIND_UNSPECIFIED")
		f(prefix+"status.code", "span.status_code", "traces", "STATUS_CODE_UNSET")
		f(prefix+"status . message", "span.status_message", "traces", `""`)
		f(prefix+"parent_span_id", "span.parent_id", "traces", "nil")
		f(prefix+"trace_state", "span.trace_state", "traces", `""`)
		f(prefix+"end_time", "span.end_time", "traces", "0")
		f(prefix+"end_time_unix_nano", "span.end_time", "traces", "0")
		f(prefix+"duration", "span.duration", "traces", "0")
	}
	for _, prefix := range []string{"scope.", "instrumentation_scope."} {
		f(prefix+"name", "scope.name", everywhere, `""`)
		f(prefix+"version", "scope.version", everywhere, `""`)
		f(prefix+`attributes["k"]`, "scope.attributes.k", everywhere, "nil")
	}
	f(`resource.attributes["k"]`, "resource.k", everywhere, "nil")
}

// Every column that has no key can be read by some path.
func TestPathsAreComplete(t *testing.T) {
	var columns []string
	for _, c := range contexts {
		for _, f := range c.fields {
			columns = append(columns, f.column)
			i := slices.IndexFunc(abi.Fields, func(info abi.FieldInfo) bool { return info.Column == f.column })
			if i < 0 || abi.Fields[i].Signals&c.signals != c.signals {
				t.Errorf("%s.%s: column %s is not of all its signals", c.name, f.name, f.column)
			}
		}
	}
	for _, info := range abi.Fields {
		if info.Column != "" && !slices.Contains(columns, info.Column) {
			t.Errorf("no path reads %s", info.Column)
		}
	}
}

func TestSignals(t *testing.T) {
	for text, want := range map[string]string{ // the signals for whose rows it holds, nothing being set
		`log.body == nil`:                                         "logs metrics traces",
		`log.severity_number == 0`:                                "logs",
		`log.severity_number != 0 and span.kind != 0`:             "metrics",
		`kind == SPAN_KIND_UNSPECIFIED or metric.name == ""`:      "metrics traces",
		`not (datapoint.time >= 0 or log.time >= 0)`:              "traces",
		`0 <= start_time and not HasPrefix(metric.name, "")`:      "traces",
		`IsMatch(scope.name, "^$")`:                               "logs metrics traces",
		`IsMatch(log.event_name, "^$") and log.trace_id == nil`:   "logs",
		`span.trace_id == log.trace_id and name == severity_text`: "metrics",
	} {
		for signal := abi.SignalLogs; signal <= abi.SignalTraces; signal++ {
			if got := matchOf(t, signal, text, nil); got != strings.Contains(want, abi.SignalNames[signal]) {
				t.Errorf("%s: %s: got %t", abi.SignalNames[signal], text, got)
			}
		}
	}
	p := Parser{Signals: []abi.Signal{abi.SignalLogs}}
	c, err := p.Parse("true")
	if err != nil || c.Match(row{signal: abi.SignalTraces}) || !c.Match(row{signal: abi.SignalLogs}) {
		t.Errorf("%v; a condition for logs does not hold for those only", err)
	}
}

func TestEnums(t *testing.T) {
	for text, want := range map[string]bool{
		`SPAN_KIND_SERVER == 2 and SPAN_KIND_CONSUMER == 5`: true, `STATUS_CODE_OK == 1 and STATUS_CODE_ERROR == 2`: true,
		`METRIC_DATA_TYPE_GAUGE == 1 and METRIC_DATA_TYPE_SUM == 2 and METRIC_DATA_TYPE_HISTOGRAM == 3`: true,
		`METRIC_DATA_TYPE_EXPONENTIAL_HISTOGRAM == 4 and METRIC_DATA_TYPE_SUMMARY == 5`:                 true,
		`AGGREGATION_TEMPORALITY_DELTA == 1 and AGGREGATION_TEMPORALITY_CUMULATIVE == 2`:                true,
	} {
		if got := match(t, text, nil); got != want {
			t.Errorf("%s: got %t", text, got)
		}
	}
}

func TestIDs(t *testing.T) {
	values := map[string]Value{"trace_id": bytesOf("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\xff"), "span_id": bytesOf("\x01\x02\x03\x04\x05\x06\x07\xab")}
	const zeros = "0000000000000000"
	for text, want := range map[string]bool{
		`trace_id.string == "0102030405060708090a0b0c0d0e0fff"`: true, `trace_id.string != "0102030405060708090a0b0c0d0e0fff"`: false,
		`"0102030405060708090a0b0c0d0e0fff" == log.trace_id.string`: true, `trace_id.string == "0102030405060708090A0B0C0D0E0FFF"`: false,
		`trace_id.string == "01"`: false, `trace_id.string != "xy"`: true, `trace_id.string == ""`: false, `span_id.string == "01020304050607ab"`: true,
		`trace_id == nil`: false, `span_id != nil`: true, `trace_id.string == "` + zeros + zeros + `"`: false, `span.trace_id == nil`: true,
		`span.trace_id.string != "0102030405060708090a0b0c0d0e0fff"`: true, `span.trace_id.string == "` + zeros + zeros + `"`: false,
		`IsMatch(span_id, "ab$")`: true,
	} {
		if got := match(t, text, values); got != want {
			t.Errorf("%s: got %t", text, got)
		}
	}
	if !match(t, `trace_id.string == "`+zeros+zeros+`" and span_id.string == "`+zeros+`" and trace_id == nil`, nil) {
		t.Error("the digits of an id that is not set are not all 0")
	}
}
