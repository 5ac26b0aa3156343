package wasmprocessor_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/obsd-io/obsd/internal/wasmtest"
	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/wasmprocessor"
)

func create(t *testing.T, p wasmtest.Plugin, next consumer.Logs) (processor.Logs, error) {
	t.Helper()
	t.Setenv("CACHE_DIRECTORY", t.TempDir())
	f := wasmprocessor.NewFactory()
	c := f.CreateDefaultConfig().(*wasmprocessor.Config)
	c.Plugin.Module = filepath.Join(t.TempDir(), "x.wasm")
	require.NoError(t, os.WriteFile(c.Plugin.Module, p.Module(), 0o600))
	set := processortest.NewNopSettings(f.Type())
	set.ID = component.NewID(f.Type())
	proc, err := f.CreateLogs(t.Context(), set, c, next)
	require.NoError(t, err)
	require.True(t, proc.Capabilities().MutatesData)
	return proc, proc.Start(t.Context(), componenttest.NewNopHost())
}

func logs(bodies ...string) plog.Logs {
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, b := range bodies {
		records.AppendEmpty().Body().SetStr(b)
	}
	return ld
}

const manifest = `{"name":"x","signals":["logs"],"reads":["body"],"writes":["attributes.a"]}`

func TestDropAndEdit(t *testing.T) {
	sink := new(consumertest.LogsSink)
	p, err := create(t, wasmtest.Plugin{Manifest: manifest, Result: &wasmtest.Result{
		Rows: 2, Verdicts: []uint16{abi.Drop, abi.Keep}, Names: []string{"a"}, Edits: []uint64{abi.Edit(1, 0, abi.OpSetAttribute, abi.TypeInt), 5},
	}}, sink)
	require.NoError(t, err)
	require.NoError(t, p.ConsumeLogs(t.Context(), logs("one", "two")))
	require.Equal(t, 1, sink.LogRecordCount())
	record := sink.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	require.Equal(t, "two", record.Body().Str())
	require.Equal(t, map[string]any{"a": int64(5)}, record.Attributes().AsRaw())
	require.NoError(t, p.Shutdown(t.Context()))
	require.NoError(t, p.Shutdown(t.Context()))
}

// A batch of which nothing is left is not sent on.
func TestDropAll(t *testing.T) {
	sink := new(consumertest.LogsSink)
	p, err := create(t, wasmtest.Plugin{Manifest: manifest, Result: &wasmtest.Result{Rows: 1, Verdicts: []uint16{abi.Drop}}}, sink)
	require.NoError(t, err)
	require.NoError(t, p.ConsumeLogs(t.Context(), logs("one")))
	require.Empty(t, sink.AllLogs())
	require.NoError(t, p.Shutdown(t.Context()))
}

func TestRoutesNeedTheConnector(t *testing.T) {
	p, err := create(t, wasmtest.Plugin{Manifest: `{"name":"x","signals":["logs"],"reads":[],"routes":["errors"]}`}, consumertest.NewNop())
	require.EqualError(t, err, `plugin "wasm": it routes to ["errors"], which a processor cannot: use it as the connector wasm`)
	require.NoError(t, p.Shutdown(t.Context()))
}

func TestConfigStruct(t *testing.T) {
	require.NoError(t, componenttest.CheckConfigStruct(wasmprocessor.NewFactory().CreateDefaultConfig()))
}
