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

func create(t *testing.T, p wasmtest.Plugin, routes map[string][]pipeline.ID) (*sinks, error) {
	t.Helper()
	t.Setenv("CACHE_DIRECTORY", t.TempDir())
	s := &sinks{}
	f := wasmconnector.NewFactory()
	c := f.CreateDefaultConfig().(*wasmconnector.Config)
	c.Routes = routes
	c.Plugin.Module = filepath.Join(t.TempDir(), "x.wasm")
	require.NoError(t, os.WriteFile(c.Plugin.Module, p.Module(), 0o600))
	router := connector.NewLogsRouter(map[pipeline.ID]consumer.Logs{
		elastic: &s.elastic, influx: &s.influx, refuses: consumertest.NewErr(errors.New("sink is full")),
	})
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
	c.Routes = map[string][]pipeline.ID{"default": {pipeline.NewIDWithName(pipeline.SignalMetrics, "x")}}
	require.EqualError(t, c.Validate(), "routes::default: metrics/x is not a pipeline for logs")
}
