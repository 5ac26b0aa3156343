package prometheus

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	otelmetric "go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/obsd-io/obsd/internal/quiet"
)

const meterName = "github.com/obsd-io/obsd/exporters/prometheus"

// mends says for each reason what the operator can do about it.
func mends() map[string]string {
	return map[string]string{
		reasonDuplicate:   "two senders feed one series: give each a service.instance.id, or name what tells them apart in promote_resource_attributes",
		reasonType:        "another metric of this name has another type: rename one of the two",
		reasonName:        "another metric already writes lines of this name: rename one of the two",
		reasonLabel:       "two attributes have the same name for scrapers without UTF-8 names: rename one, or use an escaping translation_strategy",
		reasonBadName:     "no Prometheus name can be made of this one: rename the metric at its source",
		reasonBadLabel:    "an attribute key can be no label name: rename the attribute at its source",
		reasonBadPoint:    "the point contradicts itself (no value, or buckets or quantiles that do not fit): mend its source",
		reasonScale:       "Prometheus knows no exponential histogram with a scale below -4: set a finer scale at the source",
		reasonTemporality: "the metric does not say whether it is cumulative or delta: mend its source",
		reasonOrder:       "the point is not newer than the last one of its series: look for two senders with one identity or for replays",
		reasonExpired:     "the point repeats what expired before: raise metric_expiration if the source is only slow",
		reasonMaxSeries:   "max_series is reached: raise it, or drop attributes with many values before this exporter",
	}
}

// drops counts what is not exposed, by reason, and logs each reason once a minute.
type drops struct {
	logger  *zap.Logger
	counter otelmetric.Int64Counter
	id      attribute.KeyValue
	options map[string]otelmetric.AddOption
	mends   map[string]string
	warned  quiet.Limit
}

func newDrops(set component.TelemetrySettings, id component.ID) (*drops, error) {
	meter := set.MeterProvider.Meter(meterName)
	counter, err := meter.Int64Counter("obsd_prometheus_dropped_series",
		otelmetric.WithDescription("Points that are not exposed, by reason."), otelmetric.WithUnit("{point}"))
	if err != nil {
		return nil, err
	}
	d := &drops{
		logger: set.Logger, counter: counter,
		id:      attribute.String("exporter", id.String()),
		options: map[string]otelmetric.AddOption{},
		mends:   mends(),
	}
	for reason := range d.mends {
		d.options[reason] = otelmetric.WithAttributeSet(attribute.NewSet(d.id, attribute.String("reason", reason)))
	}
	return d, nil
}

// add counts what one batch has dropped.
func (d *drops) add(ctx context.Context, batch map[string]dropped, now time.Time) {
	for reason, what := range batch {
		d.counter.Add(ctx, int64(what.points), d.options[reason])
		if d.warned.Allow(reason, now) {
			d.logger.Warn("points are not exposed; further ones are only counted for a minute",
				zap.String("reason", reason), zap.String("metric", what.metric),
				zap.Int("points", what.points), zap.String("mend", d.mends[reason]))
		}
	}
}
