// Package condition evaluates conditions over the rows of a batch, such as
//
//	severity_number >= SEVERITY_NUMBER_ERROR and attributes["url.path"] != nil
//
// They are a subset of OTTL's; the doc of package [condition] in runtime, whose parser and evaluator these are and which
// the host uses for a plugin's Where, has syntax and meaning.
//
//	parser := condition.Parser{Signals: …}
//	when, err := parser.Parse(text)   // in Configure, for each condition
//	p.Reads = parser.Columns
//
//	rows.Reset(batch, len(p.Reads))   // for each batch
//	rows.Row = row                    // for each row
//	if rows.Match(when) { … }
//
// [condition]: https://pkg.go.dev/github.com/obsd-io/obsd/runtime/condition
package condition

import (
	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/condition"
	"github.com/obsd-io/obsd/sdk"
)

// Parser reads conditions that share their columns.
type Parser = condition.Parser

// Condition is a condition that was read. It is immutable and may be shared.
type Condition = condition.Condition

// Error says where a condition is wrong.
type Error = condition.Error

// Rows gives a plugin's conditions the rows of a batch, whose first columns must be those of [Parser.Columns].
type Rows struct {
	// Row is the row whose values are given.
	Row     int
	signal  abi.Signal
	columns []sdk.Column
}

// Reset turns to another batch; columns is how many columns there are.
func (r *Rows) Reset(b *sdk.Batch, columns int) {
	r.signal, r.columns = b.Signal(), r.columns[:0]
	for i := range columns {
		r.columns = append(r.columns, b.ColumnAt(i))
	}
}

// Match says whether a condition holds for the row, as c.Match(r) does, but faster.
func (r *Rows) Match(c *Condition) bool {
	chain := c.Chain(r.signal)
	at := chain.Start
	for at >= 0 {
		t := &chain.Tests[at]
		at = t.Next(r.holds(t))
	}
	return at == condition.Accept
}

// holds is without the detour over Value for what most tests are: a column against a literal, both ints or both strings.
func (r *Rows) holds(t *condition.Test) bool {
	v := r.columns[t.Left.Column].Value(r.Row)
	if t.Right.Column >= 0 {
		return t.Holds(t.Left.Or(value(v)), t.Right.Or(r.Value(t.Right.Column)))
	}
	if held, decided := t.Decided(v.Type); decided {
		return held
	}
	switch literal := t.Right.Value.Type; {
	case v.Type == abi.TypeInt && literal == abi.TypeInt:
		return t.HoldsInt(v.Int())
	case v.Type == abi.TypeString: // else the type had decided
		return t.HoldsText(v.Text().String())
	}
	return t.Holds(value(v), t.Right.Value)
}

// Signal says what the rows are.
func (r *Rows) Signal() abi.Signal { return r.signal }

// Value gives a value of the row.
func (r *Rows) Value(column int) condition.Value { return value(r.columns[column].Value(r.Row)) }

func value(v sdk.Value) condition.Value {
	switch v.Type {
	case abi.TypeNone:
		return condition.Value{}
	case abi.TypeInt:
		return condition.Value{Type: v.Type, Int: v.Int()}
	case abi.TypeDouble:
		return condition.Value{Type: v.Type, Double: v.Double()}
	case abi.TypeBool:
		if v.Bool() {
			return condition.Value{Type: v.Type, Int: 1}
		}
		return condition.Value{Type: v.Type}
	}
	return condition.Value{Type: v.Type, Text: v.Text().String()}
}
