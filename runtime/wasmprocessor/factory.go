// Package wasmprocessor is the Collector's processor "wasm": it runs a plugin over every log record, metric data point or
// span, which may change, parse, enrich or drop it, or make new ones.
package wasmprocessor

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/engine"
	"github.com/obsd-io/obsd/runtime/table"
)

// Config is the processor's configuration.
type Config struct {
	// Plugin says which plugin runs, and within which limits.
	Plugin engine.Config `mapstructure:",squash"`
}

// Validate checks what concerns a processor alone.
func (c *Config) Validate() error {
	if c.Plugin.OnError == engine.DeadLetter && c.Plugin.DeadLetter.Path == "" {
		return errors.New("dead_letter::path: missing, with on_error: dead_letter; name a file")
	}
	return nil
}

// NewFactory makes the factory of the processor "wasm".
func NewFactory() processor.Factory {
	f := &factory{}
	return processor.NewFactory(component.MustNewType("wasm"), createDefaultConfig,
		processor.WithLogs(f.logs, component.StabilityLevelAlpha),
		processor.WithMetrics(f.metrics, component.StabilityLevelAlpha),
		processor.WithTraces(f.traces, component.StabilityLevelAlpha))
}

func createDefaultConfig() component.Config { return &Config{Plugin: engine.NewConfig()} }

// factory has the engines of its processors.
type factory struct{ engines engine.Shared }

func (f *factory) port(set processor.Settings, cfg component.Config, signal abi.Signal, next engine.Sink) (*engine.Port, []processorhelper.Option) {
	p := f.engines.Port(set.ID, set.TelemetrySettings, &cfg.(*Config).Plugin, engine.Use{Source: signal, Target: signal, Next: next})
	return p, []processorhelper.Option{
		processorhelper.WithStart(p.Start), processorhelper.WithShutdown(p.Shutdown),
		processorhelper.WithCapabilities(consumer.Capabilities{MutatesData: true}),
	}
}

// process runs the plugin over one batch.
func process(ctx context.Context, p *engine.Port, d table.Data) error {
	left, err := p.Process(ctx, d)
	if err == nil && left == 0 {
		return processorhelper.ErrSkipProcessingData
	}
	return err
}

func (f *factory) logs(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Logs) (processor.Logs, error) {
	p, options := f.port(set, cfg, abi.SignalLogs, engine.LogsSink(next))
	return processorhelper.NewLogs(ctx, set, cfg, next, func(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
		return ld, process(ctx, p, table.LogsOf(ld))
	}, options...)
}

func (f *factory) metrics(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Metrics) (processor.Metrics, error) {
	p, options := f.port(set, cfg, abi.SignalMetrics, engine.MetricsSink(next))
	return processorhelper.NewMetrics(ctx, set, cfg, next, func(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
		return md, process(ctx, p, table.MetricsOf(md))
	}, options...)
}

func (f *factory) traces(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Traces) (processor.Traces, error) {
	p, options := f.port(set, cfg, abi.SignalTraces, engine.TracesSink(next))
	return processorhelper.NewTraces(ctx, set, cfg, next, func(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
		return td, process(ctx, p, table.TracesOf(td))
	}, options...)
}
