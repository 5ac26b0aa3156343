// Package wasmconnector is the Collector's connector "wasm": a plugin decides for every log record to which pipelines it goes.
package wasmconnector

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pipeline"

	"github.com/obsd-io/obsd/runtime/engine"
)

// defaultRoute is where rows go that the plugin keeps without naming a route.
const defaultRoute = "default"

// Config is the connector's configuration.
type Config struct {
	// Plugin says which plugin runs, and within which limits.
	Plugin engine.Config `mapstructure:",squash"`
	// Routes maps each route that the plugin declares, and "default", to pipelines. default takes the records that the
	// plugin keeps without naming a route. An empty list drops what comes that way.
	Routes map[string][]pipeline.ID `mapstructure:"routes"`
}

// Validate checks what can be told without loading the module.
func (c *Config) Validate() error {
	var errs []error
	if _, ok := c.Routes[defaultRoute]; !ok {
		errs = append(errs, errors.New("routes: default is missing: records that the plugin keeps without a route have nowhere to go; name pipelines, or [] to drop them"))
	}
	for _, name := range sortedKeys(c.Routes) {
		for _, id := range c.Routes[name] {
			if id.Signal() != pipeline.SignalLogs {
				errs = append(errs, fmt.Errorf("routes::%s: %s is not a pipeline for logs", name, id))
			}
		}
	}
	return errors.Join(errs...)
}

func sortedKeys(m map[string][]pipeline.ID) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// NewFactory makes the factory of the connector "wasm".
func NewFactory() connector.Factory {
	return connector.NewFactory(component.MustNewType("wasm"), createDefaultConfig,
		connector.WithLogsToLogs(createLogsToLogs, component.StabilityLevelAlpha))
}

func createDefaultConfig() component.Config { return &Config{Plugin: engine.NewConfig()} }

func createLogsToLogs(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Logs) (connector.Logs, error) {
	router, ok := next.(connector.LogsRouterAndConsumer)
	if !ok {
		return nil, errors.New("BUG: a connector's consumer is not a router")
	}
	return newConnector(set, cfg.(*Config), router)
}
