package table

import (
	"math"

	"github.com/obsd-io/obsd/internal/attrs"
	"github.com/obsd-io/obsd/runtime/abi"
)

// builder makes the attributes of a row of the batch while its edits are checked, so that each is looked at once. They are
// given to the row when all edits of the call are found right. It gives up where an edit deletes an attribute, or sets one to
// bytes, a map or a list: such a row's edits are applied one by one.
type builder struct {
	attrs.Builder
	room attrs.Room
	open bool
	seen seenNames
	// Of the run before, which the next mostly is like: how many edits it had, and how many of them set attributes.
	edits, sets int
}

// building says that there are builders; the tests see that all is the same without.
var building = attrs.Known()

// begin starts with the run of edits at an offset.
func (b *builder) begin(s *Session, edits []byte, at int) {
	if b.open = building && !s.flush; !b.open {
		return
	}
	if b.measure(edits, at); b.sets == 0 {
		b.open, b.edits = false, 0 // so that the next is counted
		return
	}
	row := int(s.rows[editAt(edits, at).row()])
	records := (len(edits) - at) / abi.EditSize / b.edits // if those that follow are like this one
	b.seen, b.Builder = 0, b.room.From(s.table.own().rows.attributes(row), min(b.sets, maxRoom), records)
}

// maxRoom bounds for how many attributes of a row there is room at once, since a run may as well set one many times.
const maxRoom = 128

// measure counts the edits of a run, unless it is as long as the one before.
func (b *builder) measure(edits []byte, at int) {
	row, end := editAt(edits, at).row(), at+b.edits*abi.EditSize
	if b.edits > 0 && end <= len(edits) && editAt(edits, end-abi.EditSize).row() == row && (end == len(edits) || editAt(edits, end).row() != row) {
		return
	}
	b.edits, b.sets = 0, 0
	for ; at < len(edits) && editAt(edits, at).row() == row; at += abi.EditSize {
		b.edits++
		if editAt(edits, at).op() == abi.OpSetAttribute {
			b.sets++
		}
	}
}

func (b *builder) putInt(key *name, cell uint64) { b.PutInt(key.text, int64(cell), b.seen.first(key)) }

func (b *builder) putSlice(key *name, text string, cell uint64) {
	b.PutStr(key.text, slice(text, cell), b.seen.first(key))
}

// put takes an edit that was checked and is neither of an int nor of a slice. Its key may be in the entry after it.
func (b *builder) put(s *Session, r *result, e edit, at int) {
	switch run := &s.runs[len(s.runs)-1]; {
	case e.op() == abi.OpDeleteAttribute:
		b.open = false
	case e.op() == abi.OpSet && run.fields == 0:
		run.fields = uint32(at/abi.EditSize) - run.at + 1
	}
	if e.op() != abi.OpSetAttribute || !b.open {
		return
	}
	key, fresh := "", false
	if e.name() == abi.NameInline {
		key, b.seen = arenaText(r, editAt(r.edits, at+abi.EditSize).cell), allSeen
	} else {
		key, fresh = s.names[e.name()].text, b.seen.first(&s.names[e.name()])
	}
	switch v := s.value(r, e); v.typ {
	case abi.TypeInt:
		b.PutInt(key, int64(v.bits), fresh)
	case abi.TypeDouble:
		b.PutDouble(key, math.Float64frombits(v.bits), fresh)
	case abi.TypeBool:
		b.PutBool(key, v.bits != 0, fresh)
	case abi.TypeString:
		b.PutStr(key, v.text, fresh)
	default:
		b.open = false
	}
}

// end leaves what was made with the run.
func (b *builder) end(s *Session) {
	if b.open {
		run := &s.runs[len(s.runs)-1]
		run.built, run.attributes = true, b.Builder
		b.open = false
	}
}

// seenNames are the names that a row's edits have set, as bits, of the first maxSeen.
type seenNames uint64

const (
	maxSeen           = 64
	allSeen seenNames = 1<<maxSeen - 1
)

// first says whether a name is known not to have been set before, and notes it.
func (n *seenNames) first(of *name) bool {
	bit := seenNames(1) << of.first
	fresh := bit != 0 && *n&bit == 0
	*n |= bit
	return fresh
}
