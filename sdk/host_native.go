//go:build !wasip1

package sdk

import "unsafe"

// numbersLast: a program may set one host after another.
const numbersLast = false

func host() Host {
	if native == nil {
		panic("BUG: sdk: a native program calls the host without one: run the plugin with sdktest")
	}
	return native
}

func hostLog(severity int32, text string)            { host().Log(Severity(severity), text) }
func hostMetric(definition string) int32             { return host().Metric(definition) }
func hostMetricRecord(series int32, value float64)   { host().MetricRecord(series, value) }
func hostKVSet(key, value string, ttl int64) int32   { return no(host().KVSet(key, value, ttl)) }
func hostKVAdd(key string, delta, ttl int64) int64   { return host().KVAdd(key, delta, ttl) }
func hostKVDelete(key string) int32                  { return no(host().KVDelete(key)) }
func hostLookup(table, column string) (number int32) { return host().Lookup(table, column) }

func hostKVGet(key string, to unsafe.Pointer, room uint32) int64 {
	text, ok := host().KVGet(key)
	return copyTo(to, room, text, ok)
}

func hostLookupGet(number int32, key string, to unsafe.Pointer, room uint32) int64 {
	text, ok := host().LookupGet(number, key)
	return copyTo(to, room, text, ok)
}

// no is the functions' way to say no.
func no(ok bool) int32 {
	if ok {
		return 0
	}
	return -1
}

// copyTo answers as the host does: it copies what there is room for.
func copyTo(to unsafe.Pointer, room uint32, text string, ok bool) int64 {
	if !ok {
		return -1
	}
	if len(text) <= int(room) {
		copy(unsafe.Slice((*byte)(to), room), text)
	}
	return int64(len(text))
}
