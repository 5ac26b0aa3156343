package k8scluster

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Reasons for which data is counted as lost.
const (
	reasonRefused = "refused" // points that the pipeline did not take
	reasonLate    = "late"    // intervals for which the pipeline was still busy with the last one
)

// telemetry holds the receiver's own instruments.
type telemetry struct {
	receiver attribute.KeyValue

	failures     metric.Int64Counter
	dropped      metric.Int64Counter
	lastEmit     atomic.Int64 // nanoseconds since 1970; 0 before
	registration metric.Registration
}

func newTelemetry(meter metric.Meter, id string, objects func() map[string]int64) (*telemetry, error) {
	t := &telemetry{receiver: attribute.String("receiver", id)}
	var errs [5]error
	var last metric.Float64ObservableGauge
	var held metric.Int64ObservableGauge
	t.failures, errs[0] = meter.Int64Counter("obsd_k8s_cluster_failed_requests", metric.WithUnit("{requests}"),
		metric.WithDescription("Requests to the API server that failed, by resource and reason."))
	t.dropped, errs[1] = meter.Int64Counter("obsd_k8s_cluster_dropped", metric.WithUnit("{items}"),
		metric.WithDescription("What was lost, by reason: points that the pipeline refused, intervals that were late."))
	last, errs[2] = meter.Float64ObservableGauge("obsd_k8s_cluster_last_emit_time", metric.WithUnit("s"),
		metric.WithDescription("When the pipeline last took the state of everything, in seconds since 1970."))
	held, errs[3] = meter.Int64ObservableGauge("obsd_k8s_cluster_objects", metric.WithUnit("{objects}"),
		metric.WithDescription("Objects that are followed, by resource."))
	t.registration, errs[4] = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		if at := t.lastEmit.Load(); at != 0 {
			o.ObserveFloat64(last, time.Duration(at).Seconds(), metric.WithAttributes(t.receiver))
		}
		for resource, n := range objects() {
			o.ObserveInt64(held, n, metric.WithAttributes(t.receiver, attribute.String("resource", resource)))
		}
		return nil
	}, last, held)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("k8s_cluster: make instruments: %w", err)
	}
	return t, nil
}

func (t *telemetry) close() { _ = t.registration.Unregister() } // it is of no use to anyone

// fail counts a request that failed.
func (t *telemetry) fail(ctx context.Context, resource, reason string) {
	t.failures.Add(ctx, 1,
		metric.WithAttributes(t.receiver, attribute.String("resource", resource), attribute.String("reason", reason)))
}

// drop counts what was lost.
func (t *telemetry) drop(ctx context.Context, n int, reason string) {
	if n > 0 {
		t.dropped.Add(ctx, int64(n), metric.WithAttributes(t.receiver, attribute.String("reason", reason)))
	}
}
