package abi

// HostModule is the name of the module that a plugin imports the host's functions from. Without a capability, declared
// in the manifest and granted in the configuration, a module that imports one of its functions is refused.
//
// Texts are passed as address and length in the guest's memory; the host copies them before it returns. A pair that
// lies outside the memory traps. Functions that answer with bytes copy them to an address that the guest names, at most
// as many as it has room for, and return how many there are: more than the room means that nothing was copied.
const HostModule = "obsd"

// Capability is what a plugin may ask of the host beyond its batch.
type Capability string

// Capabilities.
const (
	CapabilityLog     Capability = "log"
	CapabilityMetrics Capability = "metrics"
	CapabilityKV      Capability = "kv"
	CapabilityLookup  Capability = "lookup"
)

// Functions of the module obsd. A result of -1 is "no": no such key, no such table, or over a limit.
const (
	// HostLog, (severity_number, address, length i32), writes a line into the daemon's log under the plugin's name.
	// What comes faster than the granted rate is dropped and counted.
	HostLog = "log"

	// HostMetric, (address, length i32) i32, gives the number of a time series that the JSON text defines, see
	// [MetricDefinition]: the same number for the same text. -1: the text is wrong or the grant's series are used up.
	HostMetric = "metric"
	// HostMetricRecord, (series i32, value f64), adds to a counter, sets a gauge, or records into a histogram. What a
	// counter cannot take (less than 0, NaN, infinite) and a series that is not there are ignored and counted.
	HostMetricRecord = "metric_record"

	// HostKVGet, (key, length, to, room i32) i64, copies a value and returns its length, or -1.
	HostKVGet = "kv_get"
	// HostKVSet, (key, length, value, length i32, ttl i64) i32, keeps a value for ttl milliseconds, 0 for the grant's
	// own limit. It returns 0, or -1 if the value is larger than the store.
	HostKVSet = "kv_set"
	// HostKVAdd, (key, length i32, delta, ttl i64) i64, adds to a number (absent is 0; kept as 8 bytes) in one step, and
	// returns it. The time to live is that of the first addition. A value that is not 8 bytes long is replaced.
	HostKVAdd = "kv_add"
	// HostKVDelete, (key, length i32) i32, returns 0, or -1 if there is no such key.
	HostKVDelete = "kv_delete"

	// HostLookup, (table, length, column, length i32) i32, gives the number of a granted table's column, or -1.
	HostLookup = "lookup"
	// HostLookupGet, (number, key, length, to, room i32) i64, copies the column's value in the row of that key and
	// returns its length, or -1.
	HostLookupGet = "lookup_get"
)

// HostFunctions says which capability each function belongs to.
var HostFunctions = map[string]Capability{
	HostLog:    CapabilityLog,
	HostMetric: CapabilityMetrics, HostMetricRecord: CapabilityMetrics,
	HostKVGet: CapabilityKV, HostKVSet: CapabilityKV, HostKVAdd: CapabilityKV, HostKVDelete: CapabilityKV,
	HostLookup: CapabilityLookup, HostLookupGet: CapabilityLookup,
}

// MetricDefinition is a time series of a plugin's own, as JSON for [HostMetric]. Unknown members are refused.
type MetricDefinition struct {
	// Name is the metric's name; the host puts "obsd_plugin_" before it. Letters, digits, dots and underscores.
	Name string `json:"name"`
	// Kind is "counter", "gauge" or "histogram".
	Kind string `json:"kind"`
	// Unit is a unit in UCUM, as OpenTelemetry has it.
	Unit string `json:"unit,omitempty"`
	// Description is one line for people.
	Description string `json:"description,omitempty"`
	// Attributes tell this series from others of the name.
	Attributes map[string]string `json:"attributes,omitempty"`
}
