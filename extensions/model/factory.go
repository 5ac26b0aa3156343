package model

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
)

// NewFactory returns the factory of the `model` extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(component.MustNewType("model"), createDefaultConfig, create, component.StabilityLevelBeta)
}

func create(_ context.Context, set extension.Settings, cfg component.Config) (extension.Extension, error) {
	return newModel(set, cfg.(*Config))
}
