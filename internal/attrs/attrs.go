// Package attrs makes the attributes of a record aside, with two allocations for about ten records, and gives them to its map
// at once.
//
// pdata keeps each value in an object of its own, so that a record of eight attributes takes nine allocations, most of 8 or
// 16 bytes, which are most of what setting them costs. A [Builder] takes the objects from blocks instead, which a few records
// share. What is in the map is the same, bit for bit, and pdata's own functions go on with it.
//
// pdata has no function for that, so the package writes pdata's own structs, of which it has copies. They are compared
// with those of the pdata that is linked, once at start, member by member. Where anything differs, or a word has fewer
// than 64 bits, [Known] is false, and pdata's own functions are what there is.
package attrs

import (
	"slices"
	"unsafe"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Builder is what the attributes of one record are to be. The map is not touched before [Builder.Commit].
type Builder struct {
	entries []entry
	cells   []cell
	old     int // how many entries the map has
}

// cell is the room of one value: of a string, or of a number in the string's length, which is no pointer.
type cell struct{ text string }

// Known says whether pdata is as this package knows it. Nothing else may be used where it is not.
func Known() bool { return known }

// Room is blocks for the attributes of records that are made one after the other. The zero Room is empty. A block is freed
// when the last of its records is, so a record that outlives the others holds up to 5 KB and the texts of about ten records.
type Room struct {
	entries []entry
	cells   []cell
}

// roomEntries is how many attributes a block is for at most: those of about ten records.
const roomEntries = 96

// From starts with what the map has, and room for n attributes more. There may be more. records is how many like this one
// are still to be made, with it: there is no block for more.
func (r *Room) From(m pcommon.Map, n, records int) Builder {
	old := *entriesOf(m)
	all := take(&r.entries, len(old)+n, records)[:len(old)]
	copy(all, old)
	return Builder{all, take(&r.cells, n, records)[:0], len(old)}
}

// take cuts n off a block, and makes a new one where too few are left. What is a large part of a block gets one of its own.
func take[T any](block *[]T, n, records int) []T {
	if n > len(*block) {
		if n > roomEntries/4 {
			return make([]T, n)
		}
		*block = make([]T, min(n*records, roomEntries))
	}
	taken := (*block)[:n:n]
	*block = (*block)[n:]
	return taken
}

// PutStr sets an attribute as [pcommon.Map.PutStr] does; the text is not copied. Fresh says that this Builder has not set
// the key before, so that only what the map has is searched for it.
func (b *Builder) PutStr(key, text string, fresh bool) {
	c := b.cell()
	c.text = text
	b.put(key, boxed{stringType, unsafe.Pointer(c)}, fresh)
}

// PutInt sets an attribute as [pcommon.Map.PutInt] does; fresh is as in PutStr.
func (b *Builder) PutInt(key string, n int64, fresh bool) {
	at := b.number()
	*(*int64)(at) = n
	b.put(key, boxed{intType, at}, fresh)
}

// PutDouble sets an attribute as [pcommon.Map.PutDouble] does; fresh is as in PutStr.
func (b *Builder) PutDouble(key string, f float64, fresh bool) {
	at := b.number()
	*(*float64)(at) = f
	b.put(key, boxed{doubleType, at}, fresh)
}

// PutBool sets an attribute as [pcommon.Map.PutBool] does; fresh is as in PutStr.
func (b *Builder) PutBool(key string, v, fresh bool) {
	at := b.number()
	*(*bool)(at) = v
	b.put(key, boxed{boolType, at}, fresh)
}

// number is the room of a value of up to eight bytes that is no pointer.
func (b *Builder) number() unsafe.Pointer { return unsafe.Add(unsafe.Pointer(b.cell()), numberAt) }

func (b *Builder) cell() *cell {
	n := len(b.cells)
	if n == cap(b.cells) { // those that are in use stay where they are
		b.cells, n = make([]cell, 0, max(2*n, 4)), 0
	}
	b.cells = b.cells[:n+1]
	return &b.cells[n]
}

func (b *Builder) put(key string, value boxed, fresh bool) {
	search := b.entries
	if fresh {
		search = search[:b.old]
	}
	for i := range search {
		if search[i].key == key {
			search[i].value = value
			return
		}
	}
	n := len(b.entries)
	b.entries = slices.Grow(b.entries, 1)[:n+1]
	e := &b.entries[n] // to append a struct would make it aside first, which takes twice as long
	e.value, e.key = value, key
}

// Commit gives the map its attributes, as it was when From read it. It panics, as pdata does, if the map is shared and
// so read-only.
func (b *Builder) Commit(m pcommon.Map) {
	m.EnsureCapacity(0)
	*entriesOf(m) = b.entries
}
