package abi

// Field is a field of a row that is not an attribute: the number that an edit of [OpSet] names.
type Field uint16

// Fields. The comment tells the values of an edit; none, where it is named, empties the field.
const (
	FieldBody         Field = 1 // any, none
	FieldTime         Field = 2 // int: nanoseconds since 1970, not negative; of a log record or data point
	FieldObservedTime Field = 3 // as FieldTime; of a log record
	// FieldSeverity is a severity number, 0 to 24: an int; or number and text: type name, the number in the cell's low
	// half, the name of the text in its high half.
	FieldSeverity     Field = 4
	FieldSeverityText Field = 5 // a string
	FieldEventName    Field = 6 // a string
	FieldTraceID      Field = 7 // bytes, 16 of them; none
	FieldSpanID       Field = 8 // bytes, 8 of them; none
	FieldFlags        Field = 9 // int: 32 bits

	FieldStartTime Field = 10 // as FieldTime; of a data point or span
	FieldValue     Field = 11 // int or double; of a gauge's or sum's data point

	FieldMetricName        Field = 16 // a string
	FieldMetricUnit        Field = 17 // a string
	FieldMetricDescription Field = 18 // a string
	FieldMetricType        Field = 19 // int: MetricGauge or MetricSum; of a new data point that is no copy
	FieldMetricTemporality Field = 20 // int: 1 delta, 2 cumulative; of a new sum
	FieldMetricMonotonic   Field = 21 // bool; of a new sum

	FieldSpanName          Field = 32 // a string
	FieldSpanKind          Field = 33 // int: 0 to 5, as in OTLP
	FieldSpanEndTime       Field = 34 // as FieldTime
	FieldSpanParentID      Field = 35 // bytes, 8 of them; none
	FieldSpanTraceState    Field = 36 // a string
	FieldSpanStatusCode    Field = 37 // int: 0 unset, 1 ok, 2 error
	FieldSpanStatusMessage Field = 38 // a string
)

// Types of a metric: the column metric.type, and [FieldMetricType].
const (
	MetricGauge                = 1
	MetricSum                  = 2
	MetricHistogram            = 3
	MetricExponentialHistogram = 4
	MetricSummary              = 5
)

// FieldInfo says what a field is called and whose it is.
type FieldInfo struct {
	// Field is 0 for a column that is read only.
	Field Field
	// Column is the name among a manifest's reads; "" for what can only be set.
	Column string
	// Write is the name among a manifest's writes; "" for what can only be read, or only be set on new rows.
	Write string
	// Signals has the bit 1<<Signal of each signal whose rows have the field.
	Signals uint8
	// Level says whether it is the row's or its metric's or scope's.
	Level Level
}

const (
	logs    = 1 << SignalLogs
	metrics = 1 << SignalMetrics
	traces  = 1 << SignalTraces
)

// Fields lists the columns and settable fields that have no key. Beside them there are, for all signals, the columns
// attributes.<key>, attributes.*, resource.<key>, resource.* and scope.attributes.<key>, and the writes
// attributes.<key>, attributes.*, resource.<key>, resource.*.
//
// Times are ints in nanoseconds since 1970, absent when 0; numbers that are 0 where 0 means "not set" (severity_number,
// flags, span.kind, span.status_code) and empty strings are absent too. trace_id, span_id and span.parent_id are bytes.
// point.buckets is JSON with the member names of OTLP/JSON: explicitBounds and bucketCounts; scale, zeroCount,
// zeroThreshold, positive and negative; or quantileValues. Counts are JSON numbers.
var Fields = []FieldInfo{
	{FieldBody, "body", "body", logs, LevelRow},
	{FieldTime, "time", "time", logs | metrics, LevelRow},
	{FieldObservedTime, "observed_time", "observed_time", logs, LevelRow},
	{FieldSeverity, "severity_number", "severity", logs, LevelRow},
	{FieldSeverityText, "severity_text", "severity", logs, LevelRow},
	{FieldEventName, "event_name", "event_name", logs, LevelRow},
	{FieldTraceID, "trace_id", "trace_id", logs | traces, LevelRow},
	{FieldSpanID, "span_id", "span_id", logs | traces, LevelRow},
	{FieldFlags, "flags", "flags", logs | metrics | traces, LevelRow},

	{FieldStartTime, "start_time", "start_time", metrics | traces, LevelRow},
	{FieldValue, "value", "value", metrics, LevelRow},
	{0, "point.count", "", metrics, LevelRow},
	{0, "point.sum", "", metrics, LevelRow},
	{0, "point.min", "", metrics, LevelRow},
	{0, "point.max", "", metrics, LevelRow},
	{0, "point.buckets", "", metrics, LevelRow},

	{FieldMetricName, "metric.name", "metric.name", metrics, LevelMetric},
	{FieldMetricUnit, "metric.unit", "metric.unit", metrics, LevelMetric},
	{FieldMetricDescription, "metric.description", "metric.description", metrics, LevelMetric},
	{FieldMetricType, "metric.type", "", metrics, LevelMetric},
	{FieldMetricTemporality, "metric.temporality", "", metrics, LevelMetric},
	{FieldMetricMonotonic, "metric.monotonic", "", metrics, LevelMetric},

	{FieldSpanName, "span.name", "span.name", traces, LevelRow},
	{FieldSpanKind, "span.kind", "span.kind", traces, LevelRow},
	{FieldSpanEndTime, "span.end_time", "span.end_time", traces, LevelRow},
	{FieldSpanParentID, "span.parent_id", "span.parent_id", traces, LevelRow},
	{FieldSpanTraceState, "span.trace_state", "span.trace_state", traces, LevelRow},
	{FieldSpanStatusCode, "span.status_code", "span.status", traces, LevelRow},
	{FieldSpanStatusMessage, "span.status_message", "span.status", traces, LevelRow},
	{0, "span.duration", "", traces, LevelRow}, // int, nanoseconds; absent unless end is after start

	{0, "scope.name", "", logs | metrics | traces, LevelScope},
	{0, "scope.version", "", logs | metrics | traces, LevelScope},
}

// Prefixes of the names with a key, and the names that stand for all keys.
const (
	AttributePrefix      = "attributes."
	ResourcePrefix       = "resource."
	ScopeAttributePrefix = "scope.attributes."
	AllAttributes        = "attributes.*"
	AllResource          = "resource.*"
)
