package kubelet

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// histograms gathers the samples of a histogram or summary, which stand one to a line, into points.
type histograms struct {
	summary bool
	byKey   map[string]*distribution
	order   []*distribution
	bad     int
}

// distribution is one point in the making.
type distribution struct {
	labels     []label
	at         pcommon.Timestamp
	sum, count float64
	hasSum     bool
	hasCount   bool
	buckets    []bucket // of a histogram: cumulative counts; of a summary: quantiles
}

type bucket struct{ bound, value float64 }

func newHistograms(summary bool) *histograms {
	return &histograms{summary: summary, byKey: map[string]*distribution{}}
}

// add takes a sample whose name is that of the family and part. A list of labels is not kept.
func (h *histograms) add(part string, list []label, at pcommon.Timestamp, value float64) {
	name := "le"
	if h.summary {
		name = "quantile"
	}
	bound, found := math.NaN(), false
	if i := slices.IndexFunc(list, func(a label) bool { return a.key == name }); i >= 0 && part != "_sum" && part != "_count" {
		v, err := strconv.ParseFloat(list[i].value, 64)
		if err != nil {
			h.bad++
			return
		}
		bound, found = v, true
		list = slices.Delete(slices.Clone(list), i, i+1)
	}
	d := h.of(list)
	d.at = max(d.at, at)
	switch {
	case part == "_sum":
		d.sum, d.hasSum = value, true
	case part == "_count":
		d.count, d.hasCount = value, true
	case found:
		d.buckets = append(d.buckets, bucket{bound, value})
	default:
		h.bad++
	}
}

func (h *histograms) of(list []label) *distribution {
	var key strings.Builder
	for _, l := range list {
		key.WriteString(l.key)
		key.WriteByte(0)
		key.WriteString(l.value)
		key.WriteByte(0)
	}
	d, ok := h.byKey[key.String()]
	if !ok {
		d = &distribution{labels: slices.Clone(list)}
		h.byKey[key.String()] = d
		h.order = append(h.order, d)
	}
	return d
}

// finish writes the points, and says how many there are and how many samples were of no use.
func (h *histograms) finish(m pmetric.Metric, now pcommon.Timestamp) (points, bad int) {
	if h.summary {
		h.summaries(m.SetEmptySummary().DataPoints(), now)
		return len(h.order), h.bad
	}
	out := m.SetEmptyHistogram()
	out.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for _, d := range h.order {
		if !d.histogram(out.DataPoints(), now) {
			h.bad += len(d.buckets) + 1
			continue
		}
		points++
	}
	return points, h.bad
}

func (h *histograms) summaries(to pmetric.SummaryDataPointSlice, now pcommon.Timestamp) {
	for _, d := range h.order {
		dp := to.AppendEmpty()
		dp.SetTimestamp(d.time(now))
		dp.SetSum(d.sum)
		if whole(d.count) {
			dp.SetCount(uint64(d.count))
		}
		for _, b := range d.buckets {
			q := dp.QuantileValues().AppendEmpty()
			q.SetQuantile(b.bound)
			q.SetValue(b.value)
		}
		d.put(dp.Attributes())
	}
}

// histogram adds a point; false if its counts are not those of a histogram.
func (d *distribution) histogram(to pmetric.HistogramDataPointSlice, now pcommon.Timestamp) bool {
	slices.SortFunc(d.buckets, func(a, b bucket) int {
		switch {
		case a.bound < b.bound:
			return -1
		case a.bound > b.bound:
			return 1
		}
		return 0
	})
	bounds, counts, last := make([]float64, 0, len(d.buckets)), make([]uint64, 0, len(d.buckets)+1), 0.0
	total, hasTotal := d.count, d.hasCount
	for _, b := range d.buckets {
		if !whole(b.value) || b.value < last || math.IsNaN(b.bound) {
			return false
		}
		if math.IsInf(b.bound, 1) {
			total, hasTotal = b.value, true
			continue
		}
		bounds, counts, last = append(bounds, b.bound), append(counts, uint64(b.value-last)), b.value
	}
	if !hasTotal || !whole(total) || total < last {
		return false
	}
	dp := to.AppendEmpty()
	dp.SetTimestamp(d.time(now))
	dp.SetCount(uint64(total))
	if d.hasSum {
		dp.SetSum(d.sum)
	}
	dp.ExplicitBounds().FromRaw(bounds)
	dp.BucketCounts().FromRaw(append(counts, uint64(total-last)))
	d.put(dp.Attributes())
	return true
}

func (d *distribution) time(now pcommon.Timestamp) pcommon.Timestamp {
	if d.at == 0 {
		return now
	}
	return d.at
}

func (d *distribution) put(to pcommon.Map) {
	for _, l := range d.labels {
		to.PutStr(l.key, l.value)
	}
}
