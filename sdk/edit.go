package sdk

import (
	"math"

	"github.com/obsd-io/obsd/runtime/abi"
)

// Room is how many changes one [Batch.Edit] has room for; one more panics. [Edit.More] makes room for more.
const Room = 64

// Edit writes the changes of one row. Its methods are small enough for the compiler to inline.
type Edit struct {
	batch *Batch
	words []uint64
	n     int // words in use
	start int // n when the row began
	row   uint64
}

// Edit starts the changes of a row, up to [Room] of them. Rows must be edited in their order.
// What it returns is valid until the next call.
func (b *Batch) Edit(row int) *Edit {
	e := &b.edit
	if len(e.words)-e.n < 2*Room {
		e.grow(Room)
	}
	e.row, e.start = uint64(uint32(row)), e.n
	return e
}

// More makes room for n more changes of the row.
func (e *Edit) More(n int) {
	if len(e.words)-e.n < 2*n {
		e.grow(n)
	}
}

// Undo takes back what was written since Edit was called.
func (e *Edit) Undo() { e.n = e.start }

func (e *Edit) grow(n int) {
	words := make([]uint64, 2*len(e.words)+4*n)
	copy(words, e.words[:e.n])
	e.words, e.batch.words = words, words
}

func (e *Edit) put(head, cell uint64) {
	w := e.words[e.n : e.n+2]
	w[0], w[1] = e.row|head, cell
	e.n += 2
}

const (
	setAttribute = uint64(abi.OpSetAttribute) << 48

	setField        = uint64(abi.OpSet) << 48
	setBody         = setField | uint64(abi.FieldBody)<<32
	setTime         = setField | uint64(abi.FieldTime)<<32
	setSeverity     = setField | uint64(abi.FieldSeverity)<<32
	setSeverityText = setField | uint64(abi.FieldSeverityText)<<32

	typeInt  = uint64(abi.TypeInt) << 56
	typeName = uint64(abi.TypeName) << 56
)

// Slice sets an attribute to a part of a column's text in this row. The host takes it without copying.
func (e *Edit) Slice(key Name, c *Column, s Span) {
	e.put(uint64(key)<<32|setAttribute|uint64(0x80|c.number)<<56, uint64(s))
}

// Slices sets attribute keys[i] to the part spans[i] of a column's text in this row, for each span that is not empty.
// (It writes every edit, and lets the next one overwrite an empty one: without a jump, see [Text.Find].)
//
//go:noinline
func (e *Edit) Slices(keys []Name, c *Column, spans []Span) {
	head := e.row | setAttribute | uint64(0x80|c.number)<<56
	n, words := e.n, e.words
	keys = keys[:len(spans)]
	for i, span := range spans {
		w := words[n : n+2]
		w[0], w[1] = head|uint64(keys[i])<<32, uint64(span)
		n += int((uint64(span)>>32+0xffffffff)>>32) << 1
	}
	e.n = n
}

// Int sets an attribute to an integer.
func (e *Edit) Int(key Name, v int64) { e.put(uint64(key)<<32|setAttribute|typeInt, uint64(v)) }

// Name sets an attribute to a string that recurs; the host keeps one copy.
func (e *Edit) Name(key, value Name) { e.put(uint64(key)<<32|setAttribute|typeName, uint64(value)) }

// Double sets an attribute to a floating-point number.
func (e *Edit) Double(key Name, v float64) {
	e.put(uint64(key)<<32|setAttribute|uint64(abi.TypeDouble)<<56, math.Float64bits(v))
}

// Bool sets an attribute to a truth value.
func (e *Edit) Bool(key Name, v bool) {
	bits := uint64(0)
	if v {
		bits = 1
	}
	e.put(uint64(key)<<32|setAttribute|uint64(abi.TypeBool)<<56, bits)
}

// String sets an attribute to a string, which is copied.
func (e *Edit) String(key Name, v string) {
	e.put(uint64(key)<<32|setAttribute|uint64(abi.TypeString)<<56, e.batch.keep(v))
}

// JSON sets an attribute to the map or array that the text stands for; text that is not JSON becomes a string.
func (e *Edit) JSON(key Name, text string) {
	e.put(uint64(key)<<32|setAttribute|uint64(abi.TypeJSON)<<56, e.batch.keep(text))
}

// Delete removes an attribute, if it is there.
func (e *Edit) Delete(key Name) { e.put(uint64(key)<<32|uint64(abi.OpDeleteAttribute)<<48, 0) }

// Key gives a key that has no Name to the change just made with [Inline]. It takes the room of one change.
func (e *Edit) Key(key string) {
	e.put(uint64(abi.OpExt)<<48|uint64(abi.TypeString)<<56, e.batch.keep(key))
}

// Inline stands for a key that a call of [Edit.Key], right after, spells out: for keys that are rare or not bounded in number.
const Inline Name = abi.NameInline

// Body replaces the body by a string, which is copied.
func (e *Edit) Body(v string) {
	e.put(setBody|uint64(abi.TypeString)<<56, e.batch.keep(v))
}

// BodySlice replaces the body by a part of a column's text in this row.
func (e *Edit) BodySlice(c *Column, s Span) {
	e.put(setBody|uint64(0x80|c.number)<<56, uint64(s))
}

// BodyValue replaces the body by the content of a JSON string that was read from a column's text.
func (e *Edit) BodyValue(c *Column, v *JSON) {
	if v.special {
		e.put(setBody|uint64(abi.TypeString)<<56, e.batch.keepUnescaped(v.Raw()))
		return
	}
	e.BodySlice(c, v.span)
}

// Value sets an attribute to a JSON value that was read from a column's text: a string, an int or else a double, a
// bool, or a map or array. A number beyond a float64 becomes a string. Null changes nothing, and Value returns false.
func (e *Edit) Value(key Name, c *Column, v *JSON) bool {
	switch v.kind {
	case KindString:
		if v.special {
			e.put(uint64(key)<<32|setAttribute|uint64(abi.TypeString)<<56, e.batch.keepUnescaped(v.Raw()))
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

// Severity sets the severity number, and as its text the number's short name (logs data model, "Displaying Severity").
func (e *Edit) Severity(n Severity) {
	e.put(setSeverity|typeName, uint64(n)|uint64(severityNames[n])<<32)
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

// SeverityNumber sets the severity number and leaves the text.
func (e *Edit) SeverityNumber(n Severity) { e.put(setSeverity|typeInt, uint64(n)) }

// SeverityText sets the severity's text to a part of a column's text in this row.
func (e *Edit) SeverityText(c *Column, s Span) {
	e.put(setSeverityText|uint64(0x80|c.number)<<56, uint64(s))
}

// Time sets the record's time in nanoseconds since 1970, which the host refuses if it is negative.
func (e *Edit) Time(unixNano int64) { e.put(setTime|typeInt, uint64(unixNano)) }

// keep copies a string into the arena and returns its cell.
func (b *Batch) keep(s string) uint64 {
	offset := len(b.arena)
	b.arena = append(b.arena, s...)
	return abi.Cell(uint32(offset), uint32(len(s)))
}

// keepUnescaped is keep for the raw text of a JSON string.
func (b *Batch) keepUnescaped(raw string) uint64 {
	offset := len(b.arena)
	b.arena = appendUnescaped(b.arena, raw)
	return abi.Cell(uint32(offset), uint32(len(b.arena)-offset))
}

// Severity is a severity number of the OpenTelemetry logs data model.
type Severity uint8

// Severities: the first number of each range.
const (
	SeverityTrace Severity = 1
	SeverityDebug Severity = 5
	SeverityInfo  Severity = 9
	SeverityWarn  Severity = 13
	SeverityError Severity = 17
	SeverityFatal Severity = 21
)

// severityNames has the short name of each severity number.
var severityNames = func() (names [25]Name) {
	names[0] = NameOf("UNSPECIFIED")
	for i, level := range []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"} {
		for j, suffix := range []string{"", "2", "3", "4"} {
			names[1+4*i+j] = NameOf(level + suffix)
		}
	}
	return names
}()
