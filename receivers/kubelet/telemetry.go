package kubelet

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Reasons for which data is counted as lost.
const (
	reasonLate      = "late"       // the last scrape of the node had not ended when its turn came again
	reasonRefused   = "refused"    // the pipeline did not take the points
	reasonBadSample = "bad_sample" // a line of an endpoint in Prometheus's format cannot be told
)

// telemetry holds the receiver's own instruments.
type telemetry struct {
	receiver attribute.KeyValue

	duration     metric.Float64Histogram
	failures     metric.Int64Counter
	dropped      metric.Int64Counter
	lastSuccess  metric.Float64ObservableGauge
	series       metric.Int64ObservableGauge
	heapster     *heapsterTelemetry
	registration metric.Registration
}

// heapsterTelemetry are some of the same figures under the names that Heapster had for them.
type heapsterTelemetry struct {
	request, scrape metric.Float64Histogram
	last            metric.Float64ObservableGauge
}

func newTelemetry(meter metric.Meter, id string, heapster bool) (*telemetry, error) {
	t := &telemetry{receiver: attribute.String("receiver", id)}
	var errs [8]error
	seconds := metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30)
	t.duration, errs[0] = meter.Float64Histogram("obsd_kubelet_scrape_duration", metric.WithUnit("s"), seconds,
		metric.WithDescription("Time that the scrape of an endpoint took, until its metrics were made."))
	t.failures, errs[1] = meter.Int64Counter("obsd_kubelet_failed_scrapes", metric.WithUnit("{scrapes}"),
		metric.WithDescription("Scrapes of an endpoint that gave nothing, by reason."))
	t.dropped, errs[2] = meter.Int64Counter("obsd_kubelet_dropped", metric.WithUnit("{items}"),
		metric.WithDescription("What was lost, by reason: scrapes that were late, points that the pipeline refused, samples that could not be read."))
	t.lastSuccess, errs[3] = meter.Float64ObservableGauge("obsd_kubelet_last_success_time", metric.WithUnit("s"),
		metric.WithDescription("When an endpoint was last scraped with success, in seconds since 1970."))
	t.series, errs[4] = meter.Int64ObservableGauge("obsd_kubelet_series", metric.WithUnit("{series}"),
		metric.WithDescription("Data points of the last scrape of an endpoint."))
	if heapster {
		h := &heapsterTelemetry{}
		ms := metric.WithExplicitBucketBoundaries(5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000)
		h.request, errs[5] = meter.Float64Histogram("heapster_kubelet_summary_request_duration", metric.WithUnit("ms"), ms,
			metric.WithDescription("Time that a request to /stats/summary took."))
		h.scrape, errs[6] = meter.Float64Histogram("heapster_scraper_duration", metric.WithUnit("ms"), ms,
			metric.WithDescription("Time that the scrape of a source took."))
		h.last, errs[7] = meter.Float64ObservableGauge("heapster_scraper_last_time", metric.WithUnit("s"),
			metric.WithDescription("When a source was last scraped, in seconds since 1970."))
		t.heapster = h
	}
	return t, errors.Join(errs[:]...)
}

// observe registers the gauges: each is called with all targets there are.
func (t *telemetry) observe(meter metric.Meter, targets func(func(*target))) (err error) {
	instruments := []metric.Observable{t.lastSuccess, t.series}
	if t.heapster != nil {
		instruments = append(instruments, t.heapster.last)
	}
	t.registration, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		targets(func(tg *target) { t.report(o, tg) })
		return nil
	}, instruments...)
	return err
}

func (t *telemetry) report(o metric.Observer, tg *target) {
	for _, e := range tg.endpoints {
		last := e.success.Load()
		if last == 0 {
			continue
		}
		at := time.Duration(last).Seconds()
		o.ObserveFloat64(t.lastSuccess, at, e.attributes)
		o.ObserveInt64(t.series, e.points.Load(), e.attributes)
		if t.heapster != nil && e.name == endpointSummary {
			o.ObserveFloat64(t.heapster.last, at, tg.source)
		}
	}
}

func (t *telemetry) close() {
	if t.registration != nil {
		_ = t.registration.Unregister() // it is of no use to anyone
		t.registration = nil
	}
}

// scraped counts one scrape of an endpoint.
func (t *telemetry) scraped(ctx context.Context, tg *target, e *endpoint, took time.Duration) {
	t.duration.Record(ctx, took.Seconds(), e.attributes)
	if t.heapster != nil && e.name == endpointSummary {
		ms := float64(took) / float64(time.Millisecond)
		t.heapster.request.Record(ctx, ms, tg.nodeOnly)
		t.heapster.scrape.Record(ctx, ms, tg.source)
	}
}

func (t *telemetry) fail(ctx context.Context, e *endpoint, reason string) {
	t.failures.Add(ctx, 1, metric.WithAttributes(t.receiver, attribute.String("endpoint", e.name), attribute.String("reason", reason)))
}

func (t *telemetry) drop(ctx context.Context, n int, reason string) {
	if n > 0 {
		t.dropped.Add(ctx, int64(n), metric.WithAttributes(t.receiver, attribute.String("reason", reason)))
	}
}

// nodeAttributes are those of a node's own figures.
func (t *telemetry) nodeAttributes(more ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(append(more, t.receiver)...))
}
