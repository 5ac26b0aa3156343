// Package heapster is the vocabulary of Heapster, which Kubernetes clusters were monitored with until 2018: its names
// of objects and metrics, its units and labels, and which of our metrics is which of its.
//
// The processor k8s_aggregate (aliases) and the extension model (routes) both speak it, and neither may import the other,
// so it lives below internal. Names, units and types are those of docs/storage-schema.md and metrics/core at
// kubernetes-retired/heapster e1e83412.
package heapster

import (
	"math"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Point is a value under Heapster's name and in its unit.
type Point struct {
	// Name is the metric's, Label the value of its label resource_id, or empty.
	Name, Label string
	// Value is not rounded, though Heapster had integers where Float is false.
	Value float64
	// Float and Cumulative are as in [Metric].
	Float, Cumulative bool
	// Time is when it was measured, Start when a cumulative value began, or 0.
	Time, Start pcommon.Timestamp
	// Attributes are those of our point. They may be read until the callback returns.
	Attributes pcommon.Map
}

// keep is how long a value waits for the next to make a rate with.
const keep = 15 * time.Minute

// Translator turns our metrics into Heapster's. It remembers cumulative values, to make rates of them. It must not be
// used concurrently.
type Translator struct {
	table map[string][]Metric
	// rates are what rates are made of, by the key of the object.
	rates map[string][]rate
	limit int
	// period counts steps of keep, the last of which began at turn; heard is how many values came in it.
	period uint32
	turn   time.Time
	heard  int
}

// rate is the last of a cumulative value, for the rate that has a name. It was heard in a period.
type rate struct {
	name      string
	start, at pcommon.Timestamp
	value     float64
	period    uint32
}

// NewTranslator makes a translator that remembers at most limit values (about 50 bytes each); of others there are no rates.
func NewTranslator(limit int) *Translator {
	return &Translator{table: Table(), rates: map[string][]rate{}, limit: limit}
}

// Resource gives every point of a resource that Heapster has a name for. key is the object's.
func (t *Translator) Resource(o *Object, key string, rm pmetric.ResourceMetrics, emit func(Point)) {
	t.forget(time.Now())
	for _, sm := range rm.ScopeMetrics().All() {
		for _, m := range sm.Metrics().All() {
			for _, as := range t.table[m.Name()] {
				t.metric(o, key, as, m, emit)
			}
		}
	}
}

func (t *Translator) metric(o *Object, key string, as Metric, m pmetric.Metric, emit func(Point)) {
	p := Point{Name: as.Name, Label: as.Label, Float: as.Float, Cumulative: as.Cumulative}
	if p.Label == VolumeLabel {
		if o.Volume == "" {
			return
		}
		p.Label += o.Volume
	}
	found := false
	for _, dp := range numbers(m).All() {
		if !as.fits(dp) || found && !as.Sum {
			continue
		}
		found = true
		p.Value += number(dp) * as.Scale
		p.Time, p.Start, p.Attributes = dp.Timestamp(), dp.StartTimestamp(), dp.Attributes()
	}
	if !found {
		return
	}
	emit(p)
	if as.Rate == "" {
		return
	}
	if r, ok := t.rate(key, as.Rate, &p); ok {
		p.Name, p.Value, p.Float, p.Cumulative, p.Start = as.Rate, r, true, false, 0
		emit(p)
	}
}

// fits reports whether a point has a value and the attribute that the metric wants.
func (as *Metric) fits(dp pmetric.NumberDataPoint) bool {
	if dp.Flags().NoRecordedValue() || dp.ValueType() == pmetric.NumberDataPointValueTypeEmpty {
		return false
	}
	if as.Attribute == "" {
		return true
	}
	v, ok := dp.Attributes().Get(as.Attribute)
	return ok && v.AsString() == as.Value
}

// rate follows Heapster: only from a strictly older value of the same start, and never below zero.
func (t *Translator) rate(object, name string, p *Point) (perSecond float64, ok bool) {
	rates := t.rates[object]
	i := slices.IndexFunc(rates, func(r rate) bool { return r.name == name })
	if i < 0 {
		if t.heard < t.limit {
			t.heard++
			t.rates[object] = append(rates, rate{name: name, start: p.Start, at: p.Time, value: p.Value, period: t.period})
		}
		return 0, false
	}
	last := rates[i]
	if p.Time < last.at && time.Duration(last.at-p.Time) < keep {
		return 0, false // late, unless the clock was set back
	}
	if last.period != t.period {
		t.heard++
	}
	rates[i] = rate{name: name, start: p.Start, at: p.Time, value: p.Value, period: t.period}
	if p.Time <= last.at || p.Start != last.start || p.Value < last.value {
		return 0, false
	}
	return (p.Value - last.value) / time.Duration(p.Time-last.at).Seconds(), true
}

// forget drops what was last heard of more than keep ago, in steps of keep.
func (t *Translator) forget(now time.Time) {
	if since := now.Sub(t.turn); since < keep {
		return
	}
	for object, rates := range t.rates {
		rates = slices.DeleteFunc(rates, func(r rate) bool { return r.period != t.period })
		if len(rates) == 0 {
			delete(t.rates, object)
		} else {
			t.rates[object] = rates
		}
	}
	t.turn, t.heard = now, 0
	t.period++
}

func numbers(m pmetric.Metric) pmetric.NumberDataPointSlice {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints()
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints()
	}
	return pmetric.NewNumberDataPointSlice()
}

func number(dp pmetric.NumberDataPoint) float64 {
	if dp.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return float64(dp.IntValue())
	}
	return dp.DoubleValue()
}

// Int is the value as Heapster wrote integers: not negative, and within 64 bits.
func (p *Point) Int() int64 { return Int(p.Value) }

// Int rounds a value to what Heapster's API and sinks take for an integer.
func Int(v float64) int64 {
	switch {
	case !(v > 0): // NaN too
		return 0
	case v >= math.MaxInt64:
		return math.MaxInt64
	}
	return int64(math.Round(v))
}
