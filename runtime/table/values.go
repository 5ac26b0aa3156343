package table

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/obsd-io/obsd/runtime/abi"
)

// values is a column of single values between Measure and Apply.
type values struct {
	types []byte
	cells []uint64 // the bits of numbers
	text  []string // of strings, bytes and JSON
}

// mapValues is a column of maps between Measure and Encode.
type mapValues struct {
	starts []uint32
	keys   []uint32
	values values
}

func (v *values) resize(n int) {
	if n > cap(v.types) {
		n := max(n, 2*cap(v.types), 64)
		v.types = append(make([]byte, 0, n), v.types...)
		v.cells = append(make([]uint64, 0, n), v.cells...)
		v.text = append(make([]string, 0, n), v.text...)
	}
	v.types, v.cells, v.text = v.types[:n], v.cells[:n], v.text[:n]
}

// set takes one value and returns how many bytes of text it has.
func (v *values) set(i int, value pcommon.Value) int {
	switch value.Type() {
	case pcommon.ValueTypeStr:
		return v.setText(i, abi.TypeString, value.Str())
	case pcommon.ValueTypeInt:
		v.setNumber(i, abi.TypeInt, uint64(value.Int()))
	case pcommon.ValueTypeDouble:
		v.setNumber(i, abi.TypeDouble, math.Float64bits(value.Double()))
	case pcommon.ValueTypeBool:
		v.setBool(i, value.Bool())
	case pcommon.ValueTypeBytes:
		return v.setText(i, abi.TypeBytes, string(value.Bytes().AsRaw()))
	case pcommon.ValueTypeMap, pcommon.ValueTypeSlice:
		return v.setText(i, abi.TypeJSON, value.AsString())
	default:
		v.setNone(i)
	}
	return 0
}

func (v *values) setNone(i int) { v.setNumber(i, abi.TypeNone, 0) }

func (v *values) setNumber(i int, t abi.Type, bits uint64) {
	v.types[i], v.cells[i] = byte(t), bits
}

// setInt takes a number for which 0 means absent.
func (v *values) setInt(i int, n int64) {
	v.types[i], v.cells[i] = byte(abi.TypeInt), uint64(n)
	if n == 0 {
		v.types[i] = byte(abi.TypeNone)
	}
}

func (v *values) setBool(i int, b bool) {
	v.setNumber(i, abi.TypeBool, 0)
	if b {
		v.cells[i] = 1
	}
}

// setDouble takes a number that may be absent.
func (v *values) setDouble(i int, f float64, has bool) {
	if !has {
		v.setNone(i)
		return
	}
	v.setNumber(i, abi.TypeDouble, math.Float64bits(f))
}

func (v *values) setText(i int, t abi.Type, text string) int {
	v.types[i], v.text[i] = byte(t), text
	return len(text)
}

// setString takes a string for which empty means absent.
func (v *values) setString(i int, text string) int {
	if text == "" {
		v.setNone(i)
		return 0
	}
	return v.setText(i, abi.TypeString, text)
}

// setID takes a trace's or span's id.
func (v *values) setID(i int, id []byte, empty bool) int {
	if empty {
		v.setNone(i)
		return 0
	}
	return v.setText(i, abi.TypeBytes, string(id))
}

func (v *values) setKey(i int, m pcommon.Map, key string) int {
	value, ok := m.Get(key)
	if !ok {
		v.setNone(i)
		return 0
	}
	return v.set(i, value)
}

// isText says whether a value's cell is an offset and a length.
func isText(t byte) bool {
	return abi.Type(t) == abi.TypeString || abi.Type(t) == abi.TypeBytes || abi.Type(t) == abi.TypeJSON
}
