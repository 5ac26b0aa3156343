package table

import (
	"fmt"
	"slices"
	"strings"

	"github.com/obsd-io/obsd/runtime/abi"
)

// name is a string that the guest announced.
type name struct {
	text string
	// Whether the manifest lets it be written as the key of an attribute, or of a resource's.
	attribute, resource bool
	first               uint16 // the number of the first with the same text, if that is one of seenNames
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
	return s.apply(memory, packed)
}

// ApplyFlush is Apply for the result of obsd_flush at the time now, in nanoseconds since 1970. Its new rows are pending
// in t, which was Reset with empty pdata of one of the plugin's signals.
func (s *Session) ApplyFlush(t *Table, now int64, memory []byte, packed uint64) error {
	s.table, s.rows, s.now, s.flush = t, nil, now, true
	s.active = s.plan.columns[t.Signal()]
	defer s.forget()
	return s.apply(memory, packed)
}

func (s *Session) apply(memory []byte, packed uint64) error {
	s.edits = 0
	if packed == 0 {
		return nil
	}
	read, err := s.read(memory, packed)
	if err != nil {
		return err
	}
	r := &read
	if err := s.checkVerdicts(r); err != nil {
		return err
	}
	edits, err := s.checkEdits(r)
	if err != nil {
		return err
	}
	s.edits = edits
	s.edit(r, s.judge(r))
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
	if clear(s.runs); cap(s.runs) > maxRuns {
		s.runs = nil
	}
	s.table, s.rows = nil, nil
}

// maxRuns bounds the scratch that a session keeps after a result of many new rows.
const maxRuns = 1 << 12

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
	rows := uint32(len(s.rows))
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
		number := slices.IndexFunc(s.names[:min(len(s.names), maxSeen)], func(n name) bool { return n.text == key })
		if number < 0 {
			number = len(s.names)
		}
		s.names = append(s.names, name{key, s.plan.attributes.has(key), s.plan.resource.has(key), uint16(number)})
	}
	return nil
}

// maxSets is how many sets of routes a table can hold.
const maxSets = 1 << 15

func (s *Session) checkVerdicts(r *result) error {
	sets := len(r.sets) / 8
	if n := len(s.table.Sets) + sets; sets > 0 && n > maxSets {
		return fmt.Errorf("sets: %d in one batch, at most %d", n, maxSets)
	}
	for i := 0; i < len(r.verdicts); i += 2 {
		v := le.Uint16(r.verdicts[i:])
		if v >= abi.Route && !s.routes(v, sets) {
			return fmt.Errorf("row %d: %w", i/2, s.noRoute(v, sets))
		}
	}
	for i := 0; i < len(r.sets); i += 8 {
		if set := le.Uint64(r.sets[i:]); s.plan.routes < abi.MaxSetRoutes && set>>s.plan.routes != 0 {
			return fmt.Errorf("set %d: %#x: the manifest has %d routes", i/8, set, s.plan.routes)
		}
	}
	return nil
}

// routes says whether a verdict above Drop names a route or a set that there is.
func (s *Session) routes(v uint16, sets int) bool {
	if v < abi.Set {
		return int(v-abi.Route) < s.plan.routes
	}
	return int(v-abi.Set) < sets
}

func (s *Session) noRoute(v uint16, sets int) error {
	return fmt.Errorf("verdict %d: the manifest has %d routes, the result %d sets", v, s.plan.routes, sets)
}

// judge takes checked verdicts over. It returns how much the numbers of sets grow on their way into the table.
func (s *Session) judge(r *result) (sets uint16) {
	t := s.table
	sets = uint16(len(t.Sets))
	for i := 0; i < len(r.sets); i += 8 {
		t.Sets = append(t.Sets, le.Uint64(r.sets[i:]))
	}
	for i := 0; i < len(r.verdicts); i += 2 {
		v := le.Uint16(r.verdicts[i:])
		if v >= abi.Set {
			v += sets
		}
		t.Verdicts[s.rows[i/2]] = v
	}
	return sets
}
