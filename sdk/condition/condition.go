// Package condition reads and evaluates conditions over log records, a subset of the condition syntax of OTTL, the
// OpenTelemetry transformation language: what is accepted here means the same there, but for the differences below.
//
//	severity_number >= SEVERITY_NUMBER_ERROR
//	attributes["http.response.status_code"] >= 500 and not HasPrefix(attributes["url.path"], "/health")
//	resource.attributes["k8s.namespace.name"] == "shop" or body == nil
//
// # Syntax
//
//	condition = term { "or" term }
//	term      = factor { "and" factor }
//	factor    = [ "not" ] ( comparison | function | "true" | "false" | "(" condition ")" )
//	comparison = value ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) value
//	function  = ( "HasPrefix" | "HasSuffix" | "Contains" | "IsMatch" ) "(" path "," string ")"
//	value     = path | string | integer | float | "true" | "false" | "nil" | "SEVERITY_NUMBER_…"
//	path      = [ "log." ] ( "body" | "severity_number" | "severity_text" | "time_unix_nano" | "observed_time_unix_nano" |
//	            "time" | "observed_time" | "attributes" key ) | "resource.attributes" key
//	key       = "[" string "]"
//
// # Comparison
//
// An attribute or body that is absent is nil. nil equals nil, in ==, <= and >= alike; with nil on one side only, !=
// holds and nothing else. An int and a double compare as doubles. Strings and bytes compare byte by byte; false is
// less than true. Values of two other types are different: != holds and nothing else. Of maps and arrays the JSON
// texts are compared, by == and != only. A severity number or time that is not set is 0, a severity text "".
//
// # Functions
//
// HasPrefix, HasSuffix and Contains look at strings and are false for all else. IsMatch searches a regular expression
// (RE2) in a string, or in the text of any other value; it is false for nil.
//
// # Differences from OTTL
//
// OTTL's HasPrefix and HasSuffix end in an error for a value that is no string, which its users mostly ignore; here
// they are false. OTTL has no Contains. time and observed_time are nanoseconds here, as time_unix_nano is.
package condition

import (
	"strconv"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/sdk"
)

// Value is a value of a row. The zero Value is nil.
type Value struct {
	// Type is none, string, int, double, bool, bytes or json, which stands for maps and arrays.
	Type abi.Type
	// Int is an int, and for a bool 0 or 1.
	Int int64
	// Double is a double.
	Double float64
	// Text is a string, bytes, or a JSON text.
	Text string
}

// Source gives a row's values. A column is an index into [Parser.Columns].
type Source interface {
	Value(column int) Value
}

// Rows is the Source of a plugin: the columns of a batch, which the plugin's Reads must list as [Parser.Columns] does.
type Rows struct {
	// Row is the row whose values are given.
	Row     int
	columns []sdk.Column
}

// Reset turns to another batch; columns is how many columns there are.
func (r *Rows) Reset(b *sdk.Batch, columns int) {
	r.columns = r.columns[:0]
	for i := range columns {
		r.columns = append(r.columns, b.ColumnAt(i))
	}
}

// holds is the test of that name without the detour over Source, for what most tests are: a column against a literal,
// both ints or both strings.
func (r *Rows) holds(t *test) bool {
	if t.left.column < 0 || t.right.column >= 0 {
		return t.holds(r)
	}
	v := r.columns[t.left.column].Value(r.Row)
	switch {
	case v.Type == abi.TypeInt && t.right.value.Type == abi.TypeInt:
		return t.op&outcome(v.Int(), t.right.value.Int) != 0
	case v.Type == abi.TypeString && t.right.value.Type == abi.TypeString:
		return t.holdsText(v.Text().String())
	}
	return t.holds(r)
}

// Value gives a value of the row.
func (r *Rows) Value(column int) Value {
	v := r.columns[column].Value(r.Row)
	switch v.Type {
	case abi.TypeNone:
		return Value{}
	case abi.TypeInt:
		return Value{Type: v.Type, Int: v.Int()}
	case abi.TypeDouble:
		return Value{Type: v.Type, Double: v.Double()}
	case abi.TypeBool:
		if v.Bool() {
			return Value{Type: v.Type, Int: 1}
		}
		return Value{Type: v.Type}
	}
	return Value{Type: v.Type, Text: v.Text().String()}
}

// Error says where a condition is wrong.
type Error struct {
	// Column is the character where it is, counted from 1.
	Column int
	// Reason says what is wrong there.
	Reason string
}

// Error is "column 12: reason".
func (e *Error) Error() string { return "column " + strconv.Itoa(e.Column) + ": " + e.Reason }

// Where a test leads, other than to another test.
const (
	accept = -1
	reject = -2
)

// Condition is a condition that was read. It is immutable and may be shared.
//
// It is a chain of tests, each of which names the test to go on with, for a run without recursion and without allocation.
type Condition struct {
	tests []test
	start int
}

// test is one comparison or function.
type test struct {
	op          op
	left, right operand
	match       func(string) bool // of IsMatch
	yes, no     int               // the next test, accept or reject
}

// op is what a test does: one that compares is the set of outcomes for which it holds.
type op uint8

const (
	opLess op = 1 << iota
	opEqual
	opGreater
	opNotEqual     = opLess | opGreater
	opLessEqual    = opLess | opEqual
	opGreaterEqual = opGreater | opEqual
)

const (
	opHasPrefix op = 8 + iota
	opHasSuffix
	opContains
	opIsMatch
)

// operand is a column or, with column -1, a literal.
type operand struct {
	column int
	// value is the literal, or what stands for a column's value that is absent.
	value Value
}

func (o *operand) get(s Source) Value {
	if o.column < 0 {
		return o.value
	}
	if v := s.Value(o.column); v.Type != abi.TypeNone {
		return v
	}
	return o.value
}

// Match says whether the condition holds for a row.
func (c *Condition) Match(s Source) bool {
	rows, direct := s.(*Rows)
	at := c.start
	for at >= 0 {
		t := &c.tests[at]
		if direct && rows.holds(t) || !direct && t.holds(s) {
			at = t.yes
		} else {
			at = t.no
		}
	}
	return at == accept
}
