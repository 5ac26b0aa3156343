// Package wasmprocessor is the Collector's processor "wasm": it runs a plugin over every log record, which may
// change, parse, enrich or drop it.
package wasmprocessor

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/obsd-io/obsd/runtime/engine"
)

// Config is the processor's configuration.
type Config struct {
	// Plugin says which plugin runs, and within which limits.
	Plugin engine.Config `mapstructure:",squash"`
}

// NewFactory makes the factory of the processor "wasm".
func NewFactory() processor.Factory {
	return processor.NewFactory(component.MustNewType("wasm"), createDefaultConfig,
		processor.WithLogs(createLogs, component.StabilityLevelAlpha))
}

func createDefaultConfig() component.Config { return &Config{Plugin: engine.NewConfig()} }

func createLogs(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Logs) (processor.Logs, error) {
	p := &wasmProcessor{id: set.ID, telemetry: set.TelemetrySettings, config: cfg.(*Config)}
	return processorhelper.NewLogs(ctx, set, cfg, next, p.process,
		processorhelper.WithStart(p.start), processorhelper.WithShutdown(p.shutdown),
		processorhelper.WithCapabilities(consumer.Capabilities{MutatesData: true}))
}
