package main

import (
	"slices"
	"testing"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/obsd-io/obsd/internal/guest"
	"github.com/obsd-io/obsd/internal/guest/enginetest"
	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/hosttest"
)

// The module does in the daemon what its source does in the other tests: verdicts come back, and the manifest that
// the connector reads has the routes of the rules.
func TestHost(t *testing.T) {
	e := enginetest.Load(t, ".", map[string]any{"rules": []any{
		map[string]any{"when": "severity_number >= SEVERITY_NUMBER_ERROR", "to": []any{"errors"}},
		map[string]any{"when": `attributes["k"] == 5 and resource.attributes["r"] == "x"`, "to": []any{"errors", "both"}},
		map[string]any{"when": `IsMatch(body, "^health (ok|good)$")`, "to": []any{}},
	}})
	if m := e.Manifest(); !slices.Equal(m.Routes, []string{"errors", "both"}) ||
		!slices.Equal(m.Reads, []string{"severity_number", "attributes.k", "resource.r", "body"}) {
		t.Errorf("routes %q, reads %q", m.Routes, m.Reads)
	}
	ld, records := enginetest.Bodies("error", "keep", "health ok", "both")
	records.At(0).SetSeverityNumber(plog.SeverityNumberError)
	records.At(3).Attributes().PutInt("k", 5)
	ld.ResourceLogs().At(0).Resource().Attributes().PutStr("r", "x")
	verdicts, sets := enginetest.Run(t, e, ld)
	if want := []uint16{abi.Route, abi.Keep, abi.Drop, abi.Set}; !slices.Equal(verdicts, want) || !slices.Equal(sets, []uint64{3}) {
		t.Errorf("got %v with sets %v, want %v with [3]", verdicts, sets, want)
	}
}

func TestConformance(t *testing.T) {
	hosttest.Suite{
		Path: guest.Build(t, "."),
		Config: map[string]any{"rules": []any{
			map[string]any{"when": `severity_number >= 17 and attributes["k"] != nil`, "to": []any{"errors", "both"}},
			map[string]any{"when": `IsMatch(body, "^line 1") or resource.attributes["r"] == "x"`, "to": []any{"errors"}},
		}},
		Cases: []hosttest.Case{{
			Name: "routes",
			Rows: []hosttest.Row{{"body": "line 1"}, {"severity_number": 17, "attributes.k": true}, {"body": "line 2"}},
			Want: []hosttest.Row{
				{"body": "line 2"},
				{"body": "line 1", "route": "errors"},
				{"severity_number": 17, "attributes.k": true, "route": "errors"},
				{"severity_number": 17, "attributes.k": true, "route": "both"},
			},
		}},
	}.Run(t)
}

func TestHostRefusesConfig(t *testing.T) {
	for name, c := range map[string]struct {
		config map[string]any
		want   string
	}{
		"no rules": {nil, `plugin "wasm/test": configure: config: missing property 'rules'`},
		"typo": {
			map[string]any{"rules": []any{map[string]any{"if": "true", "when": "true", "to": []any{}}}},
			`plugin "wasm/test": configure: config::rules::0: additional properties 'if' not allowed`,
		},
		"wrong condition": {
			map[string]any{"rules": []any{map[string]any{"when": "severity_number >= 'x'", "to": []any{"a"}}}},
			`plugin "wasm/test": configure: config: rule 1: when: column 20: want a path or literal, got "'"; in: severity_number >= 'x'`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := enginetest.Try(t, ".", c.config); err == nil || err.Error() != c.want {
				t.Errorf("\ngot  %v\nwant %s", err, c.want)
			}
		})
	}
}
