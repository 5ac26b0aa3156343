package k8smetadata

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"
)

// NewFactory returns the factory of the `k8s_metadata` processor.
func NewFactory() processor.Factory {
	return processor.NewFactory(
		component.MustNewType("k8s_metadata"),
		createDefaultConfig,
		processor.WithLogs(createLogs, component.StabilityLevelBeta),
		processor.WithMetrics(createMetrics, component.StabilityLevelBeta),
		processor.WithTraces(createTraces, component.StabilityLevelBeta),
	)
}

// parts makes the processor of one pipeline, and what the Collector wants to know of it.
func parts(set processor.Settings, cfg component.Config) (*enricher, []processorhelper.Option, error) {
	e, err := newEnricher(set, cfg.(*Config))
	if err != nil {
		return nil, nil, err
	}
	return e, []processorhelper.Option{
		processorhelper.WithCapabilities(consumer.Capabilities{MutatesData: true}),
		processorhelper.WithStart(e.start),
		processorhelper.WithShutdown(e.shutdown),
	}, nil
}

func createLogs(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Logs) (processor.Logs, error) {
	e, options, err := parts(set, cfg)
	if err != nil {
		return nil, err
	}
	e.onlyContainer = true
	return processorhelper.NewLogs(ctx, set, cfg, next, func(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
		list := ld.ResourceLogs()
		e.process(ctx, list.Len(), func(i int) pcommon.Map { return list.At(i).Resource().Attributes() })
		return ld, nil
	}, options...)
}

func createMetrics(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Metrics) (processor.Metrics, error) {
	e, options, err := parts(set, cfg)
	if err != nil {
		return nil, err
	}
	return processorhelper.NewMetrics(ctx, set, cfg, next, func(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
		list := md.ResourceMetrics()
		e.process(ctx, list.Len(), func(i int) pcommon.Map { return list.At(i).Resource().Attributes() })
		return md, nil
	}, options...)
}

func createTraces(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Traces) (processor.Traces, error) {
	e, options, err := parts(set, cfg)
	if err != nil {
		return nil, err
	}
	e.onlyContainer = true
	return processorhelper.NewTraces(ctx, set, cfg, next, func(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
		list := td.ResourceSpans()
		e.process(ctx, list.Len(), func(i int) pcommon.Map { return list.At(i).Resource().Attributes() })
		return td, nil
	}, options...)
}
