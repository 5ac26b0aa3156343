package main

import "github.com/obsd-io/obsd/sdk"

// role is what a key's value is taken for, besides an attribute.
type role uint8

const (
	roleNone role = iota
	roleLevel
	roleTime
	roleMessage
	roles
)

// candidate is the best value of a role in a row so far.
type candidate struct {
	node   *node // nil: none
	value  sdk.JSON
	number int64 // the severity, or the time
}

// parser turns objects into changes.
type parser struct {
	keys          keys
	flatten       bool
	maxDepth      int
	messageToBody bool
	numbers       numbers
	keep          bool

	// Of the batch and the row under way.
	column *sdk.Column
	text   sdk.Text
	found  [roles]candidate
}

// The keys that are tried, the best first.
var (
	levelKeys   = []string{"level", "severity", "lvl", "loglevel", "log.level", "severity_text"}
	timeKeys    = []string{"time", "timestamp", "ts", "@timestamp", "t"}
	messageKeys = []string{"message", "msg", "log"}
)

func newParser(c sdk.JSON) *parser {
	depth, ok := c.Get("max_depth").Int()
	if !ok {
		depth = 8
	}
	p := &parser{
		flatten:       c.Get("flatten").Bool(false),
		maxDepth:      int(depth),
		messageToBody: c.Get("message_to_body").Bool(c.Get("from").String("body") == "body"),
		numbers:       numbersOf(c.Get("level_numbers").String("pino")),
		keep:          c.Get("keep").Bool(false),
	}
	p.keys.reset(c.Get("prefix").String(""))
	for _, configured := range []bool{true, false} { // what the user names goes before what is usual
		p.assign(roleLevel, c.Get("level_key"), configured, levelKeys)
		p.assign(roleTime, c.Get("time_key"), configured, timeKeys)
		if p.messageToBody {
			p.assign(roleMessage, c.Get("message_key"), configured, messageKeys)
		}
	}
	return p
}

// assign gives a role to the key that the user configured, or if there is none to the usual ones.
func (p *parser) assign(r role, key sdk.JSON, configured bool, usual []string) {
	if configured != (key.Kind() == sdk.KindString) {
		return
	}
	if configured {
		usual = []string{key.String("")}
	}
	for rank, path := range usual {
		if path != "" {
			p.keys.assign(path, p.flatten, r, rank)
		}
	}
}

// row writes the changes of one row. The object stands at its first member.
func (p *parser) row(e *sdk.Edit, o *sdk.Object) {
	for i := range p.found {
		p.found[i].node = nil
	}
	p.keys.last = &p.keys.root
	p.members(e, o, &p.keys.root, 1)
	if !o.Whole() {
		e.Undo()
		return
	}
	e.More(4)
	if f := &p.found[roleLevel]; f.node != nil {
		p.severity(e, f)
	}
	if f := &p.found[roleTime]; f.node != nil {
		e.Int(sdk.Time, f.number)
	}
	if f := &p.found[roleMessage]; f.node != nil {
		e.Value(sdk.Body, p.column, &f.value)
	}
}

func (p *parser) severity(e *sdk.Edit, f *candidate) {
	if f.value.Kind() != sdk.KindString || f.value.Escaped() {
		e.Severity(sdk.Severity(f.number))
		return
	}
	e.Int(sdk.SeverityNumber, f.number)
	e.Slice(sdk.SeverityText, p.column, f.value.Span())
}

// members takes over an object that stands at its first member. depth is how many keys lead to its members.
func (p *parser) members(e *sdk.Edit, o *sdk.Object, parent *node, depth int) {
	for more := true; more; more = o.Next() {
		n := p.keys.last.next
		if n.is(p.text, parent, o.Key.Span()) {
			p.keys.last = n
		} else {
			n = p.keys.search(parent, &o.Key, depth)
		}
		switch {
		case !n.plain:
			if n.role == roleNone || !p.take(e, n, &o.Value) {
				p.member(e, n, &o.Value, depth)
			}
		case o.Value.Kind() == sdk.KindString && !o.Value.Escaped():
			e.More(1)
			e.Slice(n.name, p.column, o.Value.Span())
		case p.flatten && o.Value.Kind() == sdk.KindObject:
			p.member(e, n, &o.Value, depth)
		default:
			e.More(1)
			e.Value(n.name, p.column, &o.Value)
		}
	}
}

// member takes over a value that is no plain string.
func (p *parser) member(e *sdk.Edit, n *node, v *sdk.JSON, depth int) {
	if p.flatten && v.Kind() == sdk.KindObject && depth < p.maxDepth {
		if inner := v.Object(); inner.Next() {
			p.members(e, &inner, n, depth+1)
			return
		}
	}
	set(e, n, p.column, v)
}

func set(e *sdk.Edit, n *node, c *sdk.Column, v *sdk.JSON) {
	e.More(2)
	if e.Value(n.name, c, v) && n.name == sdk.Inline {
		e.Key(n.path)
	}
}

// take makes a value the candidate of its key's role, if it can serve as such; true says that it is no attribute.
func (p *parser) take(e *sdk.Edit, n *node, v *sdk.JSON) bool {
	number, ok := int64(0), v.Kind() == sdk.KindString
	switch n.role {
	case roleLevel:
		number, ok = p.numbers.level(p.text, v)
	case roleTime:
		number, ok = timeOf(p.text, v)
	}
	f := &p.found[n.role]
	if !ok || f.node != nil && f.node.rank < n.rank {
		return false
	}
	if f.node != nil && f.node.path != n.path && !p.keep {
		set(e, f.node, p.column, &f.value) // a better one came
	}
	*f = candidate{n, *v, number}
	return !p.keep
}
