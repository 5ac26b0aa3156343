package wasmprocessor_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/obsd-io/obsd/internal/wasmtest"
	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/engine"
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
	require.EqualError(t, err, `plugin "wasm": it routes to ["errors"], which a processor cannot: use it as a connector`)
	require.NoError(t, p.Shutdown(t.Context()))
}

func TestForeignSignals(t *testing.T) {
	_, err := create(t, wasmtest.Plugin{Manifest: `{"name":"x","signals":["logs"],"reads":[],"emits":["logs","metrics"]}`}, consumertest.NewNop())
	require.EqualError(t, err, `plugin "wasm": it makes metrics, which a processor of logs cannot pass on: use it as a connector`)
	_, err = create(t, wasmtest.Plugin{Manifest: `{"name":"x","signals":["traces"],"reads":[]}`}, consumertest.NewNop())
	require.EqualError(t, err, `plugin "wasm": it works on ["traces"] and is used in a pipeline of logs: its manifest's signals must have it`)
}

// held is a plugin that hands on one record whenever it is flushed.
func held(manifest string) wasmtest.Plugin {
	r := wasmtest.Result{
		Edits: []uint64{abi.Edit(0, abi.Keep, abi.OpNew, abi.Type(abi.SignalLogs)), 0, abi.Edit(0, uint16(abi.FieldBody), abi.OpSet, abi.TypeString), abi.Cell(0, 4)},
		Arena: "held",
	}
	memory, packed := r.Memory()
	at, _ := abi.Unpack(packed)
	return wasmtest.Plugin{Manifest: manifest, Flush: wasmtest.I64(int64(packed)), Data: map[uint32][]byte{at: memory[at:]}}
}

// What a plugin holds back is handed on at its interval, and before the processor ends.
func TestFlush(t *testing.T) {
	const manifest = `{"name":"x","signals":["logs"],"reads":["body"],"emits":["logs"],"stateful":true,"flush":"1h"}`
	sink := new(consumertest.LogsSink)
	p, err := create(t, held(manifest), sink)
	require.NoError(t, err)
	require.NoError(t, p.ConsumeLogs(t.Context(), logs("one")))
	require.Equal(t, 1, sink.LogRecordCount())
	require.NoError(t, p.Shutdown(t.Context()))
	require.Equal(t, 2, sink.LogRecordCount())
	require.Equal(t, "held", sink.AllLogs()[1].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().Str())

	sink.Reset()
	p, err = create(t, held(strings.Replace(manifest, "1h", "1s", 1)), sink)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return sink.LogRecordCount() > 0 }, time.Minute, 10*time.Millisecond)
	require.NoError(t, p.Shutdown(t.Context()))
}

// swapping is a processor on a module file that is watched, and swapped at once; swapped tells how often each came about.
func swapping(t *testing.T, module wasmtest.Plugin, next consumer.Logs) (p processor.Logs, path string, swapped func(engine.Outcome) int64) {
	t.Helper()
	t.Setenv("CACHE_DIRECTORY", t.TempDir())
	f := wasmprocessor.NewFactory()
	c := f.CreateDefaultConfig().(*wasmprocessor.Config)
	path = filepath.Join(t.TempDir(), "x.wasm")
	c.Plugin.Module, c.Plugin.Swap.ShadowBatches = path, 0
	require.NoError(t, os.WriteFile(path, module.Module(), 0o600))
	p, err := f.CreateLogs(t.Context(), processortest.NewNopSettings(f.Type()), c, next)
	require.NoError(t, err)
	h := &board{}
	require.NoError(t, p.Start(t.Context(), h))
	return p, path, func(o engine.Outcome) int64 { return h.page().Swaps[string(o)] }
}

// board is a host with an extension that shows the plugin's figures, and that notes the component's status.
type board struct {
	component.Component
	page func() engine.Page

	mu     sync.Mutex
	events []*componentstatus.Event
}

func (b *board) GetExtensions() map[component.ID]component.Component {
	return map[component.ID]component.Component{component.MustNewID("board"): b}
}

func (b *board) Show(_ string, page func() engine.Page) (remove func()) {
	b.page = page
	return func() {}
}

func (b *board) Report(e *componentstatus.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
}

const holding = `{"name":"x","signals":["logs"],"reads":["body"],"emits":["logs"],"stateful":true,"flush":"1h"}`

// lastBody is the first one of the last batch that came.
func lastBody(sink *consumertest.LogsSink) string {
	all := sink.AllLogs()
	return all[len(all)-1].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().Str()
}

// What a plugin holds back is handed on when another takes its place.
func TestFlushAtSwap(t *testing.T) {
	sink := new(consumertest.LogsSink)
	p, path, _ := swapping(t, held(holding), sink)
	require.NoError(t, p.ConsumeLogs(t.Context(), logs("one")))
	require.NoError(t, os.WriteFile(path, wasmtest.Plugin{Manifest: manifest}.Module(), 0o600))
	require.Eventually(t, func() bool { return sink.LogRecordCount() == 2 }, time.Minute, 10*time.Millisecond)
	require.Equal(t, "held", lastBody(sink))
	require.NoError(t, p.Shutdown(t.Context()))
	require.Equal(t, 2, sink.LogRecordCount())
}

// What a plugin holds back is handed on when it is rolled back, even if the processor ends that moment.
func TestFlushAtRollBack(t *testing.T) {
	sink := new(consumertest.LogsSink)
	p, path, swapped := swapping(t, wasmtest.Plugin{Manifest: manifest}, sink)
	failing := held(holding)
	failing.Process = wasmtest.Unreachable()
	require.NoError(t, os.WriteFile(path, failing.Module(), 0o600))
	sent := 0
	// on_error is pass; the first batch that the new module fails on has it rolled back
	require.Eventually(t, func() bool {
		sent++
		require.NoError(t, p.ConsumeLogs(t.Context(), logs("one")))
		return swapped(engine.RolledBack) == 1
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, p.Shutdown(t.Context()))
	require.Equal(t, sent+1, sink.LogRecordCount())
	held := 0
	for _, ld := range sink.AllLogs() { // it may come before the row that the module failed on, or after
		if ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().Str() == "held" {
			held++
		}
	}
	require.Equal(t, 1, held)
}

// An open circuit is reported as the component's status, and so is its end.
func TestStatus(t *testing.T) {
	t.Setenv("CACHE_DIRECTORY", t.TempDir())
	f := wasmprocessor.NewFactory()
	c := f.CreateDefaultConfig().(*wasmprocessor.Config)
	c.Plugin.Module = filepath.Join(t.TempDir(), "x.wasm")
	c.Plugin.Circuit.Failures, c.Plugin.Circuit.Backoff = 2, time.Millisecond
	stamp := wasmtest.Stamp{Field: abi.FieldTime, Manifest: `{"name":"x","signals":["logs"],"reads":["body"],"writes":["time"]}`}
	require.NoError(t, os.WriteFile(c.Plugin.Module, stamp.Module(), 0o600))
	p, err := f.CreateLogs(t.Context(), processortest.NewNopSettings(f.Type()), c, consumertest.NewNop())
	require.NoError(t, err)
	h := &board{}
	require.NoError(t, p.Start(t.Context(), h))
	require.NoError(t, p.ConsumeLogs(t.Context(), logs("!", "!")))
	require.Len(t, h.events, 1)
	require.Equal(t, componentstatus.StatusRecoverableError, h.events[0].Status())
	require.ErrorContains(t, h.events[0].Err(), `plugin "wasm": left alone after 2 failures within 1m0s, the last: plugin "wasm": process: trap: `)
	require.Eventually(t, func() bool {
		require.NoError(t, p.ConsumeLogs(t.Context(), logs("fine")))
		return len(h.events) == 2
	}, time.Minute, time.Millisecond)
	require.Equal(t, componentstatus.StatusOK, h.events[1].Status())
	require.NoError(t, p.Shutdown(t.Context()))
}

// The Collector's own check: all that came has left when Shutdown returns, of each signal.
func TestShutdown(t *testing.T) {
	t.Setenv("CACHE_DIRECTORY", t.TempDir())
	f := wasmprocessor.NewFactory()
	c := f.CreateDefaultConfig().(*wasmprocessor.Config)
	c.Plugin.Module = filepath.Join(t.TempDir(), "x.wasm")
	const all = `{"name":"x","signals":["logs","metrics","traces"],"reads":[]}`
	require.NoError(t, os.WriteFile(c.Plugin.Module, wasmtest.Plugin{Manifest: all}.Module(), 0o600))
	processortest.VerifyShutdown(t, f, c)
}

// Processors of one configuration share the plugin, start and end in any order, and each end twice.
func TestSharing(t *testing.T) {
	t.Setenv("CACHE_DIRECTORY", t.TempDir())
	f := wasmprocessor.NewFactory()
	c := f.CreateDefaultConfig().(*wasmprocessor.Config)
	c.Plugin.Module = filepath.Join(t.TempDir(), "x.wasm")
	const all = `{"name":"x","signals":["logs","metrics","traces"],"reads":[]}`
	require.NoError(t, os.WriteFile(c.Plugin.Module, wasmtest.Plugin{Manifest: all}.Module(), 0o600))
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	set := processortest.NewNopSettings(f.Type())
	set.TelemetrySettings = tel.NewTelemetrySettings()
	var logsSink consumertest.LogsSink
	var metricsSink consumertest.MetricsSink
	l, err := f.CreateLogs(t.Context(), set, c, &logsSink)
	require.NoError(t, err)
	m, err := f.CreateMetrics(t.Context(), set, c, &metricsSink)
	require.NoError(t, err)
	tr, err := f.CreateTraces(t.Context(), set, c, consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, tr.Shutdown(t.Context())) // before any start
	require.NoError(t, m.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, l.Start(t.Context(), componenttest.NewNopHost()))
	md := pmetric.NewMetrics()
	md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty()
	require.NoError(t, m.ConsumeMetrics(t.Context(), md))
	require.NoError(t, l.ConsumeLogs(t.Context(), logs("one")))
	require.Equal(t, 1, metricsSink.DataPointCount())
	calls, err := tel.GetMetric("obsd_wasm_calls")
	require.NoError(t, err)
	points := calls.Data.(metricdata.Sum[int64]).DataPoints
	require.Len(t, points, 1) // one engine
	require.Equal(t, int64(2), points[0].Value)
	require.NoError(t, m.Shutdown(t.Context()))
	require.NoError(t, m.Shutdown(t.Context()))
	require.NoError(t, l.ConsumeLogs(t.Context(), logs("two")))
	require.Equal(t, 2, logsSink.LogRecordCount())
	require.NoError(t, l.Shutdown(t.Context()))
}

// A plugin that holds rows back cannot serve two pipelines of a signal.
func TestFlushNeedsOnePipeline(t *testing.T) {
	t.Setenv("CACHE_DIRECTORY", t.TempDir())
	f := wasmprocessor.NewFactory()
	c := f.CreateDefaultConfig().(*wasmprocessor.Config)
	c.Plugin.Module = filepath.Join(t.TempDir(), "x.wasm")
	module := held(`{"name":"x","signals":["logs"],"reads":["body"],"emits":["logs"],"stateful":true,"flush":"1h"}`).Module()
	require.NoError(t, os.WriteFile(c.Plugin.Module, module, 0o600))
	set := processortest.NewNopSettings(f.Type())
	set.ID = component.NewID(f.Type())
	a, err := f.CreateLogs(t.Context(), set, c, consumertest.NewNop())
	require.NoError(t, err)
	_, err = f.CreateLogs(t.Context(), set, c, consumertest.NewNop())
	require.NoError(t, err)
	require.EqualError(t, a.Start(t.Context(), componenttest.NewNopHost()),
		`plugin "wasm": it holds rows back, and none of them knows which of several logs pipelines it came from: give each pipeline a component of its own`)
}

func TestConfig(t *testing.T) {
	c := wasmprocessor.NewFactory().CreateDefaultConfig().(*wasmprocessor.Config)
	require.NoError(t, c.Validate())
	c.Plugin.OnError = "dead_letter"
	require.EqualError(t, c.Validate(), "dead_letter::path: missing, with on_error: dead_letter; name a file")
}

func TestConfigStruct(t *testing.T) {
	require.NoError(t, componenttest.CheckConfigStruct(wasmprocessor.NewFactory().CreateDefaultConfig()))
}
