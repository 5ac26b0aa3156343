package table

import (
	"math"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// The JSON of point.buckets has the member names of OTLP/JSON
// (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding), but counts as numbers. A double that JSON has no
// number for is a string, as there: "NaN", "Infinity", "-Infinity".

func histogramJSON(p pmetric.HistogramDataPoint) string {
	b := []byte(`{"explicitBounds":`)
	b = appendList(b, p.ExplicitBounds().AsRaw(), appendDouble)
	b = append(b, `,"bucketCounts":`...)
	b = appendList(b, p.BucketCounts().AsRaw(), appendCount)
	return string(append(b, '}'))
}

func exponentialJSON(p pmetric.ExponentialHistogramDataPoint) string {
	b := strconv.AppendInt([]byte(`{"scale":`), int64(p.Scale()), 10)
	b = appendCount(append(b, `,"zeroCount":`...), p.ZeroCount())
	b = appendDouble(append(b, `,"zeroThreshold":`...), p.ZeroThreshold())
	side := func(b []byte, s pmetric.ExponentialHistogramDataPointBuckets) []byte {
		b = strconv.AppendInt(append(b, `{"offset":`...), int64(s.Offset()), 10)
		b = appendList(append(b, `,"bucketCounts":`...), s.BucketCounts().AsRaw(), appendCount)
		return append(b, '}')
	}
	b = side(append(b, `,"positive":`...), p.Positive())
	b = side(append(b, `,"negative":`...), p.Negative())
	return string(append(b, '}'))
}

func summaryJSON(p pmetric.SummaryDataPoint) string {
	b := []byte(`{"quantileValues":[`)
	for i, q := range p.QuantileValues().All() {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendDouble(append(b, `{"quantile":`...), q.Quantile())
		b = appendDouble(append(b, `,"value":`...), q.Value())
		b = append(b, '}')
	}
	return string(append(b, "]}"...))
}

func appendList[T any](b []byte, items []T, add func([]byte, T) []byte) []byte {
	b = append(b, '[')
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = add(b, item)
	}
	return append(b, ']')
}

func appendCount(b []byte, n uint64) []byte { return strconv.AppendUint(b, n, 10) }

func appendDouble(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(b, `"-Infinity"`...)
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}
