package table

import (
	"math"
	"regexp"
	"slices"
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/condition"
)

// Filter is a condition over rows as they lie in pdata, before any of them is copied. What it reads of a row is what a
// guest would get of it, so that a condition means the same on both sides. It may be used concurrently.
type Filter struct {
	condition *condition.Condition
	columns   []column
	scratch   sync.Pool // of *selection
}

// NewFilter reads a condition, see package condition for its syntax, for rows of signals, which are named as in a
// manifest.
//
// # Errors
//
// What is wrong with the condition is a [*condition.Error], which names the column.
func NewFilter(text string, signals []string) (*Filter, error) {
	p := condition.Parser{Regexp: compile}
	for _, name := range signals {
		signal, err := parseSignal("signals", name)
		if err != nil {
			return nil, err
		}
		p.Signals = append(p.Signals, signal)
	}
	c, err := p.Parse(text)
	if err != nil {
		return nil, err
	}
	f := &Filter{condition: c, scratch: sync.Pool{New: func() any { return new(selection) }}}
	for _, name := range p.Columns {
		c, ok := parseColumn(name)
		if !ok {
			panic("BUG: a condition reads a column that there is not: " + name)
		}
		f.columns = append(f.columns, c)
	}
	return f, nil
}

func compile(pattern string) (func(string) bool, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	return re.MatchString, nil
}

// chunk is how many rows a test looks at before the next test does: few enough for their values to stay in cache.
const chunk = 256

// Select appends the numbers of the rows of t for which the condition holds, ascending, to rows[:0].
//
// It allocates nothing but the JSON text of a map or an array, the bytes of an id, and what rows has no room for.
func (f *Filter) Select(t *Table, rows []int32) []int32 {
	rows = rows[:0]
	chain := f.condition.Chain(t.Signal())
	if chain.Start == condition.Reject {
		return rows
	}
	n := int32(t.Rows())
	if chain.Start == condition.Accept {
		for row := range n {
			rows = append(rows, row)
		}
		return rows
	}
	s := f.scratch.Get().(*selection)
	s.table, s.columns = t, f.columns
	for from := int32(0); from < n; from += chunk {
		rows = s.run(chain, from, min(from+chunk, n), rows)
	}
	s.clear()
	f.scratch.Put(s)
	return rows
}

// selection is a chunk of rows on its way through a chain, test by test rather than row by row: so each test reads its
// column in one go, and a resource's only once.
type selection struct {
	table   *Table
	columns []column

	at          [chunk]int32 // where each row of the chunk is: a test, Accept or Reject
	room        [chunk]int32
	rows        []int32     // in room: those that are at the test at hand
	held        [chunk]bool // whether it holds for each of them
	left, right values      // of each of them
}

// clear lets go of all pdata.
func (s *selection) clear() {
	s.table, s.columns = nil, nil
	clear(s.left.text[:cap(s.left.text)])
	clear(s.right.text[:cap(s.right.text)])
}

// run appends those rows from from up to to that a chain accepts.
func (s *selection) run(chain condition.Chain, from, to int32, selected []int32) []int32 {
	rows := s.room[:to-from]
	for i := range rows {
		rows[i] = from + int32(i)
	}
	s.rows = rows
	first := &chain.Tests[chain.Start]
	s.decide(first)
	yes, no := int32(first.Next(true)), int32(first.Next(false))
	if yes < 0 && no < 0 {
		return s.pick(yes == condition.Accept, selected)
	}
	at := s.at[:to-from]
	for i, held := range s.held[:len(at)] {
		at[i] = no
		if held {
			at[i] = yes
		}
	}
	s.follow(chain, from, at)
	for i, test := range at {
		if test == condition.Accept {
			selected = append(selected, from+int32(i))
		}
	}
	return selected
}

// pick appends the rows for which the test at hand holds, or does not hold.
func (s *selection) pick(hold bool, selected []int32) []int32 {
	n := len(selected)
	selected = slices.Grow(selected, len(s.rows))[:n+len(s.rows)]
	held := s.held[:len(s.rows)]
	for i, row := range s.rows {
		selected[n] = row
		more := 0 // without a branch, since rows follow no pattern
		if held[i] == hold {
			more = 1
		}
		n += more
	}
	return selected[:n]
}

// follow takes the rows that start at from to the chain's end. A test leads only to tests before it, so one pass from the
// last test to the first serves all rows.
func (s *selection) follow(chain condition.Chain, from int32, at []int32) {
	for k := chain.Start - 1; k >= 0; k-- {
		s.rows = s.room[:0]
		for i, test := range at {
			if int(test) == k {
				s.rows = append(s.rows, from+int32(i))
			}
		}
		if len(s.rows) == 0 {
			continue
		}
		t := &chain.Tests[k]
		s.decide(t)
		for i, row := range s.rows {
			at[row-from] = int32(t.Next(s.held[i]))
		}
	}
}

// decide applies a test to each of the rows.
func (s *selection) decide(t *condition.Test) {
	c := &s.columns[t.Left.Column]
	switch {
	case t.Right.Column >= 0:
		s.read(c, &s.left)
		s.read(&s.columns[t.Right.Column], &s.right)
		for i := range s.rows {
			s.held[i] = t.Holds(t.Left.Or(s.left.value(i)), t.Right.Or(s.right.value(i)))
		}
	case c.level != abi.LevelRow:
		s.decideGroups(t, c)
	case c.field == columnAttribute:
		s.decideAttributes(t, c.key)
	case c.field == abi.FieldBody:
		records := s.table.own().rows.(*logRows).records
		for i, row := range s.rows {
			s.held[i] = s.decideValue(t, records[row].Body())
		}
	case c.field == abi.FieldSeverity && t.Right.Value.Type == abi.TypeInt: // 0 stands for one that is not set
		records, held := s.table.own().rows.(*logRows).records, s.held[:len(s.rows)]
		for i, row := range s.rows {
			held[i] = t.HoldsInt(int64(records[row].SeverityNumber()))
		}
	default:
		s.read(c, &s.left)
		for i := range s.rows {
			s.held[i] = holds(t, &s.left, i)
		}
	}
}

// decideGroups is decide for a column that is not the rows' own.
func (s *selection) decideGroups(t *condition.Test, c *column) {
	s.left.resize(1)
	home, held := s.table.home, s.held[:len(s.rows)]
	lastLeaf, last, now := int32(none), int32(none), false
	for i, row := range s.rows {
		if leaf := home[row]; leaf != lastLeaf {
			lastLeaf = leaf
			if group := s.table.leaves[leaf].at(c.level); group != last {
				last = group
				s.table.readGroup(*c, group, &s.left, 0)
				now = holds(t, &s.left, 0)
			}
		}
		held[i] = now
	}
}

// decideAttributes is decide for an attribute.
func (s *selection) decideAttributes(t *condition.Test, key string) {
	absent, _ := t.Decided(abi.TypeNone)
	text := t.Right.Value.Type == abi.TypeString
	rows, held := s.table.own().rows, s.held[:len(s.rows)]
	for i, row := range s.rows {
		switch v, ok := rows.attributes(int(row)).Get(key); {
		case !ok:
			held[i] = absent
		case text && v.Type() == pcommon.ValueTypeStr:
			held[i] = t.HoldsText(v.Str())
		default:
			held[i] = s.decideValue(t, v)
		}
	}
}

// decideValue is decide for a value, for which it is worth while not to lay a string or an int down in between.
func (s *selection) decideValue(t *condition.Test, v pcommon.Value) bool {
	switch typ, literal := v.Type(), t.Right.Value.Type; {
	case typ == pcommon.ValueTypeStr && literal == abi.TypeString:
		return t.HoldsText(v.Str())
	case typ == pcommon.ValueTypeInt && literal == abi.TypeInt:
		return t.HoldsInt(v.Int())
	}
	s.left.resize(1)
	s.left.set(0, v)
	return holds(t, &s.left, 0)
}

// read takes a column's value of each of the rows.
func (s *selection) read(c *column, v *values) {
	v.resize(len(s.rows))
	if c.level == abi.LevelRow {
		s.table.own().rows.read(*c, s.rows, v)
		return
	}
	for i, row := range s.rows {
		s.table.readGroup(*c, s.table.leaves[s.table.home[row]].at(c.level), v, i)
	}
}

// holds applies a test against a literal to the value number i.
func holds(t *condition.Test, v *values, i int) bool {
	typ := abi.Type(v.types[i])
	if held, decided := t.Decided(typ); decided {
		return held
	}
	switch literal := t.Right.Value.Type; {
	case typ == abi.TypeInt && literal == abi.TypeInt:
		return t.HoldsInt(int64(v.cells[i]))
	case typ == abi.TypeString: // else the type had decided
		return t.HoldsText(v.text[i])
	}
	return t.Holds(v.value(i), t.Right.Value)
}

// value is the value number i as conditions have it.
func (v *values) value(i int) condition.Value {
	switch t := abi.Type(v.types[i]); t {
	case abi.TypeNone:
		return condition.Value{}
	case abi.TypeInt, abi.TypeBool:
		return condition.Value{Type: t, Int: int64(v.cells[i])}
	case abi.TypeDouble:
		return condition.Value{Type: t, Double: math.Float64frombits(v.cells[i])}
	default:
		return condition.Value{Type: t, Text: v.text[i]}
	}
}
