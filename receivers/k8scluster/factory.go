package k8scluster

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
)

// NewFactory returns the factory of the `k8s_cluster` receiver.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(
		component.MustNewType("k8s_cluster"),
		createDefaultConfig,
		receiver.WithMetrics(createMetrics, component.StabilityLevelBeta),
	)
}

func createMetrics(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
	return newReceiver(cfg.(*Config), set, next)
}
