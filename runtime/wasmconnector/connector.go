package wasmconnector

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/engine"
	"github.com/obsd-io/obsd/runtime/table"
)

type wasmConnector struct {
	id        component.ID
	telemetry component.TelemetrySettings
	config    *Config
	// consumers has the pipelines of each configured route; nil where its list is empty.
	consumers map[string]consumer.Logs

	engine *engine.Engine
	// targets has the consumer of each verdict: of default at abi.Keep, of route i at abi.Route+i.
	targets []consumer.Logs
}

func newConnector(set connector.Settings, c *Config, router connector.LogsRouterAndConsumer) (*wasmConnector, error) {
	w := &wasmConnector{id: set.ID, telemetry: set.TelemetrySettings, config: c, consumers: map[string]consumer.Logs{}}
	var errs []error
	for _, name := range sortedKeys(c.Routes) {
		w.consumers[name] = nil
		if len(c.Routes[name]) == 0 {
			continue
		}
		target, err := router.Consumer(c.Routes[name]...)
		if err != nil {
			errs = append(errs, fmt.Errorf("routes::%s: %w", name, err))
		}
		w.consumers[name] = target
	}
	return w, errors.Join(errs...)
}

// Capabilities says that records are changed.
func (w *wasmConnector) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: true}
}

// Start loads the plugin and matches its routes with the configured ones.
func (w *wasmConnector) Start(ctx context.Context, _ component.Host) error {
	e, err := engine.Load(ctx, w.id, w.telemetry, &w.config.Plugin)
	if err != nil {
		return err
	}
	if err := w.match(e.Manifest().Routes); err != nil {
		return errors.Join(err, e.Close(ctx))
	}
	w.engine = e
	return nil
}

func (w *wasmConnector) match(routes []string) error {
	var errs []error
	w.targets = make([]consumer.Logs, abi.Route+len(routes))
	w.targets[abi.Keep] = w.consumers[defaultRoute]
	for i, name := range routes {
		target, ok := w.consumers[name]
		if !ok {
			errs = append(errs, fmt.Errorf("plugin %q: routes: %s is missing: the plugin may route to it; name pipelines, or [] to drop what goes there", w.id, name))
		}
		w.targets[abi.Route+i] = target
	}
	for _, name := range sortedKeys(w.config.Routes) {
		if name != defaultRoute && !slices.Contains(routes, name) {
			errs = append(errs, fmt.Errorf("plugin %q: routes: %s: the plugin has no such route; it has %q", w.id, name, routes))
		}
	}
	return errors.Join(errs...)
}

// Shutdown ends the plugin.
func (w *wasmConnector) Shutdown(ctx context.Context) error {
	if w.engine == nil {
		return nil
	}
	e := w.engine
	w.engine = nil
	return e.Close(ctx)
}

// ConsumeLogs runs the plugin and hands each pipeline its records. An error of one pipeline does not keep records
// from the others; a caller that retries the batch then sends to those twice, as with any fan-out of the Collector.
func (w *wasmConnector) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	return w.engine.Logs(ctx, ld, func(rows *table.Logs) error {
		var errs []error
		for verdict, part := range rows.Split(ld, len(w.targets)) {
			if target := w.targets[verdict]; target != nil && part.ResourceLogs().Len() > 0 {
				errs = append(errs, target.ConsumeLogs(ctx, part))
			}
		}
		return errors.Join(errs...)
	})
}
