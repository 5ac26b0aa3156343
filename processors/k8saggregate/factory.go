package k8saggregate

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"
)

// NewFactory returns the factory of the `k8s_aggregate` processor.
func NewFactory() processor.Factory {
	return processor.NewFactory(
		component.MustNewType("k8s_aggregate"),
		createDefaultConfig,
		processor.WithMetrics(createMetrics, component.StabilityLevelBeta),
	)
}

func createMetrics(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Metrics) (processor.Metrics, error) {
	a, err := newAggregator(set, cfg.(*Config), next)
	if err != nil {
		return nil, err
	}
	return processorhelper.NewMetrics(ctx, set, cfg, next, a.process,
		processorhelper.WithCapabilities(consumer.Capabilities{MutatesData: true}),
		processorhelper.WithStart(a.start),
		processorhelper.WithShutdown(a.shutdown),
	)
}
