package host_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/zap"

	"github.com/obsd-io/obsd/internal/wasmtest"
	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/capability"
	"github.com/obsd-io/obsd/runtime/host"
)

const kvManifest = `{"name":"x","signals":["logs"],"reads":["body"],"capabilities":["kv"]}`

// kvSet is the import of kv_set, and storing calls it for ever.
var (
	kvSet = wasmtest.Import{
		Module: abi.HostModule, Name: abi.HostKVSet,
		Params: wasmtest.I32Type + wasmtest.I32Type + wasmtest.I32Type + wasmtest.I32Type + wasmtest.I64Type, Results: wasmtest.I32Type,
	}
	storing = wasmtest.Loop(slices.Concat(wasmtest.I32(0), wasmtest.I32(16), wasmtest.I32(0), wasmtest.I32(1024), wasmtest.I64(0), wasmtest.Call(0), wasmtest.Code{opDrop}))
)

// random is the import of WASI's random_get, and write that of its fd_write.
var (
	random  = wasmtest.Import{Module: "wasi_snapshot_preview1", Name: "random_get", Params: wasmtest.I32Type + wasmtest.I32Type, Results: wasmtest.I32Type}
	fdWrite = wasmtest.Import{
		Module: "wasi_snapshot_preview1", Name: "fd_write",
		Params: wasmtest.I32Type + wasmtest.I32Type + wasmtest.I32Type + wasmtest.I32Type, Results: wasmtest.I32Type,
	}
	poll = wasmtest.Import{
		Module: "wasi_snapshot_preview1", Name: "poll_oneoff",
		Params: wasmtest.I32Type + wasmtest.I32Type + wasmtest.I32Type + wasmtest.I32Type, Results: wasmtest.I32Type,
	}
)

const opDrop = 0x1a

func calls(args ...int32) wasmtest.Code {
	var out wasmtest.Code
	for _, a := range args {
		out = slices.Concat(out, wasmtest.I32(a))
	}
	return slices.Concat(out, wasmtest.Call(0))
}

// misbehaviour lists guests that fail in obsd_process, each in its own way, with the error that says so.
var misbehaviour = []struct {
	name   string
	plugin wasmtest.Plugin
	kind   host.Kind
	want   string
}{
	{"traps", wasmtest.Plugin{Process: wasmtest.Unreachable()}, host.KindTrap, "trap: wasm error: unreachable"},
	{"loops", wasmtest.Plugin{Process: wasmtest.Forever()}, host.KindTimeout, outOfFuel},
	{"loops through a table", wasmtest.Plugin{Process: wasmtest.Switch(10_000)}, host.KindTimeout, outOfFuel},
	{"loops by tail calls", wasmtest.Plugin{Process: wasmtest.TailCall()}, host.KindTimeout, outOfFuel},
	{"fills memory", wasmtest.Plugin{Process: wasmtest.Loop(wasmtest.Fill(200_000))}, host.KindTimeout, outOfFuel},
	{"copies memory", wasmtest.Plugin{Process: wasmtest.Loop(wasmtest.Copy(200_000))}, host.KindTimeout, outOfFuel},
	{"grows", wasmtest.Plugin{Process: wasmtest.Grow()}, host.KindMemory, "memory: limits.memory (1 MiB) reached: wasm error: unreachable"},
	{"reads outside", wasmtest.Plugin{Process: slices.Concat(wasmtest.Store(1<<20, 1), wasmtest.I64(0))}, host.KindTrap, "trap: wasm error: out of bounds memory access"},
	{"calls the host", wasmtest.Plugin{Manifest: kvManifest, Imports: []wasmtest.Import{kvSet}, Process: storing}, host.KindTimeout, outOfFuel},
	{
		"points the host outside",
		wasmtest.Plugin{Manifest: kvManifest, Imports: []wasmtest.Import{kvSet}, Process: slices.Concat(
			wasmtest.I32(0), wasmtest.I32(1), wasmtest.I32(262_000), wasmtest.I32(1000), wasmtest.I64(0), wasmtest.Call(0), wasmtest.Code{opDrop}, wasmtest.I64(0))},
		host.KindTrap, "trap: 1000 bytes at 262000 lie outside the memory of 262144",
	},
	{"exits", wasmtest.Plugin{
		Imports: []wasmtest.Import{{Module: "wasi_snapshot_preview1", Name: "proc_exit", Params: wasmtest.I32Type}},
		Process: slices.Concat(calls(3), wasmtest.I64(0)),
	}, host.KindTrap, "trap: the guest exited with code 3"},
	{"asks for randomness", wasmtest.Plugin{Imports: []wasmtest.Import{random}, Process: wasmtest.Loop(append(calls(0, 200_000), opDrop))}, host.KindTimeout, outOfFuel},
	{"writes", wasmtest.Plugin{Imports: []wasmtest.Import{fdWrite}, Process: wasmtest.Loop(append(calls(1, 0, 30_000, 0), opDrop))}, host.KindTimeout, outOfFuel},
	{"writes from outside", wasmtest.Plugin{Imports: []wasmtest.Import{fdWrite}, Process: slices.Concat(calls(1, 0, 1<<29, 0), wasmtest.Unreachable())}, host.KindTimeout, outOfFuel},
	{"polls", wasmtest.Plugin{Imports: []wasmtest.Import{poll}, Process: wasmtest.Loop(append(calls(0, 0, 5000, 0), opDrop))}, host.KindTimeout, outOfFuel},
}

const outOfFuel = "timeout: ran out of fuel: 1000000 units, about TIME"

// with gives settings the grants that a guest of these tests may ask for.
func with(t testing.TB, s host.Settings) host.Settings {
	t.Helper()
	set, err := capability.New(capability.Config{KV: &capability.KVGrant{MaxSize: 1 << 20}}, s.Name, zap.NewNop(), noop.Meter{})
	require.NoError(t, err)
	s.Capabilities = set
	return s
}

// A guest that misbehaves in a call fails alone: the error says how, and the next call has a new instance. Meanwhile
// another plugin works on.
func TestMisbehaviour(t *testing.T) {
	good := load(t, settings(wasmtest.Plugin{}))
	for _, m := range misbehaviour {
		t.Run(m.name, func(t *testing.T) {
			p := load(t, with(t, settings(m.plugin)))
			for range 3 {
				err := call(t.Context(), p)
				var failure *host.Error
				require.ErrorAs(t, err, &failure)
				require.Equal(t, m.kind, failure.Kind)
				require.EqualError(t, err, `plugin "wasm/x": process: `+about(p, m.want))
				require.NoError(t, call(t.Context(), good))
			}
			require.EqualValues(t, 3, p.Stats().Discarded)
			require.Zero(t, p.Stats().Instances)
			require.Zero(t, p.Stats().Memory)
		})
	}
}

// A guest's stack is bounded, whatever its fuel.
func TestRecursion(t *testing.T) {
	p := load(t, settings(wasmtest.Plugin{Process: wasmtest.Recurse()}))
	inst, err := p.Acquire(t.Context())
	require.NoError(t, err)
	_, _, err = inst.Process(t.Context(), 0, 1<<40)
	require.EqualError(t, err, `plugin "wasm/x": process: trap: stack overflow`)
	p.Release(t.Context(), inst)
}

// about puts the time into outOfFuel, which is the machine's.
func about(p *host.Plugin, want string) string {
	if want == outOfFuel {
		return want[:len(want)-len("TIME")] + p.Time(callFuel).String()
	}
	return want
}

// A guest that does not end its start, manifest or configuration fails the load, within its fuel.
func TestMisbehaviourAtLoad(t *testing.T) {
	for name, f := range map[string]struct {
		plugin wasmtest.Plugin
		fn     string
	}{
		"start":         {wasmtest.Plugin{Start: wasmtest.Forever()}, "load"},
		"start section": {wasmtest.Plugin{Start: wasmtest.Forever(), StartSection: true}, "load"},
		"manifest":      {wasmtest.Plugin{ManifestBody: wasmtest.Forever()}, "load"},
		"configure":     {wasmtest.Plugin{Configure: wasmtest.Forever()}, "configure"},
		"alloc":         {wasmtest.Plugin{Alloc: wasmtest.Forever()}, "alloc"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := host.Load(t.Context(), settings(f.plugin))
			var failure *host.Error
			require.ErrorAs(t, err, &failure)
			require.Equal(t, host.KindTimeout, failure.Kind)
			require.EqualError(t, err, `plugin "wasm/x": `+f.fn+": timeout: ran out of fuel: 40000000 units, about "+(&host.Plugin{}).Time(40_000_000).String())
		})
	}
}

// A start section runs before all else, and may trap.
func TestStartSection(t *testing.T) {
	_, err := host.Load(t.Context(), settings(wasmtest.Plugin{Start: wasmtest.Unreachable(), StartSection: true}))
	require.EqualError(t, err, `plugin "wasm/x": load: trap: wasm error: unreachable`)
	load(t, settings(wasmtest.Plugin{Start: wasmtest.Store(0, 1), StartSection: true}))
}

// A trap in a guest with fuel left is told from one without, whatever the guest does to look otherwise.
func TestUsedFuel(t *testing.T) {
	p := load(t, settings(wasmtest.Plugin{Process: slices.Concat(wasmtest.Fill(100_000), wasmtest.I64(0))}))
	inst, err := p.Acquire(t.Context())
	require.NoError(t, err)
	_, first, err := inst.Process(t.Context(), 0, callFuel)
	require.NoError(t, err)
	require.Greater(t, first, int64(10_000), "by the bytes")
	_, second, err := inst.Process(t.Context(), 0, first)
	require.NoError(t, err)
	require.Equal(t, first, second, "the same work takes the same fuel")
	_, used, err := inst.Process(t.Context(), 0, first-1)
	require.Error(t, err)
	require.GreaterOrEqual(t, used, first-1)
	p.Release(t.Context(), inst)
}
