package table

import (
	"encoding/binary"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/obsd-io/obsd/runtime/abi"
)

var le = binary.LittleEndian

// Session is one instance's half of the conversation. It is not safe for concurrent use.
type Session struct {
	plan    *Plan
	columns []values
	maps    []mapValues // of the column of the same number, where it is a map

	// The call in flight.
	table  *Table
	active []column // the plan's for the table's signal
	rows   []int32
	now    int64
	bytes  int // of all strings together
	// By level: which groups the rows belong to, and of each row which of these.
	groups [4][]int32
	index  [4][]uint32

	guest guestKeys
	// names are what the guest announced.
	names []name
	edits int
	// runs are what checkEdits found and edit applies.
	runs []run
	// flush says that there are no rows, and new ones only.
	flush bool
}

// NewSession makes a session for a new instance.
func NewSession(p *Plan) *Session {
	n := len(p.columns[abi.SignalLogs])
	return &Session{plan: p, columns: make([]values, n), maps: make([]mapValues, n)}
}

// Edits is how many edits the last Apply or ApplyFlush applied.
func (s *Session) Edits() int { return s.edits }

// Measure takes rows of t, their numbers ascending, as the next batch and returns its size in bytes. Both t and rows
// must stay as they are until Apply.
func (s *Session) Measure(t *Table, rows []int32) int {
	s.table, s.rows, s.bytes, s.flush = t, rows, 0, false
	s.active = s.plan.columns[t.Signal()]
	s.guest.begin()
	s.number()
	size := abi.BatchHeaderSize + len(s.active)*abi.ColumnSize
	absent := false
	for i, c := range s.active {
		if c.isMap() {
			s.measureMap(c, &s.maps[i])
			size += align(4*len(s.maps[i].starts)) + abi.MapCellSize*len(s.maps[i].keys)
			continue
		}
		s.measureColumn(c, &s.columns[i])
		n := len(s.columns[i].types)
		size += align(n) + abi.CellSize*n
		absent = absent || c.field == columnAbsent
	}
	for _, used := range s.plan.levels[t.Signal()][abi.LevelResource:] {
		if used {
			size += align(4 * len(rows))
		}
	}
	if absent {
		size += align(4 * len(rows))
	}
	return size + abi.CellSize*len(s.guest.fresh) + s.guest.bytes + s.bytes
}

// number lists the groups of the rows, at the levels that the plan's columns have.
func (s *Session) number() {
	for level := abi.LevelResource; level <= abi.LevelMetric; level++ {
		s.groups[level], s.index[level] = s.groups[level][:0], s.index[level][:0]
		if !s.plan.levels[s.table.Signal()][level] {
			continue
		}
		last, lastGroup := int32(none), int32(none)
		for _, row := range s.rows {
			if leaf := s.table.home[row]; leaf != last {
				last = leaf
				if group := s.table.leaves[leaf].at(level); group != lastGroup {
					lastGroup = group
					s.groups[level] = append(s.groups[level], group)
				}
			}
			s.index[level] = append(s.index[level], uint32(len(s.groups[level])-1))
		}
	}
}

// at is a leaf's group of a level.
func (l leaf) at(level abi.Level) int32 {
	switch level {
	case abi.LevelResource:
		return l.resource
	case abi.LevelScope:
		return l.scope
	}
	return l.metric
}

func (s *Session) measureColumn(c column, v *values) {
	if c.field == columnAbsent {
		v.resize(1)
		v.setNone(0)
		return
	}
	if c.level == abi.LevelRow {
		v.resize(len(s.rows))
		s.bytes += s.table.own().rows.read(c, s.rows, v)
		return
	}
	v.resize(len(s.groups[c.level]))
	for i, group := range s.groups[c.level] {
		s.bytes += s.table.readGroup(c, group, v, i)
	}
}

// readGroup takes a column of a resource, scope or metric, and returns how many bytes of text it has.
func (t *Table) readGroup(c column, group int32, v *values, i int) int {
	switch c.level {
	case abi.LevelResource:
		return v.setKey(i, t.resources[group].resource.Attributes(), c.key)
	case abi.LevelScope:
		return readScope(c, t.scopes[group].scope, v, i)
	default:
		return readMetric(c.field, t.metrics[group].source, v, i)
	}
}

func readScope(c column, s pcommon.InstrumentationScope, v *values, i int) int {
	switch c.field {
	case columnScopeName:
		return v.setString(i, s.Name())
	case columnScopeVersion:
		return v.setString(i, s.Version())
	}
	return v.setKey(i, s.Attributes(), c.key)
}

func (s *Session) measureMap(c column, m *mapValues) {
	m.starts = append(m.starts[:0], 0)
	m.keys = m.keys[:0]
	m.values.resize(0)
	if c.field == columnResources {
		for _, group := range s.groups[abi.LevelResource] {
			s.measureEntry(m, s.table.resources[group].resource.Attributes())
		}
		return
	}
	rows := s.table.own().rows
	for _, row := range s.rows {
		s.measureEntry(m, rows.attributes(int(row)))
	}
}

func (s *Session) measureEntry(m *mapValues, entry pcommon.Map) {
	position := 0
	for key, value := range entry.All() {
		m.keys = append(m.keys, s.guest.number(key, position))
		m.values.resize(len(m.keys))
		s.bytes += m.values.set(len(m.keys)-1, value)
		position++
	}
	m.starts = append(m.starts, uint32(len(m.keys)))
}

// Encode writes the measured batch; dst has the size that Measure returned, now is in nanoseconds since 1970.
func (s *Session) Encode(dst []byte, now int64) {
	s.now = now
	w := writer{dst: dst, at: abi.BatchHeaderSize + len(s.active)*abi.ColumnSize, text: len(dst) - s.bytes - s.guest.bytes}
	clear(dst[:w.at])
	le.PutUint32(dst, abi.BatchMagic)
	le.PutUint32(dst[abi.BatchSignal:], uint32(s.table.Signal()))
	le.PutUint32(dst[abi.BatchRows:], uint32(len(s.rows)))
	le.PutUint32(dst[abi.BatchColumns:], uint32(len(s.active)))
	le.PutUint32(dst[abi.BatchDirectory:], abi.BatchHeaderSize)
	le.PutUint64(dst[abi.BatchNow:], uint64(now))
	var indexes [4]uint32
	zeros := uint32(0)
	for i, c := range s.active {
		entry := dst[abi.BatchHeaderSize+i*abi.ColumnSize:][:abi.ColumnSize]
		entry[abi.ColumnLevel] = byte(c.level)
		if c.isMap() {
			w.putMap(entry, &s.maps[i])
		} else {
			w.putValues(entry, &s.columns[i])
		}
		switch {
		case c.field == columnAbsent:
			if zeros == 0 {
				zeros = w.putZeros(len(s.rows))
			}
			le.PutUint32(entry[abi.ColumnIndex:], zeros)
		case c.level != abi.LevelRow:
			if indexes[c.level] == 0 {
				indexes[c.level] = w.putIndex(s.index[c.level])
			}
			le.PutUint32(entry[abi.ColumnIndex:], indexes[c.level])
		}
	}
	w.putNames(&s.guest)
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
	for i, t := range v.types {
		cell := v.cells[i]
		if isText(t) {
			cell = w.put(v.text[i])
		}
		le.PutUint64(cells[abi.CellSize*i:], cell)
	}
	w.at += abi.CellSize * n
}

func (w *writer) putMap(entry []byte, m *mapValues) {
	n := len(m.starts) - 1
	entry[abi.ColumnKind] = byte(abi.KindMap)
	le.PutUint32(entry[abi.ColumnCount:], uint32(n))
	le.PutUint32(entry[abi.ColumnTypes:], uint32(w.at))
	for i, start := range m.starts {
		le.PutUint32(w.dst[w.at+4*i:], start)
	}
	w.at += align(4 * (n + 1))
	le.PutUint32(entry[abi.ColumnCells:], uint32(w.at))
	for i, key := range m.keys {
		cell := w.dst[w.at+abi.MapCellSize*i:][:abi.MapCellSize]
		le.PutUint32(cell, key)
		le.PutUint32(cell[4:], uint32(m.values.types[i]))
		value := m.values.cells[i]
		if isText(m.values.types[i]) {
			value = w.put(m.values.text[i])
		}
		le.PutUint64(cell[8:], value)
	}
	w.at += abi.MapCellSize * len(m.keys)
}

// putIndex writes for each row which entry is its own.
func (w *writer) putIndex(index []uint32) uint32 {
	at := w.at
	for i, n := range index {
		le.PutUint32(w.dst[at+4*i:], n)
	}
	w.at += align(4 * len(index))
	return uint32(at)
}

// putZeros writes the index of a column with one entry for all rows.
func (w *writer) putZeros(rows int) uint32 {
	at := w.at
	w.at += align(4 * rows)
	clear(w.dst[at:w.at])
	return uint32(at)
}

func (w *writer) putNames(k *guestKeys) {
	le.PutUint32(w.dst[abi.BatchNames:], uint32(w.at))
	le.PutUint32(w.dst[abi.BatchNamesCount:], uint32(len(k.fresh)))
	le.PutUint32(w.dst[abi.BatchNamesFirst:], k.first)
	k.sent = true
	for _, key := range k.fresh {
		le.PutUint64(w.dst[w.at:], w.put(key))
		w.at += abi.CellSize
	}
}
