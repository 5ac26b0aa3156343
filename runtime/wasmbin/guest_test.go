package wasmbin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/obsd-io/obsd/plugins/builtin"
	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/table"
	"github.com/obsd-io/obsd/runtime/wasmbin"
)

// features are those that the host compiles with.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst

// plenty is more fuel than any test burns.
const plenty = int64(1) << 60

// newRuntime gives a compiling runtime, or an interpreting one.
func newRuntime(t testing.TB, compile bool) wazero.Runtime {
	t.Helper()
	c := wazero.NewRuntimeConfigInterpreter()
	if compile {
		c = wazero.NewRuntimeConfigCompiler()
	}
	r := wazero.NewRuntimeWithConfig(context.Background(), c.WithCoreFeatures(features))
	t.Cleanup(func() { _ = r.Close(context.Background()) })
	return r
}

// instantiate compiles a module and makes an instance of it.
func instantiate(t testing.TB, r wazero.Runtime, module []byte) api.Module {
	t.Helper()
	m, err := r.InstantiateWithConfig(context.Background(), module, wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize"))
	require.NoError(t, err)
	return m
}

// inject is wasmbin.Inject with plenty of fuel.
func inject(t testing.TB, module []byte) []byte {
	t.Helper()
	out, err := wasmbin.Inject(module, wasmbin.Options{Initial: plenty})
	require.NoError(t, err)
	return out
}

// fuelOf is a rewritten module's counter.
func fuelOf(m api.Module) api.MutableGlobal {
	return m.ExportedGlobal(wasmbin.FuelGlobal).(api.MutableGlobal)
}

// guest is an instance of a plugin, driven as the contract says.
type guest struct {
	t        testing.TB
	module   api.Module
	process  api.Function
	manifest abi.Manifest
	session  *table.Session
	stack    [2]uint64
	block    uint32
	size     int
}

func newGuest(t testing.TB, module []byte, config string) *guest {
	t.Helper()
	ctx := context.Background()
	r := newRuntime(t, true)
	_, err := wasi_snapshot_preview1.Instantiate(ctx, r)
	require.NoError(t, err)
	g := &guest{t: t, module: instantiate(t, r, module)}
	g.process = g.module.ExportedFunction(abi.ExportProcess)
	if text := g.text(g.call(abi.ExportConfigure, g.write(config)...)); text != "" {
		t.Fatal(text)
	}
	require.NoError(t, json.Unmarshal([]byte(g.text(g.call(abi.ExportManifest))), &g.manifest))
	plan, err := table.NewPlan(&g.manifest)
	require.NoError(t, err)
	g.session = table.NewSession(plan)
	return g
}

func (g *guest) call(name string, args ...uint64) uint64 {
	g.t.Helper()
	out, err := g.module.ExportedFunction(name).Call(context.Background(), args...)
	require.NoError(g.t, err)
	return out[0]
}

// write puts a text into the guest's memory, and gives its address and length.
func (g *guest) write(text string) []uint64 {
	at := g.call(abi.ExportAlloc, uint64(len(text)+64))
	require.True(g.t, g.module.Memory().Write(uint32(at), []byte(text)))
	return []uint64{at, uint64(len(text))}
}

func (g *guest) text(packed uint64) string {
	b, ok := g.module.Memory().Read(uint32(packed>>32), uint32(packed))
	require.True(g.t, ok)
	return string(b)
}

// load writes a batch into the guest's memory.
func (g *guest) load(ld plog.Logs) {
	var rows table.Table
	rows.Reset(table.LogsOf(ld))
	g.size = g.session.Measure(&rows, numbers(rows.Rows()))
	batch := make([]byte, g.size)
	g.session.Encode(batch, 0)
	g.block = uint32(g.call(abi.ExportAlloc, uint64(g.size+64)))
	require.True(g.t, g.module.Memory().Write(g.block, batch))
}

// run processes the batch.
func (g *guest) run() error {
	g.stack[0], g.stack[1] = uint64(g.block), uint64(g.size)
	return g.process.CallWithStack(context.Background(), g.stack[:])
}

func accessLogs(n int) plog.Logs {
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for i := range n {
		r := records.AppendEmpty()
		r.Body().SetStr(fmt.Sprintf(`10.1.%d.%d - - [23/Nov/2026:10:00:%02d +0000] "GET /api/v1/orders/%d HTTP/1.1" 200 %d "https://example.com/" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"`, i%256, i%200, i/200%60, i, 100+i))
	}
	return ld
}

// plugins are the bundled ones, with a configuration and rows of the kind that each is for.
var plugins = []struct {
	name, config string
	logs         func(int) plog.Logs
}{
	{"accesslog", `{}`, accessLogs},
	{"json", `{}`, jsonLogs},
	{"route", `{"rules":[{"when":"body == \"x\" or severity_number >= 17","to":["errors"]}]}`, accessLogs},
}

func module(t testing.TB, name string) []byte {
	t.Helper()
	b, err := builtin.Module(name)
	require.NoError(t, err)
	return b
}

func jsonLogs(n int) plog.Logs {
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for i := range n {
		records.AppendEmpty().Body().SetStr(fmt.Sprintf(`{"time":"2026-11-23T10:00:00Z","level":"info","msg":"order %d shipped","order":{"id":%d,"total":%d.5},"tags":["a","b"],"ok":true}`, i, i, i))
	}
	return ld
}

// numbers are the row numbers below n.
func numbers(n int) []int32 {
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}
