package wasmconnector

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pipeline"
)

// The Collector wants a function for each pair of signals.

func (f *factory) logsToLogs(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Logs) (connector.Logs, error) {
	return f.toLogs(set, cfg, pipeline.SignalLogs, next)
}

func (f *factory) logsToMetrics(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Metrics) (connector.Logs, error) {
	return f.toMetrics(set, cfg, pipeline.SignalLogs, next)
}

func (f *factory) logsToTraces(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Traces) (connector.Logs, error) {
	return f.toTraces(set, cfg, pipeline.SignalLogs, next)
}

func (f *factory) metricsToLogs(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Logs) (connector.Metrics, error) {
	return f.toLogs(set, cfg, pipeline.SignalMetrics, next)
}

func (f *factory) metricsToMetrics(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Metrics) (connector.Metrics, error) {
	return f.toMetrics(set, cfg, pipeline.SignalMetrics, next)
}

func (f *factory) metricsToTraces(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Traces) (connector.Metrics, error) {
	return f.toTraces(set, cfg, pipeline.SignalMetrics, next)
}

func (f *factory) tracesToLogs(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Logs) (connector.Traces, error) {
	return f.toLogs(set, cfg, pipeline.SignalTraces, next)
}

func (f *factory) tracesToMetrics(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Metrics) (connector.Traces, error) {
	return f.toMetrics(set, cfg, pipeline.SignalTraces, next)
}

func (f *factory) tracesToTraces(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Traces) (connector.Traces, error) {
	return f.toTraces(set, cfg, pipeline.SignalTraces, next)
}
