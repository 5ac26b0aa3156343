package table

import (
	"math/bits"

	"github.com/obsd-io/obsd/runtime/abi"
)

// Split ends a batch whose rows go different ways: it moves the rows of a signal into one Data for each verdict below
// targets. parts[abi.Keep] has the rows without a route, parts[abi.Route+i] those of route i; a row of a set is copied
// into each of its routes. Parts without rows are empty. Of the table's own signal these are its rows and its new rows,
// of another one the new rows alone. Rows lie in copies of their resources, scopes and metrics, in order, those whose
// resource or metric was edited as Settle says.
//
// It is called once for each signal; then the rows of that signal are void, and so is the pdata of Reset, unless all
// rows went one way: then that part is the very pdata.
func (t *Table) Split(signal abi.Signal, targets int) []Data {
	parts := make([]Data, targets)
	for i := range parts {
		parts[i] = NewData(signal)
	}
	side := &t.sides[signal]
	own := signal == t.Signal()
	if own {
		t.inPlace()
		if v, ok := t.uniform(); ok {
			t.Settle()
			parts[v] = t.data
			return parts
		}
	}
	h := hand{t: t, parts: parts, signal: signal, placers: make([]placer, targets)}
	if own {
		for row, verdict := range t.Verdicts {
			h.give(row, t.leafOf(row), verdict)
		}
	}
	base := t.base(signal)
	for i, f := range side.fresh {
		h.give(base+i, f.leaf, f.verdict)
	}
	return parts
}

// uniform says whether all rows that are not dropped have one verdict, and that names a single part.
func (t *Table) uniform() (verdict uint16, ok bool) {
	verdict = abi.Drop
	same := func(v uint16) bool {
		if v == abi.Drop {
			return true
		}
		if verdict == abi.Drop {
			verdict = v
		}
		return v == verdict
	}
	for _, v := range t.Verdicts {
		if !same(v) {
			return 0, false
		}
	}
	for _, f := range t.own().fresh {
		if !same(f.verdict) {
			return 0, false
		}
	}
	return verdict, verdict != abi.Drop && verdict < abi.Set
}

// hand gives rows to the parts that their verdicts name.
type hand struct {
	t       *Table
	signal  abi.Signal
	parts   []Data
	placers []placer
}

func (h *hand) give(row int, leaf int32, verdict uint16) {
	switch {
	case verdict == abi.Drop:
	case verdict < abi.Set:
		p := h.placer(int(verdict))
		p.tree.move(row, p.group(leaf))
	default:
		for set := h.t.Sets[verdict-abi.Set]; set != 0; set &= set - 1 {
			p := h.placer(abi.Route + bits.TrailingZeros64(set))
			p.tree.copy(row, p.group(leaf))
		}
	}
}

func (h *hand) placer(part int) *placer {
	p := &h.placers[part]
	if p.tree == nil {
		*p = h.t.placer(h.signal, h.parts[part], false)
	}
	return p
}
