// Package sdktest runs a plugin natively, inside go test: no wasm, no host. A plugin's test file stands beside its
// source, in package main, and runs what that registered:
//
//	func TestDrop(t *testing.T) {
//		got := sdktest.New(t, `{}`).Run(sdktest.Log{Body: "health check"})
//		if !got[0].Dropped { t.Error("not dropped") }
//	}
//
// What the host would refuse (an edit that the manifest does not declare, rows out of order) fails the test.
package sdktest

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/sdk"
)

// Log is a log record. Values are string, int, int64, float64, bool, []byte, or a map[string]any or []any of these.
type Log struct {
	Body         any
	Time         int64 // nanoseconds since 1970; 0 is absent
	ObservedTime int64
	Severity     sdk.Severity // 0 is absent
	SeverityText string
	Attributes   map[string]any
	Resource     map[string]any
}

// Result is what became of a record.
type Result struct {
	Log
	Dropped bool
	Routes  []string
}

// Plugin is the registered plugin, configured.
type Plugin struct {
	t        testing.TB
	manifest abi.Manifest
	keys     []string // host's names of attribute keys
	now      int64
}

// Configure hands the registered plugin a configuration as JSON and returns what it says of it; "" is success.
// The manifest's schema is the host's to check, so it plays no part here.
func Configure(config string) string { return sdk.Configure([]byte(config)) }

// New configures the registered plugin; a refusal fails the test.
func New(t testing.TB, config string) *Plugin {
	t.Helper()
	if text := Configure(config); text != "" {
		t.Fatalf("configure: %s", text)
	}
	p := &Plugin{t: t}
	if err := json.Unmarshal(sdk.Manifest(), &p.manifest); err != nil {
		t.Fatalf("manifest: %v\n%s", err, sdk.Manifest())
	}
	return p
}

// SetNow sets the time that the plugin sees as Batch.Now, in nanoseconds since 1970.
func (p *Plugin) SetNow(now int64) { p.now = now }

// Run gives the plugin one batch and returns what became of each record. The logs stay as they are.
func (p *Plugin) Run(logs ...Log) []Result {
	p.t.Helper()
	r := sdk.Process(p.encode(logs))
	results := make([]Result, len(logs))
	for i, l := range logs {
		l.Attributes = maps.Clone(l.Attributes)
		if l.Attributes == nil {
			l.Attributes = map[string]any{}
		}
		results[i] = Result{Log: l}
	}
	p.judge(r, results)
	p.edit(r, logs, results)
	return results
}

// Loop lays one batch out and returns a function that runs the plugin over it, for benchmarks and for
// testing.AllocsPerRun. What the plugin decides is not looked at.
func (p *Plugin) Loop(logs ...Log) func() {
	p.t.Helper()
	batch := p.encode(logs)
	sdk.Process(batch)
	le.PutUint32(batch[abi.BatchNamesCount:], 0) // the names of keys cross once
	le.PutUint32(batch[abi.BatchNamesFirst:], uint32(len(p.keys)))
	return func() { sdk.Process(batch) }
}

func (p *Plugin) judge(r sdk.Result, results []Result) {
	p.t.Helper()
	route := func(row, i int) {
		if i >= len(p.manifest.Routes) {
			p.t.Fatalf("row %d: route %d: the manifest has %q", row, i, p.manifest.Routes)
		}
		results[row].Routes = append(results[row].Routes, p.manifest.Routes[i])
	}
	for row, v := range r.Verdicts {
		switch {
		case v == abi.Drop:
			results[row].Dropped = true
		case v >= abi.Set:
			results[row].Dropped = r.Sets[v-abi.Set] == 0
			for i := range abi.MaxSetRoutes {
				if r.Sets[v-abi.Set]>>i&1 == 1 {
					route(row, i)
				}
			}
		case v >= abi.Route:
			route(row, int(v-abi.Route))
		}
	}
}

func (p *Plugin) edit(r sdk.Result, logs []Log, results []Result) {
	p.t.Helper()
	last := uint32(0)
	for i := 0; i < len(r.Edits); i += 2 {
		head, cell := r.Edits[i], r.Edits[i+1]
		row, name, op, typ := uint32(head), uint16(head>>32), abi.Op(head>>48), abi.Type(head>>56)
		if row < last || int(row) >= len(logs) {
			p.t.Fatalf("edit %d is of row %d, after row %d of %d", i/2, row, last, len(logs))
		}
		last = row
		out := &results[row]
		switch op {
		case abi.OpSetAttribute, abi.OpDeleteAttribute:
			key := ""
			if name == abi.NameInline {
				i += 2
				if i >= len(r.Edits) || abi.Op(r.Edits[i]>>48) != abi.OpExt || uint32(r.Edits[i]) != row {
					p.t.Fatalf("row %d: a change with Inline has no Key right after it", row)
				}
				key = arena(r, r.Edits[i+1])
			} else {
				key = r.Names[name]
			}
			p.declared("attributes."+key, "attributes.*")
			if op == abi.OpDeleteAttribute {
				delete(out.Attributes, key)
			} else {
				out.Attributes[key] = p.value(r, typ, cell, logs[row])
			}
		case abi.OpSet:
			p.setField(r, out, abi.Field(name), typ, cell, logs[row])
		default:
			p.t.Fatalf("edit %d: op %d", i/2, op)
		}
	}
}

func (p *Plugin) setField(r sdk.Result, out *Result, field abi.Field, typ abi.Type, cell uint64, log Log) {
	p.t.Helper()
	switch field {
	case abi.FieldBody:
		p.declared("body")
		out.Body = p.value(r, typ, cell, log)
	case abi.FieldTime:
		p.declared("time")
		if int64(cell) < 0 {
			p.t.Fatalf("time %d is negative, which the host refuses", int64(cell))
		}
		out.Time = int64(cell)
	case abi.FieldSeverity:
		p.declared("severity")
		if typ == abi.TypeName {
			out.SeverityText, cell = r.Names[cell>>32], cell&0xffffffff
		}
		if cell > 24 {
			p.t.Fatalf("severity %d, which the host refuses: want 0 to 24", int64(cell))
		}
		out.Severity = sdk.Severity(cell)
	case abi.FieldSeverityText:
		p.declared("severity")
		out.SeverityText = fmt.Sprint(p.value(r, typ, cell, log))
	default:
		p.t.Fatalf("sets field %d, which log records do not have", field)
	}
}

func (p *Plugin) declared(names ...string) {
	p.t.Helper()
	for _, w := range p.manifest.Writes {
		if slices.Contains(names, w) {
			return
		}
	}
	p.t.Fatalf("sets %s, which the manifest does not declare: add it to Writes", names[0])
}

func arena(r sdk.Result, cell uint64) string { return string(r.Arena[uint32(cell):][:cell>>32]) }

func (p *Plugin) value(r sdk.Result, typ abi.Type, cell uint64, log Log) any {
	p.t.Helper()
	switch typ {
	case abi.TypeInt:
		return int64(cell)
	case abi.TypeDouble:
		return math.Float64frombits(cell)
	case abi.TypeBool:
		return cell != 0
	case abi.TypeString:
		return arena(r, cell)
	case abi.TypeName:
		return r.Names[cell]
	case abi.TypeJSON:
		return decode(arena(r, cell))
	}
	if typ < abi.TypeSlice {
		p.t.Fatalf("value of type %d", typ)
	}
	name := p.manifest.Reads[typ&^abi.TypeSlice]
	offset, length := int(uint32(cell)), int(cell>>32)
	switch from := p.column(name, log).(type) {
	case string:
		return from[offset:][:length]
	case []byte:
		return from[offset:][:length]
	case map[string]any, []any:
		return jsonText(from)[offset:][:length]
	}
	p.t.Fatalf("slice of column %s, which has no text", name)
	return nil
}

// decode reads a map or array as the host does: whole numbers are int64, and what is not JSON stays a string.
func decode(text string) any {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil || dec.More() {
		return text
	}
	return numbers(v)
}

func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = numbers(v[key])
		}
	}
	return v
}
