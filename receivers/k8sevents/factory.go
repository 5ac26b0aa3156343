package k8sevents

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
)

const scopeName = "github.com/obsd-io/obsd/receivers/k8sevents"

// NewFactory returns the factory of the `k8s_events` receiver.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(
		component.MustNewType("k8s_events"),
		createDefaultConfig,
		receiver.WithLogs(createLogs, component.StabilityLevelBeta))
}

func createLogs(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
	return newReceiver(cfg.(*Config), set, next)
}
