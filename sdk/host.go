package sdk

// Host is the host's side of the capabilities, for a program that runs the plugin natively, such as sdktest. It is called by
// the plugin's function, and may keep no text that it is given. See [abi.HostFunctions] for what the methods do.
type Host interface {
	Log(severity Severity, text string)
	Metric(definition string) (series int32)
	MetricRecord(series int32, value float64)
	KVGet(key string) (string, bool)
	KVSet(key, value string, ttlMillis int64) bool
	KVAdd(key string, delta, ttlMillis int64) int64
	KVDelete(key string) bool
	Lookup(table, column string) (number int32)
	LookupGet(number int32, key string) (string, bool)
}

// native is the host of the one plugin.
var native Host

// SetHost sets the host of a plugin that runs natively. In wasm the daemon is the host, and SetHost does nothing.
func SetHost(h Host) { native = h }
