package k8sleaderelector

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
)

// NewFactory returns the factory of the `k8s_leader_elector` extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(component.MustNewType("k8s_leader_elector"), createDefaultConfig, create, component.StabilityLevelBeta)
}

func create(_ context.Context, set extension.Settings, cfg component.Config) (extension.Extension, error) {
	return newElector(cfg.(*Config), set)
}
