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

// column is a column of the manifest's reads.
type column struct {
	name  string
	level abi.Level
	// signals has the bit of each signal that has the column.
	signals uint8
	isMap   bool
}

func (p *Plugin) columnOf(name string) column {
	p.t.Helper()
	c := column{name: name, signals: 0xff, isMap: name == abi.AllAttributes || name == abi.AllResource}
	switch {
	case strings.HasPrefix(name, abi.AttributePrefix):
		return c
	case strings.HasPrefix(name, abi.ResourcePrefix):
		c.level = abi.LevelResource
		return c
	case strings.HasPrefix(name, abi.ScopeAttributePrefix):
		c.level = abi.LevelScope
		return c
	}
	for _, f := range abi.Fields {
		if f.Column == name {
			c.level, c.signals = f.Level, f.Signals
			return c
		}
	}
	p.t.Fatalf("reads: there is no column %q", name)
	return c
}

// value is a row's value in a column; nil is absent.
func (c *column) value(r row) any {
	attributes, resource, scope := r.shared()
	if key, ok := strings.CutPrefix(c.name, abi.ScopeAttributePrefix); ok {
		return scope.Attributes[key]
	}
	if key, ok := strings.CutPrefix(c.name, abi.AttributePrefix); ok {
		return (*attributes)[key]
	}
	if key, ok := strings.CutPrefix(c.name, abi.ResourcePrefix); ok {
		return (*resource)[key]
	}
	if point, ok := r.(*Point); ok {
		switch {
		case c.name == "metric.type":
			return point.metricType()
		case c.name == "metric.monotonic" && point.metricType() != abi.MetricSum:
			return nil
		}
	}
	return valueAt(r.field(c.name))
}

func (p *Point) metricType() int64 {
	if p.Type == 0 {
		return abi.MetricGauge
	}
	return p.Type
}

// valueAt is the value that a row's field has; nil is absent.
func valueAt(field any) any {
	switch field := field.(type) {
	case *any:
		return *field
	case *bool:
		return *field
	case *string:
		return unlessZero(*field, *field)
	case *int64:
		return unlessZero(*field, *field)
	case *uint32:
		return unlessZero(*field, int64(*field))
	case *sdk.Severity:
		return unlessZero(*field, int64(*field))
	case *[]byte:
		return unlessZero(len(*field), *field)
	}
	return nil
}

func unlessZero[T comparable](v T, value any) any {
	var zero T
	if v == zero {
		return nil
	}
	return value
}

// encode lays rows out as package abi says, each section after the one before. Every row has a resource, scope and
// metric of its own. A batch of no signal is a header, as the SDK wants it for a flush.
func (p *Plugin) encode(signal abi.Signal, rows []row) []byte {
	p.t.Helper()
	b := &buffer{make([]byte, abi.BatchHeaderSize)}
	b.put32(0, abi.BatchMagic)
	b.put32(abi.BatchSignal, uint32(signal))
	le.PutUint64(b.b[abi.BatchNow:], uint64(p.now))
	if signal == 0 {
		return b.b
	}
	if name := abi.SignalNames[signal]; !slices.Contains(p.manifest.Signals, name) {
		p.t.Fatalf("the plugin does not take %s", name)
	}
	fresh := p.number(rows)
	b.put32(abi.BatchRows, uint32(len(rows)))
	b.put32(abi.BatchColumns, uint32(len(p.manifest.Reads)))
	b.put32(abi.BatchDirectory, abi.BatchHeaderSize)
	b.b = append(b.b, make([]byte, abi.ColumnSize*len(p.manifest.Reads))...)
	for i, name := range p.manifest.Reads {
		c := p.columnOf(name)
		entry := abi.BatchHeaderSize + i*abi.ColumnSize
		switch {
		case c.signals>>signal&1 == 0:
			b.putAbsent(entry, len(rows))
		case c.isMap:
			p.putMaps(b, entry, &c, rows)
		default:
			b.putValues(entry, &c, rows)
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
func (p *Plugin) number(rows []row) (fresh []string) {
	for _, r := range rows {
		attributes, resource, _ := r.shared()
		for _, m := range []map[string]any{*attributes, *resource} {
			for _, key := range slices.Sorted(maps.Keys(m)) {
				if !slices.Contains(p.keys, key) {
					p.keys, fresh = append(p.keys, key), append(fresh, key)
				}
			}
		}
	}
	return fresh
}

func (p *Plugin) putMaps(b *buffer, entry int, c *column, rows []row) {
	b.putEntry(entry, abi.KindMap, c.level, len(rows))
	all := make([]map[string]any, len(rows))
	b.put32(entry+abi.ColumnTypes, b.align())
	n := 0
	b.b = le.AppendUint32(b.b, 0)
	for i, r := range rows {
		attributes, resource, _ := r.shared()
		if all[i] = *attributes; c.level == abi.LevelResource {
			all[i] = *resource
		}
		n += len(all[i])
		b.b = le.AppendUint32(b.b, uint32(n))
	}
	at := int(b.align())
	b.put32(entry+abi.ColumnCells, uint32(at))
	b.b = append(b.b, make([]byte, abi.MapCellSize*n)...)
	for _, m := range all {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			b.put32(at, uint32(slices.Index(p.keys, key)))
			b.put32(at+4, uint32(typeOf(m[key])))
			b.putCell(at+8, m[key])
			at += abi.MapCellSize
		}
	}
	b.putIndex(entry, c.level, len(rows))
}

type buffer struct{ b []byte }

func (b *buffer) put32(at int, v uint32) { le.PutUint32(b.b[at:], v) }

func (b *buffer) align() uint32 {
	for len(b.b)%8 != 0 {
		b.b = append(b.b, 0)
	}
	return uint32(len(b.b))
}

func (b *buffer) putEntry(entry int, kind abi.Kind, level abi.Level, count int) {
	b.b[entry+abi.ColumnKind], b.b[entry+abi.ColumnLevel] = byte(kind), byte(level)
	b.put32(entry+abi.ColumnCount, uint32(count))
}

// putIndex writes the index of a column that is not of the rows' level: each row has an entry of its own.
func (b *buffer) putIndex(entry int, level abi.Level, rows int) {
	if level == abi.LevelRow {
		return
	}
	b.put32(entry+abi.ColumnIndex, b.align())
	for i := range rows {
		b.b = le.AppendUint32(b.b, uint32(i))
	}
}

// putAbsent writes a column that the signal does not have.
func (b *buffer) putAbsent(entry, rows int) {
	b.putEntry(entry, abi.KindValues, abi.LevelResource, 1)
	b.put32(entry+abi.ColumnTypes, b.align())
	b.b = append(b.b, byte(abi.TypeNone))
	b.put32(entry+abi.ColumnCells, b.align())
	b.b = append(b.b, make([]byte, abi.CellSize)...)
	b.put32(entry+abi.ColumnIndex, b.align())
	b.b = append(b.b, make([]byte, 4*rows)...)
}

func (b *buffer) putValues(entry int, c *column, rows []row) {
	b.putEntry(entry, abi.KindValues, c.level, len(rows))
	b.put32(entry+abi.ColumnTypes, b.align())
	for _, r := range rows {
		b.b = append(b.b, byte(typeOf(c.value(r))))
	}
	cells := b.align()
	b.put32(entry+abi.ColumnCells, cells)
	b.b = append(b.b, make([]byte, abi.CellSize*len(rows))...)
	for i, r := range rows {
		b.putCell(int(cells)+abi.CellSize*i, c.value(r))
	}
	b.putIndex(entry, c.level, len(rows))
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
