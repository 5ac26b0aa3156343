package sdktest

import (
	"maps"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/sdk"
)

// Log is a log record. Values of Body, attributes and resources are string, int, int64, float64, bool, []byte, or a
// map[string]any or []any of these; a plugin gives int64, never int. Here and below times are nanoseconds since 1970, and
// a field that is 0 or empty is absent.
type Log struct {
	Body         any
	Time         int64
	ObservedTime int64
	Severity     sdk.Severity
	SeverityText string
	EventName    string
	TraceID      []byte // 16 of them
	SpanID       []byte // 8 of them
	Flags        uint32
	Attributes   map[string]any
	Resource     map[string]any
	Scope        Scope
}

// Point is a data point, and the metric that it is of.
type Point struct {
	Name        string
	Unit        string
	Description string
	Type        int64 // abi.MetricGauge, abi.MetricSum and so on; 0 is a gauge
	Temporality int64 // of a sum: 1 delta, 2 cumulative
	Monotonic   bool  // of a sum
	Value       any   // of a gauge or sum: int, int64 or float64
	Time        int64
	StartTime   int64
	Flags       uint32

	// Of the other types, as the columns point.count and so on have them.
	Count, Sum, Min, Max, Buckets any

	Attributes map[string]any
	Resource   map[string]any
	Scope      Scope
}

// Span is a span.
type Span struct {
	Name          string
	Kind          int64 // as in OTLP: 1 internal, 2 server, 3 client, 4 producer, 5 consumer
	TraceID       []byte
	SpanID        []byte
	ParentID      []byte
	TraceState    string
	Flags         uint32
	StartTime     int64
	EndTime       int64
	StatusCode    int64 // 0 unset, 1 ok, 2 error
	StatusMessage string
	Attributes    map[string]any
	Resource      map[string]any
	Scope         Scope
}

// Scope is a row's instrumentation scope.
type Scope struct {
	Name, Version string
	Attributes    map[string]any
}

// row is a Log, Point or Span.
type row interface {
	signal() abi.Signal
	// field points to the field of a column without a key: a *any, *string, *int64, *uint32, *bool, *[]byte or
	// *sdk.Severity; nil if such rows do not have it.
	field(column string) any
	// shared points to what all rows have.
	shared() (attributes, resource *map[string]any, scope *Scope)
	// clone copies the row, so that its maps can be changed.
	clone() row
}

func (l *Log) signal() abi.Signal   { return abi.SignalLogs }
func (p *Point) signal() abi.Signal { return abi.SignalMetrics }
func (s *Span) signal() abi.Signal  { return abi.SignalTraces }

func (l *Log) shared() (attributes, resource *map[string]any, scope *Scope) {
	return &l.Attributes, &l.Resource, &l.Scope
}

func (p *Point) shared() (attributes, resource *map[string]any, scope *Scope) {
	return &p.Attributes, &p.Resource, &p.Scope
}

func (s *Span) shared() (attributes, resource *map[string]any, scope *Scope) {
	return &s.Attributes, &s.Resource, &s.Scope
}

func (l *Log) clone() row {
	c := *l
	return own(&c)
}

func (p *Point) clone() row {
	c := *p
	return own(&c)
}

func (s *Span) clone() row {
	c := *s
	return own(&c)
}

// own gives a copy of a row maps of its own; attributes there always are.
func own(r row) row {
	attributes, resource, _ := r.shared()
	*attributes, *resource = maps.Clone(*attributes), maps.Clone(*resource)
	if *attributes == nil {
		*attributes = map[string]any{}
	}
	return r
}

func (l *Log) field(column string) any {
	switch column {
	case "body":
		return &l.Body
	case "time":
		return &l.Time
	case "observed_time":
		return &l.ObservedTime
	case "severity_number":
		return &l.Severity
	case "severity_text":
		return &l.SeverityText
	case "event_name":
		return &l.EventName
	case "trace_id":
		return &l.TraceID
	case "span_id":
		return &l.SpanID
	case "flags":
		return &l.Flags
	}
	return l.Scope.field(column)
}

func (p *Point) field(column string) any {
	switch column {
	case "metric.name":
		return &p.Name
	case "metric.unit":
		return &p.Unit
	case "metric.description":
		return &p.Description
	case "metric.type":
		return &p.Type
	case "metric.temporality":
		return &p.Temporality
	case "metric.monotonic":
		return &p.Monotonic
	case "value":
		return &p.Value
	case "time":
		return &p.Time
	case "start_time":
		return &p.StartTime
	case "flags":
		return &p.Flags
	case "point.count":
		return &p.Count
	case "point.sum":
		return &p.Sum
	case "point.min":
		return &p.Min
	case "point.max":
		return &p.Max
	case "point.buckets":
		return &p.Buckets
	}
	return p.Scope.field(column)
}

func (s *Span) field(column string) any {
	switch column {
	case "span.name":
		return &s.Name
	case "span.kind":
		return &s.Kind
	case "trace_id":
		return &s.TraceID
	case "span_id":
		return &s.SpanID
	case "span.parent_id":
		return &s.ParentID
	case "span.trace_state":
		return &s.TraceState
	case "flags":
		return &s.Flags
	case "start_time":
		return &s.StartTime
	case "span.end_time":
		return &s.EndTime
	case "span.duration":
		duration := max(0, s.EndTime-s.StartTime)
		return &duration
	case "span.status_code":
		return &s.StatusCode
	case "span.status_message":
		return &s.StatusMessage
	}
	return s.Scope.field(column)
}

func (s *Scope) field(column string) any {
	switch column {
	case "scope.name":
		return &s.Name
	case "scope.version":
		return &s.Version
	}
	return nil
}
