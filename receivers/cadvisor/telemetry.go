package cadvisor

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Reasons for which a cgroup or a series is not among the figures.
const (
	reasonLimit      = "limit"      // more cgroups than max_containers
	reasonTimeout    = "timeout"    // not read before the collection had to end
	reasonUnreadable = "unreadable" // the kernel or the scraped cAdvisor gave no figures of it
	reasonUnknown    = "unknown"    // of a pod that the k8s_pods extension does not know
	reasonMalformed  = "malformed"  // a series or an item of an answer that makes no sense
)

// telemetry holds the receiver's own instruments.
type telemetry struct {
	receiver attribute.KeyValue
	duration metric.Float64Histogram
	success  metric.Float64Gauge
	read     metric.Int64Gauge
	dropped  metric.Int64Counter
}

func newTelemetry(meter metric.Meter, id string) (*telemetry, error) {
	t := &telemetry{receiver: attribute.String("receiver", id)}
	var errs [4]error
	t.duration, errs[0] = meter.Float64Histogram("obsd_cadvisor_scrape_duration", metric.WithUnit("s"),
		metric.WithDescription("How long a collection took."))
	t.success, errs[1] = meter.Float64Gauge("obsd_cadvisor_last_success_time", metric.WithUnit("s"),
		metric.WithDescription("When all was read for the last time, in seconds since 1970."))
	t.read, errs[2] = meter.Int64Gauge("obsd_cadvisor_series", metric.WithUnit("{series}"),
		metric.WithDescription("Data points of the last collection."))
	t.dropped, errs[3] = meter.Int64Counter("obsd_cadvisor_dropped", metric.WithUnit("{item}"),
		metric.WithDescription("Cgroups and series that were left out, by reason."))
	return t, errors.Join(errs[:]...)
}

func (t *telemetry) drop(ctx context.Context, reason string, n int) {
	t.dropped.Add(ctx, int64(n), metric.WithAttributes(t.receiver, attribute.String("reason", reason)))
}

func (t *telemetry) scraped(ctx context.Context, begin time.Time, series int, err error) {
	attrs := metric.WithAttributes(t.receiver)
	now := time.Now()
	t.duration.Record(ctx, now.Sub(begin).Seconds(), attrs)
	t.read.Record(ctx, int64(series), attrs)
	if err == nil {
		t.success.Record(ctx, float64(now.UnixMilli())/1000, attrs)
	}
}
