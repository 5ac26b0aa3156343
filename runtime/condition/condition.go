// Package condition reads and evaluates conditions over log records, data points and spans: a subset of the condition
// syntax of OTTL, the OpenTelemetry transformation language (pkg/ottl, LANGUAGE.md). What is accepted here means the
// same there, but for the differences below.
//
//	severity_number >= SEVERITY_NUMBER_ERROR
//	attributes["http.response.status_code"] >= 500 and not HasPrefix(attributes["url.path"], "/health")
//	resource.attributes["k8s.namespace.name"] == "shop" or body == nil
//	metric.name == "http.server.request.duration" and metric.type == METRIC_DATA_TYPE_HISTOGRAM
//	span.kind == SPAN_KIND_SERVER and span.status.code == STATUS_CODE_ERROR
//
// Host and guests share it: the host evaluates a manifest's where over pdata, a guest its own conditions over a batch.
// So it imports the standard library only.
//
// # Syntax
//
//	condition  = term { "or" term }
//	term       = factor { "and" factor }
//	factor     = [ "not" ] ( comparison | function | "true" | "false" | "(" condition ")" )
//	comparison = value ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) value
//	function   = ( "HasPrefix" | "HasSuffix" | "Contains" | "IsMatch" ) "(" path "," string ")"
//	value      = path | string | integer | float | "true" | "false" | "nil" | enum
//	enum       = ( "SEVERITY_NUMBER_" | "SPAN_KIND_" | "STATUS_CODE_" | "METRIC_DATA_TYPE_" | "AGGREGATION_TEMPORALITY_" ) name
//	path       = [ context "." ] ( field | "attributes" "[" string "]" )
//
// # Paths
//
//	log        body severity_number severity_text event_name time_unix_nano observed_time_unix_nano
//	           trace_id span_id trace_id.string span_id.string flags attributes["key"]
//	datapoint  value value_int value_double time_unix_nano start_time_unix_nano
//	           count sum min max buckets flags attributes["key"]
//	metric     name unit description type aggregation_temporality is_monotonic
//	span       name kind status.code status.message trace_id span_id parent_span_id
//	           trace_id.string span_id.string parent_span_id.string trace_state
//	           start_time_unix_nano end_time_unix_nano duration flags attributes["key"]
//	scope      name version attributes["key"]
//	resource   attributes["key"]
//
// The contexts log, datapoint and span can be left out: a path without one means the row's own field, whatever the
// row is. scope is also instrumentation_scope. Times are ints in nanoseconds, also without their _unix_nano.
//
// A path that the signal at hand does not have is nil there: metric.name for a log record, or log.body for a span. A
// path that none of [Parser.Signals] has is refused.
//
// # Comparison
//
// An attribute, body, value, id, temporality, or number of a histogram that is absent is nil. nil equals nil, in ==,
// <= and >= alike; with nil on one side only, != holds and nothing else. An int and a double compare as doubles.
// Strings and bytes compare byte by byte; false is less than true. Values of two other types are different: != holds
// and nothing else. Of maps and arrays the JSON texts are compared, by == and != only. Any other number or time that
// is not set is 0, any other text "".
//
// An id's .string is its lower case hexadecimal digits, all 0 for one that is not set; it is compared with a text by
// == and != only.
//
// # Functions
//
// HasPrefix, HasSuffix and Contains look at strings and are false for all else. IsMatch searches a regular expression
// (RE2) in a string, or in the text of any other value; it is false for nil.
//
// # Differences from OTTL
//
// OTTL's HasPrefix and HasSuffix end in an error for a value that is no string, which its users mostly ignore; here
// they are false. OTTL has no Contains, value, min, max, buckets and duration. A time without _unix_nano is nanoseconds
// here. value_int and value_double are value here, an int or a double as the data point has it, where OTTL gives 0
// for the kind that it has not. trace_id, span_id and parent_span_id are nil here if not set, and never nil in OTTL; the sum of a
// histogram that has none is 0 there. Maps and arrays that differ in the order of their keys are equal there.
package condition

import (
	"strconv"

	"github.com/obsd-io/obsd/runtime/abi"
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

// Source gives a row's values.
type Source interface {
	// Signal says what the row is.
	Signal() abi.Signal
	// Value gives the value of a column, an index into [Parser.Columns]: nil if it is absent.
	Value(column int) Value
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
	Accept = -1
	Reject = -2
)

// Condition is a condition that was read. It is immutable and may be shared.
type Condition struct {
	chains [len(abi.SignalNames)]Chain
}

// Chain is a condition for the rows of one signal: tests, each of which names the test to go on with, for a run
// without recursion and without allocation. It is to be read only.
type Chain struct {
	// Tests are in such an order that each leads to tests before it, to Accept or to Reject, and never to the same by both
	// answers.
	Tests []Test
	// Start is the test to begin with, Accept or Reject.
	Start int
}

// Chain is the condition for a signal; for one that is not of [Parser.Signals] it rejects.
func (c *Condition) Chain(signal abi.Signal) Chain { return c.chains[signal] }

// Match says whether the condition holds for a row.
func (c *Condition) Match(s Source) bool {
	chain := &c.chains[s.Signal()]
	at := chain.Start
	for at >= 0 {
		t := &chain.Tests[at]
		at = t.Next(t.Holds(t.Left.of(s), t.Right.of(s)))
	}
	return at == Accept
}

// Test is one comparison or function.
type Test struct {
	// Left is a column. Right is a literal, but in a comparison of two columns.
	Left, Right Operand
	op          op
	match       func(string) bool // of IsMatch
	yes, no     int
	// decided has, against a literal and by the type on the left, what the type alone decides.
	decided [abi.TypeJSON + 1]answer
}

// answer is whether a test holds, as far as that is known.
type answer uint8

const (
	open answer = iota
	never
	always
)

// Decided says whether a value's type alone decides a test against a literal, and how.
func (t *Test) Decided(left abi.Type) (holds, decided bool) {
	return t.decided[left] == always, t.decided[left] != open
}

// Next is the test to go on with, Accept or Reject.
func (t *Test) Next(holds bool) int {
	if holds {
		return t.yes
	}
	return t.no
}

// Operand is a column or a literal.
type Operand struct {
	// Column is an index into [Parser.Columns], or -1 for a literal.
	Column int
	// Value is the literal, or what stands for a column's value that is absent.
	Value Value
	// signals has the bit 1<<signal of each signal that has the column.
	signals uint8
	// digits is how many bytes an id has whose hexadecimal digits are meant; else 0.
	digits int
}

func (o *Operand) of(s Source) Value {
	if o.Column < 0 {
		return o.Value
	}
	return o.Or(s.Value(o.Column))
}

// Or is a column's value v, or what stands for it if that is absent.
func (o *Operand) Or(v Value) Value {
	if v.Type == abi.TypeNone {
		return o.Value
	}
	return v
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
