package table

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/obsd-io/obsd/runtime/abi"
)

// logRows are log records.
type logRows struct {
	records []plog.LogRecord
}

func (l *logRows) walk(t *Table) {
	for _, rl := range t.data.Logs.ResourceLogs().All() {
		r := t.addResource(rl.Resource(), rl.SchemaUrl())
		for _, sl := range rl.ScopeLogs().All() {
			s := t.addScope(sl.Scope(), sl.SchemaUrl())
			records := sl.LogRecords()
			n := records.Len()
			t.addLeaf(leaf{r, s, none}, n)
			l.records = slices.Grow(l.records, n)
			for k := range n {
				l.records = append(l.records, records.At(k))
			}
		}
	}
}

func (l *logRows) clear() {
	clear(l.records)
	l.records = l.records[:0]
}

func (l *logRows) attributes(row int) pcommon.Map { return l.records[row].Attributes() }

func (l *logRows) kind(int) int { return 0 }

func (l *logRows) read(c column, numbers []int32, v *values) (bytes int) {
	switch c.field {
	case abi.FieldBody:
		// Nearly every body is a string: no call for those.
		types, texts := v.types[:len(numbers)], v.text[:len(numbers)]
		for i, row := range numbers {
			body := l.records[row].Body()
			if body.Type() == pcommon.ValueTypeStr {
				text := body.Str()
				types[i], texts[i] = byte(abi.TypeString), text
				bytes += len(text)
				continue
			}
			bytes += v.set(i, body)
		}
	case columnAttribute:
		for i, row := range numbers {
			bytes += v.setKey(i, l.records[row].Attributes(), c.key)
		}
	case abi.FieldTime:
		for i, row := range numbers {
			v.setInt(i, int64(l.records[row].Timestamp()))
		}
	default:
		for i, row := range numbers {
			bytes += readLog(c.field, l.records[row], v, i)
		}
	}
	return bytes
}

// readLog takes a field that is less often read.
func readLog(f abi.Field, r plog.LogRecord, v *values, i int) int {
	switch f {
	case abi.FieldObservedTime:
		v.setInt(i, int64(r.ObservedTimestamp()))
	case abi.FieldSeverity:
		v.setInt(i, int64(r.SeverityNumber()))
	case abi.FieldSeverityText:
		return v.setString(i, r.SeverityText())
	case abi.FieldEventName:
		return v.setString(i, r.EventName())
	case abi.FieldTraceID:
		id := r.TraceID()
		return v.setID(i, id[:], id.IsEmpty())
	case abi.FieldSpanID:
		id := r.SpanID()
		return v.setID(i, id[:], id.IsEmpty())
	case abi.FieldFlags:
		v.setInt(i, int64(r.Flags()))
	default:
		panic("BUG: no column of log records")
	}
	return 0
}

func (l *logRows) set(row int, f abi.Field, v value) {
	r := l.records[row]
	switch f {
	case abi.FieldBody:
		v.put(r.Body())
	case abi.FieldSeverity:
		r.SetSeverityNumber(plog.SeverityNumber(uint32(v.bits)))
		if v.typ == abi.TypeName {
			r.SetSeverityText(v.text)
		}
	case abi.FieldSeverityText:
		r.SetSeverityText(v.text)
	case abi.FieldTime:
		r.SetTimestamp(pcommon.Timestamp(v.bits))
	case abi.FieldObservedTime:
		r.SetObservedTimestamp(pcommon.Timestamp(v.bits))
	case abi.FieldEventName:
		r.SetEventName(v.text)
	case abi.FieldTraceID:
		r.SetTraceID(v.traceID())
	case abi.FieldSpanID:
		r.SetSpanID(v.spanID())
	case abi.FieldFlags:
		r.SetFlags(plog.LogRecordFlags(v.bits))
	default:
		panic("BUG: no field of log records")
	}
}

func (l *logRows) add(now pcommon.Timestamp) {
	r := plog.NewLogRecord()
	r.SetTimestamp(now)
	r.SetObservedTimestamp(now)
	l.records = append(l.records, r)
}

func (l *logRows) addCopy(row int) {
	r := plog.NewLogRecord()
	l.records[row].CopyTo(r)
	l.records = append(l.records, r)
}

func (l *logRows) sweep(t *Table, gone func(row int32) bool) {
	resources, leaves := int32(0), 0
	t.data.Logs.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
		if resources++; resources > t.batch.resources {
			return false
		}
		rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
			row, end := t.begin[leaves], t.begin[leaves+1]
			leaves++
			sl.LogRecords().RemoveIf(func(plog.LogRecord) bool {
				row++
				return row <= end && gone(row-1)
			})
			return sl.LogRecords().Len() == 0
		})
		return rl.ScopeLogs().Len() == 0
	})
}

// logTree has the groups of a plog.Logs.
type logTree struct {
	rows      *logRows
	logs      plog.Logs
	resources []plog.ResourceLogs
	scopes    []plog.LogRecordSlice
}

func (l *logRows) tree(d Data) tree {
	w := &logTree{rows: l, logs: d.Logs}
	for _, rl := range d.Logs.ResourceLogs().All() {
		w.resources = append(w.resources, rl)
		for _, sl := range rl.ScopeLogs().All() {
			w.scopes = append(w.scopes, sl.LogRecords())
		}
	}
	return w
}

func (w *logTree) addResource(r *resource) int32 {
	rl := w.logs.ResourceLogs().AppendEmpty()
	r.resource.CopyTo(rl.Resource())
	rl.SetSchemaUrl(r.schema)
	w.resources = append(w.resources, rl)
	return int32(len(w.resources) - 1)
}

func (w *logTree) addScope(in int32, s *scope) int32 {
	sl := w.resources[in].ScopeLogs().AppendEmpty()
	s.scope.CopyTo(sl.Scope())
	sl.SetSchemaUrl(s.schema)
	w.scopes = append(w.scopes, sl.LogRecords())
	return int32(len(w.scopes) - 1)
}

func (w *logTree) addMetric(in int32, _ *metric) int32 { return in }

func (w *logTree) move(row int, group int32) {
	w.rows.records[row].MoveTo(w.scopes[group].AppendEmpty())
}

func (w *logTree) copy(row int, group int32) {
	w.rows.records[row].CopyTo(w.scopes[group].AppendEmpty())
}
