package table

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/obsd-io/obsd/runtime/abi"
)

// pointRows are data points. pdata has four types of them, so a row is a place in the list of its type.
type pointRows struct {
	points       []point
	numbers      []pmetric.NumberDataPoint
	histograms   []pmetric.HistogramDataPoint
	exponentials []pmetric.ExponentialHistogramDataPoint
	summaries    []pmetric.SummaryDataPoint
}

// point is a row: the type of its metric (abi.MetricGauge and so on), and its index in the list of that type.
type point struct {
	kind  int32
	index int32
}

func (l *pointRows) walk(t *Table) {
	for _, rm := range t.data.Metrics.ResourceMetrics().All() {
		r := t.addResource(rm.Resource(), rm.SchemaUrl())
		for _, sm := range rm.ScopeMetrics().All() {
			s := t.addScope(sm.Scope(), sm.SchemaUrl())
			t.scopes[s].metrics = int32(sm.Metrics().Len())
			for _, m := range sm.Metrics().All() {
				t.addLeaf(leaf{r, s, t.addMetric(m)}, l.list(m))
			}
		}
	}
}

// list takes the points of a metric, and returns how many they are.
func (l *pointRows) list(m pmetric.Metric) int {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return list(l, &l.numbers, abi.MetricGauge, m.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		return list(l, &l.numbers, abi.MetricSum, m.Sum().DataPoints())
	case pmetric.MetricTypeHistogram:
		return list(l, &l.histograms, abi.MetricHistogram, m.Histogram().DataPoints())
	case pmetric.MetricTypeExponentialHistogram:
		return list(l, &l.exponentials, abi.MetricExponentialHistogram, m.ExponentialHistogram().DataPoints())
	case pmetric.MetricTypeSummary:
		return list(l, &l.summaries, abi.MetricSummary, m.Summary().DataPoints())
	}
	return 0
}

func list[P any](l *pointRows, to *[]P, kind int32, from interface {
	Len() int
	At(int) P
},
) int {
	n := from.Len()
	for i := range n {
		l.points = append(l.points, point{kind, int32(len(*to))})
		*to = append(*to, from.At(i))
	}
	return n
}

func (l *pointRows) clear() {
	clear(l.numbers)
	clear(l.histograms)
	clear(l.exponentials)
	clear(l.summaries)
	*l = pointRows{l.points[:0], l.numbers[:0], l.histograms[:0], l.exponentials[:0], l.summaries[:0]}
}

func (l *pointRows) kind(row int) int { return int(l.points[row].kind) }

// common is what data points of all types have.
type common interface {
	Attributes() pcommon.Map
	Timestamp() pcommon.Timestamp
	SetTimestamp(pcommon.Timestamp)
	StartTimestamp() pcommon.Timestamp
	SetStartTimestamp(pcommon.Timestamp)
	Flags() pmetric.DataPointFlags
	SetFlags(pmetric.DataPointFlags)
}

func (l *pointRows) attributes(row int) pcommon.Map {
	switch p := l.points[row]; p.kind {
	case abi.MetricHistogram:
		return l.histograms[p.index].Attributes()
	case abi.MetricExponentialHistogram:
		return l.exponentials[p.index].Attributes()
	case abi.MetricSummary:
		return l.summaries[p.index].Attributes()
	default:
		return l.numbers[p.index].Attributes()
	}
}

func (l *pointRows) read(c column, numbers []int32, v *values) (bytes int) {
	for i, row := range numbers {
		switch p := l.points[row]; p.kind {
		case abi.MetricHistogram:
			bytes += readCommon(c, l.histograms[p.index], v, i, readHistogram)
		case abi.MetricExponentialHistogram:
			bytes += readCommon(c, l.exponentials[p.index], v, i, readExponential)
		case abi.MetricSummary:
			bytes += readCommon(c, l.summaries[p.index], v, i, readSummary)
		default:
			bytes += readCommon(c, l.numbers[p.index], v, i, readNumber)
		}
	}
	return bytes
}

// readCommon takes a field that all data points have, and leaves the others to own.
func readCommon[P common](c column, p P, v *values, i int, own func(abi.Field, P, *values, int) int) int {
	switch c.field {
	case columnAttribute:
		return v.setKey(i, p.Attributes(), c.key)
	case abi.FieldTime:
		v.setInt(i, int64(p.Timestamp()))
	case abi.FieldStartTime:
		v.setInt(i, int64(p.StartTimestamp()))
	case abi.FieldFlags:
		v.setInt(i, int64(p.Flags()))
	default:
		v.setNone(i)
		return own(c.field, p, v, i)
	}
	return 0
}

func readNumber(f abi.Field, p pmetric.NumberDataPoint, v *values, i int) int {
	if f != abi.FieldValue {
		return 0
	}
	switch p.ValueType() {
	case pmetric.NumberDataPointValueTypeInt:
		v.setNumber(i, abi.TypeInt, uint64(p.IntValue()))
	case pmetric.NumberDataPointValueTypeDouble:
		v.setNumber(i, abi.TypeDouble, math.Float64bits(p.DoubleValue()))
	}
	return 0
}

func readHistogram(f abi.Field, p pmetric.HistogramDataPoint, v *values, i int) int {
	switch f {
	case columnPointCount:
		v.setNumber(i, abi.TypeInt, p.Count())
	case columnPointSum:
		v.setDouble(i, p.Sum(), p.HasSum())
	case columnPointMin:
		v.setDouble(i, p.Min(), p.HasMin())
	case columnPointMax:
		v.setDouble(i, p.Max(), p.HasMax())
	case columnPointBuckets:
		return v.setText(i, abi.TypeJSON, histogramJSON(p))
	}
	return 0
}

func readExponential(f abi.Field, p pmetric.ExponentialHistogramDataPoint, v *values, i int) int {
	switch f {
	case columnPointCount:
		v.setNumber(i, abi.TypeInt, p.Count())
	case columnPointSum:
		v.setDouble(i, p.Sum(), p.HasSum())
	case columnPointMin:
		v.setDouble(i, p.Min(), p.HasMin())
	case columnPointMax:
		v.setDouble(i, p.Max(), p.HasMax())
	case columnPointBuckets:
		return v.setText(i, abi.TypeJSON, exponentialJSON(p))
	}
	return 0
}

func readSummary(f abi.Field, p pmetric.SummaryDataPoint, v *values, i int) int {
	switch f {
	case columnPointCount:
		v.setNumber(i, abi.TypeInt, p.Count())
	case columnPointSum:
		v.setDouble(i, p.Sum(), true)
	case columnPointBuckets:
		return v.setText(i, abi.TypeJSON, summaryJSON(p))
	}
	return 0
}

func (l *pointRows) set(row int, f abi.Field, v value) {
	switch p := l.points[row]; p.kind {
	case abi.MetricHistogram:
		setCommon(l.histograms[p.index], f, v)
	case abi.MetricExponentialHistogram:
		setCommon(l.exponentials[p.index], f, v)
	case abi.MetricSummary:
		setCommon(l.summaries[p.index], f, v)
	default:
		n := l.numbers[p.index]
		switch {
		case f != abi.FieldValue:
			setCommon(n, f, v)
		case v.typ == abi.TypeInt:
			n.SetIntValue(int64(v.bits))
		default:
			n.SetDoubleValue(math.Float64frombits(v.bits))
		}
	}
}

func setCommon[P common](p P, f abi.Field, v value) {
	switch f {
	case abi.FieldTime:
		p.SetTimestamp(pcommon.Timestamp(v.bits))
	case abi.FieldStartTime:
		p.SetStartTimestamp(pcommon.Timestamp(v.bits))
	case abi.FieldFlags:
		p.SetFlags(pmetric.DataPointFlags(v.bits))
	default:
		panic("BUG: no field of data points")
	}
}

// add makes a number; whether it is a gauge's or a sum's is for the metric that it is put into to say.
func (l *pointRows) add(now pcommon.Timestamp) {
	n := pmetric.NewNumberDataPoint()
	n.SetTimestamp(now)
	addPoint(l, &l.numbers, abi.MetricGauge, n)
}

func (l *pointRows) addCopy(row int) {
	switch p := l.points[row]; p.kind {
	case abi.MetricHistogram:
		c := pmetric.NewHistogramDataPoint()
		l.histograms[p.index].CopyTo(c)
		addPoint(l, &l.histograms, p.kind, c)
	case abi.MetricExponentialHistogram:
		c := pmetric.NewExponentialHistogramDataPoint()
		l.exponentials[p.index].CopyTo(c)
		addPoint(l, &l.exponentials, p.kind, c)
	case abi.MetricSummary:
		c := pmetric.NewSummaryDataPoint()
		l.summaries[p.index].CopyTo(c)
		addPoint(l, &l.summaries, p.kind, c)
	default:
		c := pmetric.NewNumberDataPoint()
		l.numbers[p.index].CopyTo(c)
		addPoint(l, &l.numbers, p.kind, c)
	}
}

func addPoint[P any](l *pointRows, to *[]P, kind int32, p P) {
	l.points = append(l.points, point{kind, int32(len(*to))})
	*to = append(*to, p)
}
