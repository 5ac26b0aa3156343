package wasmconnector_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pipeline"

	"github.com/obsd-io/obsd/internal/wasmtest"
	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/wasmconnector"
)

var (
	elastic = pipeline.NewIDWithName(pipeline.SignalLogs, "elasticsearch")
	influx  = pipeline.NewIDWithName(pipeline.SignalLogs, "influxdb")
	refuses = pipeline.NewIDWithName(pipeline.SignalLogs, "refuses")
)

const manifest = `{"name":"x","signals":["logs"],"reads":["body"],"routes":["errors","audit"]}`

// sinks is a connector with pipelines that end in sinks.
type sinks struct {
	connector.Logs
	elastic, influx consumertest.LogsSink
}

func (s *sinks) router() consumer.Logs {
	return connector.NewLogsRouter(map[pipeline.ID]consumer.Logs{
		elastic: &s.elastic, influx: &s.influx, refuses: consumertest.NewErr(errors.New("sink is full")),
	}).(consumer.Logs)
}

func config(t *testing.T, f connector.Factory, module []byte) *wasmconnector.Config {
	t.Helper()
	t.Setenv("CACHE_DIRECTORY", t.TempDir())
	c := f.CreateDefaultConfig().(*wasmconnector.Config)
	c.Plugin.Module = filepath.Join(t.TempDir(), "x.wasm")
	c.Plugin.Swap.Watch = false
	require.NoError(t, os.WriteFile(c.Plugin.Module, module, 0o600))
	return c
}

func create(t *testing.T, p wasmtest.Plugin, routes map[string][]pipeline.ID) (*sinks, error) {
	t.Helper()
	s := &sinks{}
	f := wasmconnector.NewFactory()
	c := config(t, f, p.Module())
	c.Routes = routes
	router := s.router()
	var err error
	set := connectortest.NewNopSettings(f.Type())
	set.ID = component.NewID(f.Type())
	s.Logs, err = f.CreateLogsToLogs(t.Context(), set, c, router)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { require.NoError(t, s.Shutdown(t.Context())) })
	return s, s.Start(t.Context(), componenttest.NewNopHost())
}

func logs(bodies ...string) plog.Logs {
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, b := range bodies {
		records.AppendEmpty().Body().SetStr(b)
	}
	return ld
}

func bodies(s *consumertest.LogsSink) (out []string) {
	for _, ld := range s.AllLogs() {
		for _, r := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
			out = append(out, r.Body().Str())
		}
	}
	return out
}

var verdicts = wasmtest.Plugin{Manifest: manifest, Result: &wasmtest.Result{
	Rows: 5, Verdicts: []uint16{abi.Keep, abi.Route, abi.Drop, abi.Route + 1, abi.Set}, Sets: []uint64{0b11},
}}

func TestRouting(t *testing.T) {
	s, err := create(t, verdicts, map[string][]pipeline.ID{"default": {influx}, "errors": {elastic}, "audit": {influx}})
	require.NoError(t, err)
	require.True(t, s.Capabilities().MutatesData)
	require.NoError(t, s.ConsumeLogs(t.Context(), logs("kept", "error", "dropped", "audit", "both")))
	require.Equal(t, []string{"error", "both"}, bodies(&s.elastic))
	require.Equal(t, []string{"kept", "audit", "both"}, bodies(&s.influx))
}

// An empty list drops what comes that way, and a refusing pipeline does not keep records from the others.
func TestEmptyAndRefusing(t *testing.T) {
	s, err := create(t, verdicts, map[string][]pipeline.ID{"default": {}, "errors": {refuses}, "audit": {influx}})
	require.NoError(t, err)
	require.EqualError(t, s.ConsumeLogs(t.Context(), logs("kept", "error", "dropped", "audit", "both")), "sink is full")
	require.Equal(t, []string{"audit", "both"}, bodies(&s.influx))
}

func TestRoutesMustMatch(t *testing.T) {
	_, err := create(t, verdicts, map[string][]pipeline.ID{"default": {influx}, "error": {elastic}})
	require.EqualError(t, err, `plugin "wasm": routes: errors is missing: the plugin may route to it; name pipelines, or [] to drop what goes there
plugin "wasm": routes: audit is missing: the plugin may route to it; name pipelines, or [] to drop what goes there
plugin "wasm": routes: error: the plugin has no such route; it has ["errors" "audit"]`)
	_, err = create(t, verdicts, map[string][]pipeline.ID{"default": {pipeline.NewIDWithName(pipeline.SignalLogs, "typo")}})
	require.ErrorContains(t, err, `routes::default: missing consumer: "logs/typo"`)
}

func TestConfig(t *testing.T) {
	c := wasmconnector.NewFactory().CreateDefaultConfig().(*wasmconnector.Config)
	require.NoError(t, componenttest.CheckConfigStruct(c))
	require.EqualError(t, c.Validate(), "routes: default is missing: records that the plugin keeps without a route have nowhere to go; name pipelines, or [] to drop them")
	c.Routes = map[string][]pipeline.ID{"default": {}, "dead_letter": {}}
	require.EqualError(t, c.Validate(), "routes::dead_letter: on_error is pass, so that no row would go there; set on_error: dead_letter")
	c.Plugin.OnError, c.Plugin.DeadLetter.Path = "dead_letter", "x"
	require.EqualError(t, c.Validate(), "routes::dead_letter: and dead_letter::path are two places for the same rows; leave one out")
	c.Routes, c.Plugin.DeadLetter.Path = map[string][]pipeline.ID{"default": {}}, ""
	require.EqualError(t, c.Validate(), "on_error: dead_letter: needs routes::dead_letter, a list of pipelines, or dead_letter::path, a file")
}

// Rows that the plugin failed on go to the route dead_letter, with the reason.
func TestDeadLetter(t *testing.T) {
	s := &sinks{}
	f := wasmconnector.NewFactory()
	c := config(t, f, wasmtest.Stamp{Manifest: `{"name":"x","signals":["logs"],"reads":["body"],"writes":["time"]}`, Field: abi.FieldTime, Value: 7}.Module())
	c.Plugin.OnError = "dead_letter"
	c.Routes = map[string][]pipeline.ID{"default": {influx}, "dead_letter": {elastic}}
	require.NoError(t, c.Validate())
	var err error
	s.Logs, err = f.CreateLogsToLogs(t.Context(), connectortest.NewNopSettings(f.Type()), c, s.router())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Shutdown(t.Context())) })
	require.NoError(t, s.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, s.ConsumeLogs(t.Context(), logs("one", "! two", "three")))
	require.Equal(t, []string{"one", "three"}, bodies(&s.influx))
	require.Equal(t, []string{"! two"}, bodies(&s.elastic))
	kind, _ := s.elastic.AllLogs()[0].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().Get("obsd.dead_letter.kind")
	require.Equal(t, "trap", kind.Str())
}

// From logs to logs and metrics the plugin works once on each batch: one port serves both.
func TestNewRowsOfAnotherSignal(t *testing.T) {
	s := &sinks{}
	var metrics consumertest.MetricsSink
	requests := pipeline.NewIDWithName(pipeline.SignalMetrics, "requests")
	f := wasmconnector.NewFactory()
	set := connectortest.NewNopSettings(f.Type())
	set.ID = component.NewID(f.Type())
	makesMetric := wasmtest.Plugin{Manifest: `{"name":"x","signals":["logs"],"reads":["body"],"emits":["metrics"]}`, Result: &wasmtest.Result{
		Rows: 1, Edits: []uint64{
			abi.Edit(0, abi.Keep, abi.OpNew, abi.Type(abi.SignalMetrics)), 0,
			abi.Edit(0, uint16(abi.FieldMetricName), abi.OpSet, abi.TypeString), abi.Cell(0, 1),
			abi.Edit(0, uint16(abi.FieldMetricType), abi.OpSet, abi.TypeInt), abi.MetricGauge,
			abi.Edit(0, uint16(abi.FieldValue), abi.OpSet, abi.TypeInt), 5,
		}, Arena: "m",
	}}.Module()
	c := config(t, f, makesMetric)
	c.Routes = map[string][]pipeline.ID{"default": {influx, requests}}
	require.NoError(t, c.Validate())
	var err error
	s.Logs, err = f.CreateLogsToLogs(t.Context(), set, c, s.router())
	require.NoError(t, err)
	toMetrics, err := f.CreateLogsToMetrics(t.Context(), set, c, connector.NewMetricsRouter(map[pipeline.ID]consumer.Metrics{requests: &metrics}))
	require.NoError(t, err)
	for _, component := range []component.Component{s.Logs, toMetrics} {
		require.NoError(t, component.Start(t.Context(), componenttest.NewNopHost()))
		t.Cleanup(func() { require.NoError(t, component.Shutdown(t.Context())) })
	}
	require.NoError(t, s.ConsumeLogs(t.Context(), logs("one"))) // as the Collector does: to both
	require.NoError(t, toMetrics.ConsumeLogs(t.Context(), logs("one")))
	require.Equal(t, []string{"one"}, bodies(&s.influx))
	require.Equal(t, 1, metrics.DataPointCount())
	require.Equal(t, "m", metrics.AllMetrics()[0].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Name())
}

// A pair of signals that the plugin cannot serve is an error at start.
func TestPairMustBeMade(t *testing.T) {
	f := wasmconnector.NewFactory()
	c := config(t, f, wasmtest.Plugin{Manifest: `{"name":"x","signals":["logs"],"reads":["body"]}`}.Module())
	c.Routes = map[string][]pipeline.ID{"default": {}}
	set := connectortest.NewNopSettings(f.Type())
	set.ID = component.NewID(f.Type())
	conn, err := f.CreateLogsToTraces(t.Context(), set, c, connector.NewTracesRouter(map[pipeline.ID]consumer.Traces{}))
	require.NoError(t, err)
	require.EqualError(t, conn.Start(t.Context(), componenttest.NewNopHost()),
		`plugin "wasm": it is used from logs to traces, but makes no traces (it emits []): take it out of the traces pipelines, or add "traces" to its manifest's emits`)
	require.NoError(t, conn.Shutdown(t.Context()))
}

func TestRouteNames(t *testing.T) {
	_, err := create(t, wasmtest.Plugin{Manifest: `{"name":"x","signals":["logs"],"reads":["body"],"routes":["default"]}`}, map[string][]pipeline.ID{"default": {influx}})
	require.EqualError(t, err, `plugin "wasm": manifest: routes: default is obsd's own name: rename the plugin's route`)
}
