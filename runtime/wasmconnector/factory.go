// Package wasmconnector is the Collector's connector "wasm": a plugin decides for every log record, metric data point or
// span to which pipelines it goes, and may make new ones, also of other signals.
package wasmconnector

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/pipeline"

	"github.com/obsd-io/obsd/runtime/engine"
)

// Config is the connector's configuration.
type Config struct {
	// Plugin says which plugin runs, and within which limits.
	Plugin engine.Config `mapstructure:",squash"`
	// Routes maps each route that the plugin declares, and "default", to pipelines, whose signals may differ: each takes the
	// rows of its own. default takes the rows that the plugin keeps without naming a route. An empty list drops what comes
	// that way. With on_error: dead_letter, "dead_letter" takes the rows that the plugin failed on.
	Routes map[string][]pipeline.ID `mapstructure:"routes"`
}

// Validate checks what concerns a connector alone.
func (c *Config) Validate() error {
	var errs []error
	if _, ok := c.Routes[engine.DefaultRoute]; !ok {
		errs = append(errs, errors.New("routes: default is missing: records that the plugin keeps without a route have nowhere to go; name pipelines, or [] to drop them"))
	}
	_, route := c.Routes[engine.DeadLetterRoute]
	aside := c.Plugin.OnError == engine.DeadLetter
	switch file := c.Plugin.DeadLetter.Path != ""; {
	case aside && !route && !file:
		errs = append(errs, errors.New("on_error: dead_letter: needs routes::dead_letter, a list of pipelines, or dead_letter::path, a file"))
	case aside && route && file:
		errs = append(errs, errors.New("routes::dead_letter: and dead_letter::path are two places for the same rows; leave one out"))
	case route && !aside:
		errs = append(errs, fmt.Errorf("routes::dead_letter: on_error is %s, so that no row would go there; set on_error: dead_letter", c.Plugin.OnError))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Routes)) {
		for _, id := range c.Routes[name] {
			if _, ok := numbers[id.Signal()]; !ok {
				errs = append(errs, fmt.Errorf("routes::%s: %s is not a pipeline for logs, metrics or traces", name, id))
			}
		}
	}
	return errors.Join(errs...)
}

// NewFactory makes the factory of the connector "wasm".
func NewFactory() connector.Factory {
	f := &factory{}
	const level = component.StabilityLevelAlpha
	return connector.NewFactory(component.MustNewType("wasm"), createDefaultConfig,
		connector.WithLogsToLogs(f.logsToLogs, level),
		connector.WithLogsToMetrics(f.logsToMetrics, level),
		connector.WithLogsToTraces(f.logsToTraces, level),
		connector.WithMetricsToLogs(f.metricsToLogs, level),
		connector.WithMetricsToMetrics(f.metricsToMetrics, level),
		connector.WithMetricsToTraces(f.metricsToTraces, level),
		connector.WithTracesToLogs(f.tracesToLogs, level),
		connector.WithTracesToMetrics(f.tracesToMetrics, level),
		connector.WithTracesToTraces(f.tracesToTraces, level))
}

func createDefaultConfig() component.Config { return &Config{Plugin: engine.NewConfig()} }
