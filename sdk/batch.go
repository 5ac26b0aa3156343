package sdk

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/obsd-io/obsd/runtime/abi"
)

var le = binary.LittleEndian

// Batch is the rows under way.
type Batch struct {
	bytes    []byte // the batch as the host wrote it
	signal   abi.Signal
	rows     int
	verdicts []uint16 // empty until the first row is not kept
	edit     Edit
	arena    []byte
	sets     []uint64
	keys     []string // the host's names of attribute keys
}

func (b *Batch) begin(batch []byte) {
	b.bytes = batch
	b.signal = abi.Signal(le.Uint32(batch[abi.BatchSignal:]))
	b.rows = int(le.Uint32(batch[abi.BatchRows:]))
	b.verdicts, b.arena, b.sets = b.verdicts[:0], b.arena[:0], b.sets[:0]
	b.edit = Edit{batch: b, words: b.edit.words}
	plugin.answers = plugin.answers[:0]
	at, count, first := le.Uint32(batch[abi.BatchNames:]), le.Uint32(batch[abi.BatchNamesCount:]), le.Uint32(batch[abi.BatchNamesFirst:])
	if count == 0 {
		return
	}
	b.keys = b.keys[:min(int(first), len(b.keys))]
	for i := range int(count) {
		cell := le.Uint64(batch[int(at)+abi.CellSize*i:])
		b.keys = append(b.keys, string(batch[uint32(cell):][:cell>>32]))
	}
}

// Signal says what the rows are: log records, data points or spans. It is 0 in [Plugin]'s Flush.
func (b *Batch) Signal() abi.Signal { return b.signal }

// Rows is the number of rows; they are numbered from 0.
func (b *Batch) Rows() int { return b.rows }

// Now is the host's time in nanoseconds since 1970, the same for the whole batch.
func (b *Batch) Now() int64 { return int64(le.Uint64(b.bytes[abi.BatchNow:])) }

// Drop removes a row. Rows that were made of it stay.
func (b *Batch) Drop(row int) { b.judge(row, abi.Drop) }

// Route sends a row to the route of that number in the plugin's Routes.
func (b *Batch) Route(row, route int) { b.judge(row, uint16(abi.Route+route)) }

// RouteSet sends a row to each route whose bit is set; an empty set drops it. It serves the first 64 routes.
func (b *Batch) RouteSet(row int, set uint64) { b.judge(row, b.set(set)) }

// set is the verdict that stands for a set of routes.
func (b *Batch) set(set uint64) uint16 {
	for i, have := range b.sets {
		if have == set {
			return abi.Set | uint16(i)
		}
	}
	b.sets = append(b.sets, set)
	return abi.Set | uint16(len(b.sets)-1)
}

func (b *Batch) judge(row int, verdict uint16) {
	if len(b.verdicts) == 0 {
		if cap(b.verdicts) < b.rows {
			b.verdicts = make([]uint16, b.rows)
		}
		b.verdicts = b.verdicts[:b.rows]
		clear(b.verdicts)
	}
	b.verdicts[row] = verdict
}

// Column finds a column by its name in the plugin's Reads; one that is not there reads as absent in each row.
// Call it once a batch.
func (b *Batch) Column(name string) Column {
	for i, have := range plugin.Reads {
		if have == name {
			return b.ColumnAt(i)
		}
	}
	return Column{}
}

// ColumnAt is the column of that number in the plugin's Reads.
func (b *Batch) ColumnAt(number int) Column {
	if number >= int(le.Uint32(b.bytes[abi.BatchColumns:])) {
		return Column{} // a flush has none
	}
	entry := b.bytes[int(le.Uint32(b.bytes[abi.BatchDirectory:]))+abi.ColumnSize*number:][:abi.ColumnSize]
	c := Column{base: unsafe.Pointer(unsafe.SliceData(b.bytes)), keys: b.keys, number: uint8(number), kind: abi.Kind(entry[abi.ColumnKind])}
	count := int(le.Uint32(entry[abi.ColumnCount:]))
	if at := le.Uint32(entry[abi.ColumnIndex:]); at != 0 {
		c.index = b.bytes[at:][:4*b.rows]
	}
	types, cells := b.bytes[le.Uint32(entry[abi.ColumnTypes:]):], b.bytes[le.Uint32(entry[abi.ColumnCells:]):]
	if c.kind == abi.KindMap {
		c.types, c.cells = types[:4*(count+1)], cells
		return c
	}
	c.types, c.cells = types[:count], cells[:abi.CellSize*count]
	return c
}

// Column is a column of a batch. The zero Column is absent in every row.
type Column struct {
	base   unsafe.Pointer // of the batch
	types  []byte
	cells  []byte
	index  []byte // of a column of resources, scopes or metrics: the entry of each row, u32
	keys   []string
	kind   abi.Kind
	number uint8
}

// Value is one value of a row. The zero Value is absent.
type Value struct {
	Type abi.Type
	bits uint64
	base unsafe.Pointer // of the batch
}

// Value gives a row's value.
func (c *Column) Value(row int) Value {
	row = c.entry(row)
	if row >= len(c.types) || c.kind != abi.KindValues {
		return Value{}
	}
	return Value{abi.Type(c.types[row]), le.Uint64(c.cells[abi.CellSize*row:]), c.base}
}

func (c *Column) entry(row int) int {
	if c.index != nil {
		return int(le.Uint32(c.index[4*row:]))
	}
	return row
}

// Text gives a row's string, bytes or JSON for scanning; any other type gives a Text of length 0.
func (c *Column) Text(row int) Text {
	if c.index == nil && row < len(c.types) && c.types[row] == byte(abi.TypeString) {
		cell := le.Uint64(c.cells[abi.CellSize*row:])
		return Text{unsafe.Add(c.base, uintptr(uint32(cell))), int(cell >> 32)}
	}
	v := c.Value(row)
	return v.Text()
}

// String gives a row's string, and whether the row has one. It is a view of the batch.
func (c *Column) String(row int) (string, bool) {
	v := c.Value(row)
	return v.Text().String(), v.Type == abi.TypeString
}

// Int gives a row's integer, and whether the row has one.
func (c *Column) Int(row int) (int64, bool) {
	if row = c.entry(row); row < len(c.types) && c.types[row] == byte(abi.TypeInt) {
		return int64(le.Uint64(c.cells[abi.CellSize*row:])), true
	}
	return 0, false
}

// Double gives a row's double, or its int as one, and whether the row has either.
func (c *Column) Double(row int) (float64, bool) {
	v := c.Value(row)
	return v.Double(), v.Type == abi.TypeDouble || v.Type == abi.TypeInt
}

// Attributes calls f for each attribute of a row, in their order, until it returns false.
// The column must be attributes.* or resource.*. Both key and value are views of the batch.
func (c *Column) Attributes(row int, f func(key string, v Value) bool) {
	if c.kind != abi.KindMap {
		return
	}
	row = c.entry(row)
	for i := le.Uint32(c.types[4*row:]); i < le.Uint32(c.types[4*row+4:]); i++ {
		cell := c.cells[abi.MapCellSize*int(i):][:abi.MapCellSize]
		v := Value{abi.Type(cell[4]), le.Uint64(cell[8:]), c.base}
		if !f(c.keys[le.Uint32(cell)], v) {
			return
		}
	}
}

// nothing is what the scanner reads ahead into, behind a text that is not there.
var nothing [ReadAhead]byte

// Text is the text of a string, bytes or JSON; any other type has none.
func (v Value) Text() Text {
	if v.Type != abi.TypeString && v.Type != abi.TypeBytes && v.Type != abi.TypeJSON {
		return Text{unsafe.Pointer(&nothing), 0}
	}
	return Text{unsafe.Add(v.base, uintptr(uint32(v.bits))), int(v.bits >> 32)}
}

// Int is the value of an int; 0 for any other type.
func (v Value) Int() int64 {
	if v.Type != abi.TypeInt {
		return 0
	}
	return int64(v.bits)
}

// Double is the value of a double or an int; 0 for any other type.
func (v Value) Double() float64 {
	switch v.Type {
	case abi.TypeDouble:
		return math.Float64frombits(v.bits)
	case abi.TypeInt:
		return float64(int64(v.bits))
	}
	return 0
}

// Bool is the value of a bool; false for any other type.
func (v Value) Bool() bool { return v.Type == abi.TypeBool && v.bits != 0 }
