package probe

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
)

const scopeName = "github.com/obsd-io/obsd/receivers/probe"

// NewFactory returns the factory of the `probe` receiver.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(
		component.MustNewType("probe"),
		createDefaultConfig,
		receiver.WithMetrics(createMetrics, component.StabilityLevelBeta))
}

func createMetrics(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
	return newReceiver(cfg.(*Config), set, next)
}
