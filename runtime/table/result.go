package table

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/obsd-io/obsd/runtime/abi"
)

// name is a string that the guest announced.
type name struct {
	text     string
	writable bool // as an attribute's key
}

// result is a guest's result: views of its memory, whose bounds are checked.
type result struct {
	verdicts []byte // empty: keep all
	edits    []byte
	arena    []byte
	sets     []byte
}

// Apply reads the result that obsd_process returned for the batch in flight out of the guest's memory and applies it.
// Nothing is applied unless all of it is sound. A result of 0 keeps all rows.
//
// # Errors
//
// Any error is the plugin's: a result that breaks the contract of runtime/abi or the plugin's own manifest.
func (s *Session) Apply(memory []byte, packed uint64) error {
	defer s.forget()
	if packed == 0 {
		return nil
	}
	r, err := s.read(memory, packed)
	if err != nil {
		return err
	}
	if err := s.checkVerdicts(r); err != nil {
		return err
	}
	if err := s.checkEdits(r); err != nil {
		return err
	}
	s.judge(r)
	s.edit(r)
	return nil
}

// forget lets go of the batch's strings.
func (s *Session) forget() {
	for i := range s.columns {
		clear(s.columns[i].text)
	}
	for i := range s.maps {
		clear(s.maps[i].values.text)
	}
	s.logs = nil
}

// section bounds-checks count items of size bytes at an address.
func section(memory []byte, what string, address, count, size uint32) ([]byte, error) {
	end := uint64(address) + uint64(count)*uint64(size)
	if end > uint64(len(memory)) {
		return nil, fmt.Errorf("%s: %d × %d bytes at %d lie outside the memory of %d", what, count, size, address, len(memory))
	}
	return memory[address:end], nil
}

func (s *Session) read(memory []byte, packed uint64) (r result, err error) {
	address, length := abi.Unpack(packed)
	if length < abi.ResultHeaderSize {
		return r, fmt.Errorf("the result has %d bytes, want %d", length, abi.ResultHeaderSize)
	}
	header, err := section(memory, "result", address, 1, abi.ResultHeaderSize)
	if err != nil {
		return r, err
	}
	field := func(offset int) uint32 { return le.Uint32(header[offset:]) }
	if magic := field(0); magic != abi.ResultMagic {
		return r, fmt.Errorf("the result starts with %#x, want %#x", magic, uint32(abi.ResultMagic))
	}
	rows := uint32(s.hi - s.lo)
	if n := field(abi.ResultRows); n != rows {
		return r, fmt.Errorf("the result is for %d rows, the batch has %d", n, rows)
	}
	if at := field(abi.ResultVerdicts); at != 0 {
		if r.verdicts, err = section(memory, "verdicts", at, rows, 2); err != nil {
			return r, err
		}
	}
	for _, part := range []struct {
		view         *[]byte
		what         string
		at, n, width uint32
	}{
		{&r.edits, "edits", field(abi.ResultEdits), field(abi.ResultEditsCount), abi.EditSize},
		{&r.arena, "arena", field(abi.ResultArena), field(abi.ResultArenaLength), 1},
		{&r.sets, "sets", field(abi.ResultSets), field(abi.ResultSetsCount), 8},
	} {
		if *part.view, err = section(memory, part.what, part.at, part.n, part.width); err != nil {
			return r, err
		}
	}
	return r, s.announce(memory, field(abi.ResultNames), field(abi.ResultNamesCount), field(abi.ResultNamesFirst))
}

// announce takes the guest's new names.
func (s *Session) announce(memory []byte, at, count, first uint32) error {
	if count == 0 {
		return nil
	}
	if int(first) != len(s.names) {
		return fmt.Errorf("names: the first new one is numbered %d, want %d", first, len(s.names))
	}
	if int64(first)+int64(count) > abi.MaxNames {
		return fmt.Errorf("names: %d, at most %d: give rare keys inline", int64(first)+int64(count), abi.MaxNames)
	}
	cells, err := section(memory, "names", at, count, abi.CellSize)
	if err != nil {
		return err
	}
	for i := range int(count) {
		cell := le.Uint64(cells[abi.CellSize*i:])
		text, err := section(memory, "name", uint32(cell), uint32(cell>>32), 1)
		if err != nil {
			return err
		}
		key := strings.ToValidUTF8(string(text), "\uFFFD")
		s.names = append(s.names, name{text: key, writable: s.plan.writesAll || s.plan.writes[key]})
	}
	return nil
}

func (s *Session) checkVerdicts(r result) error {
	sets := uint16(len(r.sets) / 8)
	for i := 0; i < len(r.verdicts); i += 2 {
		v := le.Uint16(r.verdicts[i:])
		switch {
		case v < abi.Route:
		case v < abi.Set && int(v-abi.Route) < s.plan.routes:
		case v >= abi.Set && v-abi.Set < sets:
		default:
			return fmt.Errorf("row %d: verdict %d: the manifest has %d routes, the result %d sets", i/2, v, s.plan.routes, sets)
		}
	}
	for i := 0; i < len(r.sets); i += 8 {
		if set := le.Uint64(r.sets[i:]); s.plan.routes < abi.MaxSetRoutes && set>>s.plan.routes != 0 {
			return fmt.Errorf("set %d: %#x: the manifest has %d routes", i/8, set, s.plan.routes)
		}
	}
	return nil
}

// judge takes checked verdicts over.
func (s *Session) judge(r result) {
	base := uint16(len(s.logs.Sets))
	for i := 0; i < len(r.sets); i += 8 {
		s.logs.Sets = append(s.logs.Sets, le.Uint64(r.sets[i:]))
	}
	verdicts := s.logs.Verdicts[s.lo:s.hi]
	for i := 0; i < len(r.verdicts); i += 2 {
		v := le.Uint16(r.verdicts[i:])
		if v >= abi.Set {
			v += base
		}
		verdicts[i/2] = v
	}
}

// edit is one entry of the edits.
type edit struct {
	row  uint32
	name uint16
	op   abi.Op
	typ  abi.Type
	cell uint64
}

func editAt(edits []byte, at int) edit {
	word := le.Uint64(edits[at:])
	return edit{
		row: uint32(word), name: uint16(word >> 32), op: abi.Op(word >> 48), typ: abi.Type(word >> 56),
		cell: le.Uint64(edits[at+8:]),
	}
}

// checkEdits holds every edit against the contract and the manifest.
func (s *Session) checkEdits(r result) error {
	rows, last := uint32(s.hi-s.lo), uint32(0)
	var source sliceSource
	for at := 0; at < len(r.edits); at += abi.EditSize {
		e := editAt(r.edits, at)
		if e.row >= rows || e.row < last {
			return fmt.Errorf("edit %d: row %d: want rows in order, below %d", at/abi.EditSize, e.row, rows)
		}
		last = e.row
		// Nearly every edit sets an attribute to an int or to a slice: no calls for those, since they are most of the
		// work of this pass.
		if e.op == abi.OpSetAttribute && int(e.name) < len(s.names) && s.names[e.name].writable {
			if e.typ == abi.TypeInt {
				continue
			}
			if e.typ >= abi.TypeSlice && (source.is(e) || source.find(s, e)) && e.cell&0xffffffff+e.cell>>32 <= uint64(len(source.text)) {
				continue
			}
		}
		inline, err := s.checkEdit(r, e, at)
		if err != nil {
			return fmt.Errorf("edit %d: row %d: %w", at/abi.EditSize, e.row, err)
		}
		if inline {
			at += abi.EditSize
		}
	}
	return nil
}

// sliceSource is the text that a slice refers to: mostly the one that the slice before it did.
type sliceSource struct {
	key  uint64 // row and column of the text, and a bit that tells from the zero value
	typ  abi.Type
	text string
}

func sourceKey(e edit) uint64 { return uint64(e.row)<<8 | uint64(e.typ) }

// is says whether the source is e's already.
func (c *sliceSource) is(e edit) bool { return c.key == sourceKey(e) }

// find makes the source e's; false says that there is no text to slice.
func (c *sliceSource) find(s *Session, e edit) (ok bool) {
	if c.text, c.typ, ok = s.sliced(e); ok {
		c.key = sourceKey(e)
	} else {
		c.key = 0
	}
	return ok
}

// checkEdit checks one edit; inline says that the entry after it belongs to it.
func (s *Session) checkEdit(r result, e edit, at int) (inline bool, err error) {
	switch e.op {
	case abi.OpSetAttribute, abi.OpDeleteAttribute:
		if inline, err = s.checkKey(r, e, at); err != nil || e.op == abi.OpDeleteAttribute {
			return inline, err
		}
		return inline, s.checkValue(r, e)
	case abi.OpSet:
		return false, s.checkField(r, e)
	default:
		return false, fmt.Errorf("op %d is not known", e.op)
	}
}

func (s *Session) checkField(r result, e edit) error {
	field := abi.Field(e.name)
	switch field {
	case abi.FieldBody:
		if !s.plan.writesBody {
			return notDeclared("body")
		}
		return s.checkValue(r, e)
	case abi.FieldSeverity, abi.FieldSeverityText:
		if !s.plan.writesSeverity {
			return notDeclared("severity")
		}
		if field == abi.FieldSeverity && e.typ == abi.TypeName {
			if name := e.cell >> 32; name >= uint64(len(s.names)) {
				return fmt.Errorf("severity_text: name %d was not announced", name)
			}
			e.typ, e.cell = abi.TypeInt, e.cell&0xffffffff
		}
		if field == abi.FieldSeverity {
			return checkInt(e, "severity_number", 24)
		}
		return s.checkString(r, e, "severity_text")
	case abi.FieldTime:
		if !s.plan.writesTime {
			return notDeclared("time")
		}
		return checkInt(e, "time", 1<<63-1)
	default:
		return fmt.Errorf("field %d is not known", field)
	}
}

func notDeclared(what string) error {
	return fmt.Errorf("sets %s, which the manifest does not declare: add %q to its writes", what, what)
}

func checkInt(e edit, what string, most int64) error {
	if e.typ != abi.TypeInt || int64(e.cell) < 0 || int64(e.cell) > most {
		return fmt.Errorf("%s: type %d, value %d; want type %d, 0 to %d", what, e.typ, int64(e.cell), abi.TypeInt, most)
	}
	return nil
}

func (s *Session) checkString(r result, e edit, what string) error {
	if e.typ != abi.TypeString && e.typ != abi.TypeName && e.typ < abi.TypeSlice {
		return fmt.Errorf("%s: type %d is not a string", what, e.typ)
	}
	return s.checkValue(r, e)
}

func (s *Session) checkKey(r result, e edit, at int) (inline bool, err error) {
	if e.name != abi.NameInline {
		if int(e.name) >= len(s.names) {
			return false, fmt.Errorf("name %d was not announced", e.name)
		}
		if n := s.names[e.name]; !n.writable {
			return false, notDeclared(attributePrefix + n.text)
		}
		return false, nil
	}
	if at+2*abi.EditSize > len(r.edits) {
		return false, fmt.Errorf("the entry with the key is missing")
	}
	ext := editAt(r.edits, at+abi.EditSize)
	if ext.op != abi.OpExt || ext.row != e.row || ext.typ != abi.TypeString {
		return false, fmt.Errorf("the next entry is not its key")
	}
	if err := checkArena(r, ext.cell); err != nil {
		return false, err
	}
	if key := arenaText(r, ext.cell); !s.plan.writesAll && !s.plan.writes[key] {
		return false, notDeclared(attributePrefix + key)
	}
	return true, nil
}

func checkArena(r result, cell uint64) error {
	offset, length := uint32(cell), uint32(cell>>32)
	if uint64(offset)+uint64(length) > uint64(len(r.arena)) {
		return fmt.Errorf("value: %d bytes at %d lie outside the arena of %d", length, offset, len(r.arena))
	}
	return nil
}

// arenaText copies a checked string out of the arena, as valid UTF-8.
func arenaText(r result, cell uint64) string {
	text := string(arenaBytes(r, cell))
	if !utf8.ValidString(text) {
		return strings.ToValidUTF8(text, "\uFFFD")
	}
	return text
}

func arenaBytes(r result, cell uint64) []byte {
	offset, length := uint32(cell), uint32(cell>>32)
	return r.arena[offset : offset+length]
}

func (s *Session) checkValue(r result, e edit) error {
	switch e.typ {
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
	if e.typ < abi.TypeSlice {
		return fmt.Errorf("value: type %d is not known", e.typ)
	}
	text, _, ok := s.sliced(e)
	if !ok {
		return fmt.Errorf("value: a slice of column %d, which has no text in this row", e.typ&^abi.TypeSlice)
	}
	offset, length := uint32(e.cell), uint32(e.cell>>32)
	if uint64(offset)+uint64(length) > uint64(len(text)) {
		return fmt.Errorf("value: a slice of %d bytes at %d of column %d, which has %d", length, offset, e.typ&^abi.TypeSlice, len(text))
	}
	return nil
}

// sliced is the text that a slice refers to, and its type.
func (s *Session) sliced(e edit) (string, abi.Type, bool) {
	c := int(e.typ &^ abi.TypeSlice)
	if c >= len(s.columns) {
		return "", 0, false
	}
	entry := int(e.row)
	if s.plan.columns[c].level() == abi.LevelResource {
		entry = int(s.logs.resource[s.lo+entry] - s.logs.resource[s.lo])
	}
	v := &s.columns[c]
	if entry >= len(v.types) || !v.isText(entry) {
		return "", 0, false
	}
	return v.text[entry], abi.Type(v.types[entry]), true
}
