package influxdb

import (
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

const (
	prometheusMeasurement = "prometheus"
	startTimeField        = "start_time_unix_nano"
)

// metrics encodes md point by point.
func (b *batch) metrics(md pmetric.Metrics) error {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			b.tags.setBase(rm.Resource().Attributes(), sm.Scope(), b.e.keepsTag)
			for _, m := range sm.Metrics().All() {
				if err := b.metric(m); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (b *batch) metric(m pmetric.Metric) error {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return b.numbers(m, m.Gauge().DataPoints(), "gauge")
	case pmetric.MetricTypeSum:
		kind := "gauge"
		if s := m.Sum(); s.IsMonotonic() && s.AggregationTemporality() == pmetric.AggregationTemporalityCumulative {
			kind = "counter"
		}
		return b.numbers(m, m.Sum().DataPoints(), kind)
	case pmetric.MetricTypeHistogram:
		return b.histograms(m)
	case pmetric.MetricTypeExponentialHistogram:
		return b.exponentials(m)
	case pmetric.MetricTypeSummary:
		return b.summaries(m)
	}
	return nil
}

// open prepares the tags and the time of a data point. It reports false when
// the point is done with, as it cannot be written.
func (b *batch) open(measurement string, at pcommon.Timestamp, flags pmetric.DataPointFlags, attributes pcommon.Map) (int64, bool) {
	if flags.NoRecordedValue() {
		b.pending.skipped++
		return 0, false
	}
	ts, ok := b.nanos(at)
	switch {
	case measurement == "":
		b.lose(reasonNoName, "a metric without a name")
		return 0, false
	case !ok:
		b.lose(reasonTimeRange, measurement)
		return 0, false
	}
	b.tags.set(attributes)
	if b.tags.bytes+2*len(measurement)+2*maxName > maxSeriesKey {
		b.lose(reasonSeriesKey, measurement)
		return 0, false
	}
	return ts, true
}

// place returns the measurement and the field name of a metric whose only field
// is v1Field in the first schema.
func (b *batch) place(m pmetric.Metric, v1Field string) (measurement, field string) {
	switch {
	case m.Name() == "":
		return "", ""
	case b.e.schema == SchemaTelegrafPrometheusV2:
		return prometheusMeasurement, b.tags.key(m.Name())
	case b.e.schema == SchemaOTelV1:
		name := m.Name() + "_" + m.Unit() + "_" + strings.ToLower(m.Type().String())
		return b.tags.measurement(name), ""
	case b.e.schema == SchemaHeapster && (v1Field == "gauge" || v1Field == "counter"):
		return b.tags.measurement(m.Name()), "value"
	}
	return b.tags.measurement(m.Name()), v1Field
}

func (b *batch) numbers(m pmetric.Metric, points pmetric.NumberDataPointSlice, kind string) error {
	measurement, field := b.place(m, kind)
	for _, p := range points.All() {
		if ts, ok := b.open(measurement, p.Timestamp(), p.Flags(), p.Attributes()); ok {
			b.number(m, p, measurement, field, ts)
		}
		if err := b.next(); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) number(m pmetric.Metric, p pmetric.NumberDataPoint, measurement, field string, ts int64) {
	typed := b.e.integers
	if b.e.schema == SchemaOTelV1 {
		field, typed = otelField(m, p.ValueType()), true
		b.tags.reserve(startTimeField)
	}
	b.tags.reserve(field)
	b.line.begin(measurement, &b.tags)
	written := true
	switch p.ValueType() {
	case pmetric.NumberDataPointValueTypeInt:
		b.line.whole(field, p.IntValue(), typed)
	case pmetric.NumberDataPointValueTypeDouble:
		if written = b.line.float(field, p.DoubleValue()); !written {
			b.lose(reasonNotFinite, m.Name())
		}
	default:
		written = false
		b.lose(reasonNoValue, m.Name())
	}
	if !written {
		b.line.drop()
		return
	}
	b.startTime(p.StartTimestamp())
	b.endLine(ts)
}

// startTime belongs to the OpenTelemetry schema only.
func (b *batch) startTime(ts pcommon.Timestamp) {
	if b.e.schema == SchemaOTelV1 && ts != 0 {
		b.line.whole(startTimeField, int64(ts), true)
	}
}

// otelField is the field of a number in the OpenTelemetry schema, which tells
// the type, so that integers and floats never meet in one field.
func otelField(m pmetric.Metric, v pmetric.NumberDataPointValueType) string {
	kind := "double"
	if v == pmetric.NumberDataPointValueTypeInt {
		kind = "int"
	}
	if m.Type() == pmetric.MetricTypeGauge {
		return "value_" + kind
	}
	monotonic := "nonmonotonic"
	if m.Sum().IsMonotonic() {
		monotonic = "monotonic"
	}
	return "value_" + strings.ToLower(m.Sum().AggregationTemporality().String()) + "_" + monotonic + "_" + kind
}

// boundKey is the name of a bucket's bound or of a quantile.
func (b *batch) boundKey(v float64) string {
	if key, ok := b.keys[v]; ok {
		return key
	}
	if len(b.keys) >= 4096 {
		clear(b.keys)
	}
	key := strconv.FormatFloat(v, 'f', -1, 64)
	if len(key) > 24 {
		key = strconv.FormatFloat(v, 'g', -1, 64)
	}
	b.keys[v] = key
	return key
}

func pointCount(m pmetric.Metric) int {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints().Len()
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints().Len()
	case pmetric.MetricTypeHistogram:
		return m.Histogram().DataPoints().Len()
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().DataPoints().Len()
	case pmetric.MetricTypeSummary:
		return m.Summary().DataPoints().Len()
	}
	return 0
}

// removePoints removes the first n points of m and returns how many are left to
// remove elsewhere.
func removePoints(m pmetric.Metric, n int) int {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		m.Gauge().DataPoints().RemoveIf(func(pmetric.NumberDataPoint) bool { n--; return n >= 0 })
	case pmetric.MetricTypeSum:
		m.Sum().DataPoints().RemoveIf(func(pmetric.NumberDataPoint) bool { n--; return n >= 0 })
	case pmetric.MetricTypeHistogram:
		m.Histogram().DataPoints().RemoveIf(func(pmetric.HistogramDataPoint) bool { n--; return n >= 0 })
	case pmetric.MetricTypeExponentialHistogram:
		m.ExponentialHistogram().DataPoints().RemoveIf(func(pmetric.ExponentialHistogramDataPoint) bool { n--; return n >= 0 })
	case pmetric.MetricTypeSummary:
		m.Summary().DataPoints().RemoveIf(func(pmetric.SummaryDataPoint) bool { n--; return n >= 0 })
	}
	return max(n, 0)
}
