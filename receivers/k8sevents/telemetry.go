package k8sevents

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Reasons for which records are counted as lost.
const (
	reasonPermanent = "permanent_error"   // the pipeline refused a batch for good
	reasonRetries   = "retries_exhausted" // the pipeline refused a batch for longer than retry_on_failure allows
)

// How watches end.
const (
	endClosed  = "closed"  // by the API server, after its time or before
	endExpired = "expired" // the position is too old: the events are listed
	endSilent  = "silent"  // nothing came, not even the end
	endReset   = "reset"   // the API server is behind the position: its store is another one
)

// telemetry holds the receiver's own instruments.
type telemetry struct {
	receiver attribute.KeyValue

	lost      metric.Int64Counter
	unchanged metric.Int64Counter
	watches   metric.Int64Counter
	failed    metric.Int64Counter
	unsaved   metric.Int64Counter
	reading   metric.Int64Gauge
}

func newTelemetry(meter metric.Meter, id string) (*telemetry, error) {
	t := &telemetry{receiver: attribute.String("receiver", id)}
	var errs []error
	counter := func(into *metric.Int64Counter, name, unit, description string) {
		c, err := meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
		*into = c
		errs = append(errs, err)
	}
	counter(&t.lost, "obsd_k8s_events_lost_records", "{records}", "Events that were read but not delivered, by reason.")
	counter(&t.unchanged, "obsd_k8s_events_unchanged", "{events}",
		"Events that came again though they did not happen again, and which were not sent again.")
	counter(&t.watches, "obsd_k8s_events_ended_watches", "{watches}",
		"Watches that ended and were opened again, by what ended them: closed, expired, silent or reset.")
	counter(&t.failed, "obsd_k8s_events_failed_requests", "{requests}",
		"Requests that the API server did not answer, by resource and reason.")
	counter(&t.unsaved, "obsd_k8s_events_checkpoint_failures", "{writes}",
		"Writes of the position that the storage or the Lease did not take.")
	var err error
	t.reading, err = meter.Int64Gauge("obsd_k8s_events_reading",
		metric.WithDescription("1 if this receiver reads events, 0 while another obsd is the leader."))
	return t, errors.Join(append(errs, err)...)
}

func (t *telemetry) add(ctx context.Context, c metric.Int64Counter, n int, more ...attribute.KeyValue) {
	if n > 0 {
		c.Add(ctx, int64(n), metric.WithAttributeSet(attribute.NewSet(append(more, t.receiver)...)))
	}
}

func (t *telemetry) lose(ctx context.Context, n int, reason string) {
	t.add(ctx, t.lost, n, attribute.String("reason", reason))
}

func (t *telemetry) ended(ctx context.Context, how string) {
	t.add(ctx, t.watches, 1, attribute.String("end", how))
}

func (t *telemetry) fail(ctx context.Context, resource, reason string) {
	t.add(ctx, t.failed, 1, attribute.String("resource", resource), attribute.String("reason", reason))
}

func (t *telemetry) read(ctx context.Context, on int64) {
	t.reading.Record(ctx, on, metric.WithAttributes(t.receiver))
}
