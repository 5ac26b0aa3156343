package influxdb

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func TestExponentialBuckets(t *testing.T) {
	type buckets struct {
		offset int32
		counts []uint64
	}
	for _, tt := range []struct {
		name               string
		scale              int32
		zero               uint64
		threshold          float64
		positive, negative buckets
		want               []slot
	}{
		{name: "empty"},
		{name: "zeros only", zero: 3, want: []slot{{at: 0, own: 3, total: 3}}},
		{name: "zero threshold", zero: 3, threshold: 0.5, want: []slot{{at: 0.5, own: 3, total: 3}}},
		{
			name: "scale 0", positive: buckets{-1, []uint64{1, 0, 2}},
			want: []slot{{at: 1, own: 1, total: 1}, {at: 2, own: 0, total: 1}, {at: 4, own: 2, total: 3}},
		},
		{
			name: "scale 2, below and above 1", scale: 2, positive: buckets{-5, []uint64{1, 1, 1, 1, 1, 1, 1}},
			want: []slot{{at: 0.5, own: 1, total: 1}, {at: 1, own: 4, total: 5}, {at: 2, own: 2, total: 7}},
		},
		{
			name: "scale -1: bounds are powers of four", scale: -1, positive: buckets{0, []uint64{1, 1}},
			want: []slot{{at: 4, own: 1, total: 1}, {at: 16, own: 1, total: 2}},
		},
		{
			name: "empty buckets around", positive: buckets{10, []uint64{0, 0, 5, 0}},
			want: []slot{{at: 1 << 13, own: 5, total: 5}},
		},
		{
			name: "negative", negative: buckets{0, []uint64{1, 2}},
			want: []slot{{at: -2, own: 2, total: 2}, {at: -1, own: 1, total: 3}, {at: 0, own: 0, total: 3}},
		},
		{name: "beyond all floats", scale: -12, positive: buckets{0, []uint64{7}}, want: nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := pmetric.NewExponentialHistogramDataPoint()
			p.SetScale(tt.scale)
			p.SetZeroCount(tt.zero)
			p.SetZeroThreshold(tt.threshold)
			p.Positive().SetOffset(tt.positive.offset)
			p.Positive().BucketCounts().FromRaw(tt.positive.counts)
			p.Negative().SetOffset(tt.negative.offset)
			p.Negative().BucketCounts().FromRaw(tt.negative.counts)
			var d distribution
			d.exponential(p)
			require.Equal(t, tt.want, d.slots)
		})
	}
}

// TestExponentialKeepsCounts compares the merged buckets with the values that
// went into the histogram.
func TestExponentialKeepsCounts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		scale := int32(rng.IntN(12) - 4)
		base := math.Pow(2, math.Pow(2, -float64(scale)))
		p := pmetric.NewExponentialHistogramDataPoint()
		p.SetScale(scale)
		counts := make([]uint64, 1+rng.IntN(400))
		offset := rng.IntN(100) - 50
		p.Positive().SetOffset(int32(offset))
		for i := range counts {
			counts[i] = uint64(rng.IntN(3))
		}
		p.Positive().BucketCounts().FromRaw(counts)
		var d distribution
		d.exponential(p)
		require.LessOrEqual(t, len(d.slots), maxExponentialBuckets)
		for i, s := range d.slots {
			require.True(t, i == 0 || s.at > d.slots[i-1].at)
			var want uint64
			for j, n := range counts {
				if upper := math.Pow(base, float64(offset+j+1)); upper <= s.at*(1+1e-9) {
					want += n
				}
			}
			require.Equal(t, want, s.total, "scale %d bound %g", scale, s.at)
		}
	}
}
