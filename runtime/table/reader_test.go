package table_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/runtime/abi"
)

var le = binary.LittleEndian

// reader reads a batch as package abi draws it, and checks that sections are aligned and within the batch.
type reader struct {
	t    *testing.T
	b    []byte
	rows int
}

// readerKeys outlives a batch, as a guest's table of names does.
var readerKeys []string

func newReader(t *testing.T, b []byte) *reader {
	r := &reader{t: t, b: b, rows: int(le.Uint32(b[abi.BatchRows:]))}
	require.Equal(t, uint32(abi.BatchMagic), le.Uint32(b))
	require.Equal(t, uint64(42), le.Uint64(b[abi.BatchNow:]))
	names, count, first := r.offset(abi.BatchNames), le.Uint32(b[abi.BatchNamesCount:]), le.Uint32(b[abi.BatchNamesFirst:])
	readerKeys = readerKeys[:first]
	for i := range int(count) {
		readerKeys = append(readerKeys, r.text(le.Uint64(b[names+8*i:])))
	}
	return r
}

func (r *reader) offset(at int) int {
	v := le.Uint32(r.b[at:])
	require.Zero(r.t, v%8)
	require.LessOrEqual(r.t, int(v), len(r.b))
	return int(v)
}

func (r *reader) entry(column int) int {
	return r.offset(abi.BatchDirectory) + column*abi.ColumnSize
}

func (r *reader) text(cell uint64) string { return string(r.b[uint32(cell):][:cell>>32]) }

func (r *reader) decode(typ abi.Type, cell uint64) any {
	switch typ {
	case abi.TypeNone:
		return nil
	case abi.TypeInt:
		return int64(cell)
	case abi.TypeDouble:
		return math.Float64frombits(cell)
	case abi.TypeBool:
		return cell == 1
	default:
		return r.text(cell)
	}
}

func (r *reader) value(column, row int) any {
	e := r.entry(column)
	require.Equal(r.t, byte(abi.KindValues), r.b[e+abi.ColumnKind])
	row = r.index(e, row)
	require.Less(r.t, row, int(le.Uint32(r.b[e+abi.ColumnCount:])))
	return r.decode(abi.Type(r.b[r.offset(e+abi.ColumnTypes)+row]), le.Uint64(r.b[r.offset(e+abi.ColumnCells)+8*row:]))
}

// index is which entry of a column is a row's.
func (r *reader) index(entry, row int) int {
	require.Less(r.t, row, r.rows)
	if r.b[entry+abi.ColumnLevel] == byte(abi.LevelRow) {
		return row
	}
	return int(le.Uint32(r.b[r.offset(entry+abi.ColumnIndex)+4*row:]))
}

func (r *reader) attributes(column, row int) (out [][2]any) {
	e := r.entry(column)
	require.Equal(r.t, byte(abi.KindMap), r.b[e+abi.ColumnKind])
	row = r.index(e, row)
	require.Less(r.t, row, int(le.Uint32(r.b[e+abi.ColumnCount:])))
	starts, cells := r.offset(e+abi.ColumnTypes), r.offset(e+abi.ColumnCells)
	for i := le.Uint32(r.b[starts+4*row:]); i < le.Uint32(r.b[starts+4*row+4:]); i++ {
		cell := r.b[cells+16*int(i):]
		out = append(out, [2]any{readerKeys[le.Uint32(cell)], r.decode(abi.Type(cell[4]), le.Uint64(cell[8:]))})
	}
	return out
}
