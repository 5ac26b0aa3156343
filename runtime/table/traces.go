package table

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/obsd-io/obsd/runtime/abi"
)

// spanRows are spans.
type spanRows struct {
	spans []ptrace.Span
}

func (l *spanRows) walk(t *Table) {
	for _, rs := range t.data.Traces.ResourceSpans().All() {
		r := t.addResource(rs.Resource(), rs.SchemaUrl())
		for _, ss := range rs.ScopeSpans().All() {
			s := t.addScope(ss.Scope(), ss.SchemaUrl())
			spans := ss.Spans()
			n := spans.Len()
			t.addLeaf(leaf{r, s, none}, n)
			l.spans = slices.Grow(l.spans, n)
			for k := range n {
				l.spans = append(l.spans, spans.At(k))
			}
		}
	}
}

func (l *spanRows) clear() {
	clear(l.spans)
	l.spans = l.spans[:0]
}

func (l *spanRows) attributes(row int) pcommon.Map { return l.spans[row].Attributes() }

func (l *spanRows) kind(int) int { return 0 }

func (l *spanRows) read(c column, numbers []int32, v *values) (bytes int) {
	if c.field == columnAttribute {
		for i, row := range numbers {
			bytes += v.setKey(i, l.spans[row].Attributes(), c.key)
		}
		return bytes
	}
	for i, row := range numbers {
		bytes += readSpan(c.field, l.spans[row], v, i)
	}
	return bytes
}

func readSpan(f abi.Field, s ptrace.Span, v *values, i int) int {
	switch f {
	case abi.FieldSpanName:
		return v.setString(i, s.Name())
	case abi.FieldSpanKind:
		v.setInt(i, int64(s.Kind()))
	case abi.FieldStartTime:
		v.setInt(i, int64(s.StartTimestamp()))
	case abi.FieldSpanEndTime:
		v.setInt(i, int64(s.EndTimestamp()))
	case columnSpanDuration:
		// Absent, as 0 is, unless the end is after the start.
		v.setInt(i, max(0, int64(s.EndTimestamp())-int64(s.StartTimestamp())))
	case abi.FieldSpanStatusCode:
		v.setInt(i, int64(s.Status().Code()))
	case abi.FieldSpanStatusMessage:
		return v.setString(i, s.Status().Message())
	case abi.FieldSpanTraceState:
		return v.setString(i, s.TraceState().AsRaw())
	case abi.FieldTraceID:
		id := s.TraceID()
		return v.setID(i, id[:], id.IsEmpty())
	case abi.FieldSpanID:
		id := s.SpanID()
		return v.setID(i, id[:], id.IsEmpty())
	case abi.FieldSpanParentID:
		id := s.ParentSpanID()
		return v.setID(i, id[:], id.IsEmpty())
	case abi.FieldFlags:
		v.setInt(i, int64(s.Flags()))
	default:
		panic("BUG: no column of spans")
	}
	return 0
}

func (l *spanRows) set(row int, f abi.Field, v value) {
	s := l.spans[row]
	switch f {
	case abi.FieldSpanName:
		s.SetName(v.text)
	case abi.FieldSpanKind:
		s.SetKind(ptrace.SpanKind(v.bits))
	case abi.FieldStartTime:
		s.SetStartTimestamp(pcommon.Timestamp(v.bits))
	case abi.FieldSpanEndTime:
		s.SetEndTimestamp(pcommon.Timestamp(v.bits))
	case abi.FieldSpanStatusCode:
		s.Status().SetCode(ptrace.StatusCode(v.bits))
	case abi.FieldSpanStatusMessage:
		s.Status().SetMessage(v.text)
	case abi.FieldSpanTraceState:
		s.TraceState().FromRaw(v.text)
	case abi.FieldTraceID:
		s.SetTraceID(v.traceID())
	case abi.FieldSpanID:
		s.SetSpanID(v.spanID())
	case abi.FieldSpanParentID:
		s.SetParentSpanID(v.spanID())
	case abi.FieldFlags:
		s.SetFlags(uint32(v.bits))
	default:
		panic("BUG: no field of spans")
	}
}

func (l *spanRows) add(pcommon.Timestamp) { l.spans = append(l.spans, ptrace.NewSpan()) }

func (l *spanRows) addCopy(row int) {
	s := ptrace.NewSpan()
	l.spans[row].CopyTo(s)
	l.spans = append(l.spans, s)
}

func (l *spanRows) sweep(t *Table, gone func(row int32) bool) {
	resources, leaves := int32(0), 0
	t.data.Traces.ResourceSpans().RemoveIf(func(rs ptrace.ResourceSpans) bool {
		if resources++; resources > t.batch.resources {
			return false
		}
		rs.ScopeSpans().RemoveIf(func(ss ptrace.ScopeSpans) bool {
			row, end := t.begin[leaves], t.begin[leaves+1]
			leaves++
			ss.Spans().RemoveIf(func(ptrace.Span) bool {
				row++
				return row <= end && gone(row-1)
			})
			return ss.Spans().Len() == 0
		})
		return rs.ScopeSpans().Len() == 0
	})
}

// spanTree has the groups of a ptrace.Traces.
type spanTree struct {
	rows      *spanRows
	traces    ptrace.Traces
	resources []ptrace.ResourceSpans
	scopes    []ptrace.SpanSlice
}

func (l *spanRows) tree(d Data) tree {
	w := &spanTree{rows: l, traces: d.Traces}
	for _, rs := range d.Traces.ResourceSpans().All() {
		w.resources = append(w.resources, rs)
		for _, ss := range rs.ScopeSpans().All() {
			w.scopes = append(w.scopes, ss.Spans())
		}
	}
	return w
}

func (w *spanTree) addResource(r *resource) int32 {
	rs := w.traces.ResourceSpans().AppendEmpty()
	r.resource.CopyTo(rs.Resource())
	rs.SetSchemaUrl(r.schema)
	w.resources = append(w.resources, rs)
	return int32(len(w.resources) - 1)
}

func (w *spanTree) addScope(in int32, s *scope) int32 {
	ss := w.resources[in].ScopeSpans().AppendEmpty()
	s.scope.CopyTo(ss.Scope())
	ss.SetSchemaUrl(s.schema)
	w.scopes = append(w.scopes, ss.Spans())
	return int32(len(w.scopes) - 1)
}

func (w *spanTree) addMetric(in int32, _ *metric) int32 { return in }

func (w *spanTree) move(row int, group int32) {
	w.rows.spans[row].MoveTo(w.scopes[group].AppendEmpty())
}

func (w *spanTree) copy(row int, group int32) {
	w.rows.spans[row].CopyTo(w.scopes[group].AppendEmpty())
}
