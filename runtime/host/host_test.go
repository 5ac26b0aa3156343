package host_test

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/wasmtest"
	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/host"
)

const manifest = `{"name":"x","signals":["logs"],"reads":["body"]}`

func settings(p wasmtest.Plugin) host.Settings {
	if p.Manifest == "" {
		p.Manifest = manifest
	}
	return host.Settings{
		Name: "wasm/x", Module: p.Module(),
		Limits: host.Limits{Memory: 1 << 20, Instances: 2},
	}
}

func load(t testing.TB, s host.Settings) *host.Plugin {
	t.Helper()
	p, err := host.Load(t.Context(), s)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close(context.Background())) })
	return p
}

// A module that is no plugin, or does not work at its start, is refused with a text that says why.
func TestRefused(t *testing.T) {
	f := func(name string, s host.Settings, kind host.Kind, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			p, err := host.Load(t.Context(), s)
			if err == nil {
				require.NoError(t, p.Close(t.Context()))
			}
			require.EqualError(t, err, want)
			var failure *host.Error
			require.ErrorAs(t, err, &failure)
			require.Equal(t, kind, failure.Kind)
		})
	}
	const mend = "build a core module: Go with GOOS=wasip1 GOARCH=wasm -buildmode=c-shared, Rust for wasm32-wasip1 or wasm32-unknown-unknown as a cdylib, C as a reactor"
	raw := func(b string) host.Settings {
		s := settings(wasmtest.Plugin{})
		s.Module = []byte(b)
		return s
	}
	refused := func(name string, s host.Settings, want string) {
		t.Helper()
		f(name, s, host.KindRefused, `plugin "wasm/x": `+want)
	}
	refused("empty", raw(""), "load: the module is empty")
	refused("not wasm", raw("\x7fELF\x02\x01\x01\x00\x00"), `load: not a WebAssembly module: it starts with "\x7fELF\x02\x01\x01\x00", not with "\x00asm"; `+mend)
	refused("cut", raw("\x00asm\x01"), "load: the module ends within its first 8 bytes")
	refused("component", raw("\x00asm\x0d\x00\x01\x00"), "load: a component-model binary (wasm32-wasip2 or later), which obsd does not run; "+mend)
	refused("version", raw("\x00asm\x02\x00\x00\x00"), "load: WebAssembly version 02000000 is not known; "+mend)
	refused("truncated", raw(string(settings(wasmtest.Plugin{}).Module[:40])), "load: compile: section function: get type index: EOF")
	refused("no plugin", settings(wasmtest.Plugin{Rename: map[string]string{abi.ExportMarker: ""}}),
		"load: not an obsd plugin: it does not export obsd_abi_v1; "+mend+", with the obsd SDK")
	refused("command", settings(wasmtest.Plugin{Rename: map[string]string{abi.ExportMarker: "_start"}}),
		"load: a WASI command (it exports _start), not a plugin; "+mend)
	refused("other version", settings(wasmtest.Plugin{Rename: map[string]string{abi.ExportMarker: "obsd_abi_v7"}}),
		"load: speaks version 7 of the plugin contract; this obsd speaks version 1: build the plugin with the SDK of this release")
	refused("exports missing", settings(wasmtest.Plugin{Rename: map[string]string{abi.ExportAlloc: "", abi.ExportMemory: "mem"}}),
		"load: does not export obsd_alloc (i32) -> (i32)\ndoes not export its memory as \"memory\"")
	refused("signature", settings(wasmtest.Plugin{Rename: map[string]string{abi.ExportProcess: "", abi.ExportAlloc: abi.ExportProcess}}),
		"load: does not export obsd_alloc (i32) -> (i32)\nexports obsd_process as (i32) -> (i32), want (i32 i32) -> (i64)")
	refused("import", settings(wasmtest.Plugin{Imports: []wasmtest.Import{{Module: "env", Name: "log"}}}),
		"load: imports env.log, which obsd does not offer; a plugin may import wasi_snapshot_preview1, and of obsd: kv_add, kv_delete, kv_get, kv_set, log, lookup, lookup_get, metric, metric_record")
	refused("memory at start", settings(wasmtest.Plugin{Pages: 32}), "load: compile: section memory: min 32 pages (2 Mi) over limit of 16 pages (1 Mi): raise limits.memory")
	refused("manifest not json", settings(wasmtest.Plugin{Manifest: "hello"}), "load: manifest: invalid character 'h' looking for beginning of value")
	refused("manifest field", settings(wasmtest.Plugin{Manifest: `{"name":"x","signals":["logs"],"read":[]}`}), `load: manifest: json: unknown field "read"`)
	refused("manifest content", settings(wasmtest.Plugin{Manifest: `{"name":"X","signals":["log"],"reads":["body","body"],"emits":["spans"],"capabilities":["http"]}`}),
		"load: manifest: name: \"X\": want lower case letters, digits and hyphens\nmanifest: signals: \"log\" is not known; there are logs, metrics, traces\n"+
			"manifest: emits: \"spans\" is not known; there are logs, metrics, traces\nmanifest: capabilities: \"http\" is not known; there are kv, log, lookup, metrics\n"+
			"manifest: reads: \"body\" is listed twice")
	refused("no signals", settings(wasmtest.Plugin{Manifest: `{"name":"x","signals":[],"reads":[]}`}),
		"load: manifest: signals: empty; want at least one of logs, metrics, traces")
	refused("signal twice", settings(wasmtest.Plugin{Manifest: `{"name":"x","signals":["traces","logs","traces"],"reads":[]}`}),
		`load: manifest: signals: "traces" is listed twice`)
	refused("flush", settings(wasmtest.Plugin{Manifest: `{"name":"x","signals":["traces","logs"],"reads":[],"flush":"1"}`}),
		"load: manifest: flush: \"1\": want a time of 10ms or more, as in \"10s\"\n"+
			"manifest: flush: \"1\": what is held back belongs to one instance, so flush wants \"stateful\": true")
	refused("flush without export", settings(wasmtest.Plugin{Manifest: `{"name":"x","signals":["traces"],"reads":[],"flush":"10s","stateful":true}`}),
		`load: manifest: flush: "10s", but the module does not export obsd_flush (i64) -> (i64)`)
	refused("configure says no", settings(wasmtest.Plugin{
		Configure: wasmtest.I64(int64(abi.Pack(512, 11))), Data: map[uint32][]byte{512: []byte("bad pattern")},
	}), "configure: config: bad pattern")
	far := abi.Pack(0xfffffff0, 100)
	f("manifest outside", settings(wasmtest.Plugin{ManifestResult: &far}), host.KindBadOutput,
		`plugin "wasm/x": load: bad output: obsd_manifest returned 100 bytes at 4294967280; want at most 1048576 within the memory of 262144`)
	f("start traps", settings(wasmtest.Plugin{Start: wasmtest.Unreachable()}), host.KindTrap,
		`plugin "wasm/x": load: trap: wasm error: unreachable`)
	f("configure traps", settings(wasmtest.Plugin{Configure: wasmtest.Unreachable()}), host.KindTrap,
		`plugin "wasm/x": configure: trap: wasm error: unreachable`)
	f("alloc outside", settings(wasmtest.Plugin{Alloc: wasmtest.I32(1 << 30)}), host.KindBadOutput,
		`plugin "wasm/x": alloc: bad output: obsd_alloc(4096) returned 1073741824; want an address, a multiple of 8, of a block that lies with 16 bytes of slack in the memory of 262144`)
	f("alloc not aligned", settings(wasmtest.Plugin{Alloc: wasmtest.I32(4097)}), host.KindBadOutput,
		`plugin "wasm/x": alloc: bad output: obsd_alloc(4096) returned 4097; want an address, a multiple of 8, of a block that lies with 16 bytes of slack in the memory of 262144`)
}

// The configuration is held against the manifest's schema before the plugin sees it.
func TestConfig(t *testing.T) {
	schema := `{"name":"x","signals":["logs"],"reads":[],"config":{"type":"object","additionalProperties":false,"properties":{"from":{"type":"string"},"n":{"type":"integer","minimum":1}}}}`
	f := func(name, manifest, config, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			s := settings(wasmtest.Plugin{Manifest: manifest})
			s.Config = json.RawMessage(config)
			p, err := host.Load(t.Context(), s)
			if want == "" {
				require.NoError(t, err)
				require.NoError(t, p.Close(t.Context()))
				return
			}
			require.EqualError(t, err, `plugin "wasm/x": configure: `+want)
		})
	}
	f("good", schema, `{"from":"body","n":2}`, "")
	f("empty", schema, `{}`, "")
	f("unknown key", schema, `{"form":"body"}`, "config: additional properties 'form' not allowed")
	for range 20 { // the schema's library goes through objects in any order
		f("several errors", schema, `{"n":0,"z":1,"from":1,"b":2,"a":3}`,
			"config: additional properties 'a', 'b', 'z' not allowed\nconfig::from: got number, want string\nconfig::n: minimum: got 0, want 1")
	}
	f("no schema", manifest, `{"from":"body"}`, "config: additional properties 'from' not allowed")
	f("no schema, no config", manifest, `{}`, "")
	f("schema that refers out", `{"name":"x","signals":["logs"],"reads":[],"config":{"$ref":"file:///etc/passwd"}}`, `{}`,
		"manifest: config: not a JSON schema: failing loading \"file:///etc/passwd\": file:///etc/passwd: a plugin's schema may not refer to anything outside itself")
	f("bad schema", `{"name":"x","signals":["logs"],"reads":[],"config":{"type":5}}`, `{}`,
		"not a JSON schema: manifest: config::type: got number, want array\nmanifest: config::type: value must be one of 'array', 'boolean', 'integer', 'null', 'number', 'object', 'string'")
}

// callFuel is what the guests of these tests get for a call.
const callFuel = 1_000_000

// call acquires an instance, has it work on a batch of 64 bytes, and gives it back.
func call(ctx context.Context, p *host.Plugin) error {
	inst, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer p.Release(ctx, inst)
	if _, err := inst.Block(ctx, 64); err != nil {
		return err
	}
	_, _, err = inst.Process(ctx, 64, callFuel)
	return err
}

// A caller that has given up gets no call, and the plugin no blame.
func TestCallerGivesUp(t *testing.T) {
	p := load(t, settings(wasmtest.Plugin{}))
	inst, err := p.Acquire(t.Context())
	require.NoError(t, err)
	defer p.Release(t.Context(), inst)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = inst.Process(ctx, 0, callFuel)
	require.EqualError(t, err, `plugin "wasm/x": process: canceled: context canceled`)
	_, used, err := inst.Process(t.Context(), 0, callFuel)
	require.NoError(t, err)
	require.Positive(t, used)
}

// With all instances out, a caller waits, and gives up with its context.
func TestPoolIsCapped(t *testing.T) {
	p := load(t, settings(wasmtest.Plugin{}))
	a, err := p.Acquire(t.Context())
	require.NoError(t, err)
	b, err := p.Acquire(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.Acquire(ctx)
	require.EqualError(t, err, `plugin "wasm/x": acquire: canceled: context canceled`)
	got := make(chan *host.Instance)
	go func() {
		c, err := p.Acquire(t.Context())
		if err != nil {
			t.Error(err)
		}
		got <- c
	}()
	p.Release(t.Context(), a)
	require.Same(t, a, <-got)
	p.Release(t.Context(), a)
	p.Release(t.Context(), b)
}

func TestStatefulHasOneInstance(t *testing.T) {
	p := load(t, settings(wasmtest.Plugin{Manifest: `{"name":"x","signals":["logs"],"reads":[],"stateful":true}`}))
	inst, err := p.Acquire(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.Acquire(ctx)
	require.ErrorIs(t, err, context.Canceled)
	p.Release(t.Context(), inst)
}

// Many callers over few instances, a third of which misbehave: none hangs, none sees another's instance.
func TestHammer(t *testing.T) {
	good, bad := load(t, settings(wasmtest.Plugin{})), load(t, settings(wasmtest.Plugin{Process: wasmtest.Unreachable()}))
	var wg sync.WaitGroup
	var traps atomic.Int64
	for worker := range 8 {
		wg.Go(func() {
			for i := range 200 {
				if (worker+i)%3 > 0 {
					if err := call(t.Context(), good); err != nil {
						t.Error(err)
					}
				} else if err := call(t.Context(), bad); err != nil {
					traps.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if traps.Load() < 500 {
		t.Errorf("%d traps", traps.Load())
	}
}
