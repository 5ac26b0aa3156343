package table

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/obsd-io/obsd/internal/attrs"
	"github.com/obsd-io/obsd/runtime/abi"
)

// edit is one entry of the edits. It is two words and not a member for each part, since the compiler keeps a struct of
// more than four members in memory.
type edit struct{ word, cell uint64 }

func editAt(edits []byte, at int) edit {
	return edit{le.Uint64(edits[at:]), le.Uint64(edits[at+8:])}
}

func (e edit) row() uint32   { return uint32(e.word) }
func (e edit) name() uint16  { return uint16(e.word >> 32) }
func (e edit) op() abi.Op    { return abi.Op(e.word >> 48) }
func (e edit) typ() abi.Type { return abi.Type(e.word >> 56) }

// checker holds edits against the contract and the manifest, one after the other.
type checker struct {
	s *Session
	r *result
	// The row at hand: of the batch, or new.
	signal abi.Signal
	fresh  bool
	empty  bool   // new, and no copy
	kind   int    // of a data point: its metric's type
	set    uint64 // bits 1<<field of what it was given
	own    int    // the kind of the batch's row
	news   int
}

// checkEdits holds every edit against the contract and the manifest, and lists in s.runs what is to be applied. It
// returns how many edits there are.
func (s *Session) checkEdits(r *result) (count int, err error) {
	c := checker{s: s, r: r}
	s.runs = s.runs[:0]
	rows := int64(len(s.rows))
	if s.flush {
		rows = 1
	}
	// Of the run at hand: its row, whether its keys need no permission, the column and text that a slice before
	// referred to, and what its edits make of the attributes.
	row, free := int64(-1), false
	var source sliceSource
	var b builder
	for at := 0; at < len(r.edits); at += abi.EditSize {
		e := editAt(r.edits, at)
		if int64(e.row()) != row || e.op() == abi.OpNew {
			if int64(e.row()) < row || int64(e.row()) >= rows {
				return 0, fmt.Errorf("edit %d: row %d: want rows in order, below %d", at/abi.EditSize, e.row(), rows)
			}
			if err := c.finish(); err != nil {
				return 0, fmt.Errorf("edit %d: row %d: %w", at/abi.EditSize-1, row, err)
			}
			b.end(s)
			if int64(e.row()) != row {
				c.next(e.row())
				source.typ = 0
			}
			row = int64(e.row())
			free = e.op() == abi.OpNew
			s.runs = append(s.runs, run{row: e.row(), at: uint32(at / abi.EditSize), fresh: free})
			if free {
				if err := c.begin(e); err != nil {
					return 0, fmt.Errorf("edit %d: row %d: %w", at/abi.EditSize, e.row(), err)
				}
				count++
				continue
			}
			b.begin(s, r.edits, at)
		}
		count++
		// Nearly every edit sets an attribute to an int or to a slice: no calls for those, since they are most of the
		// work of this pass.
		if e.op() == abi.OpSetAttribute && int(e.name()) < len(s.names) && (free || s.names[e.name()].attribute) && (free || !s.flush) {
			if e.typ() == abi.TypeInt {
				s.runs[len(s.runs)-1].sets++
				if b.open {
					b.putInt(&s.names[e.name()], e.cell)
				}
				continue
			}
			if e.typ() >= abi.TypeSlice && (source.typ == e.typ() || source.find(s, e)) && e.cell&0xffffffff+e.cell>>32 <= uint64(len(source.text)) {
				s.runs[len(s.runs)-1].sets++
				if b.open = b.open && source.of != abi.TypeBytes; b.open {
					b.putSlice(&s.names[e.name()], source.text, e.cell)
				}
				continue
			}
		}
		inline, err := c.check(e, at)
		if err != nil {
			return 0, fmt.Errorf("edit %d: row %d: %w", at/abi.EditSize, e.row(), err)
		}
		b.put(s, r, e, at)
		if inline {
			at += abi.EditSize
		}
	}
	if err := c.finish(); err != nil {
		return 0, fmt.Errorf("edit %d: row %d: %w", len(r.edits)/abi.EditSize-1, row, err)
	}
	b.end(s)
	return count, nil
}

// run is the edits of one row: of a row of the batch, or of a new one, the first being its OpNew.
type run struct {
	row, at    uint32 // at counts edits
	sets       uint32 // how many attributes they set
	fields     uint32 // the number of the first edit of a field, from 1; 0 if there is none
	fresh      bool
	moves      bool          // whether one of them is of the row's resource or metric
	built      bool          // whether attributes are what they make of the row's
	attributes attrs.Builder // if so
}

// next goes to a row of the batch.
func (c *checker) next(row uint32) {
	c.signal, c.fresh, c.empty, c.set = c.s.table.Signal(), false, false, 0
	if !c.s.flush {
		c.own = c.s.table.own().rows.kind(int(c.s.rows[row]))
	}
	c.kind = c.own
}

// check checks one edit; inline says that the entry after it belongs to it.
func (c *checker) check(e edit, at int) (inline bool, err error) {
	if c.s.flush && !c.fresh {
		return false, errors.New("obsd_flush has no rows: an edit must follow a new row")
	}
	run := &c.s.runs[len(c.s.runs)-1]
	switch e.op() {
	case abi.OpSetAttribute:
		run.sets++
	case abi.OpSetResource, abi.OpDeleteResource:
		run.moves = true
	}
	switch e.op() {
	case abi.OpSetAttribute, abi.OpSetResource:
		if inline, err = c.checkKey(e, at); err != nil {
			return inline, err
		}
		return inline, c.s.checkValue(c.r, e)
	case abi.OpDeleteAttribute, abi.OpDeleteResource:
		if e.typ() != abi.TypeNone {
			return false, fmt.Errorf("a deletion has type %d, want %d", e.typ(), abi.TypeNone)
		}
		return c.checkKey(e, at)
	case abi.OpSet:
		if err := c.checkField(e); err != nil {
			return false, err
		}
		run.moves = run.moves || rules[e.name()].Level == abi.LevelMetric
		return false, nil
	case abi.OpExt:
		return false, errors.New("an entry of op 255 without one that it belongs to")
	default:
		return false, fmt.Errorf("op %d is not known", e.op())
	}
}

// begin checks an edit that makes a new row; those that follow are the new row's.
func (c *checker) begin(e edit) error {
	plan, signal := c.s.plan, abi.Signal(e.typ())
	switch {
	case e.typ() == abi.NewCopy && c.s.flush:
		return errors.New("new row: obsd_flush has no row to copy")
	case e.typ() == abi.NewCopy:
		signal = c.s.table.Signal()
	case int(signal) >= signals:
		return fmt.Errorf("new row: type %d is no signal", e.typ())
	}
	if !plan.emits[signal] {
		return fmt.Errorf("makes %s, which the manifest does not declare: add %q to its emits", rowOf[signal], abi.SignalNames[signal])
	}
	if sets := len(c.r.sets) / 8; e.name() == abi.Drop || e.name() >= abi.Route && !c.s.routes(e.name(), sets) {
		if e.name() == abi.Drop {
			return errors.New("new row: its verdict is to drop it")
		}
		return fmt.Errorf("new row: %w", c.s.noRoute(e.name(), sets))
	}
	if e.cell != 0 {
		return fmt.Errorf("new row: cell %#x, want 0", e.cell)
	}
	if c.news++; c.news > abi.MaxNew {
		return fmt.Errorf("new row: there are more than %d", abi.MaxNew)
	}
	c.signal, c.fresh, c.empty, c.kind, c.set = signal, true, e.typ() != abi.NewCopy, c.own, 0
	if c.empty {
		c.kind = abi.MetricGauge
	}
	return nil
}

// finish checks that a new row is whole.
func (c *checker) finish() error {
	if !c.empty || c.signal != abi.SignalMetrics {
		return nil
	}
	has := func(f abi.Field) bool { return c.set&(1<<f) != 0 }
	switch {
	case !has(abi.FieldMetricName):
		return errors.New("new data point: it has no metric.name")
	case !has(abi.FieldValue):
		return errors.New("new data point: it has no value")
	case c.kind == abi.MetricSum && !has(abi.FieldMetricTemporality):
		return errors.New("new data point: it is of a sum and has no metric.temporality")
	case c.kind == abi.MetricGauge && (has(abi.FieldMetricTemporality) || has(abi.FieldMetricMonotonic)):
		return errors.New("new data point: it is of a gauge, which has no metric.temporality and is not metric.monotonic")
	}
	return nil
}

func notDeclared(what string) error {
	return fmt.Errorf("sets %s, which the manifest does not declare: add %q to its writes", what, what)
}

// isResource says whether an edit with a key is of the resource, and not of the row's attributes.
func isResource(op abi.Op) bool { return op == abi.OpSetResource || op == abi.OpDeleteResource }

func (c *checker) checkKey(e edit, at int) (inline bool, err error) {
	allowed, prefix := &c.s.plan.attributes, abi.AttributePrefix
	if isResource(e.op()) {
		allowed, prefix = &c.s.plan.resource, abi.ResourcePrefix
	}
	if e.name() != abi.NameInline {
		if int(e.name()) >= len(c.s.names) {
			return false, fmt.Errorf("name %d was not announced", e.name())
		}
		if key := c.s.names[e.name()].text; !c.fresh && !allowed.has(key) {
			return false, notDeclared(prefix + key)
		}
		return false, nil
	}
	if at+2*abi.EditSize > len(c.r.edits) {
		return false, errors.New("the entry with the key is missing")
	}
	ext := editAt(c.r.edits, at+abi.EditSize)
	if ext.op() != abi.OpExt || ext.row() != e.row() || ext.typ() != abi.TypeString {
		return false, errors.New("the next entry is not its key")
	}
	if err := checkArena(c.r, ext.cell); err != nil {
		return false, err
	}
	if key := arenaText(c.r, ext.cell); !c.fresh && !allowed.has(key) {
		return false, notDeclared(prefix + key)
	}
	return true, nil
}

func checkArena(r *result, cell uint64) error {
	offset, length := uint32(cell), uint32(cell>>32)
	if uint64(offset)+uint64(length) > uint64(len(r.arena)) {
		return fmt.Errorf("value: %d bytes at %d lie outside the arena of %d", length, offset, len(r.arena))
	}
	return nil
}

// arenaText copies a checked string out of the arena, as valid UTF-8.
func arenaText(r *result, cell uint64) string {
	text := string(arenaBytes(r, cell))
	if !utf8.ValidString(text) {
		return strings.ToValidUTF8(text, "\uFFFD")
	}
	return text
}

func arenaBytes(r *result, cell uint64) []byte {
	offset, length := uint32(cell), uint32(cell>>32)
	return r.arena[offset : offset+length]
}

func (s *Session) checkValue(r *result, e edit) error {
	switch e.typ() {
	case abi.TypeInt, abi.TypeDouble, abi.TypeBool:
		return nil
	case abi.TypeString, abi.TypeBytes, abi.TypeJSON:
		return checkArena(r, e.cell)
	case abi.TypeName:
		if e.cell >= uint64(len(s.names)) {
			return fmt.Errorf("value: name %d was not announced", e.cell)
		}
		return nil
	}
	if e.typ() < abi.TypeSlice {
		return fmt.Errorf("value: type %d is not known", e.typ())
	}
	text, _, ok := s.sliced(e)
	if !ok {
		return fmt.Errorf("value: a slice of column %d, which has no text in this row", e.typ()&^abi.TypeSlice)
	}
	offset, length := uint32(e.cell), uint32(e.cell>>32)
	if uint64(offset)+uint64(length) > uint64(len(text)) {
		return fmt.Errorf("value: a slice of %d bytes at %d of column %d, which has %d", length, offset, e.typ()&^abi.TypeSlice, len(text))
	}
	return nil
}

// sliceSource is the text that a slice refers to: mostly the one that the slice before it did, in the same row.
type sliceSource struct {
	typ  abi.Type // of the edit that it is for: the column, and TypeSlice; 0 if there is no text
	of   abi.Type // of the text
	text string
}

// find makes the source e's; false says that there is no text to slice.
func (c *sliceSource) find(s *Session, e edit) (ok bool) {
	c.typ = 0
	if c.text, c.of, ok = s.sliced(e); ok {
		c.typ = e.typ()
	}
	return ok
}

// sliced is the text that a slice refers to, and its type.
func (s *Session) sliced(e edit) (string, abi.Type, bool) {
	c := int(e.typ() &^ abi.TypeSlice)
	if s.flush || c >= len(s.active) || s.active[c].isMap() || s.active[c].field == columnAbsent {
		return "", 0, false
	}
	entry := e.row()
	if level := s.active[c].level; level != abi.LevelRow {
		entry = s.index[level][e.row()]
	}
	v := &s.columns[c]
	if !isText(v.types[entry]) {
		return "", 0, false
	}
	return v.text[entry], abi.Type(v.types[entry]), true
}
