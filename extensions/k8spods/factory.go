package k8spods

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
)

// NewFactory returns the factory of the `k8s_pods` extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(component.MustNewType("k8s_pods"), createDefaultConfig, create, component.StabilityLevelBeta)
}

func create(_ context.Context, set extension.Settings, cfg component.Config) (extension.Extension, error) {
	return newPods(set, cfg.(*Config))
}
