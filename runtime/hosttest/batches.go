package hosttest

import (
	"fmt"
	"maps"
	"math"
	"strings"

	"github.com/obsd-io/obsd/runtime/abi"
)

// values are of each type that a value can have, none of them well-behaved.
var values = map[string]any{
	"nothing":       nil,
	"empty string":  "",
	"string":        `a "b" \ {} [] 1.5e999 <é> \u00e9 ` + "\x00\n\t\x7f",
	"not UTF-8":     "\xff\xfe a \xc3 \xed\xa0\x80 z",
	"int":           int64(42),
	"smallest int":  int64(math.MinInt64),
	"largest int":   int64(math.MaxInt64),
	"double":        -0.5,
	"NaN":           math.NaN(),
	"infinity":      math.Inf(-1),
	"bool":          true,
	"bytes":         []byte{0, 1, 0xff, '"'},
	"empty map":     map[string]any{},
	"map":           map[string]any{"k": []any{int64(1), "x", nil, map[string]any{"": false}}, `"`: "\xff"},
	"array":         []any{"a", int64(2), 2.5, []byte{3}, nil},
	"large string":  strings.Repeat(`{"k":"`, 64<<10) + strings.Repeat("x ", 256<<10),
	"large map":     largeMap(),
	"quotes":        strings.Repeat(`"`, 1000) + strings.Repeat(`\`, 1001),
	"spaces":        strings.Repeat(" ", 300),
	"nested arrays": strings.Repeat("[", 5000),
}

func largeMap() map[string]any {
	m := map[string]any{}
	for i := range 2000 {
		m[fmt.Sprintf("key%d", i)] = strings.Repeat("v", i%50)
	}
	return m
}

// free says whether a column may have values of any type.
func free(column string) bool {
	for _, prefix := range []string{abi.AttributePrefix, abi.ResourcePrefix, abi.ScopeAttributePrefix} {
		if strings.HasPrefix(column, prefix) {
			return true
		}
	}
	return column == "body"
}

// columns are those of the reads that rows of a signal can have, with keys in place of "all keys".
func columns(m *abi.Manifest, signal abi.Signal) []string {
	var out []string
	for _, column := range m.Reads {
		switch column {
		case abi.AllAttributes, abi.AllResource:
			prefix := strings.TrimSuffix(column, "*")
			out = append(out, prefix+"a", prefix+"b.c", prefix+`"`)
		case "body":
			if signal == abi.SignalLogs {
				out = append(out, column)
			}
		default:
			if free(column) {
				out = append(out, column)
			}
		}
	}
	return out
}

// fixed is a row with something in each column that has but one type.
func fixed(signal abi.Signal, i int) Row {
	r := Row{
		"flags": 1 + i%2, "scope.name": "scope", "scope.version": "1", "resource.service.name": "test",
	}
	if signal != abi.SignalMetrics {
		r["trace_id"], r["span_id"] = fmt.Sprintf("%032x", i+1), fmt.Sprintf("%016x", i+1)
	}
	switch signal {
	case abi.SignalMetrics:
		maps.Copy(r, Row{
			"metric.name": fmt.Sprintf("metric.%d", i%7), "metric.unit": "By", "metric.description": "d", "metric.type": 1 + i%2,
			"metric.temporality": i % 2 * 2, "metric.monotonic": i%2 == 1, "time": now + i, "start_time": now, "value": i,
		})
		if i%3 == 0 {
			r["value"] = float64(i) / 3
		}
	case abi.SignalTraces:
		maps.Copy(r, Row{
			"span.name": fmt.Sprintf("GET /%d", i%5), "span.kind": i % 6, "start_time": now, "span.end_time": now + 1000*i, "span.trace_state": "a=b",
			"span.status_code": i % 3, "span.status_message": "m", "span.parent_id": fmt.Sprintf("%016x", i+2),
		})
	default:
		maps.Copy(r, Row{
			"time": now + i, "observed_time": now + 2*i, "severity_number": i % 25, "severity_text": "S", "event_name": "e", "body": fmt.Sprintf("line %d of some text", i),
		})
	}
	return r
}

// odd has a row for each column and value, and one with that value in all columns.
func odd(m *abi.Manifest, signal abi.Signal, value any) []Row {
	all := fixed(signal, 0)
	rows := []Row{}
	for i, column := range columns(m, signal) {
		r := fixed(signal, i)
		r[column], all[column] = value, value
		rows = append(rows, r)
	}
	return append(rows, all)
}

// mixed has n rows: the suite's, in turn, and between them made-up ones, over several resources and scopes.
func (s Suite) mixed(m *abi.Manifest, signal abi.Signal, n int) []Row {
	cols := columns(m, signal)
	rows := make([]Row, n)
	for i := range rows {
		r := fixed(signal, i)
		for k, column := range cols {
			if (i+k)%4 == 0 {
				r[column] = i
			} else {
				r[column] = fmt.Sprintf("%d value %d", k, i)
			}
		}
		if len(s.Rows) > 0 && i%5 != 0 {
			maps.Copy(r, s.Rows[i%len(s.Rows)])
		}
		r["resource.number"], r["scope.name"] = i/10%4, fmt.Sprint("scope", i/3%5)
		rows[i] = r
	}
	return rows
}
