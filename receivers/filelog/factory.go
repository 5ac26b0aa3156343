package filelog

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
)

const scopeName = "github.com/obsd-io/obsd/receivers/filelog"

// NewFactory returns the factory of the file_log receiver.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(
		component.MustNewType("file_log"),
		createDefaultConfig,
		receiver.WithLogs(createLogs, component.StabilityLevelBeta))
}

func createLogs(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
	return newReceiver(set, cfg.(*Config), next)
}
