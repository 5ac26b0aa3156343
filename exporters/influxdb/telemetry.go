package influxdb

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
)

// reason is why a point was not stored; its name is a value of the attribute
// `reason`.
type reason int

const (
	reasonNone reason = iota
	reasonNotFinite
	reasonNoName
	reasonNoValue
	reasonTimeRange
	reasonSeriesKey
	reasonTypeConflict
	reasonRetention
	reasonSeriesLimit
	reasonInvalidLine
	reasonTooLarge
	reasonRefused
	numReasons
)

var reasons = [numReasons]struct{ name, mend string }{
	reasonNone:         {"", ""},
	reasonNotFinite:    {"not_finite", "InfluxDB has no NaN and no infinity"},
	reasonNoName:       {"no_name", "give the metric a name where it is made"},
	reasonNoValue:      {"no_value", "the data point holds no value: mend its source"},
	reasonTimeRange:    {"time_out_of_range", "mend the timestamp at its source"},
	reasonSeriesKey:    {"series_key_too_long", "leave out attributes with resource_tags::exclude"},
	reasonTypeConflict: {"field_type_conflict", "the database holds the field with another type: keep integer_fields as it was when the field was first written, set log_attributes to json, or write to a new database"},
	reasonRetention:    {"beyond_retention_policy", "the points are older than the retention period of the database: prolong it, or look at the source's clock"},
	reasonSeriesLimit:  {"series_limit", "leave out attributes with resource_tags::exclude, or raise the limit in the server's configuration"},
	reasonInvalidLine:  {"invalid_line", "report the line named here as a bug of obsd"},
	reasonTooLarge:     {"too_large", "raise the largest request size of the server or of the proxy before it"},
	reasonRefused:      {"refused", "look at the server's message"},
}

// losses counts points that were not stored, by reason, with one example each.
type losses struct {
	count  [numReasons]int64
	detail [numReasons]string
}

func (l *losses) add(r reason, n int, detail string) {
	l.count[r] += int64(n)
	if l.detail[r] == "" {
		l.detail[r] = detail
	}
}

func (l *losses) total() int64 {
	var sum int64
	for _, n := range l.count {
		sum += n
	}
	return sum
}

// tally is what became of some points before they could be sent.
type tally struct {
	losses
	skipped int64
	changed changes
}

func (t *tally) merge(o *tally) {
	for r, n := range o.count {
		if n > 0 {
			t.add(reason(r), int(n), o.detail[r])
		}
	}
	t.skipped += o.skipped
	for c, n := range o.changed {
		t.changed[c] += n
	}
}

// telemetry counts points and reports losses.
type telemetry struct {
	logger *zap.Logger
	now    func() time.Time
	points metric.Int64Counter
	values metric.Int64Counter

	delivered, skipped metric.MeasurementOption
	lost               [numReasons]metric.MeasurementOption
	changes            [numChanges]metric.MeasurementOption

	mu       sync.Mutex
	lastLog  [numReasons]time.Time
	unlogged [numReasons]int64
}

// quiet is how long a kind of loss is not logged again.
const quiet = time.Minute

func newTelemetry(id component.ID, set component.TelemetrySettings, now func() time.Time) (*telemetry, error) {
	meter := set.MeterProvider.Meter("github.com/obsd-io/obsd/exporters/influxdb")
	points, err := meter.Int64Counter("obsd_influxdb_points",
		metric.WithDescription("Points (lines) by what became of them."), metric.WithUnit("{point}"))
	if err != nil {
		return nil, fmt.Errorf("influxdb: create counter: %w", err)
	}
	values, err := meter.Int64Counter("obsd_influxdb_values_changed",
		metric.WithDescription("Names, tags, fields and times that were altered or left out of a point to make it fit."), metric.WithUnit("{value}"))
	if err != nil {
		return nil, fmt.Errorf("influxdb: create counter: %w", err)
	}
	t := &telemetry{logger: set.Logger, now: now, points: points, values: values}
	exporter := attribute.String("exporter", id.String())
	option := func(kv ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(append(kv, exporter)...))
	}
	t.delivered = option(attribute.String("outcome", "delivered"))
	t.skipped = option(attribute.String("outcome", "skipped"), attribute.String("reason", "no_recorded_value"))
	for r := range t.lost {
		t.lost[r] = option(attribute.String("outcome", "lost"), attribute.String("reason", reasons[r].name))
	}
	for c := range t.changes {
		t.changes[c] = option(attribute.String("change", changeNames[c]))
	}
	return t, nil
}

// record counts points whose fate is settled.
func (t *telemetry) record(ctx context.Context, delivered int64, y *tally, t2 *target) {
	if delivered > 0 {
		t.points.Add(ctx, delivered, t.delivered)
	}
	if y.skipped > 0 {
		t.points.Add(ctx, y.skipped, t.skipped)
	}
	for r, n := range y.count {
		if n > 0 {
			t.points.Add(ctx, n, t.lost[r])
			t.report(reason(r), n, y.detail[r], t2)
		}
	}
	t.altered(ctx, &y.changed)
}

func (t *telemetry) altered(ctx context.Context, c *changes) {
	for i, n := range c {
		if n > 0 {
			t.values.Add(ctx, n, t.changes[i])
		}
	}
}

// report logs a loss, at most once a minute for each reason.
func (t *telemetry) report(r reason, n int64, detail string, place *target) {
	t.mu.Lock()
	n += t.unlogged[r]
	now := t.now()
	if last := t.lastLog[r]; !last.IsZero() && now.Sub(last) < quiet {
		t.unlogged[r] = n
		t.mu.Unlock()
		return
	}
	t.lastLog[r], t.unlogged[r] = now, 0
	t.mu.Unlock()
	t.logger.Warn("points lost",
		zap.String("reason", reasons[r].name),
		zap.Int64("points", n),
		zap.String("example", detail),
		zap.String("endpoint", place.shown),
		zap.String("place", place.place),
		zap.String("mend", reasons[r].mend))
}
