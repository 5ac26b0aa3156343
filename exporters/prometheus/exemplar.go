package prometheus

import (
	"math"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	traceIDLabel = "trace_id"
	spanIDLabel  = "span_id"
	// exemplarRunes is how many characters OpenMetrics 1.0 allows in the names
	// and values of an exemplar's labels.
	exemplarRunes = 128
)

// exemplar translates one exemplar: trace and span first, then as many of its
// attributes as fit. It returns nil where there is nothing to link to.
func (t *translator) exemplar(e pmetric.Exemplar) *dto.Exemplar {
	v := e.DoubleValue()
	if e.ValueType() == pmetric.ExemplarValueTypeInt {
		v = float64(e.IntValue())
	}
	if math.IsNaN(v) {
		return nil
	}
	ex := &dto.Exemplar{Value: &v}
	room := exemplarRunes
	if id := e.TraceID(); !id.IsEmpty() {
		room = addExemplarLabel(ex, traceIDLabel, id.String(), room)
	}
	if id := e.SpanID(); !id.IsEmpty() {
		room = addExemplarLabel(ex, spanIDLabel, id.String(), room)
	}
	for key, value := range e.FilteredAttributes().All() {
		if name, ok := t.names.label(key); ok {
			room = addExemplarLabel(ex, name, text(value), room)
		}
	}
	if len(ex.Label) == 0 {
		return nil
	}
	if e.Timestamp() != 0 {
		ex.Timestamp = timestamp(nanos(e.Timestamp()))
	}
	return ex
}

func addExemplarLabel(ex *dto.Exemplar, name, value string, room int) int {
	need := utf8.RuneCountInString(name) + utf8.RuneCountInString(value)
	if value == "" || need > room {
		return room
	}
	for _, have := range ex.Label {
		if escaped(have.GetName()) == escaped(name) {
			return room
		}
	}
	ex.Label = append(ex.Label, &dto.LabelPair{Name: &name, Value: &value})
	return room - need
}

// later says whether a is later than b.
func later(a, b *dto.Exemplar) bool {
	return a.GetTimestamp().AsTime().After(b.GetTimestamp().AsTime())
}

func timestamp(nanos int64) *timestamppb.Timestamp {
	return &timestamppb.Timestamp{Seconds: nanos / 1e9, Nanos: int32(nanos % 1e9)}
}
