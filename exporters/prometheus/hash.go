package prometheus

import (
	"hash/maphash"
	"math"
	"math/bits"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// hasher tells OpenTelemetry streams apart by 64 bits of a seeded hash, so that
// the labels of a known series need not be built again for each point. With a
// million series the chance that any two meet is about one in 40 million, and
// the seed, new in each process, keeps a sender from arranging it.
type hasher struct{ seed maphash.Seed }

func (h hasher) text(s string) uint64 { return maphash.String(h.seed, s) }

// mix folds two hashes into one; mix(a, b) and mix(b, a) differ.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xc2b2ae3d27d4eb4f)
	return hi ^ lo ^ bits.RotateLeft64(a, 23)
}

// attributes hashes a map regardless of the order of its keys.
func (h hasher) attributes(attrs pcommon.Map) (sum uint64) {
	for key, value := range attrs.All() {
		sum += mix(h.text(key), h.value(value))
	}
	return sum
}

func (h hasher) value(v pcommon.Value) uint64 {
	kind := uint64(v.Type()) << 56
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return h.text(v.Str())
	case pcommon.ValueTypeInt:
		return mix(kind, uint64(v.Int()))
	case pcommon.ValueTypeDouble:
		return mix(kind, math.Float64bits(v.Double()))
	case pcommon.ValueTypeBool:
		if v.Bool() {
			return mix(kind, 1)
		}
		return mix(kind, 0)
	default:
		return mix(kind, h.text(v.AsString()))
	}
}

func newHasher() hasher { return hasher{seed: maphash.MakeSeed()} }
