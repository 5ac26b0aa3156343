// Package enginetest runs a plugin, built from its folder, as the daemon does: compiled to wasm, over pdata.
package enginetest

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/obsd-io/obsd/internal/guest"
	"github.com/obsd-io/obsd/runtime/engine"
	"github.com/obsd-io/obsd/runtime/table"
)

// Try builds the plugin in dir and loads it with a configuration. Its calls get much time, since a test's
// machine may be busy. The engine is closed when the test ends.
func Try(t testing.TB, dir string, config map[string]any) (*engine.Engine, error) {
	t.Helper()
	c := engine.NewConfig()
	c.Module, c.Config, c.OnError, c.Swap.Watch = guest.Build(t, dir), config, engine.Fail, false
	c.Limits.TimePerRecord, c.Limits.TimePerBatch = 10*time.Millisecond, time.Minute
	e, err := engine.Load(t.Context(), component.MustNewIDWithName("wasm", "test"), componenttest.NewNopTelemetrySettings(), &c)
	if err == nil {
		t.Cleanup(func() {
			if err := e.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	return e, err
}

// Load is Try for a plugin that must load.
func Load(t testing.TB, dir string, config map[string]any) *engine.Engine {
	t.Helper()
	e, err := Try(t, dir, config)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Run has the plugin change ld, and returns its verdicts and sets as package table describes them.
func Run(t testing.TB, e *engine.Engine, ld plog.Logs) (verdicts []uint16, sets []uint64) {
	t.Helper()
	err := e.Run(t.Context(), table.LogsOf(ld), func(rows *table.Table) error {
		verdicts, sets = append(verdicts, rows.Verdicts...), append(sets, rows.Sets...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return verdicts, sets
}

// Bodies makes logs with these bodies; all records are of one resource.
func Bodies(bodies ...string) (plog.Logs, plog.LogRecordSlice) {
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, body := range bodies {
		records.AppendEmpty().Body().SetStr(body)
	}
	return ld, records
}

// Bench measures batches of copies of ld.
func Bench(b *testing.B, e *engine.Engine, ld plog.Logs) {
	b.Helper()
	b.ReportAllocs()
	b.StopTimer()
	for range b.N {
		batch := plog.NewLogs()
		ld.CopyTo(batch)
		b.StartTimer()
		if err := e.Run(b.Context(), table.LogsOf(batch), func(*table.Table) error { return nil }); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*ld.LogRecordCount()), "ns/record")
}
