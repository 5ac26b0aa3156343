package condition

import (
	"slices"

	"github.com/obsd-io/obsd/runtime/abi"
)

const severityPrefix = "SEVERITY_NUMBER_"

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

// fields are the paths without a key: their columns, and what stands for a value that is not set.
var fields = map[string]operandField{
	"body":                    {"body", Value{}},
	"severity_number":         {"severity_number", Value{Type: abi.TypeInt}},
	"severity_text":           {"severity_text", Value{Type: abi.TypeString}},
	"time":                    {"time", Value{Type: abi.TypeInt}},
	"time_unix_nano":          {"time", Value{Type: abi.TypeInt}},
	"observed_time":           {"observed_time", Value{Type: abi.TypeInt}},
	"observed_time_unix_nano": {"observed_time", Value{Type: abi.TypeInt}},
}

type operandField struct {
	column string
	absent Value
}

const knownPaths = `there are body, severity_number, severity_text, time_unix_nano, observed_time_unix_nano, attributes["key"] and resource.attributes["key"]`
