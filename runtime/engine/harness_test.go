package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/obsd-io/obsd/internal/wasmtest"
	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/source"
	"github.com/obsd-io/obsd/runtime/table"
)

var testID = component.MustNewIDWithName("wasm", "x")

// stampManifest is for plugins of wasmtest.Stamp.
const stampManifest = `{"name":"x","signals":["logs"],"reads":["body"],"writes":["time","observed_time"]}`

// stamp is a plugin that sets the time of each row.
func stamp(value int64) wasmtest.Stamp {
	return wasmtest.Stamp{Manifest: stampManifest, Field: abi.FieldTime, Value: value}
}

// configFor is a configuration of a module in a file, which is not watched.
func configFor(t testing.TB, module []byte) *Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.wasm")
	require.NoError(t, os.WriteFile(path, module, 0o600))
	c := NewConfig()
	c.Module, c.Swap.Watch = path, false
	// The machine of a test may be busy, and time is fuel only by a rate.
	c.Limits.TimePerRecord, c.Limits.TimePerBatch = time.Millisecond, 10*time.Second
	return &c
}

// telemetry is a component's telemetry that can be looked at.
type telemetry struct {
	*componenttest.Telemetry
	logs *observer.ObservedLogs
}

func newTelemetry(t testing.TB) (telemetry, component.TelemetrySettings) {
	t.Helper()
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	core, seen := observer.New(zap.DebugLevel)
	set := tel.NewTelemetrySettings()
	set.Logger = zap.New(core)
	return telemetry{tel, seen}, set
}

// errorLogs are the messages and causes of what was logged as an error.
func (t telemetry) errorLogs() (out []string) {
	for _, e := range t.logs.FilterLevelExact(zap.ErrorLevel).All() {
		out = append(out, fmt.Sprint(e.Message, ": ", e.ContextMap()["error"]))
	}
	return out
}

func tryLoad(t testing.TB, c *Config, set component.TelemetrySettings) (*Engine, error) {
	t.Helper()
	t.Setenv("CACHE_DIRECTORY", t.TempDir())
	require.NoError(t, c.Validate())
	e, err := Load(t.Context(), testID, set, c)
	if err == nil {
		t.Cleanup(func() { require.NoError(t, e.Close(context.Background())) })
	}
	return e, err
}

func mustLoad(t testing.TB, c *Config) *Engine {
	t.Helper()
	e, err := tryLoad(t, c, componenttest.NewNopTelemetrySettings())
	require.NoError(t, err)
	return e
}

func logs(bodies ...string) plog.Logs {
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, b := range bodies {
		records.AppendEmpty().Body().SetStr(b)
	}
	return ld
}

func numbered(n int) plog.Logs {
	bodies := make([]string, n)
	for i := range bodies {
		bodies[i] = fmt.Sprint("line ", i)
	}
	return logs(bodies...)
}

func recordsOf(ld plog.Logs) plog.LogRecordSlice {
	return ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
}

// settle has an engine work on logs and applies its verdicts.
func settleLogs(ctx context.Context, e *Engine, ld plog.Logs) (left int, err error) {
	err = e.Run(ctx, table.LogsOf(ld), func(t *table.Table) error {
		left = t.Settle()
		return nil
	})
	return left, err
}

// module is a module as a source gives it.
func module(t testing.TB, b []byte) *source.Module {
	t.Helper()
	path := filepath.Join(t.TempDir(), "y.wasm")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	m, err := source.New(source.Settings{Module: path}).Fetch(t.Context())
	require.NoError(t, err)
	return m
}
