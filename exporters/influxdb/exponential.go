package influxdb

import (
	"math"
	"slices"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// maxExponentialBuckets bounds the buckets written for one side of an
// exponential histogram. OpenTelemetry's SDKs stop at as many.
const maxExponentialBuckets = 160

// exponential takes the buckets of an exponential histogram, merged until their
// bounds are powers of two. So the bounds, which become names of fields or
// values of a tag, stay the same from point to point, where the histogram's own
// move each time that it changes its scale.
func (d *distribution) exponential(p pmetric.ExponentialHistogramDataPoint) {
	d.slots = d.slots[:0]
	var total uint64
	take := func(at float64, own uint64) {
		total += own
		if math.IsInf(at, 0) {
			return // beyond all floats: in the count only
		}
		at += 0 // turns -0 to 0
		if n := len(d.slots); n > 0 && d.slots[n-1].at >= at {
			d.slots[n-1].own += own
			d.slots[n-1].total = total
			return
		}
		d.slots = append(d.slots, slot{at: at, own: own, total: total})
	}
	negative, step := merged(p.Negative(), p.Scale())
	for i, own := range slices.Backward(negative.counts) {
		take(-power(negative.first+i, step), own)
	}
	if p.ZeroCount() > 0 || len(negative.counts) > 0 {
		threshold := p.ZeroThreshold()
		if !(threshold > 0) || math.IsInf(threshold, 0) {
			threshold = 0
		}
		take(threshold, p.ZeroCount())
	}
	positive, step := merged(p.Positive(), p.Scale())
	for i, own := range positive.counts {
		take(power(positive.first+i+1, step), own)
	}
}

// power is the bound with an index, where a bucket spans 2^step powers of two.
func power(index, step int) float64 {
	if step > 12 { // beyond all floats
		step = 12
	}
	return math.Ldexp(1, max(min(index<<step, 1<<12), -1<<12))
}

// side holds the buckets of one sign, from index first on, without empty ones
// at either end.
type side struct {
	first  int
	counts []uint64
}

// merged merges buckets to scale 0, or further until there are few enough. It
// returns by how many times the span doubled beyond scale 0.
func merged(buckets pmetric.ExponentialHistogramDataPointBuckets, scale int32) (side, int) {
	counts := buckets.BucketCounts()
	lo, hi := 0, counts.Len()
	for lo < hi && counts.At(lo) == 0 {
		lo++
	}
	for hi > lo && counts.At(hi-1) == 0 {
		hi--
	}
	if lo == hi {
		return side{}, 0
	}
	first, last := int(buckets.Offset())+lo, int(buckets.Offset())+hi-1
	shift := max(int(scale), 0)
	for last>>shift-first>>shift >= maxExponentialBuckets {
		shift++
	}
	shift = min(shift, 63)
	s := side{first: first >> shift, counts: make([]uint64, last>>shift-first>>shift+1)}
	for i := lo; i < hi; i++ {
		s.counts[(int(buckets.Offset())+i)>>shift-s.first] += counts.At(i)
	}
	return s, max(shift-int(scale), 0)
}
