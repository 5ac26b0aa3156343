package sdk

import (
	"math"

	"github.com/obsd-io/obsd/runtime/abi"
)

// Room is how many changes one [Batch.Edit] has room for; one more panics. [Edit.More] makes room for more.
const Room = 64

// Edit writes the changes of one row. What it sets is a [Name]: an attribute, a resource attribute or a field. Its
// methods are small enough for the compiler to inline.
type Edit struct {
	batch *Batch
	words []uint64 // entries, two words each
	n     int      // words in use
	start int      // n when the row began
	row   uint64
	// made is, while the row is a new one, madeRow and where its entry stands in words, else 0.
	made int
}

// madeRow is more than any number of words, so that Batch.Edit takes its slow path after a new row without a test of its
// own.
const madeRow = 1 << 30

// Edit starts the changes of a row, up to [Room] of them. Rows must be edited in their order, and a row before it is copied
// or others are made of it. What it returns is valid until the next call.
func (b *Batch) Edit(row int) *Edit {
	e := &b.edit
	if len(e.words)-e.n-e.made < 2*Room {
		e.next(row)
	}
	e.row, e.start = uint64(uint32(row)), e.n
	return e
}

// next turns from a new row to the row of that number, and makes room.
func (e *Edit) next(row int) {
	if e.made > 0 && e.row == uint64(row) {
		panic("BUG: sdk.Batch.Edit: new rows were made of the row before: edit it first")
	}
	e.made = 0
	if len(e.words)-e.n < 2*Room {
		e.grow(2 * Room)
	}
}

// More makes room for n more changes of the row.
func (e *Edit) More(n int) {
	if len(e.words)-e.n < 2*n {
		e.grow(2 * n)
	}
}

// Undo takes back what was changed since Edit was called, or since the new row was made, which stays.
func (e *Edit) Undo() { e.n = e.start }

// grow makes room for that many words.
func (e *Edit) grow(words int) {
	e.words = append(e.words, make([]uint64, len(e.words)+words)...)
}

func (e *Edit) put(head, cell uint64) {
	w := e.words[e.n : e.n+2]
	w[0], w[1] = e.row|head, cell
	e.n += 2
}

// The parts of an entry's first word: see abi.Edit. A Name is its bits 32 to 55.
const (
	typeString = uint64(abi.TypeString) << 56
	typeInt    = uint64(abi.TypeInt) << 56
	typeDouble = uint64(abi.TypeDouble) << 56
	typeBool   = uint64(abi.TypeBool) << 56
	typeBytes  = uint64(abi.TypeBytes) << 56
	typeJSON   = uint64(abi.TypeJSON) << 56
	typeName   = uint64(abi.TypeName) << 56
)

// Slice sets key to a part of a column's text in this row. The host takes it without copying.
func (e *Edit) Slice(key Name, c *Column, s Span) {
	e.put(uint64(key)<<32|uint64(0x80|c.number)<<56, uint64(s))
}

// Slices sets keys[i] to the part spans[i] of a column's text in this row, for each span that is not empty.
// (It writes every edit, and lets the next one overwrite an empty one: without a jump, see [Text.Find].)
//
//go:noinline
func (e *Edit) Slices(keys []Name, c *Column, spans []Span) {
	head := e.row | uint64(0x80|c.number)<<56
	n, words := e.n, e.words
	keys = keys[:len(spans)]
	for i, span := range spans {
		w := words[n : n+2]
		w[0], w[1] = head|uint64(keys[i])<<32, uint64(span)
		n += int((uint64(span)>>32+0xffffffff)>>32) << 1
	}
	e.n = n
}

// Int sets key to an integer.
func (e *Edit) Int(key Name, v int64) { e.put(uint64(key)<<32|typeInt, uint64(v)) }

// Name sets key to a string that recurs, which is numbered by [NameOf]; the host keeps one copy.
func (e *Edit) Name(key, value Name) { e.put(uint64(key)<<32|typeName, uint64(uint16(value))) }

// Double sets key to a floating-point number.
func (e *Edit) Double(key Name, v float64) { e.put(uint64(key)<<32|typeDouble, math.Float64bits(v)) }

// Bool sets key to a truth value.
func (e *Edit) Bool(key Name, v bool) {
	bits := uint64(0)
	if v {
		bits = 1
	}
	e.put(uint64(key)<<32|typeBool, bits)
}

// String sets key to a string, which is copied.
func (e *Edit) String(key Name, v string) { e.put(uint64(key)<<32|typeString, e.batch.keep(v)) }

// Bytes sets key to bytes, such as an id, which are copied.
func (e *Edit) Bytes(key Name, v []byte) { e.put(uint64(key)<<32|typeBytes, e.batch.keepBytes(v)) }

// JSON sets key to the map or array that the text stands for; text that is not JSON becomes a string.
func (e *Edit) JSON(key Name, text string) { e.put(uint64(key)<<32|typeJSON, e.batch.keep(text)) }

// Delete removes an attribute, if it is there, or empties a field.
func (e *Edit) Delete(key Name) {
	// The op that deletes follows the one that sets, but for a field, whose op has the bit 1 and which is set to none.
	e.put(uint64(key+(^key>>17&1)<<16)<<32, 0)
}

// Key gives a key that has no Name to the change just made with [Inline]. It takes the room of one change.
func (e *Edit) Key(key string) { e.put(uint64(abi.OpExt)<<48|typeString, e.batch.keep(key)) }

// Value sets key to a JSON value that was read from a column's text: a string, an int or else a double, a
// bool, or a map or array. A number beyond a float64 becomes a string. Null changes nothing, and Value returns false.
func (e *Edit) Value(key Name, c *Column, v *JSON) bool {
	switch v.kind {
	case KindString:
		if v.special {
			e.put(uint64(key)<<32|typeString, e.batch.keepUnescaped(v.Raw()))
			return true
		}
		e.Slice(key, c, v.span)
	case KindNumber:
		// Up to 8 digits, as most numbers are, take no call.
		if n := v.span.Len(); n <= 8 && !v.special {
			if small, ok := eight(v.text.word(v.span.Offset())<<(64-8*n) | (ones*'0')>>(8*n)); ok {
				e.Int(key, small)
				return true
			}
		}
		e.number(key, c, v)
	case KindBool:
		e.Bool(key, v.text.byte(v.span.Offset()) == 't')
	case KindArray, KindObject:
		e.JSON(key, v.Raw())
	default:
		return false
	}
	return true
}

func (e *Edit) number(key Name, c *Column, v *JSON) {
	if n, ok := v.int(); ok {
		e.Int(key, n)
	} else if f, ok := v.double(); ok {
		e.Double(key, f)
	} else {
		e.Slice(key, c, v.span)
	}
}

// Severity sets the severity number, and as its text the number's short name (logs data model, "Displaying Severity").
func (e *Edit) Severity(n Severity) {
	e.put(uint64(SeverityNumber)<<32|typeName, uint64(n)|uint64(severityNames[n])<<32)
}

// keep copies a string into the arena and returns its cell.
func (b *Batch) keep(s string) uint64 {
	offset := len(b.arena)
	b.arena = append(b.arena, s...)
	return abi.Cell(uint32(offset), uint32(len(s)))
}

// keepBytes is keep for bytes.
func (b *Batch) keepBytes(v []byte) uint64 {
	offset := len(b.arena)
	b.arena = append(b.arena, v...)
	return abi.Cell(uint32(offset), uint32(len(v)))
}

// keepUnescaped is keep for the raw text of a JSON string.
func (b *Batch) keepUnescaped(raw string) uint64 {
	offset := len(b.arena)
	b.arena = appendUnescaped(b.arena, raw)
	return abi.Cell(uint32(offset), uint32(len(b.arena)-offset))
}
