package sdktest

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/sdk"
)

var le = binary.LittleEndian

// column is a record's value in a column; nil is absent.
func (p *Plugin) column(name string, l Log) any {
	unlessZero := func(n int64) any {
		if n == 0 {
			return nil
		}
		return n
	}
	switch name {
	case "body":
		return l.Body
	case "time":
		return unlessZero(l.Time)
	case "observed_time":
		return unlessZero(l.ObservedTime)
	case "severity_number":
		return unlessZero(int64(l.Severity))
	case "severity_text":
		if l.SeverityText == "" {
			return nil
		}
		return l.SeverityText
	}
	if key, ok := strings.CutPrefix(name, "attributes."); ok {
		return l.Attributes[key]
	}
	if key, ok := strings.CutPrefix(name, "resource."); ok {
		return l.Resource[key]
	}
	p.t.Fatalf("reads: unknown column %q", name)
	return nil
}

// encode lays logs out as package abi says, each section after the one before. Every record has a resource of its own.
func (p *Plugin) encode(logs []Log) []byte {
	columns := len(p.manifest.Reads)
	b := &buffer{make([]byte, abi.BatchHeaderSize+columns*abi.ColumnSize)}
	fresh := p.number(logs)
	b.put32(0, abi.BatchMagic)
	b.put32(abi.BatchSignal, uint32(abi.SignalLogs))
	b.put32(abi.BatchRows, uint32(len(logs)))
	b.put32(abi.BatchColumns, uint32(columns))
	b.put32(abi.BatchDirectory, abi.BatchHeaderSize)
	le.PutUint64(b.b[abi.BatchNow:], uint64(p.now))
	for i, name := range p.manifest.Reads {
		entry := abi.BatchHeaderSize + i*abi.ColumnSize
		b.put32(entry+abi.ColumnCount, uint32(len(logs)))
		if name == "attributes.*" {
			p.encodeMaps(b, entry, logs)
			continue
		}
		b.b[entry+abi.ColumnKind] = byte(abi.KindValues)
		values := make([]any, len(logs))
		for row, l := range logs {
			values[row] = p.column(name, l)
		}
		b.put32(entry+abi.ColumnTypes, b.align())
		for _, v := range values {
			b.b = append(b.b, byte(typeOf(v)))
		}
		cells := b.align()
		b.put32(entry+abi.ColumnCells, cells)
		b.b = append(b.b, make([]byte, abi.CellSize*len(values))...)
		for row, v := range values {
			b.putCell(int(cells)+abi.CellSize*row, v)
		}
		if strings.HasPrefix(name, "resource.") {
			b.b[entry+abi.ColumnLevel] = byte(abi.LevelResource)
			b.put32(entry+abi.ColumnIndex, b.align())
			for row := range logs {
				b.b = le.AppendUint32(b.b, uint32(row))
			}
		}
	}
	b.put32(abi.BatchNames, b.align())
	b.put32(abi.BatchNamesCount, uint32(len(fresh)))
	b.put32(abi.BatchNamesFirst, uint32(len(p.keys)-len(fresh)))
	at := len(b.b)
	b.b = append(b.b, make([]byte, abi.CellSize*len(fresh))...)
	for i, key := range fresh {
		b.putCell(at+abi.CellSize*i, key)
	}
	return slices.Grow(b.b, sdk.ReadAhead)
}

// number numbers the keys of attributes that have no number yet.
func (p *Plugin) number(logs []Log) (fresh []string) {
	for _, l := range logs {
		for _, key := range slices.Sorted(maps.Keys(l.Attributes)) {
			if !slices.Contains(p.keys, key) {
				p.keys, fresh = append(p.keys, key), append(fresh, key)
			}
		}
	}
	return fresh
}

func (p *Plugin) encodeMaps(b *buffer, entry int, logs []Log) {
	b.b[entry+abi.ColumnKind] = byte(abi.KindMap)
	b.put32(entry+abi.ColumnTypes, b.align())
	n := 0
	b.b = le.AppendUint32(b.b, 0)
	for _, l := range logs {
		n += len(l.Attributes)
		b.b = le.AppendUint32(b.b, uint32(n))
	}
	at := int(b.align())
	b.put32(entry+abi.ColumnCells, uint32(at))
	b.b = append(b.b, make([]byte, abi.MapCellSize*n)...)
	for _, l := range logs {
		for _, key := range slices.Sorted(maps.Keys(l.Attributes)) {
			b.put32(at, uint32(slices.Index(p.keys, key)))
			b.put32(at+4, uint32(typeOf(l.Attributes[key])))
			b.putCell(at+8, l.Attributes[key])
			at += abi.MapCellSize
		}
	}
}

type buffer struct{ b []byte }

func (b *buffer) put32(at int, v uint32) { le.PutUint32(b.b[at:], v) }

func (b *buffer) align() uint32 {
	for len(b.b)%8 != 0 {
		b.b = append(b.b, 0)
	}
	return uint32(len(b.b))
}

// putCell writes a value's cell, and its text at the end.
func (b *buffer) putCell(at int, v any) {
	bits := uint64(0)
	switch v := v.(type) {
	case int:
		bits = uint64(v)
	case int64:
		bits = uint64(v)
	case float64:
		bits = math.Float64bits(v)
	case bool:
		if v {
			bits = 1
		}
	case string:
		bits = b.text(v)
	case []byte:
		bits = b.text(string(v))
	case map[string]any, []any:
		bits = b.text(jsonText(v))
	}
	le.PutUint64(b.b[at:], bits)
}

func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic("BUG: sdktest: " + err.Error())
	}
	return string(text)
}

func (b *buffer) text(s string) uint64 {
	cell := abi.Cell(uint32(len(b.b)), uint32(len(s)))
	b.b = append(b.b, s...)
	return cell
}

func typeOf(v any) abi.Type {
	switch v.(type) {
	case nil:
		return abi.TypeNone
	case string:
		return abi.TypeString
	case int, int64:
		return abi.TypeInt
	case float64:
		return abi.TypeDouble
	case bool:
		return abi.TypeBool
	case []byte:
		return abi.TypeBytes
	case map[string]any, []any:
		return abi.TypeJSON
	}
	panic("BUG: sdktest: a value of a type that Log does not list")
}
