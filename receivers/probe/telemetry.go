package probe

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Reasons for which data is counted as lost.
const (
	reasonLate    = "late"    // the last check of the target had not ended when its turn came again
	reasonRefused = "refused" // the pipeline did not take the points
)

// telemetry holds the receiver's own instruments.
type telemetry struct {
	receiver     attribute.KeyValue
	dropped      metric.Int64Counter
	failed       metric.Int64Counter
	targets      metric.Int64ObservableGauge
	registration metric.Registration
}

func newTelemetry(meter metric.Meter, id string) (*telemetry, error) {
	t := &telemetry{receiver: attribute.String("receiver", id)}
	var errs [3]error
	t.dropped, errs[0] = meter.Int64Counter("obsd_probe_dropped", metric.WithUnit("{items}"),
		metric.WithDescription("What was lost, by reason: checks that were late, points that the pipeline refused."))
	t.failed, errs[1] = meter.Int64Counter("obsd_probe_failed_requests", metric.WithUnit("{requests}"),
		metric.WithDescription("Requests that the API server did not answer, by resource and reason."))
	t.targets, errs[2] = meter.Int64ObservableGauge("obsd_probe_targets", metric.WithUnit("{targets}"),
		metric.WithDescription("Targets there are, by type."))
	return t, errors.Join(errs[:]...)
}

// observe registers the gauge.
func (t *telemetry) observe(meter metric.Meter, count func() map[string]int64) (err error) {
	t.registration, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for kind, n := range count() {
			o.ObserveInt64(t.targets, n, metric.WithAttributes(t.receiver, attribute.String("type", kind)))
		}
		return nil
	}, t.targets)
	return err
}

func (t *telemetry) close() {
	if t.registration != nil {
		_ = t.registration.Unregister() // it is of no use to anyone
		t.registration = nil
	}
}

func (t *telemetry) drop(ctx context.Context, n int, reason string) {
	t.dropped.Add(ctx, int64(n), metric.WithAttributes(t.receiver, attribute.String("reason", reason)))
}

func (t *telemetry) fail(ctx context.Context, resource, reason string) {
	t.failed.Add(ctx, 1, metric.WithAttributes(t.receiver, attribute.String("resource", resource), attribute.String("reason", reason)))
}
