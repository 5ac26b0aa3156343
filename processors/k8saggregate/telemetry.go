package k8saggregate

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/obsd-io/obsd/internal/quiet"
)

// Reasons for which something is not in the sums, or did not arrive.
const (
	reasonFull    = "over_limit" // an object beyond max_objects: its values passed, but are not in the sums
	reasonNoNode  = "no_node"    // a resource without k8s.node.name: the same
	reasonRefused = "refused"    // points of sums that the pipeline did not take
	reasonModel   = "model"      // points that the model did not take
)

// mends say what an operator can do about each.
var mends = map[string]string{
	reasonFull:    "raise max_objects",
	reasonNoNode:  "let the receiver set the resource attribute k8s.node.name",
	reasonRefused: "see the error of the processor or exporter behind this one",
	reasonModel:   "see the error",
}

// telemetry holds the processor's own instruments.
type telemetry struct {
	log          *zap.Logger
	id           attribute.KeyValue
	dropped      metric.Int64Counter
	registration metric.Registration
	warned       quiet.Limit
}

func newTelemetry(set processor.Settings, observe func() (int, map[string]int)) (*telemetry, error) {
	t := &telemetry{log: set.Logger, id: attribute.String("processor", set.ID.String())}
	meter := set.MeterProvider.Meter(scopeName)
	var errs [4]error
	t.dropped, errs[0] = meter.Int64Counter("obsd_k8s_aggregate_dropped", metric.WithUnit("{item}"),
		metric.WithDescription("Resources that are not in the sums, and points that were not taken, by reason."))
	objects, err := meter.Int64ObservableGauge("obsd_k8s_aggregate_objects", metric.WithUnit("{object}"),
		metric.WithDescription("Nodes, pods and containers that are remembered."))
	errs[1] = err
	nodes, err := meter.Int64ObservableGauge("obsd_k8s_aggregate_nodes", metric.WithUnit("{node}"),
		metric.WithDescription("Nodes, by whether their last report is fresh, late or missing."))
	errs[2] = err
	t.registration, errs[3] = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		n, byState := observe()
		o.ObserveInt64(objects, int64(n), metric.WithAttributes(t.id))
		for state, n := range byState {
			o.ObserveInt64(nodes, int64(n), metric.WithAttributes(t.id, attribute.String("state", state)))
		}
		return nil
	}, objects, nodes)
	return t, errors.Join(errs[:]...)
}

// report counts what of a batch is not in the sums.
func (t *telemetry) report(ctx context.Context, b *batch) {
	if b.refused > 0 {
		t.drop(ctx, reasonFull, b.refused, nil)
	}
	if b.without > 0 {
		t.drop(ctx, reasonNoNode, b.without, nil)
	}
}

// drop counts, and says so at most once a minute for each reason.
func (t *telemetry) drop(ctx context.Context, reason string, n int, err error) {
	t.dropped.Add(ctx, int64(n), metric.WithAttributes(t.id, attribute.String("reason", reason)))
	if t.warned.Allow(reason, time.Now()) {
		t.log.Warn("k8s_aggregate: not all is in the sums; more of the same kind within a minute is only counted",
			zap.String("reason", reason), zap.Int("count", n), zap.String("mend", mends[reason]), zap.Error(err))
	}
}

func (t *telemetry) close() {
	if t.registration != nil {
		_ = t.registration.Unregister() // it fails only when it was done before
		t.registration = nil
	}
}
