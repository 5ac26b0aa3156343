package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/sdk"
	"github.com/obsd-io/obsd/sdk/sdktest"
)

func TestRoutes(t *testing.T) {
	f := func(name, config string, log sdktest.Log, want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			got := sdktest.New(t, config).Run(log)[0]
			if dropped := slices.Equal(want, []string{"drop"}); got.Dropped != dropped || !dropped && !slices.Equal(got.Routes, want) {
				t.Errorf("got dropped %t, routes %q; want %q", got.Dropped, got.Routes, want)
			}
		})
	}
	severity := `{"rules":[
		{"when":"severity_number >= SEVERITY_NUMBER_ERROR","to":["errors","pager"]},
		{"when":"severity_number >= SEVERITY_NUMBER_WARN","to":["warnings"]},
		{"when":"severity_number > 0 and severity_number < SEVERITY_NUMBER_INFO","to":[]}]}`
	f("several routes", severity, sdktest.Log{Severity: sdk.SeverityFatal}, "errors", "pager")
	f("one route", severity, sdktest.Log{Severity: sdk.SeverityWarn}, "warnings")
	f("drop", severity, sdktest.Log{Severity: sdk.SeverityDebug}, "drop")
	f("no rule", severity, sdktest.Log{Severity: sdk.SeverityInfo})
	f("no severity", severity, sdktest.Log{Body: "x"})
	all := `{"match":"all","rules":[
		{"when":"HasPrefix(body, \"a\")","to":["a","both"]},
		{"when":"HasSuffix(body, \"z\")","to":["z","both"]},
		{"when":"body == \"drop\"","to":[]},
		{"when":"body == \"az\"","to":[]}]}`
	f("all: one", all, sdktest.Log{Body: "abc"}, "a", "both")
	f("all: several", all, sdktest.Log{Body: "az"}, "a", "both", "z")
	f("all: drop", all, sdktest.Log{Body: "drop"}, "drop")
	f("all: none", all, sdktest.Log{Body: "x"})
	f("resource", `{"rules":[{"when":"resource.attributes[\"k8s.namespace.name\"] == \"shop\"","to":["shop"]}]}`,
		sdktest.Log{Resource: map[string]any{"k8s.namespace.name": "shop"}}, "shop")
	f("regular expression", `{"rules":[{"when":"IsMatch(attributes[\"path\"], \"^/v[0-9]+/\")","to":["api"]}]}`,
		sdktest.Log{Attributes: map[string]any{"path": "/v12/x"}}, "api")
	f("constant", `{"rules":[{"when":"true","to":["a"]}]}`, sdktest.Log{}, "a")
	f("one name twice", `{"rules":[{"when":"true","to":["a","a"]}]}`, sdktest.Log{}, "a")
}

// One configuration serves all signals: a path that a row does not have is nil.
func TestSignals(t *testing.T) {
	p := sdktest.New(t, `{"match":"all","rules":[
		{"when":"severity_number >= SEVERITY_NUMBER_ERROR or status.code == STATUS_CODE_ERROR","to":["errors"]},
		{"when":"metric.type == METRIC_DATA_TYPE_HISTOGRAM and HasPrefix(metric.name, \"http.\")","to":["http"]},
		{"when":"span.kind == SPAN_KIND_SERVER and span.duration > 1000","to":["slow"]},
		{"when":"datapoint.value == 0 or log.body == \"\" or span.name == \"health\"","to":[]},
		{"when":"attributes[\"k\"] == 1 and resource.attributes[\"ns\"] == \"shop\"","to":["shop"]}]}`)
	f := func(name string, got sdktest.Outcome, want ...string) {
		t.Helper()
		if dropped := slices.Equal(want, []string{"drop"}); got.Dropped != dropped || !dropped && !slices.Equal(got.Routes, want) {
			t.Errorf("%s: got dropped %t, routes %q; want %q", name, got.Dropped, got.Routes, want)
		}
	}
	k, shop := map[string]any{"k": 1}, map[string]any{"ns": "shop"}
	logs := p.Run(sdktest.Log{Severity: 17, Body: "x"}, sdktest.Log{Body: ""}, sdktest.Log{Body: "x", Attributes: k, Resource: shop})
	f("log, error", logs[0].Outcome, "errors")
	f("log, empty body", logs[1].Outcome, "drop")
	f("log, shop", logs[2].Outcome, "shop")
	points := p.RunPoints(sdktest.Point{Name: "http.took", Type: abi.MetricHistogram, Count: 1, Attributes: k, Resource: shop},
		sdktest.Point{Name: "http.now", Value: 0}, sdktest.Point{Name: "http.now", Value: 0.5})
	f("point, histogram", points[0].Outcome, "http", "shop")
	f("point, zero", points[1].Outcome, "drop")
	f("point, other", points[2].Outcome)
	spans := p.RunSpans(sdktest.Span{Name: "GET", Kind: 2, StatusCode: 2, StartTime: 1, EndTime: 2000}, sdktest.Span{Name: "health"},
		sdktest.Span{Name: "GET", Kind: 3, StartTime: 1, EndTime: 2000})
	f("span, slow error", spans[0].Outcome, "errors", "slow")
	f("span, health", spans[1].Outcome, "drop")
	f("span, other", spans[2].Outcome)
}

// Routes have their numbers by first appearance, and each field is read once.
func TestManifest(t *testing.T) {
	sdktest.New(t, `{"rules":[{"when":"body == \"x\" and severity_number > 1","to":["b","a"]},{"when":"body != nil","to":["c","b"]}]}`)
	for _, want := range []string{`"reads":["body","severity_number"]`, `"routes":["b","a","c"]`, `"writes":[]`} {
		if got := string(sdk.Manifest()); !strings.Contains(got, want) {
			t.Errorf("got %s, want %s in it", got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	f := func(config, want string) {
		t.Helper()
		if got := sdktest.Configure(config); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", config, got, want)
		}
	}
	f(`{"rules":[{"when":"true","to":["a"]},{"when":"body = \"x\"","to":["a"]},{"when":"level > 3","to":[]}]}`,
		`rule 2: when: column 6: want a comparison (== != < <= > >=), got "=": write ==; in: body = "x"`+"\n"+
			`rule 3: when: column 1: "level" is not known; there are in log: body, severity_number, severity_text, event_name, time_unix_nano, observed_time_unix_nano, trace_id, span_id, trace_id.string, span_id.string, flags, attributes["key"]; in datapoint: value, value_int, value_double, time_unix_nano, start_time_unix_nano, count, sum, min, max, buckets, flags, attributes["key"]; in metric: name, unit, description, type, aggregation_temporality, is_monotonic; in span: name, kind, status.code, status.message, trace_id, span_id, parent_span_id, trace_id.string, span_id.string, parent_span_id.string, trace_state, start_time_unix_nano, end_time_unix_nano, duration, flags, attributes["key"]; in scope: name, version, attributes["key"]; in resource: attributes["key"]; in: level > 3`)
	f(`{"rules":[{"when":"IsMatch(body, \"a(b\")","to":["a"]}]}`, "rule 1: when: column 15: error parsing regexp: missing closing ): `a(b`; in: IsMatch(body, \"a(b\")")
	routes, fields := make([]string, 65), make([]string, 129)
	for i := range routes {
		routes[i] = fmt.Sprintf(`"r%d"`, i)
	}
	f(`{"rules":[{"when":"true","to":[`+strings.Join(routes, ",")+`]}]}`, "rule 1: to: r64 is one route more than the 64 that there may be")
	for i := range fields {
		fields[i] = fmt.Sprintf(`attributes[\"a%d\"] == 1`, i)
	}
	f(`{"rules":[{"when":"`+strings.Join(fields, " or ")+`","to":["a"]}]}`, "the rules read 129 different fields, more than the 128 that there may be")
}

func TestNoAllocations(t *testing.T) {
	logs := make([]sdktest.Log, 1000)
	for i := range logs {
		logs[i] = benchLog(i)
	}
	if n := testing.AllocsPerRun(20, sdktest.New(t, benchConfig).Loop(logs...)); n > 0 {
		t.Errorf("%v allocations for %d rows", n, len(logs))
	}
}

// Whatever the rules, configuring them ends in a plugin that decides on any row, or in an error that names the rule.
func FuzzRules(f *testing.F) {
	f.Add(`severity_number >= 17 or HasPrefix(body, "x")`, "errors", "all", "x", int64(17))
	f.Add(`not (attributes["k"] != nil and true)`, "", "first", "y", int64(0))
	f.Fuzz(func(t *testing.T, when, to, match, body string, severity int64) {
		config := fmt.Sprintf(`{"match":%s,"rules":[{"when":%s,"to":[%s]}]}`, quote(match), quote(when), quote(to))
		if text := sdktest.Configure(config); text != "" {
			if !strings.HasPrefix(text, "rule 1: when: column ") {
				t.Fatalf("%s: %s", config, text)
			}
			return
		}
		log := sdktest.Log{Body: body, Severity: sdk.Severity(severity & 15), Attributes: map[string]any{"k": severity}}
		p := sdktest.New(t, config)
		if a, b := p.Run(log)[0], p.Run(log, log)[1]; a.Dropped != b.Dropped || !slices.Equal(a.Routes, b.Routes) {
			t.Fatalf("got %+v and %+v", a, b)
		}
	})
}

// quote writes a JSON string.
func quote(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == '"' || r == '\\' || r < ' ' {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}
