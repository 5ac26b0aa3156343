package table_test

import (
	"math"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/table"
)

// allowed is a manifest that may do everything.
func allowed() abi.Manifest {
	return abi.Manifest{
		Signals: []string{"logs", "metrics", "traces"}, Emits: []string{"logs", "metrics", "traces"}, Routes: []string{"x", "y"},
		Reads: []string{"body", "attributes.s", "resource.s", "trace_id", "attributes.*", "resource.*", "metric.name"},
		Writes: []string{
			"attributes.*", "resource.*", "body", "time", "observed_time", "severity", "event_name", "trace_id", "span_id", "flags", "start_time", "value",
			"metric.name", "metric.unit", "metric.description", "span.name", "span.kind", "span.end_time", "span.parent_id", "span.trace_state", "span.status",
		},
	}
}

// model makes random edits both as a result and by plain pdata calls on rows taken apart.
type model struct {
	*gen
	names []string
	arena string
	edits []uint64
	row   uint32
	laid  string // attribute s of the row, as it was laid out; "" if it has none
}

var modelKeys = []string{"s", "i", "new", "url.path"}

func (m *model) put(name uint16, op abi.Op, typ abi.Type, cell uint64) {
	m.edits = append(m.edits, abi.Edit(m.row, name, op, typ), cell)
}

func (m *model) keep(text string) uint64 {
	cell := abi.Cell(uint32(len(m.arena)), uint32(len(text)))
	m.arena += text
	return cell
}

// value picks a value: its type and cell for the result, and how pdata sets it.
func (m *model) value() (abi.Type, uint64, func(pcommon.Value)) {
	switch m.IntN(8) {
	case 0:
		n := m.Int64N(3)
		return abi.TypeInt, uint64(n), func(v pcommon.Value) { v.SetInt(n) }
	case 1:
		f := []float64{2.5, math.NaN(), math.Inf(-1)}[m.IntN(3)]
		return abi.TypeDouble, math.Float64bits(f), func(v pcommon.Value) { v.SetDouble(f) }
	case 2:
		return abi.TypeBool, 1, func(v pcommon.Value) { v.SetBool(true) }
	case 3:
		return abi.TypeBytes, m.keep("\xff\x00"), func(v pcommon.Value) { v.SetEmptyBytes().FromRaw([]byte("\xff\x00")) }
	case 4:
		return abi.TypeJSON, m.keep(`{"a":[1,2.5,"x",null,true]}`), func(v pcommon.Value) {
			if err := v.FromRaw(map[string]any{"a": []any{1, 2.5, "x", nil, true}}); err != nil {
				panic(err)
			}
		}
	case 5:
		n := m.IntN(len(m.names))
		return abi.TypeName, uint64(n), func(v pcommon.Value) { v.SetStr(m.names[n]) }
	}
	typ, cell, text := m.text()
	return typ, cell, func(v pcommon.Value) { v.SetStr(text) }
}

// text picks a string.
func (m *model) text() (abi.Type, uint64, string) {
	switch m.IntN(3) {
	case 0:
		if m.laid != "" { // of one character a byte from the eighth on
			from := 7 + m.IntN(len(m.laid)-7+1)
			to := from + m.IntN(len(m.laid)-from+1)
			return abi.TypeSlice | 1, abi.Cell(uint32(from), uint32(to-from)), m.laid[from:to]
		}
	case 1:
		n := m.IntN(len(m.names))
		return abi.TypeName, uint64(n), m.names[n]
	}
	return abi.TypeString, m.keep("bad\xffutf8"), "bad\uFFFDutf8"
}

// modelNames are the keys, two other names, and the keys once more.
func modelNames() []string { return slices.Concat(modelKeys, []string{"id", "a constant"}, modelKeys) }

// key edits a key of the row's attributes or of its resource's.
func (m *model) key(set, remove abi.Op, to pcommon.Map) {
	n := m.IntN(len(modelKeys))
	name, inline := uint16(n), m.IntN(4) == 0
	switch {
	case inline:
		name = abi.NameInline
	case m.IntN(3) == 0: // the second name of that text
		name += uint16(len(modelNames()) - len(modelKeys))
	}
	if m.IntN(4) == 0 {
		m.put(name, remove, abi.TypeNone, 0)
		to.Remove(modelKeys[n])
	} else {
		typ, cell, apply := m.value()
		m.put(name, set, typ, cell)
		apply(to.PutEmpty(modelKeys[n]))
	}
	if inline {
		m.put(0, abi.OpExt, abi.TypeString, m.keep(modelKeys[n]))
	}
}

// edit makes one random edit of a row.
func (m *model) edit(one single) {
	switch m.IntN(5) {
	case 0:
		m.key(abi.OpSetResource, abi.OpDeleteResource, one.ofResource().Attributes())
	case 1, 2:
		m.key(abi.OpSetAttribute, abi.OpDeleteAttribute, one.attributes())
	default:
		switch one.Signal {
		case abi.SignalLogs:
			m.editLog(one.log())
		case abi.SignalTraces:
			m.editSpan(one.span())
		default:
			m.editPoint(one)
		}
	}
}

func (m *model) set(f abi.Field, typ abi.Type, cell uint64) { m.put(uint16(f), abi.OpSet, typ, cell) }

func (m *model) setInt(f abi.Field, most int) int {
	n := m.IntN(most + 1)
	m.set(f, abi.TypeInt, uint64(n))
	return n
}

func (m *model) setText(f abi.Field) string {
	typ, cell, text := m.text()
	m.set(f, typ, cell)
	return text
}

func (m *model) setID(f abi.Field, id []byte) {
	if m.IntN(3) == 0 {
		m.set(f, abi.TypeNone, 0)
		clear(id)
		return
	}
	for i := range id {
		id[i] = byte(m.IntN(256))
	}
	m.set(f, abi.TypeBytes, m.keep(string(id)))
}

func (m *model) editLog(r plog.LogRecord) {
	switch m.IntN(9) {
	case 0:
		if m.IntN(4) == 0 {
			m.set(abi.FieldBody, abi.TypeNone, 0)
			if err := r.Body().FromRaw(nil); err != nil {
				panic(err)
			}
			return
		}
		typ, cell, apply := m.value()
		m.set(abi.FieldBody, typ, cell)
		apply(r.Body())
	case 1:
		r.SetSeverityNumber(plog.SeverityNumber(m.setInt(abi.FieldSeverity, 24)))
	case 2:
		last := len(m.names) - 1
		m.set(abi.FieldSeverity, abi.TypeName, 9|uint64(last)<<32)
		r.SetSeverityNumber(9)
		r.SetSeverityText(m.names[last])
	case 3:
		r.SetSeverityText(m.setText(abi.FieldSeverityText))
	case 4:
		r.SetTimestamp(pcommon.Timestamp(m.setInt(abi.FieldTime, 99)))
	case 5:
		r.SetObservedTimestamp(pcommon.Timestamp(m.setInt(abi.FieldObservedTime, 99)))
	case 6:
		r.SetEventName(m.setText(abi.FieldEventName))
	case 7:
		t, s := r.TraceID(), r.SpanID()
		m.setID(abi.FieldTraceID, t[:])
		m.setID(abi.FieldSpanID, s[:])
		r.SetTraceID(t)
		r.SetSpanID(s)
	default:
		r.SetFlags(plog.LogRecordFlags(m.setInt(abi.FieldFlags, math.MaxUint32)))
	}
}

func (m *model) editSpan(s ptrace.Span) {
	switch m.IntN(9) {
	case 0:
		s.SetName(m.setText(abi.FieldSpanName))
	case 1:
		s.SetKind(ptrace.SpanKind(m.setInt(abi.FieldSpanKind, 5)))
	case 2:
		s.SetStartTimestamp(pcommon.Timestamp(m.setInt(abi.FieldStartTime, 99)))
	case 3:
		s.SetEndTimestamp(pcommon.Timestamp(m.setInt(abi.FieldSpanEndTime, 99)))
	case 4:
		s.Status().SetCode(ptrace.StatusCode(m.setInt(abi.FieldSpanStatusCode, 2)))
	case 5:
		s.Status().SetMessage(m.setText(abi.FieldSpanStatusMessage))
	case 6:
		s.TraceState().FromRaw(m.setText(abi.FieldSpanTraceState))
	case 7:
		t, id, parent := s.TraceID(), s.SpanID(), s.ParentSpanID()
		m.setID(abi.FieldTraceID, t[:])
		m.setID(abi.FieldSpanID, id[:])
		m.setID(abi.FieldSpanParentID, parent[:])
		s.SetTraceID(t)
		s.SetSpanID(id)
		s.SetParentSpanID(parent)
	default:
		s.SetFlags(uint32(m.setInt(abi.FieldFlags, math.MaxUint32)))
	}
}

func (m *model) editPoint(one single) {
	metric := one.ofMetric()
	switch m.IntN(7) {
	case 0:
		metric.SetName(m.names[2])
		m.set(abi.FieldMetricName, abi.TypeName, 2)
	case 1:
		metric.SetUnit("ms")
		m.set(abi.FieldMetricUnit, abi.TypeString, m.keep("ms"))
	case 2:
		metric.SetDescription(m.names[0])
		m.set(abi.FieldMetricDescription, abi.TypeName, 0)
	case 3:
		one.point().SetTimestamp(pcommon.Timestamp(m.setInt(abi.FieldTime, 99)))
	case 4:
		one.point().SetStartTimestamp(pcommon.Timestamp(m.setInt(abi.FieldStartTime, 99)))
	case 5:
		one.point().SetFlags(pmetric.DataPointFlags(m.setInt(abi.FieldFlags, math.MaxUint32)))
	default:
		if n, ok := one.point().(pmetric.NumberDataPoint); ok {
			m.number(n)
		}
	}
}

func (m *model) number(n pmetric.NumberDataPoint) {
	if m.IntN(2) == 0 {
		n.SetIntValue(int64(m.setInt(abi.FieldValue, 9)))
		return
	}
	f := []float64{0.5, math.NaN()}[m.IntN(2)]
	n.SetDoubleValue(f)
	m.set(abi.FieldValue, abi.TypeDouble, math.Float64bits(f))
}

// fresh makes a new row behind a row, as it came: the row's, or an empty one in copies of its resource and scope.
func (m *model) fresh(before single, verdict uint16) (made single) {
	kind := m.IntN(4)
	m.put(verdict, abi.OpNew, abi.Type(kind), 0)
	if kind == abi.NewCopy {
		made = before.clone()
	} else {
		made = empty(before, abi.Signal(kind))
		if made.Signal == abi.SignalMetrics {
			m.point(made)
		}
	}
	for range m.IntN(3) {
		m.edit(made)
	}
	m.put(uint16(slices.Index(m.names, "id")), abi.OpSetAttribute, abi.TypeInt, uint64(m.next))
	made.attributes().PutInt("id", m.next)
	m.next++
	return made
}

const modelNow = 42

// empty is an empty row in copies of the resource and scope of another.
func empty(of single, signal abi.Signal) single {
	made := single{table.NewData(signal), of.resource, of.scope, -1}
	var resource pcommon.Resource
	var scope pcommon.InstrumentationScope
	var schemas [2]string
	switch of.Signal {
	case abi.SignalLogs:
		r := of.Logs.ResourceLogs().At(0)
		s := r.ScopeLogs().At(0)
		resource, scope, schemas = r.Resource(), s.Scope(), [2]string{r.SchemaUrl(), s.SchemaUrl()}
	case abi.SignalTraces:
		r := of.Traces.ResourceSpans().At(0)
		s := r.ScopeSpans().At(0)
		resource, scope, schemas = r.Resource(), s.Scope(), [2]string{r.SchemaUrl(), s.SchemaUrl()}
	default:
		r := of.Metrics.ResourceMetrics().At(0)
		s := r.ScopeMetrics().At(0)
		resource, scope, schemas = r.Resource(), s.Scope(), [2]string{r.SchemaUrl(), s.SchemaUrl()}
	}
	switch signal {
	case abi.SignalLogs:
		r := made.Logs.ResourceLogs().AppendEmpty()
		s := r.ScopeLogs().AppendEmpty()
		resource.CopyTo(r.Resource())
		scope.CopyTo(s.Scope())
		r.SetSchemaUrl(schemas[0])
		s.SetSchemaUrl(schemas[1])
		record := s.LogRecords().AppendEmpty()
		record.SetTimestamp(modelNow)
		record.SetObservedTimestamp(modelNow)
	case abi.SignalTraces:
		r := made.Traces.ResourceSpans().AppendEmpty()
		s := r.ScopeSpans().AppendEmpty()
		resource.CopyTo(r.Resource())
		scope.CopyTo(s.Scope())
		r.SetSchemaUrl(schemas[0])
		s.SetSchemaUrl(schemas[1])
		s.Spans().AppendEmpty()
	default:
		r := made.Metrics.ResourceMetrics().AppendEmpty()
		s := r.ScopeMetrics().AppendEmpty()
		resource.CopyTo(r.Resource())
		scope.CopyTo(s.Scope())
		r.SetSchemaUrl(schemas[0])
		s.SetSchemaUrl(schemas[1])
		s.Metrics().AppendEmpty()
	}
	return made
}

// point gives a new data point what it must have.
func (m *model) point(made single) {
	metric := made.ofMetric()
	metric.SetName(m.names[3])
	m.set(abi.FieldMetricName, abi.TypeName, 3)
	var n pmetric.NumberDataPoint
	if m.IntN(2) == 0 {
		s := metric.SetEmptySum()
		m.set(abi.FieldMetricType, abi.TypeInt, abi.MetricSum)
		s.SetAggregationTemporality(pmetric.AggregationTemporality(1 + m.IntN(2)))
		m.set(abi.FieldMetricTemporality, abi.TypeInt, uint64(s.AggregationTemporality()))
		if m.IntN(2) == 0 {
			m.set(abi.FieldMetricMonotonic, abi.TypeBool, 1)
			s.SetIsMonotonic(true)
		}
		n = s.DataPoints().AppendEmpty()
	} else {
		n = metric.SetEmptyGauge().DataPoints().AppendEmpty()
	}
	n.SetTimestamp(modelNow)
	m.number(n)
}
