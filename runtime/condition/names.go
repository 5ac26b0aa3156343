package condition

import (
	"slices"
	"strings"

	"github.com/obsd-io/obsd/runtime/abi"
)

const (
	logs    = 1 << abi.SignalLogs
	metrics = 1 << abi.SignalMetrics
	traces  = 1 << abi.SignalTraces
	all     = logs | metrics | traces
)

// context is what a path may begin with, as pkg/ottl/contexts names it.
type context struct {
	name    string
	signals uint8
	// row says that it is the row itself, so that it can be left out.
	row bool
	// attributes is what stands before the key in a column of attributes; "" if it has none.
	attributes string
	fields     []field
}

// field is a path without a key.
type field struct {
	name   string
	column string
	// absent is what stands for a value that is not set.
	absent Value
	// digits is how many bytes an id has whose hexadecimal digits are meant; else 0.
	digits int
}

var (
	zero  = Value{Type: abi.TypeInt}
	empty = Value{Type: abi.TypeString}
)

// idText is the field of an id's digits.
func idText(name, column string, size int) field {
	return field{name + ".string", column, Value{Type: abi.TypeBytes, Text: strings.Repeat("\x00", size)}, size}
}

// contexts are all paths. What there is, is listed in this order.
var contexts = []context{
	{"log", logs, true, abi.AttributePrefix, []field{
		{"body", "body", Value{}, 0},
		{"severity_number", "severity_number", zero, 0},
		{"severity_text", "severity_text", empty, 0},
		{"event_name", "event_name", empty, 0},
		{"time_unix_nano", "time", zero, 0},
		{"observed_time_unix_nano", "observed_time", zero, 0},
		{"trace_id", "trace_id", Value{}, 0},
		{"span_id", "span_id", Value{}, 0},
		idText("trace_id", "trace_id", 16),
		idText("span_id", "span_id", 8),
		{"flags", "flags", zero, 0},
	}},
	{"datapoint", metrics, true, abi.AttributePrefix, []field{
		{"value", "value", Value{}, 0},
		{"value_int", "value", Value{}, 0},
		{"value_double", "value", Value{}, 0},
		{"time_unix_nano", "time", zero, 0},
		{"start_time_unix_nano", "start_time", zero, 0},
		{"count", "point.count", Value{}, 0},
		{"sum", "point.sum", Value{}, 0},
		{"min", "point.min", Value{}, 0},
		{"max", "point.max", Value{}, 0},
		{"buckets", "point.buckets", Value{}, 0},
		{"flags", "flags", zero, 0},
	}},
	{"metric", metrics, false, "", []field{
		{"name", "metric.name", empty, 0},
		{"unit", "metric.unit", empty, 0},
		{"description", "metric.description", empty, 0},
		{"type", "metric.type", zero, 0},
		{"aggregation_temporality", "metric.temporality", Value{}, 0},
		{"is_monotonic", "metric.monotonic", Value{}, 0},
	}},
	{"span", traces, true, abi.AttributePrefix, []field{
		{"name", "span.name", empty, 0},
		{"kind", "span.kind", zero, 0},
		{"status.code", "span.status_code", zero, 0},
		{"status.message", "span.status_message", empty, 0},
		{"trace_id", "trace_id", Value{}, 0},
		{"span_id", "span_id", Value{}, 0},
		{"parent_span_id", "span.parent_id", Value{}, 0},
		idText("trace_id", "trace_id", 16),
		idText("span_id", "span_id", 8),
		idText("parent_span_id", "span.parent_id", 8),
		{"trace_state", "span.trace_state", empty, 0},
		{"start_time_unix_nano", "start_time", zero, 0},
		{"end_time_unix_nano", "span.end_time", zero, 0},
		{"duration", "span.duration", zero, 0},
		{"flags", "flags", zero, 0},
	}},
	{"scope", all, false, abi.ScopeAttributePrefix, []field{
		{"name", "scope.name", empty, 0},
		{"version", "scope.version", empty, 0},
	}},
	{"resource", all, false, abi.ResourcePrefix, nil},
}

// contextOf is the index of the context of that name, -1 if there is none.
func contextOf(name string) int {
	if name == "instrumentation_scope" {
		name = "scope"
	}
	return slices.IndexFunc(contexts, func(c context) bool { return c.name == name })
}

// field finds a field of the context.
func (c *context) field(name string) (field, bool) {
	for _, f := range c.fields {
		if short, long := strings.CutSuffix(f.name, "_unix_nano"); f.name == name || long && short == name {
			return f, true
		}
	}
	return field{}, false
}

// known lists the paths of signals.
func known(signals uint8) string {
	var b strings.Builder
	b.WriteString("there are")
	sep := " "
	for i := range contexts {
		c := &contexts[i]
		if c.signals&signals == 0 {
			continue
		}
		b.WriteString(sep)
		sep = "; "
		names := make([]string, 0, len(c.fields)+1)
		for _, f := range c.fields {
			names = append(names, f.name)
		}
		if c.attributes != "" {
			names = append(names, `attributes["key"]`)
		}
		b.WriteString("in " + c.name + ": " + strings.Join(names, ", "))
	}
	return b.String()
}

// enums has the names of each enumeration that are numbered from 0, as pkg/ottl/contexts has them.
var enums = []struct {
	prefix string
	names  []string
}{
	{"SPAN_KIND_", []string{"UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"}},
	{"STATUS_CODE_", []string{"UNSET", "OK", "ERROR"}},
	{"METRIC_DATA_TYPE_", []string{"NONE", "GAUGE", "SUM", "HISTOGRAM", "EXPONENTIAL_HISTOGRAM", "SUMMARY"}},
	{"AGGREGATION_TEMPORALITY_", []string{"UNSPECIFIED", "DELTA", "CUMULATIVE"}},
}

const severityPrefix = "SEVERITY_NUMBER_"

// enum reads the name of an enumeration's member. ok says that it begins like one, there is "" or which members exist.
func enum(name string) (number int64, there string, ok bool) {
	if member, is := strings.CutPrefix(name, severityPrefix); is {
		if n, ok := severity(member); ok {
			return n, "", true
		}
		return 0, severityPrefix + "TRACE, DEBUG, INFO, WARN, ERROR, FATAL, each also with 2, 3 or 4 behind it, and UNSPECIFIED", true
	}
	for _, e := range enums {
		if member, is := strings.CutPrefix(name, e.prefix); is {
			if i := slices.Index(e.names, member); i >= 0 {
				return int64(i), "", true
			}
			return 0, e.prefix + strings.Join(e.names, ", "), true
		}
	}
	return 0, "", false
}

func severity(name string) (int64, bool) {
	if name == "UNSPECIFIED" {
		return 0, true
	}
	number := int64(0)
	if last := len(name) - 1; last > 0 && name[last] >= '2' && name[last] <= '4' {
		name, number = name[:last], int64(name[last]-'1')
	}
	i := slices.Index([]string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}, name)
	return int64(4*i+1) + number, i >= 0
}
