package influxdb

import (
	"math"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// distribution is a histogram or a summary on its way to lines. It is reused.
type distribution struct {
	count         uint64
	sum, min, max optional
	// slots are the buckets, without the one up to infinity, or the quantiles.
	slots []slot

	// Of the metric: where the parts go.
	measurement                                       string
	countKey, sumKey, minKey, maxKey, slotKey, slotID string
	prefix                                            string // of a bucket's field in the OpenTelemetry schema
	start                                             pcommon.Timestamp
	metric                                            string
}

type optional struct {
	value float64
	set   bool
}

// slot is one bucket or quantile: at is its upper bound or its share. A bucket
// has a count of its own and one of all buckets so far, a quantile a value.
type slot struct {
	at         float64
	own, total uint64
	value      float64
}

// bucketed reports whether the slots hold counts.
func (d *distribution) bucketed() bool { return d.slotID == "le" }

// name decides on measurement and field names once for a metric.
func (d *distribution) name(b *batch, m pmetric.Metric, slotID string) {
	d.metric, d.slotID, d.prefix = m.Name(), slotID, ""
	var base string
	d.measurement, base = b.place(m, "")
	if b.e.schema == SchemaTelegrafPrometheusV2 {
		d.countKey, d.sumKey, d.minKey, d.maxKey = base+"_count", base+"_sum", base+"_min", base+"_max"
		d.slotKey = base
		if slotID == "le" {
			d.slotKey = base + "_bucket"
		}
		return
	}
	d.countKey, d.sumKey, d.minKey, d.maxKey, d.slotKey = "count", "sum", "min", "max", ""
	if b.e.schema == SchemaOTelV1 {
		d.prefix = temporality(m)
	}
}

// temporality names the buckets of the OpenTelemetry schema.
func temporality(m pmetric.Metric) string {
	switch m.Type() {
	case pmetric.MetricTypeHistogram:
		return strings.ToLower(m.Histogram().AggregationTemporality().String()) + "_"
	case pmetric.MetricTypeExponentialHistogram:
		return strings.ToLower(m.ExponentialHistogram().AggregationTemporality().String()) + "_"
	}
	return ""
}

func (b *batch) histograms(m pmetric.Metric) error {
	d := &b.dist
	d.name(b, m, "le")
	for _, p := range m.Histogram().DataPoints().All() {
		if ts, ok := b.open(d.measurement, p.Timestamp(), p.Flags(), p.Attributes()); ok {
			d.count, d.start = p.Count(), p.StartTimestamp()
			d.sum = optional{p.Sum(), p.HasSum()}
			d.min = optional{p.Min(), p.HasMin()}
			d.max = optional{p.Max(), p.HasMax()}
			if !d.explicit(p.ExplicitBounds(), p.BucketCounts()) {
				b.pending.changed[changeBuckets]++
			}
			b.distribution(ts)
		}
		if err := b.next(); err != nil {
			return err
		}
	}
	return nil
}

// explicit takes the buckets of a histogram. It reports false, and takes none,
// if bounds and counts do not fit together.
func (d *distribution) explicit(bounds pcommon.Float64Slice, counts pcommon.UInt64Slice) bool {
	d.slots = d.slots[:0]
	n := bounds.Len()
	if n == 0 || counts.Len() == 0 {
		return true
	}
	if counts.Len() != n && counts.Len() != n+1 {
		return false
	}
	var total uint64
	for i := range n {
		at := bounds.At(i)
		if math.IsNaN(at) || i > 0 && at <= bounds.At(i-1) {
			d.slots = d.slots[:0]
			return false
		}
		total += counts.At(i)
		d.slots = append(d.slots, slot{at: at, own: counts.At(i), total: total})
	}
	return true
}

func (b *batch) exponentials(m pmetric.Metric) error {
	d := &b.dist
	d.name(b, m, "le")
	for _, p := range m.ExponentialHistogram().DataPoints().All() {
		if ts, ok := b.open(d.measurement, p.Timestamp(), p.Flags(), p.Attributes()); ok {
			d.count, d.start = p.Count(), p.StartTimestamp()
			d.sum = optional{p.Sum(), p.HasSum()}
			d.min = optional{p.Min(), p.HasMin()}
			d.max = optional{p.Max(), p.HasMax()}
			d.exponential(p)
			b.distribution(ts)
		}
		if err := b.next(); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) summaries(m pmetric.Metric) error {
	d := &b.dist
	d.name(b, m, "quantile")
	for _, p := range m.Summary().DataPoints().All() {
		if ts, ok := b.open(d.measurement, p.Timestamp(), p.Flags(), p.Attributes()); ok {
			d.count, d.start = p.Count(), p.StartTimestamp()
			d.sum, d.min, d.max = optional{p.Sum(), true}, optional{}, optional{}
			d.slots = d.slots[:0]
			for _, q := range p.QuantileValues().All() {
				d.quantile(b, q.Quantile(), q.Value())
			}
			b.distribution(ts)
		}
		if err := b.next(); err != nil {
			return err
		}
	}
	return nil
}

// quantile takes a quantile once. Of a summary without observations the value
// is NaN.
func (d *distribution) quantile(b *batch, q, value float64) {
	if math.IsNaN(q) || math.IsNaN(value) || math.IsInf(value, 0) {
		b.pending.changed[changeNotFinite]++
		return
	}
	for _, s := range d.slots {
		if s.at == q {
			b.pending.changed[changeCollision]++
			return
		}
	}
	d.slots = append(d.slots, slot{at: q, value: value})
}

// distribution writes the lines of the data point in b.dist.
func (b *batch) distribution(ts int64) {
	d := &b.dist
	otel := b.e.schema == SchemaOTelV1
	apart := b.e.schema == SchemaTelegrafPrometheusV2
	for _, key := range []string{d.countKey, d.sumKey, d.minKey, d.maxKey} {
		b.tags.reserve(key)
	}
	switch {
	case apart && len(d.slots) > 0:
		b.tags.reserve(d.slotID)
		b.tags.reserve(d.slotKey)
	case !apart:
		for _, s := range d.slots {
			b.tags.reserve(d.prefix + b.boundKey(s.at))
		}
	}
	if otel {
		b.tags.reserve(startTimeField)
	}
	b.line.begin(d.measurement, &b.tags)
	b.line.whole(d.countKey, clamp(d.count), otel)
	b.part(d.sumKey, d.sum)
	b.part(d.minKey, d.min)
	b.part(d.maxKey, d.max)
	b.startTime(d.start)
	if !apart {
		b.slots(otel)
	}
	b.endLine(ts)
	if apart {
		b.slotLines(ts)
	}
}

// part writes the sum, smallest or largest value, if there is one.
func (b *batch) part(key string, v optional) {
	if v.set && !b.line.float(key, v.value) {
		b.pending.changed[changeNotFinite]++
	}
}

// slots writes the slots as fields of the line at hand.
func (b *batch) slots(otel bool) {
	d := &b.dist
	for _, s := range d.slots {
		key := b.boundKey(s.at)
		switch {
		case !d.bucketed():
			b.line.float(key, s.value)
		case otel:
			b.line.whole(d.prefix+key, clamp(s.own), true)
		default:
			b.line.whole(key, clamp(s.total), false)
		}
	}
}

// slotLines writes a line for each slot, with the bound as a tag.
func (b *batch) slotLines(ts int64) {
	d := &b.dist
	if len(d.slots) == 0 {
		return
	}
	i := b.tags.place(d.slotID)
	for _, s := range d.slots {
		b.line.measurement(d.measurement)
		b.line.tags(b.tags.all[:i])
		b.line.tags([]tag{{key: d.slotID, value: b.boundKey(s.at)}})
		b.line.tags(b.tags.all[i:])
		if d.bucketed() {
			b.line.whole(d.slotKey, clamp(s.total), false)
		} else {
			b.line.float(d.slotKey, s.value)
		}
		b.endLine(ts)
	}
}

func clamp(n uint64) int64 {
	return int64(min(n, math.MaxInt64))
}
