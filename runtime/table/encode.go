package table

import (
	"encoding/binary"
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/obsd-io/obsd/runtime/abi"
)

var le = binary.LittleEndian

// maxKeys is how many attribute keys a session numbers before it starts anew.
const maxKeys = 1 << 15

// Session is one instance's half of the conversation. It is not safe for concurrent use.
type Session struct {
	plan    *Plan
	columns []values
	maps    []mapValues // of the column of the same number, where it is attributes.*

	// The batch in flight.
	logs   *Logs
	lo, hi int
	bytes  int // of all strings together

	keys guestKeys
	// names are what the guest announced.
	names []name
}

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

// NewSession makes a session for a new instance.
func NewSession(p *Plan) *Session {
	return &Session{plan: p, columns: make([]values, len(p.columns)), maps: make([]mapValues, len(p.columns))}
}

// Measure takes the rows from lo up to hi of l as the next batch and returns its size in bytes.
// l must stay as it is until Apply.
func (s *Session) Measure(l *Logs, lo, hi int) int {
	s.logs, s.lo, s.hi, s.bytes = l, lo, hi, 0
	s.keys.begin()
	size := abi.BatchHeaderSize + len(s.plan.columns)*abi.ColumnSize
	indexed := false
	for i, c := range s.plan.columns {
		if c.field == fieldAttributes {
			s.measureMap(&s.maps[i])
			size += align(4*(hi-lo+1)) + abi.MapCellSize*len(s.maps[i].keys)
			continue
		}
		s.measureColumn(c, &s.columns[i])
		n := len(s.columns[i].types)
		size += align(n) + abi.CellSize*n
		indexed = indexed || c.level() == abi.LevelResource
	}
	if indexed {
		size += align(4 * (hi - lo))
	}
	return size + abi.CellSize*len(s.keys.fresh) + s.keys.bytes + s.bytes
}

func (s *Session) measureColumn(c column, v *values) {
	if c.field == fieldResource {
		resources := s.resources()
		v.resize(len(resources))
		for i, r := range resources {
			s.bytes += v.setKey(i, r.Attributes(), c.key)
		}
		return
	}
	v.resize(s.hi - s.lo)
	records := s.logs.records[s.lo:s.hi]
	switch c.field {
	case fieldBody:
		for i, r := range records {
			s.bytes += v.set(i, r.Body())
		}
	case fieldAttribute:
		for i, r := range records {
			s.bytes += v.setKey(i, r.Attributes(), c.key)
		}
	case fieldSeverityText:
		for i, r := range records {
			s.bytes += v.setString(i, r.SeverityText())
		}
	case fieldTime:
		v.setInts(records, func(r plog.LogRecord) int64 { return int64(r.Timestamp()) })
	case fieldObservedTime:
		v.setInts(records, func(r plog.LogRecord) int64 { return int64(r.ObservedTimestamp()) })
	case fieldSeverityNumber:
		v.setInts(records, func(r plog.LogRecord) int64 { return int64(r.SeverityNumber()) })
	}
}

// resources are those of the batch in flight: rows lie in the order of their resources.
func (s *Session) resources() []pcommon.Resource {
	if s.lo == s.hi {
		return nil
	}
	return s.logs.resources[s.logs.resource[s.lo] : s.logs.resource[s.hi-1]+1]
}

func (s *Session) measureMap(m *mapValues) {
	m.starts = append(m.starts[:0], 0)
	m.keys = m.keys[:0]
	m.values.resize(0)
	for _, r := range s.logs.records[s.lo:s.hi] {
		position := 0
		for key, value := range r.Attributes().All() {
			m.keys = append(m.keys, s.keys.number(key, position))
			m.values.resize(len(m.keys))
			s.bytes += m.values.set(len(m.keys)-1, value)
			position++
		}
		m.starts = append(m.starts, uint32(len(m.keys)))
	}
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
		v.types[i], v.cells[i] = byte(abi.TypeInt), uint64(value.Int())
	case pcommon.ValueTypeDouble:
		v.types[i], v.cells[i] = byte(abi.TypeDouble), math.Float64bits(value.Double())
	case pcommon.ValueTypeBool:
		v.types[i], v.cells[i] = byte(abi.TypeBool), 0
		if value.Bool() {
			v.cells[i] = 1
		}
	case pcommon.ValueTypeBytes:
		return v.setText(i, abi.TypeBytes, string(value.Bytes().AsRaw()))
	case pcommon.ValueTypeMap, pcommon.ValueTypeSlice:
		return v.setText(i, abi.TypeJSON, value.AsString())
	default:
		v.types[i], v.cells[i] = byte(abi.TypeNone), 0
	}
	return 0
}

func (v *values) setText(i int, t abi.Type, text string) int {
	v.types[i], v.text[i] = byte(t), text
	return len(text)
}

// setString takes a string for which empty means absent.
func (v *values) setString(i int, text string) int {
	if text == "" {
		v.types[i], v.cells[i] = byte(abi.TypeNone), 0
		return 0
	}
	return v.setText(i, abi.TypeString, text)
}

func (v *values) setKey(i int, m pcommon.Map, key string) int {
	value, ok := m.Get(key)
	if !ok {
		v.types[i], v.cells[i] = byte(abi.TypeNone), 0
		return 0
	}
	return v.set(i, value)
}

// setInts takes numbers for which 0 means absent.
func (v *values) setInts(records []plog.LogRecord, get func(plog.LogRecord) int64) {
	for i, r := range records {
		n := get(r)
		v.types[i], v.cells[i] = byte(abi.TypeInt), uint64(n)
		if n == 0 {
			v.types[i] = byte(abi.TypeNone)
		}
	}
}

func (v *values) isText(i int) bool {
	t := abi.Type(v.types[i])
	return t == abi.TypeString || t == abi.TypeBytes || t == abi.TypeJSON
}

// Encode writes the measured batch; dst has the size that Measure returned, now is in nanoseconds since 1970.
func (s *Session) Encode(dst []byte, now int64) {
	w := writer{dst: dst, at: abi.BatchHeaderSize + len(s.plan.columns)*abi.ColumnSize, text: len(dst) - s.bytes - s.keys.bytes}
	clear(dst[:w.at])
	le.PutUint32(dst, abi.BatchMagic)
	le.PutUint32(dst[abi.BatchSignal:], uint32(abi.SignalLogs))
	le.PutUint32(dst[abi.BatchRows:], uint32(s.hi-s.lo))
	le.PutUint32(dst[abi.BatchColumns:], uint32(len(s.plan.columns)))
	le.PutUint32(dst[abi.BatchDirectory:], abi.BatchHeaderSize)
	le.PutUint64(dst[abi.BatchNow:], uint64(now))
	index := uint32(0)
	for i, c := range s.plan.columns {
		entry := dst[abi.BatchHeaderSize+i*abi.ColumnSize:][:abi.ColumnSize]
		entry[abi.ColumnLevel] = byte(c.level())
		if c.field == fieldAttributes {
			w.putMap(entry, &s.maps[i])
			continue
		}
		w.putValues(entry, &s.columns[i])
		if c.level() == abi.LevelResource {
			if index == 0 {
				index = w.putIndex(s.logs.resource[s.lo:s.hi])
			}
			le.PutUint32(entry[abi.ColumnIndex:], index)
		}
	}
	w.putNames(&s.keys)
}

// writer lays sections from at on, and text from text on.
type writer struct {
	dst      []byte
	at, text int
}

func align(n int) int { return (n + 7) &^ 7 }

// put copies text and returns its cell.
func (w *writer) put(text string) uint64 {
	copy(w.dst[w.text:], text)
	cell := abi.Cell(uint32(w.text), uint32(len(text)))
	w.text += len(text)
	return cell
}

func (w *writer) putValues(entry []byte, v *values) {
	n := len(v.types)
	entry[abi.ColumnKind] = byte(abi.KindValues)
	le.PutUint32(entry[abi.ColumnCount:], uint32(n))
	le.PutUint32(entry[abi.ColumnTypes:], uint32(w.at))
	copy(w.dst[w.at:], v.types)
	w.at += align(n)
	le.PutUint32(entry[abi.ColumnCells:], uint32(w.at))
	cells := w.dst[w.at:][:abi.CellSize*n]
	for i := range v.types {
		cell := v.cells[i]
		if v.isText(i) {
			cell = w.put(v.text[i])
		}
		le.PutUint64(cells[abi.CellSize*i:], cell)
	}
	w.at += abi.CellSize * n
}

func (w *writer) putMap(entry []byte, m *mapValues) {
	rows := len(m.starts) - 1
	entry[abi.ColumnKind] = byte(abi.KindMap)
	le.PutUint32(entry[abi.ColumnCount:], uint32(rows))
	le.PutUint32(entry[abi.ColumnTypes:], uint32(w.at))
	for i, start := range m.starts {
		le.PutUint32(w.dst[w.at+4*i:], start)
	}
	w.at += align(4 * (rows + 1))
	le.PutUint32(entry[abi.ColumnCells:], uint32(w.at))
	for i, key := range m.keys {
		cell := w.dst[w.at+abi.MapCellSize*i:][:abi.MapCellSize]
		le.PutUint32(cell, key)
		le.PutUint32(cell[4:], uint32(m.values.types[i]))
		value := m.values.cells[i]
		if m.values.isText(i) {
			value = w.put(m.values.text[i])
		}
		le.PutUint64(cell[8:], value)
	}
	w.at += abi.MapCellSize * len(m.keys)
}

// putIndex writes for each row which of the batch's resources is its own.
func (w *writer) putIndex(resource []uint32) uint32 {
	at := w.at
	for i, r := range resource {
		le.PutUint32(w.dst[at+4*i:], r-resource[0])
	}
	w.at += align(4 * len(resource))
	return uint32(at)
}

func (w *writer) putNames(k *guestKeys) {
	le.PutUint32(w.dst[abi.BatchNames:], uint32(w.at))
	le.PutUint32(w.dst[abi.BatchNamesCount:], uint32(len(k.fresh)))
	le.PutUint32(w.dst[abi.BatchNamesFirst:], k.first)
	for _, key := range k.fresh {
		le.PutUint64(w.dst[w.at:], w.put(key))
		w.at += abi.CellSize
	}
}

// guestKeys numbers the attribute keys that cross to the guest.
type guestKeys struct {
	numbers map[string]uint32
	// predicted has, by position in a record, the key last seen there: records of one source look alike.
	predicted []predictedKey
	fresh     []string // numbered in the batch in flight
	first     uint32   // the number of fresh[0]
	bytes     int      // of fresh
}

type predictedKey struct {
	key    string
	number uint32
}

func (k *guestKeys) begin() {
	if k.numbers == nil || len(k.numbers) > maxKeys {
		k.numbers = map[string]uint32{}
		k.predicted = k.predicted[:0]
	}
	clear(k.fresh)
	k.fresh, k.first, k.bytes = k.fresh[:0], uint32(len(k.numbers)), 0
}

func (k *guestKeys) number(key string, position int) uint32 {
	if position < len(k.predicted) && k.predicted[position].key == key {
		return k.predicted[position].number
	}
	n, ok := k.numbers[key]
	if !ok {
		n = uint32(len(k.numbers))
		k.numbers[key] = n
		k.fresh = append(k.fresh, key)
		k.bytes += len(key)
	}
	if position < len(k.predicted) {
		k.predicted[position] = predictedKey{key, n}
	} else if position == len(k.predicted) && position < 256 {
		k.predicted = append(k.predicted, predictedKey{key, n})
	}
	return n
}
