package wasmconnector

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/engine"
	"github.com/obsd-io/obsd/runtime/table"
)

// numbers are the signals as the contract numbers them.
var numbers = map[pipeline.Signal]abi.Signal{
	pipeline.SignalLogs: abi.SignalLogs, pipeline.SignalMetrics: abi.SignalMetrics, pipeline.SignalTraces: abi.SignalTraces,
}

// factory has the engines of its connectors.
type factory struct{ engines engine.Shared }

// wasmConnector is the connector from one signal to another; of its methods Consume… the source's is called.
type wasmConnector struct{ *engine.Port }

// Capabilities says that records are changed.
func (wasmConnector) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: true}
}

// ConsumeLogs runs the plugin and hands each pipeline its rows, see [engine.Port.Consume].
func (w wasmConnector) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	return w.Consume(ctx, table.LogsOf(ld))
}

// ConsumeMetrics is ConsumeLogs for metrics.
func (w wasmConnector) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	return w.Consume(ctx, table.MetricsOf(md))
}

// ConsumeTraces is ConsumeLogs for traces.
func (w wasmConnector) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	return w.Consume(ctx, table.TracesOf(td))
}

// create makes the connector from source to the signal of the pipelines that lookup knows.
func (f *factory) create(set connector.Settings, cfg component.Config, source, target pipeline.Signal, lookup func(...pipeline.ID) (engine.Sink, error)) (wasmConnector, error) {
	c := cfg.(*Config)
	routes := map[string]engine.Sink{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.Routes)) {
		routes[name] = nil
		ids := slices.DeleteFunc(slices.Clone(c.Routes[name]), func(id pipeline.ID) bool { return id.Signal() != target })
		if name == engine.DeadLetterRoute && target == source && len(ids) == 0 && len(c.Routes[name]) > 0 {
			errs = append(errs, fmt.Errorf("routes::dead_letter: has no pipeline for %s, which the plugin may fail on; add one, or [] to drop them", source))
		}
		if len(ids) == 0 {
			continue
		}
		sink, err := lookup(ids...)
		if err != nil {
			errs = append(errs, fmt.Errorf("routes::%s: %w", name, err))
		}
		routes[name] = sink
	}
	if err := errors.Join(errs...); err != nil {
		return wasmConnector{}, err
	}
	return wasmConnector{f.engines.Port(set.ID, set.TelemetrySettings, &c.Plugin, engine.Use{
		Source: numbers[source], Target: numbers[target], Routes: routes,
	})}, nil
}

// errNoRouter is an error of the Collector's: it documents that each connector gets a router.
var errNoRouter = errors.New("BUG: a connector's consumer is not a router")

func (f *factory) toLogs(set connector.Settings, cfg component.Config, source pipeline.Signal, next consumer.Logs) (wasmConnector, error) {
	router, ok := next.(connector.LogsRouterAndConsumer)
	if !ok {
		return wasmConnector{}, errNoRouter
	}
	return f.create(set, cfg, source, pipeline.SignalLogs, func(ids ...pipeline.ID) (engine.Sink, error) {
		to, err := router.Consumer(ids...)
		return engine.LogsSink(to), err
	})
}

func (f *factory) toMetrics(set connector.Settings, cfg component.Config, source pipeline.Signal, next consumer.Metrics) (wasmConnector, error) {
	router, ok := next.(connector.MetricsRouterAndConsumer)
	if !ok {
		return wasmConnector{}, errNoRouter
	}
	return f.create(set, cfg, source, pipeline.SignalMetrics, func(ids ...pipeline.ID) (engine.Sink, error) {
		to, err := router.Consumer(ids...)
		return engine.MetricsSink(to), err
	})
}

func (f *factory) toTraces(set connector.Settings, cfg component.Config, source pipeline.Signal, next consumer.Traces) (wasmConnector, error) {
	router, ok := next.(connector.TracesRouterAndConsumer)
	if !ok {
		return wasmConnector{}, errNoRouter
	}
	return f.create(set, cfg, source, pipeline.SignalTraces, func(ids ...pipeline.ID) (engine.Sink, error) {
		to, err := router.Consumer(ids...)
		return engine.TracesSink(to), err
	})
}
