package sdk

import "unsafe"

// The host's functions, see package abi. A module imports those that its code can reach. A text goes as address and length,
// and neither it nor a room for an answer is kept by the host.

// numbersLast says that a number which the host gave is good for the program's life.
const numbersLast = true

//go:wasmimport obsd log
//go:noescape
func hostLog(severity int32, text string)

//go:wasmimport obsd metric
//go:noescape
func hostMetric(definition string) int32

//go:wasmimport obsd metric_record
func hostMetricRecord(series int32, value float64)

//go:wasmimport obsd kv_get
//go:noescape
func hostKVGet(key string, to unsafe.Pointer, room uint32) int64

//go:wasmimport obsd kv_set
//go:noescape
func hostKVSet(key, value string, ttl int64) int32

//go:wasmimport obsd kv_add
//go:noescape
func hostKVAdd(key string, delta, ttl int64) int64

//go:wasmimport obsd kv_delete
//go:noescape
func hostKVDelete(key string) int32

//go:wasmimport obsd lookup
//go:noescape
func hostLookup(table, column string) int32

//go:wasmimport obsd lookup_get
//go:noescape
func hostLookupGet(number int32, key string, to unsafe.Pointer, room uint32) int64
