package elasticsearch

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
)

// NewFactory makes the factory of the exporter `elasticsearch`.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(
		component.MustNewType("elasticsearch"),
		func() component.Config { return createDefaultConfig() },
		exporter.WithLogs(createLogs, component.StabilityLevelBeta))
}

func createLogs(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	conf := cfg.(*Config)
	e, err := newLogsExporter(conf, set)
	if err != nil {
		return nil, err
	}
	logs, err := exporterhelper.NewLogs(ctx, set, cfg, e.push,
		exporterhelper.WithStart(e.start),
		exporterhelper.WithShutdown(e.shutdown),
		exporterhelper.WithQueue(conf.QueueConfig),
		exporterhelper.WithRetry(conf.Retry.BackOffConfig),
		// A batch may take several requests. Each has the timeout, see client.
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{Timeout: 0}))
	if err != nil {
		return nil, err
	}
	once := &onceLogs{Logs: logs}
	if !conf.LogsGeneratedID.Enabled {
		return once, nil
	}
	return &stampedLogs{Logs: once, ids: newIDGenerator()}, nil
}

// onceLogs makes Shutdown safe to call twice, which the retry sender is not.
type onceLogs struct {
	exporter.Logs
	once sync.Once
	err  error
}

// Shutdown implements component.Component.
func (o *onceLogs) Shutdown(ctx context.Context) error {
	o.once.Do(func() { o.err = o.Logs.Shutdown(ctx) })
	return o.err
}

// ExporterHelperBatchingEnabled tells the service whether the queue batches, as
// the wrapped exporter does.
func (o *onceLogs) ExporterHelperBatchingEnabled() bool { return batches(o.Logs) }

func batches(logs exporter.Logs) bool {
	inner, ok := logs.(interface{ ExporterHelperBatchingEnabled() bool })
	return ok && inner.ExporterHelperBatchingEnabled()
}
