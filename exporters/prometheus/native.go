package prometheus

import (
	"math"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

const (
	minSchema = -4
	maxSchema = 8
	// defaultZeroThreshold stands in for the zero that OpenTelemetry allows:
	// to Prometheus a threshold of zero says that there is no zero bucket.
	defaultZeroThreshold = 1e-128
	// maxGap is how many empty buckets are written out rather than skipped,
	// because a new span costs as much.
	maxGap = 2
	// maxIndex is far beyond any bucket of a float64, and keeps gaps within an int32.
	maxIndex = 1 << 30
)

// bucket is one filled bucket of a native histogram.
type bucket struct {
	index int32
	count uint64
}

// nativeState is an exponential histogram in Prometheus's terms, with only its
// filled buckets: a hostile pair of offsets must not reserve memory between them.
type nativeState struct {
	schema             int32
	zeroThreshold      float64
	zeroCount, count   uint64
	sum                float64
	positive, negative []bucket
}

func (t *translator) writeNative(dp pmetric.ExponentialHistogramDataPoint) {
	ended := dp.Flags().NoRecordedValue()
	if !ended && dp.Scale() < minSchema {
		t.drop(reasonScale, 1)
		return
	}
	state, ok := nativeOf(dp)
	if !ended && !ok {
		t.drop(reasonBadPoint, 1)
		return
	}
	ser, fresh := t.find(dp.Attributes(), dp.Timestamp(), dp.StartTimestamp(), ended)
	if ser == nil {
		return
	}
	next := &body{}
	if t.delta {
		if fresh || ser.body == nil || ser.body.native == nil || !state.add(ser.body.native) {
			ser.start = dp.StartTimestamp()
		}
		next.native = state
	} else {
		ser.start = dp.StartTimestamp()
	}
	next.histogram = state.message()
	for _, e := range dp.Exemplars().All() {
		// An exemplar of a native histogram has no bucket to tell its age by.
		if ex := t.exemplar(e); ex != nil && ex.Timestamp != nil {
			next.histogram.Exemplars = append(next.histogram.Exemplars, ex)
		}
	}
	ser.body = next
}

// nativeOf answers false for a point that Prometheus would refuse, and with it
// the whole scrape.
func nativeOf(dp pmetric.ExponentialHistogramDataPoint) (*nativeState, bool) {
	s := &nativeState{
		schema: min(dp.Scale(), maxSchema), zeroThreshold: dp.ZeroThreshold(),
		zeroCount: dp.ZeroCount(), count: dp.Count(), sum: dp.Sum(),
	}
	if s.zeroThreshold == 0 {
		s.zeroThreshold = defaultZeroThreshold
	}
	if !(s.zeroThreshold > 0) || math.IsInf(s.zeroThreshold, 1) {
		return nil, false
	}
	down := uint(max(dp.Scale()-maxSchema, 0))
	var okPositive, okNegative bool
	s.positive, okPositive = filled(dp.Positive(), down)
	s.negative, okNegative = filled(dp.Negative(), down)
	total := s.zeroCount + sum(s.positive) + sum(s.negative)
	matches := total == s.count || math.IsNaN(s.sum) && total <= s.count
	return s, okPositive && okNegative && matches
}

// filled collects the buckets that have a count, down powers of two coarser.
// Prometheus numbers a bucket by its upper bound, OpenTelemetry by its lower.
func filled(from pmetric.ExponentialHistogramDataPointBuckets, down uint) (out []bucket, ok bool) {
	for i, count := range from.BucketCounts().All() {
		if count == 0 {
			continue
		}
		index := (int64(from.Offset())+int64(i))>>down + 1
		if index > maxIndex || index < -maxIndex || count > math.MaxInt64 {
			return nil, false
		}
		out = appendBucket(out, bucket{int32(index), count})
	}
	return out, true
}

func appendBucket(to []bucket, b bucket) []bucket {
	if n := len(to); n > 0 && to[n-1].index == b.index {
		to[n-1].count += b.count
		return to
	}
	return append(to, b)
}

func sum(buckets []bucket) (total uint64) {
	for _, b := range buckets {
		total += b.count
	}
	return total
}

// add adds what there was before. It answers false, and leaves s alone, if the
// zero buckets do not match: then the series starts anew.
func (s *nativeState) add(before *nativeState) bool {
	if s.zeroThreshold != before.zeroThreshold {
		return false
	}
	schema := min(s.schema, before.schema)
	s.positive = merge(coarser(s.positive, s.schema-schema), coarser(before.positive, before.schema-schema))
	s.negative = merge(coarser(s.negative, s.schema-schema), coarser(before.negative, before.schema-schema))
	s.schema = schema
	s.zeroCount += before.zeroCount
	s.count += before.count
	s.sum += before.sum
	return true
}

// coarser merges 2^by neighbours into one bucket. An upper bound with number i
// lies within the coarser bucket numbered ceil(i / 2^by).
func coarser(from []bucket, by int32) []bucket {
	if by == 0 {
		return from
	}
	out := make([]bucket, 0, len(from))
	for _, b := range from {
		out = appendBucket(out, bucket{int32((int64(b.index)-1)>>uint(by) + 1), b.count})
	}
	return out
}

func merge(a, b []bucket) []bucket {
	out := make([]bucket, 0, max(len(a), len(b)))
	for len(a) > 0 && len(b) > 0 {
		if a[0].index <= b[0].index {
			out, a = appendBucket(out, a[0]), a[1:]
		} else {
			out, b = appendBucket(out, b[0]), b[1:]
		}
	}
	for _, rest := range a {
		out = appendBucket(out, rest)
	}
	for _, rest := range b {
		out = appendBucket(out, rest)
	}
	return out
}

// message is the histogram as a scraper gets it.
func (s *nativeState) message() *dto.Histogram {
	cell := &struct {
		h     dto.Histogram
		state nativeState
	}{state: *s}
	v := &cell.state
	h := &cell.h
	h.Schema, h.ZeroThreshold, h.ZeroCount = &v.schema, &v.zeroThreshold, &v.zeroCount
	h.SampleCount, h.SampleSum = &v.count, &v.sum
	h.PositiveSpan, h.PositiveDelta = spans(v.positive)
	h.NegativeSpan, h.NegativeDelta = spans(v.negative)
	if len(h.PositiveSpan) == 0 && len(h.NegativeSpan) == 0 {
		// An empty span is what marks a histogram without buckets as native.
		h.PositiveSpan = []*dto.BucketSpan{newSpan(0, 0)}
	}
	v.positive, v.negative = nil, nil
	return h
}

// spans writes buckets as runs of neighbours and differences between counts.
func spans(buckets []bucket) (runs []*dto.BucketSpan, deltas []int64) {
	var next, last int64
	for i, b := range buckets {
		gap := int64(b.index) - next
		switch {
		case i == 0 || gap > maxGap:
			runs = append(runs, newSpan(int32(gap), 0))
		default:
			for range gap {
				deltas = append(deltas, -last)
				last = 0
				*runs[len(runs)-1].Length++
			}
		}
		*runs[len(runs)-1].Length++
		deltas = append(deltas, int64(b.count)-last)
		last, next = int64(b.count), int64(b.index)+1
	}
	return runs, deltas
}

func newSpan(offset int32, length uint32) *dto.BucketSpan {
	return &dto.BucketSpan{Offset: &offset, Length: &length}
}
