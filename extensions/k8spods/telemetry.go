package k8spods

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/obsd-io/obsd/internal/podtable"
)

const scopeName = "github.com/obsd-io/obsd/extensions/k8spods"

// telemetry holds the extension's own instruments.
type telemetry struct {
	id           attribute.KeyValue
	failures     metric.Int64Counter
	registration metric.Registration
}

func newTelemetry(set extension.Settings, table *podtable.Table) (*telemetry, error) {
	t := &telemetry{id: attribute.String("extension", set.ID.String())}
	meter := set.MeterProvider.Meter(scopeName)
	var errs [5]error
	t.failures, errs[0] = meter.Int64Counter("obsd_k8s_pods_api_failures", metric.WithUnit("{request}"),
		metric.WithDescription("Requests to the API server that failed, by resource and reason."))
	known, err := meter.Int64ObservableGauge("obsd_k8s_pods_known", metric.WithUnit("{pod}"),
		metric.WithDescription("Pods in the table, by whether they are there or were deleted."))
	errs[1] = err
	ready, err := meter.Int64ObservableGauge("obsd_k8s_pods_ready",
		metric.WithDescription("1 once the first list of everything that is followed has come, else 0."))
	errs[2] = err
	crowded, err := meter.Int64ObservableCounter("obsd_k8s_pods_forgotten_early", metric.WithUnit("{pod}"),
		metric.WithDescription("Deleted pods that gave way to others before keep_deleted was over."))
	errs[3] = err
	own := metric.WithAttributes(t.id)
	t.registration, errs[4] = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		live, deleted, early := table.Counts()
		o.ObserveInt64(known, int64(live), metric.WithAttributes(t.id, attribute.String("state", "live")))
		o.ObserveInt64(known, int64(deleted), metric.WithAttributes(t.id, attribute.String("state", "deleted")))
		o.ObserveInt64(crowded, early, own)
		var all int64
		select {
		case <-table.Ready():
			all = 1
		default:
		}
		o.ObserveInt64(ready, all, own)
		return nil
	}, known, ready, crowded)
	return t, errors.Join(errs[:]...)
}

// failed counts a request to the API server that failed.
func (t *telemetry) failed(ctx context.Context, resource, reason string) {
	t.failures.Add(ctx, 1, metric.WithAttributes(t.id, attribute.String("resource", resource), attribute.String("reason", reason)))
}

func (t *telemetry) close() {
	if t.registration != nil {
		_ = t.registration.Unregister() // it fails only when it was done before
		t.registration = nil
	}
}
