package sdktest

import (
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/sdk"
)

// output is what a plugin made of a batch, held against the contract and the manifest.
type output struct {
	p        *Plugin
	r        sdk.Result
	signal   abi.Signal
	in       []row
	rows     []row // in with the changes
	outcomes []Outcome
}

// newOutput starts with the rows as they came. A flush has an outcome without a row, for what is made of row 0.
func newOutput(p *Plugin, signal abi.Signal, in []row, r sdk.Result) *output {
	out := &output{p: p, r: r, signal: signal, in: in, outcomes: make([]Outcome, len(in))}
	for _, r := range in {
		out.rows = append(out.rows, r.clone())
	}
	if signal == 0 {
		out.outcomes = make([]Outcome, 1)
	}
	return out
}

// judge reads the verdicts.
func (o *output) judge() {
	o.p.t.Helper()
	for i, v := range o.r.Verdicts {
		o.outcomes[i].Dropped, o.outcomes[i].Routes = o.verdict(i, v)
	}
}

// verdict is what a verdict comes to.
func (o *output) verdict(row int, v uint16) (dropped bool, routes []string) {
	o.p.t.Helper()
	names := o.p.manifest.Routes
	route := func(i int) {
		if i < 0 || i >= len(names) {
			o.p.t.Fatalf("row %d: route %d: the manifest has %q", row, i, names)
		}
		routes = append(routes, names[i])
	}
	switch {
	case v == abi.Drop:
		return true, nil
	case v >= abi.Set:
		set := o.r.Sets[v-abi.Set]
		for i := range abi.MaxSetRoutes {
			if set>>i&1 == 1 {
				route(i)
			}
		}
		return set == 0, routes
	case v >= abi.Route:
		route(int(v - abi.Route))
	}
	return false, routes
}

// edit is an entry of the edits.
type edit struct {
	row  int
	name uint16
	op   abi.Op
	typ  abi.Type
	cell uint64
}

func (o *output) editAt(i int) edit {
	head := o.r.Edits[i]
	return edit{int(uint32(head)), uint16(head >> 32), abi.Op(head >> 48), abi.Type(head >> 56), o.r.Edits[i+1]}
}

// target is the row that edits change.
type target struct {
	row
	number int
	made   bool // a new row
	copied bool // a new row that is a copy
}

func (o *output) edit() {
	o.p.t.Helper()
	t := target{number: -1}
	for i := 0; i < len(o.r.Edits); i += 2 {
		e := o.editAt(i)
		if e.row < t.number || e.row >= len(o.outcomes) {
			o.p.t.Fatalf("edit %d is of row %d, after row %d of %d", i/2, e.row, max(t.number, 0), len(o.in))
		}
		if e.op == abi.OpNew {
			o.complete(t)
			t = o.make(e)
			continue
		}
		if e.row != t.number {
			o.complete(t)
			if o.signal == 0 {
				o.p.t.Fatalf("edit %d changes a row: a flush has none", i/2)
			}
			t = target{row: o.rows[e.row], number: e.row}
		}
		switch e.op {
		case abi.OpSetAttribute, abi.OpDeleteAttribute, abi.OpSetResource, abi.OpDeleteResource:
			key := ""
			if e.name == abi.NameInline {
				i += 2
				key = o.inlineKey(i, e.row)
			} else {
				key = o.name(uint64(e.name))
			}
			o.setKey(t, e, key)
		case abi.OpSet:
			o.setField(t, e)
		default:
			o.p.t.Fatalf("edit %d: op %d", i/2, e.op)
		}
	}
	o.complete(t)
}

// inlineKey is the key that stands in entry i.
func (o *output) inlineKey(i, row int) string {
	o.p.t.Helper()
	if i < len(o.r.Edits) {
		if e := o.editAt(i); e.op == abi.OpExt && e.row == row {
			return o.arena(e.cell)
		}
	}
	o.p.t.Fatalf("row %d: a change with Inline has no Key right after it", row)
	return ""
}

func (o *output) name(number uint64) string {
	o.p.t.Helper()
	if number >= uint64(len(o.r.Names)) {
		o.p.t.Fatalf("there is no name %d: a field is no value", number)
	}
	return o.r.Names[number]
}

func (o *output) arena(cell uint64) string { return string(o.r.Arena[uint32(cell):][:cell>>32]) }

// make makes a new row.
func (o *output) make(e edit) target {
	o.p.t.Helper()
	t := target{number: e.row, made: true, copied: e.typ == abi.NewCopy}
	signal := abi.Signal(e.typ)
	if t.copied {
		signal, t.row = o.signal, o.in[e.row].clone()
	}
	if name := abi.SignalNames[signal]; !slices.Contains(o.p.manifest.Emits, name) {
		o.p.t.Fatalf("row %d: makes a row of %s, which the manifest does not declare: add %q to Emits", e.row, name, name)
	}
	dropped, routes := o.verdict(e.row, e.name)
	if dropped {
		o.p.t.Fatalf("row %d: makes a row and drops it", e.row)
	}
	made := Made{Routes: routes}
	switch signal {
	case abi.SignalLogs:
		if !t.copied {
			t.row = o.within(&Log{Time: o.p.now, ObservedTime: o.p.now}, e.row)
		}
		made.Log = t.row.(*Log)
	case abi.SignalMetrics:
		if !t.copied {
			t.row = o.within(&Point{Time: o.p.now}, e.row)
		}
		made.Point = t.row.(*Point)
	case abi.SignalTraces:
		if !t.copied {
			t.row = o.within(&Span{}, e.row)
		}
		made.Span = t.row.(*Span)
	}
	news := &o.outcomes[e.row].New
	if *news = append(*news, made); len(*news) > abi.MaxNew {
		o.p.t.Fatalf("more than %d new rows", abi.MaxNew)
	}
	return t
}

// within puts a new row in the resource and scope of another one.
func (o *output) within(r row, number int) row {
	_, resource, scope := r.shared()
	if o.signal != 0 {
		_, fromResource, fromScope := o.in[number].shared()
		*resource, *scope = *fromResource, *fromScope
	}
	return own(r)
}

// complete checks that a row that is done has what it must have.
func (o *output) complete(t target) {
	o.p.t.Helper()
	point, ok := t.row.(*Point)
	if !ok || !t.made || t.copied {
		return
	}
	switch {
	case point.Name == "":
		o.p.t.Fatalf("row %d: a new data point has no name: set MetricName", t.number)
	case point.Value == nil:
		o.p.t.Fatalf("row %d: a new data point of %s has no value: set PointValue", t.number, point.Name)
	}
}

// declared fails the test unless the manifest's writes have one of the names. New rows are the plugin's own.
func (o *output) declared(t target, names ...string) {
	o.p.t.Helper()
	for _, w := range o.p.manifest.Writes {
		if slices.Contains(names, w) {
			return
		}
	}
	if !t.made {
		o.p.t.Fatalf("sets %s, which the manifest does not declare: add it to Writes", names[0])
	}
}

func (o *output) setKey(t target, e edit, key string) {
	o.p.t.Helper()
	attributes, resource, _ := t.shared()
	m := attributes
	if e.op == abi.OpSetResource || e.op == abi.OpDeleteResource {
		o.declared(t, abi.ResourcePrefix+key, abi.AllResource)
		m = resource
	} else {
		o.declared(t, abi.AttributePrefix+key, abi.AllAttributes)
	}
	switch {
	case e.op == abi.OpDeleteAttribute || e.op == abi.OpDeleteResource:
		delete(*m, key)
	case *m == nil:
		*m = map[string]any{key: o.value(e)}
	default:
		(*m)[key] = o.value(e)
	}
}

// value is what an edit sets.
func (o *output) value(e edit) any {
	o.p.t.Helper()
	switch e.typ {
	case abi.TypeInt:
		return int64(e.cell)
	case abi.TypeDouble:
		return math.Float64frombits(e.cell)
	case abi.TypeBool:
		return e.cell != 0
	case abi.TypeString:
		return o.arena(e.cell)
	case abi.TypeBytes:
		return []byte(o.arena(e.cell))
	case abi.TypeName:
		return o.name(e.cell)
	case abi.TypeJSON:
		return decode(o.arena(e.cell))
	}
	if e.typ < abi.TypeSlice {
		o.p.t.Fatalf("row %d: value of type %d", e.row, e.typ)
	}
	return o.slice(e)
}

// slice is a part of a column's text.
func (o *output) slice(e edit) any {
	o.p.t.Helper()
	c := o.p.columnOf(o.p.manifest.Reads[e.typ&^abi.TypeSlice])
	var text string
	from := any(nil)
	if o.signal != 0 {
		from = c.value(o.in[e.row])
	}
	switch from := from.(type) {
	case string:
		text = from
	case []byte:
		text = string(from)
	case map[string]any, []any:
		text = jsonText(from)
	default:
		o.p.t.Fatalf("row %d: slice of column %s, which has no text", e.row, c.name)
	}
	offset, length := uint64(uint32(e.cell)), e.cell>>32
	if offset+length > uint64(len(text)) {
		o.p.t.Fatalf("row %d: slice of %d bytes at %d of column %s, which has %d", e.row, length, offset, c.name, len(text))
	}
	text = text[offset:][:length]
	if typeOf(from) == abi.TypeBytes {
		return []byte(text)
	}
	return text
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
