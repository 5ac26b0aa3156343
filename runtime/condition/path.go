package condition

import (
	"slices"
	"strconv"
	"strings"

	"github.com/obsd-io/obsd/runtime/abi"
)

// path reads a path whose first word was consumed.
func (r *reader) path(first token) Operand {
	from, name := contextOf(first.text), first
	if from >= 0 {
		r.expect(".")
		if r.kind != kindWord {
			r.unexpected("a field of " + first.text)
			return constant(Value{})
		}
		name = r.token
		r.advance()
	}
	if name.text == "attributes" {
		return r.attribute(first, from)
	}
	if o, ok := r.longField(from, name.text); ok {
		return o
	}
	signals, f := fieldOf(from, name.text)
	if !r.has(first, name, from, signals) {
		return constant(Value{})
	}
	if r.kind == kindMark && (r.token.text == "[" || r.token.text == ".") {
		r.refuse(r.token.at, name.text+" is read as a whole: keys and fields of it are not supported")
	}
	return r.operand(f, signals)
}

// longField reads the second word of a field of two, such as status.code.
func (r *reader) longField(from int, name string) (Operand, bool) {
	rest, ok := strings.CutPrefix(r.lexer.text[r.token.at:], ".")
	if !ok {
		return Operand{}, false
	}
	l := lexer{text: rest}
	second, err := l.next()
	if err != nil {
		return Operand{}, false
	}
	signals, f := fieldOf(from, name+"."+second.text)
	if signals &= r.signals; signals == 0 {
		return Operand{}, false
	}
	r.advance()
	r.advance()
	return r.operand(f, signals), true
}

// fieldOf finds a field of a context, or with -1 of all that can be left out, and the signals that have it.
func fieldOf(from int, name string) (signals uint8, found field) {
	for i := range contexts {
		c := &contexts[i]
		if i != from && (from >= 0 || !c.row) {
			continue
		}
		if f, ok := c.field(name); ok {
			signals, found = signals|c.signals, f
		}
	}
	return signals, found
}

// has refuses a path that none of the signals has.
func (r *reader) has(first, name token, from int, signals uint8) bool {
	if signals&r.signals != 0 {
		return true
	}
	text := name.text
	if from >= 0 {
		text = first.text + "." + text
	}
	reason := " is not known; "
	if signals != 0 {
		reason = " is not a field of " + signalNames(r.signals) + "; "
	}
	r.refuse(first.at, strconv.Quote(text)+reason+known(r.signals))
	return false
}

func signalNames(signals uint8) string {
	var names []string
	for signal, name := range abi.SignalNames {
		if signals&(1<<signal) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, " and ")
}

func (r *reader) operand(f field, signals uint8) Operand {
	return Operand{Column: r.column(f.column), Value: f.absent, signals: signals, digits: f.digits}
}

// attribute reads what stands behind attributes.
func (r *reader) attribute(first token, from int) Operand {
	prefix, signals := abi.AttributePrefix, uint8(all)
	if from >= 0 {
		prefix, signals = contexts[from].attributes, contexts[from].signals
	}
	if prefix == "" { // a metric has none
		signals = 0
	}
	if !r.has(first, token{text: "attributes"}, from, signals) {
		return constant(Value{})
	}
	return Operand{Column: r.column(prefix + r.key(first, prefix)), signals: signals}
}

// key reads ["key"] behind attributes.
func (r *reader) key(t token, prefix string) string {
	if r.token.text == "." && r.kind == kindMark {
		r.refuse(t.at, `write the key as in attributes["key"]`)
		return ""
	}
	r.expect("[")
	key := r.token
	if r.kind != kindString {
		r.unexpected("a key in quotes")
		return ""
	}
	r.advance()
	r.expect("]")
	if key.text == "" || key.text == "*" {
		r.refuse(key.at, "the key "+strconv.Quote(key.text)+" cannot be read")
	}
	if r.kind == kindMark && r.token.text == "[" {
		r.refuse(r.token.at, "an attribute is read as a whole: keys within "+prefix+key.text+" are not supported")
	}
	return key.text
}

// column numbers a column.
func (r *reader) column(name string) int {
	if r.err != nil {
		return -1
	}
	i := slices.Index(r.parser.Columns, name)
	if i < 0 {
		i = len(r.parser.Columns)
		r.parser.Columns = append(r.parser.Columns, name)
	}
	return i
}
