package sdk

import (
	"strconv"

	"github.com/obsd-io/obsd/runtime/abi"
)

// Name is a name that host and plugin know by number. It is what an [Edit] sets: the attribute of that name, the resource
// attribute ([Name.Resource]), or a field of the row such as [Body]. And it is a value that recurs, see [Edit.Name].
type Name uint32 // a name's or field's number, and above it the abi.Op that sets it

// NameOf numbers a string, for example in a package's var block. The same string always has the same number.
// An instance can number at most abi.MaxNames strings, and NameOf panics on one more: where keys come from records,
// keep count, and give those beyond a bound with [Inline].
func NameOf(s string) Name {
	if n, ok := plugin.numbers[s]; ok {
		return n
	}
	if len(plugin.names) == abi.MaxNames {
		panic("BUG: sdk.NameOf: " + strconv.Itoa(abi.MaxNames) + " names are taken, none is left for " + strconv.Quote(s) +
			": give keys that are not bounded in number with sdk.Inline")
	}
	if plugin.numbers == nil {
		plugin.numbers = map[string]Name{}
	}
	n := attribute | Name(len(plugin.names))
	plugin.names, plugin.numbers[s] = append(plugin.names, s), n
	return n
}

// Resource is the resource attribute with an attribute's name. The host moves a row whose resource is changed to a resource
// of its own, together with all rows changed alike; others keep theirs.
func (n Name) Resource() Name { return n&0xffff | resource }

const (
	attribute = Name(abi.OpSetAttribute) << 16
	resource  = Name(abi.OpSetResource) << 16
	field     = Name(abi.OpSet) << 16
)

// Inline stands for a key that a call of [Edit.Key], right after, spells out: for keys that are rare or not bounded in
// number. Inline.Resource() is the same for a resource attribute.
const Inline Name = attribute | abi.NameInline

// Fields of a row. The host refuses values of other types than these; times are in nanoseconds since 1970, not negative.
// What a deletion can empty is named "or none".
const (
	Body           Name = field | Name(abi.FieldBody)         // any value, or none; of a log record
	Time           Name = field | Name(abi.FieldTime)         // an int; of a log record or data point
	ObservedTime   Name = field | Name(abi.FieldObservedTime) // an int; of a log record
	SeverityNumber Name = field | Name(abi.FieldSeverity)     // an int, a Severity; see also Edit.Severity
	SeverityText   Name = field | Name(abi.FieldSeverityText) // a string
	EventName      Name = field | Name(abi.FieldEventName)    // a string; of a log record
	TraceID        Name = field | Name(abi.FieldTraceID)      // 16 bytes, or none; of a log record or span
	SpanID         Name = field | Name(abi.FieldSpanID)       // 8 bytes, or none; of a log record or span
	Flags          Name = field | Name(abi.FieldFlags)        // an int of 32 bits
	StartTime      Name = field | Name(abi.FieldStartTime)    // an int; of a data point or span
	PointValue     Name = field | Name(abi.FieldValue)        // an int or double; of a gauge's or sum's data point

	MetricName        Name = field | Name(abi.FieldMetricName) // a string; the metric of a data point, for that row alone
	MetricUnit        Name = field | Name(abi.FieldMetricUnit)
	MetricDescription Name = field | Name(abi.FieldMetricDescription)

	SpanName          Name = field | Name(abi.FieldSpanName)          // a string
	SpanKind          Name = field | Name(abi.FieldSpanKind)          // an int: 1 internal, 2 server, 3 client, 4 producer, 5 consumer
	SpanEndTime       Name = field | Name(abi.FieldSpanEndTime)       // an int
	SpanParentID      Name = field | Name(abi.FieldSpanParentID)      // 8 bytes, or none
	SpanTraceState    Name = field | Name(abi.FieldSpanTraceState)    // a string
	SpanStatusCode    Name = field | Name(abi.FieldSpanStatusCode)    // an int: 0 unset, 1 ok, 2 error
	SpanStatusMessage Name = field | Name(abi.FieldSpanStatusMessage) // a string
)

// Severity is a severity number of the OpenTelemetry logs data model.
type Severity uint8

// Severities: the first number of each range.
const (
	SeverityTrace Severity = 1
	SeverityDebug Severity = 5
	SeverityInfo  Severity = 9
	SeverityWarn  Severity = 13
	SeverityError Severity = 17
	SeverityFatal Severity = 21
)

// severityNames has the number of the short name of each severity number.
var severityNames = func() (names [25]uint16) {
	names[0] = uint16(NameOf("UNSPECIFIED"))
	for i, level := range []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"} {
		for j, suffix := range []string{"", "2", "3", "4"} {
			names[1+4*i+j] = uint16(NameOf(level + suffix))
		}
	}
	return names
}()
