// Package wasmpages is the extension "wasm_pages": a page, and the same as JSON, that shows each plugin that runs with its
// manifest, limits, grants and figures.
package wasmpages

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/extension"
)

// Config is the extension's configuration.
type Config struct {
	// HTTP is where the page is served; endpoint is 127.0.0.1:55680 unless set. There is no authentication unless auth is set.
	HTTP confighttp.ServerConfig `mapstructure:",squash"`
}

// Validate checks the address.
func (c *Config) Validate() error {
	if c.HTTP.NetAddr.Endpoint == "" {
		return errors.New("endpoint: empty; give host:port, or leave it out for 127.0.0.1:55680")
	}
	return nil
}

// NewFactory makes the factory of the extension "wasm_pages".
func NewFactory() extension.Factory {
	return extension.NewFactory(component.MustNewType("wasm_pages"), createDefaultConfig, create, component.StabilityLevelAlpha)
}

func createDefaultConfig() component.Config {
	server := confighttp.NewDefaultServerConfig()
	server.NetAddr.Endpoint = "127.0.0.1:55680"
	return &Config{HTTP: server}
}

func create(_ context.Context, set extension.Settings, cfg component.Config) (extension.Extension, error) {
	return &pages{config: cfg.(*Config), telemetry: set.TelemetrySettings}, nil
}
