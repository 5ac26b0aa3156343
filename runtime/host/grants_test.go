package host_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/obsd-io/obsd/internal/wasmtest"
	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/capability"
	"github.com/obsd-io/obsd/runtime/host"
)

const (
	i32 = wasmtest.I32Type
	i64 = wasmtest.I64Type
	f64 = wasmtest.F64Type
)

// imports has each function of the module obsd as a plugin imports it.
var imports = map[string]wasmtest.Import{
	abi.HostLog:          {Params: i32 + i32 + i32},
	abi.HostMetric:       {Params: i32 + i32, Results: i32},
	abi.HostMetricRecord: {Params: i32 + f64},
	abi.HostKVGet:        {Params: i32 + i32 + i32 + i32, Results: i64},
	abi.HostKVSet:        {Params: i32 + i32 + i32 + i32 + i64, Results: i32},
	abi.HostKVAdd:        {Params: i32 + i32 + i64 + i64, Results: i64},
	abi.HostKVDelete:     {Params: i32 + i32, Results: i32},
	abi.HostLookup:       {Params: i32 + i32 + i32 + i32, Results: i32},
	abi.HostLookupGet:    {Params: i32 + i32 + i32 + i32 + i32, Results: i64},
}

func imported(name string) wasmtest.Import {
	i := imports[name]
	i.Module, i.Name = abi.HostModule, name
	return i
}

// declares is a manifest with capabilities.
func declares(capabilities ...string) string {
	list := ""
	for i, c := range capabilities {
		if i > 0 {
			list += ","
		}
		list += fmt.Sprintf("%q", c)
	}
	return `{"name":"x","signals":["logs"],"reads":["body"],"capabilities":[` + list + `]}`
}

func grant(t testing.TB, c capability.Config, log *zap.Logger) *capability.Set {
	t.Helper()
	set, err := capability.New(c, "wasm/x", log, noop.Meter{})
	require.NoError(t, err)
	t.Cleanup(set.Close)
	return set
}

// What a plugin imports and declares is held against what is granted, before it runs with it.
func TestGrantsRefused(t *testing.T) {
	kv := capability.Config{KV: &capability.KVGrant{MaxSize: 1 << 20}}
	f := func(name string, p wasmtest.Plugin, c capability.Config, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			s := settings(p)
			s.Capabilities = grant(t, c, zap.NewNop())
			_, err := host.Load(t.Context(), s)
			require.EqualError(t, err, `plugin "wasm/x": load: `+want)
			var failure *host.Error
			require.ErrorAs(t, err, &failure)
			require.Equal(t, host.KindRefused, failure.Kind)
		})
	}
	importing := func(manifest string, list ...wasmtest.Import) wasmtest.Plugin {
		return wasmtest.Plugin{Manifest: manifest, Imports: list}
	}
	f("unknown function", importing(declares("kv"), wasmtest.Import{Module: "obsd", Name: "kv_put"}), kv,
		"imports obsd.kv_put, which obsd does not offer; a plugin may import wasi_snapshot_preview1, and of obsd: kv_add, kv_delete, kv_get, kv_set, log, lookup, lookup_get, metric, metric_record")
	f("signature", importing(declares("kv"), wasmtest.Import{Module: "obsd", Name: "kv_get", Params: i32 + i32, Results: i32}), kv,
		"imports obsd.kv_get as (i32 i32) -> (i32); it is (i32 i32 i32 i32) -> (i64)")
	f("not granted", importing(declares("kv", "log", "metrics", "lookup"), imported("kv_get"), imported("log"), imported("metric"), imported("lookup")), capability.Config{},
		"imports obsd.kv_get, which needs the capability kv: grant it with grants: {kv: true}\n"+
			"imports obsd.log, which needs the capability log: grant it with grants: {log: true}\n"+
			"imports obsd.metric, which needs the capability metrics: grant it with grants: {metrics: true}\n"+
			"imports obsd.lookup, which needs the capability lookup: grant it with grants: {lookup: {<table>: {file: <path>, key: <column>}}}")
	f("declared, not granted", wasmtest.Plugin{Manifest: declares("kv", "log")}, kv,
		`manifest: capabilities: it needs "log": grant it with grants: {log: true}`)
	f("not declared", importing(declares(), imported("kv_get"), imported("kv_set")), kv,
		"imports obsd.kv_get, which the manifest does not declare: add \"kv\" to its capabilities\n"+
			"imports obsd.kv_set, which the manifest does not declare: add \"kv\" to its capabilities")
	f("unknown capability", wasmtest.Plugin{Manifest: declares("http")}, kv,
		`manifest: capabilities: "http" is not known; there are kv, log, lookup, metrics`)
	f("wasi", importing(declares(), wasmtest.Import{Module: "wasi_snapshot_preview1", Name: "fd_fly"}), kv,
		`instantiate: "fd_fly" is not exported in module "wasi_snapshot_preview1"`)

	s := settings(importing(declares("kv"), imported("kv_get")))
	_, err := host.Load(t.Context(), s)
	require.EqualError(t, err, `plugin "wasm/x": load: imports obsd.kv_get, which needs the capability kv: grant it with grants: {kv: true}`, "without a Set nothing is granted")
}

// program is a plugin whose obsd_process makes calls, and returns the last one's result.
func program(capability string, names []string, body ...wasmtest.Code) wasmtest.Plugin {
	p := wasmtest.Plugin{Manifest: declares(capability), Process: slices.Concat(body...), Data: map[uint32][]byte{0: []byte("key value"), 512: []byte(`{"name":"hits","kind":"counter"}`), 600: []byte("hosts"), 608: []byte("name")}}
	for _, n := range names {
		p.Imports = append(p.Imports, imported(n))
	}
	return p
}

// args pushes i32 constants.
func args(values ...int32) wasmtest.Code {
	var out wasmtest.Code
	for _, v := range values {
		out = append(out, wasmtest.I32(v)...)
	}
	return out
}

// extend makes an i64 of an i32 result.
var extend = wasmtest.Code{0xac}

// programs has one call of each host function, and what obsd_process returns for it.
func programs() map[string]struct {
	plugin wasmtest.Plugin
	want   int64
} {
	drop := wasmtest.Code{opDrop}
	set := slices.Concat(args(0, 3, 4, 5), wasmtest.I64(0), wasmtest.Call(0))
	series := slices.Concat(args(512, 32), wasmtest.Call(0))
	column := slices.Concat(args(600, 5, 608, 4), wasmtest.Call(0))
	return map[string]struct {
		plugin wasmtest.Plugin
		want   int64
	}{
		"log":           {program("log", []string{"log"}, args(9, 4, 5), wasmtest.Call(0), wasmtest.I64(0)), 0},
		"metric":        {program("metrics", []string{"metric"}, series, extend), 0},
		"metric_record": {program("metrics", []string{"metric", "metric_record"}, series, wasmtest.Code{0x44, 0, 0, 0, 0, 0, 0, 0, 0}, wasmtest.Call(1), wasmtest.I64(0)), 0},
		"kv_set":        {program("kv", []string{"kv_set"}, set, extend), 0},
		"kv_get":        {program("kv", []string{"kv_set", "kv_get"}, set, drop, args(0, 3, 100, 5), wasmtest.Call(1)), 5},
		"kv_get absent": {program("kv", []string{"kv_get"}, args(1, 3, 100, 5), wasmtest.Call(0)), -1},
		"kv_add":        {program("kv", []string{"kv_add"}, args(4, 3), wasmtest.I64(0), wasmtest.I64(0), wasmtest.Call(0)), 0},
		"kv_delete":     {program("kv", []string{"kv_delete"}, args(7, 1), wasmtest.Call(0), extend), -1},
		"lookup":        {program("lookup", []string{"lookup"}, column, extend), 0},
		"lookup_get":    {program("lookup", []string{"lookup", "lookup_get"}, column, args(0, 3, 100, 50), wasmtest.Call(1)), 3},
	}
}

func all(t testing.TB, log *zap.Logger) *capability.Set {
	t.Helper()
	set := grant(t, capability.Config{
		Log: &capability.LogGrant{Rate: 1e-3, Burst: 1}, Metrics: &capability.MetricsGrant{MaxSeries: 10},
		KV: &capability.KVGrant{MaxSize: 1 << 20}, Lookup: map[string]capability.TableGrant{
			"hosts": {File: "testdata/hosts.csv", Key: "ip", ReloadInterval: 1 << 40, MaxSize: 1 << 20},
		},
	}, log)
	require.NoError(t, set.Start(t.Context(), nil))
	return set
}

// Each function does what the contract says, from within a guest.
func TestHostFunctions(t *testing.T) {
	for name, p := range programs() {
		t.Run(name, func(t *testing.T) {
			core, seen := observer.New(zapcore.InfoLevel)
			s := settings(p.plugin)
			s.Capabilities = all(t, zap.New(core))
			h := load(t, s)
			inst, err := h.Acquire(t.Context())
			require.NoError(t, err)
			defer h.Release(t.Context(), inst)
			result, used, err := inst.Process(t.Context(), 0, callFuel)
			require.NoError(t, err)
			require.Equal(t, p.want, int64(result))
			require.Greater(t, used, int64(1000))
			switch name {
			case "log":
				require.Equal(t, 1, seen.FilterMessage("value").FilterField(zap.String("plugin", "wasm/x")).Len())
			case "kv_get":
				require.Equal(t, "value", string(inst.Memory()[100:105]))
			case "lookup_get":
				require.Equal(t, "web", string(inst.Memory()[100:103]))
			case "kv_add":
				var n [8]byte
				require.Equal(t, 8, s.Capabilities.KV.Get([]byte("val"), n[:]))
				require.Zero(t, binary.LittleEndian.Uint64(n[:]))
			}
		})
	}
}

// BenchmarkHostFunctions is a call of a guest that calls one host function, or two.
func BenchmarkHostFunctions(b *testing.B) {
	for name, p := range programs() {
		b.Run(name, func(b *testing.B) {
			s := settings(p.plugin)
			s.Capabilities = all(b, zap.NewNop())
			h := load(b, s)
			inst, err := h.Acquire(b.Context())
			require.NoError(b, err)
			defer h.Release(b.Context(), inst)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := inst.Process(b.Context(), 0, callFuel); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
