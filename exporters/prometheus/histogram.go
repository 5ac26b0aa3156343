package prometheus

import (
	"cmp"
	"math"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func (t *translator) writeHistogram(dp pmetric.HistogramDataPoint) {
	ended := dp.Flags().NoRecordedValue()
	if !ended && !validBuckets(dp) {
		t.drop(reasonBadPoint, 1)
		return
	}
	ser, fresh := t.find(dp.Attributes(), dp.Timestamp(), dp.StartTimestamp(), ended)
	if ser == nil {
		return
	}
	h := classicHistogram(dp)
	if !t.delta || fresh || ser.body == nil || !addHistogram(h, ser.body.histogram) {
		ser.start = dp.StartTimestamp()
	}
	t.bucketExemplars(h, dp.Exemplars())
	ser.body = &body{histogram: h}
}

// validBuckets checks the shape that the data model asks for. Two equal bounds
// would be two equal lines.
func validBuckets(dp pmetric.HistogramDataPoint) bool {
	bounds, counts := dp.ExplicitBounds(), dp.BucketCounts()
	if counts.Len() == 0 {
		return bounds.Len() == 0
	}
	if counts.Len() != bounds.Len()+1 {
		return false
	}
	sum := uint64(0)
	for _, n := range counts.All() {
		sum += n
	}
	last := math.Inf(-1)
	for i, b := range bounds.All() {
		if math.IsNaN(b) || math.IsInf(b, 0) || i > 0 && b <= last {
			return false
		}
		last = b
	}
	return sum == dp.Count()
}

// histogramCell is a classic histogram and all it points at, in one allocation.
type histogramCell struct {
	h     dto.Histogram
	count uint64
	sum   float64
}

type bucketCell struct {
	b     dto.Bucket
	count uint64
	bound float64
}

// classicHistogram turns counts per bucket into counts up to a bound.
func classicHistogram(dp pmetric.HistogramDataPoint) *dto.Histogram {
	cell := &histogramCell{count: dp.Count(), sum: dp.Sum()}
	cell.h.SampleCount, cell.h.SampleSum = &cell.count, &cell.sum
	n := dp.ExplicitBounds().Len()
	cells := make([]bucketCell, n)
	cell.h.Bucket = make([]*dto.Bucket, n, n+1)
	total := uint64(0)
	for i := range n {
		total += dp.BucketCounts().At(i)
		c := &cells[i]
		c.count, c.bound = total, dp.ExplicitBounds().At(i)
		c.b.CumulativeCount, c.b.UpperBound = &c.count, &c.bound
		cell.h.Bucket[i] = &c.b
	}
	return &cell.h
}

// addHistogram adds what there was before to h. It answers false, and leaves h
// alone, if the bounds have changed: then the series starts anew.
func addHistogram(h, before *dto.Histogram) bool {
	if before == nil {
		return false
	}
	had := before.Bucket
	if n := len(had); n > 0 && math.IsInf(had[n-1].GetUpperBound(), 1) {
		had = had[:n-1] // there for an exemplar only
	}
	same := slices.EqualFunc(h.Bucket, had, func(a, b *dto.Bucket) bool { return a.GetUpperBound() == b.GetUpperBound() })
	if !same {
		return false
	}
	*h.SampleCount += before.GetSampleCount()
	*h.SampleSum += before.GetSampleSum()
	for i, b := range h.Bucket {
		*b.CumulativeCount += had[i].GetCumulativeCount()
		b.Exemplar = had[i].Exemplar
	}
	return true
}

// bucketExemplars puts the latest exemplar of each bucket on it.
func (t *translator) bucketExemplars(h *dto.Histogram, exemplars pmetric.ExemplarSlice) {
	for _, e := range exemplars.All() {
		ex := t.exemplar(e)
		if ex == nil {
			continue
		}
		at, _ := slices.BinarySearchFunc(h.Bucket, ex.GetValue(), func(b *dto.Bucket, v float64) int {
			return cmp.Compare(b.GetUpperBound(), v)
		})
		if at == len(h.Bucket) {
			inf, count := math.Inf(1), h.GetSampleCount()
			h.Bucket = append(h.Bucket, &dto.Bucket{UpperBound: &inf, CumulativeCount: &count})
		}
		if have := h.Bucket[at].Exemplar; have == nil || !later(have, ex) {
			h.Bucket[at].Exemplar = ex
		}
	}
}

func (t *translator) writeSummary(dp pmetric.SummaryDataPoint) {
	ended := dp.Flags().NoRecordedValue()
	summary := summaryOf(dp)
	if !ended && summary == nil {
		t.drop(reasonBadPoint, 1)
		return
	}
	ser, _ := t.find(dp.Attributes(), dp.Timestamp(), dp.StartTimestamp(), ended)
	if ser == nil {
		return
	}
	ser.start = dp.StartTimestamp()
	ser.body = &body{summary: summary}
}

// summaryOf returns nil if a quantile stands twice or is none.
func summaryOf(dp pmetric.SummaryDataPoint) *dto.Summary {
	count, sum := dp.Count(), dp.Sum()
	s := &dto.Summary{SampleCount: &count, SampleSum: &sum}
	for _, q := range dp.QuantileValues().All() {
		quantile, v := q.Quantile(), q.Value()
		if !(quantile >= 0 && quantile <= 1) {
			return nil
		}
		s.Quantile = append(s.Quantile, &dto.Quantile{Quantile: &quantile, Value: &v})
	}
	slices.SortFunc(s.Quantile, func(a, b *dto.Quantile) int { return cmp.Compare(a.GetQuantile(), b.GetQuantile()) })
	for i := 1; i < len(s.Quantile); i++ {
		if s.Quantile[i].GetQuantile() == s.Quantile[i-1].GetQuantile() {
			return nil
		}
	}
	return s
}

// lastExemplar is the latest exemplar that can be exposed, or nil.
func (t *translator) lastExemplar(exemplars pmetric.ExemplarSlice) (last *dto.Exemplar) {
	for _, e := range exemplars.All() {
		if ex := t.exemplar(e); ex != nil && (last == nil || !later(last, ex)) {
			last = ex
		}
	}
	return last
}

func nanos(ts pcommon.Timestamp) int64 { return int64(min(ts, math.MaxInt64)) }
