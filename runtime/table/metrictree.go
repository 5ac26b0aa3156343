package table

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/obsd-io/obsd/runtime/abi"
)

func (l *pointRows) sweep(t *Table, gone func(row int32) bool) {
	resources, scopes, leaves := int32(0), 0, 0
	t.data.Metrics.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		if resources++; resources > t.batch.resources {
			return false
		}
		rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
			metrics := t.scopes[scopes].metrics
			scopes++
			sm.Metrics().RemoveIf(func(m pmetric.Metric) bool {
				if metrics--; metrics < 0 {
					return false
				}
				row, end := t.begin[leaves], t.begin[leaves+1]
				leaves++
				return sweepMetric(m, func() bool {
					row++
					return row <= end && gone(row-1)
				})
			})
			return sm.Metrics().Len() == 0
		})
		return rm.ScopeMetrics().Len() == 0
	})
}

// sweepMetric asks for each point of a metric whether it is gone, and says whether none is left.
func sweepMetric(m pmetric.Metric, gone func() bool) bool {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return sweepPoints(m.Gauge().DataPoints(), gone)
	case pmetric.MetricTypeSum:
		return sweepPoints(m.Sum().DataPoints(), gone)
	case pmetric.MetricTypeHistogram:
		return sweepPoints(m.Histogram().DataPoints(), gone)
	case pmetric.MetricTypeExponentialHistogram:
		return sweepPoints(m.ExponentialHistogram().DataPoints(), gone)
	case pmetric.MetricTypeSummary:
		return sweepPoints(m.Summary().DataPoints(), gone)
	}
	return true
}

func sweepPoints[P any](points interface {
	Len() int
	RemoveIf(func(P) bool)
}, gone func() bool,
) bool {
	points.RemoveIf(func(P) bool { return gone() })
	return points.Len() == 0
}

// metricTree has the groups of a pmetric.Metrics.
type metricTree struct {
	rows      *pointRows
	all       pmetric.Metrics
	resources []pmetric.ResourceMetrics
	scopes    []pmetric.ScopeMetrics
	metrics   []pmetric.Metric
}

func (l *pointRows) tree(d Data) tree {
	w := &metricTree{rows: l, all: d.Metrics}
	for _, rm := range d.Metrics.ResourceMetrics().All() {
		w.resources = append(w.resources, rm)
		for _, sm := range rm.ScopeMetrics().All() {
			w.scopes = append(w.scopes, sm)
			for _, m := range sm.Metrics().All() {
				w.metrics = append(w.metrics, m)
			}
		}
	}
	return w
}

func (w *metricTree) addResource(r *resource) int32 {
	rm := w.all.ResourceMetrics().AppendEmpty()
	r.resource.CopyTo(rm.Resource())
	rm.SetSchemaUrl(r.schema)
	w.resources = append(w.resources, rm)
	return int32(len(w.resources) - 1)
}

func (w *metricTree) addScope(in int32, s *scope) int32 {
	sm := w.resources[in].ScopeMetrics().AppendEmpty()
	s.scope.CopyTo(sm.Scope())
	sm.SetSchemaUrl(s.schema)
	w.scopes = append(w.scopes, sm)
	return int32(len(w.scopes) - 1)
}

func (w *metricTree) addMetric(in int32, m *metric) int32 {
	to := w.scopes[in].Metrics().AppendEmpty()
	k := m.key()
	to.SetName(k.name)
	to.SetUnit(k.unit)
	to.SetDescription(k.description)
	switch {
	case m.origin != none:
		likewise(to, m.source)
	case k.kind == abi.MetricSum:
		s := to.SetEmptySum()
		s.SetAggregationTemporality(pmetric.AggregationTemporality(k.temporality))
		s.SetIsMonotonic(k.monotonic)
	default:
		to.SetEmptyGauge()
	}
	w.metrics = append(w.metrics, to)
	return int32(len(w.metrics) - 1)
}

// likewise gives a metric the type and the metadata of another, without its points.
func likewise(to, from pmetric.Metric) {
	from.Metadata().CopyTo(to.Metadata())
	switch from.Type() {
	case pmetric.MetricTypeGauge:
		to.SetEmptyGauge()
	case pmetric.MetricTypeSum:
		s := to.SetEmptySum()
		s.SetAggregationTemporality(from.Sum().AggregationTemporality())
		s.SetIsMonotonic(from.Sum().IsMonotonic())
	case pmetric.MetricTypeHistogram:
		to.SetEmptyHistogram().SetAggregationTemporality(from.Histogram().AggregationTemporality())
	case pmetric.MetricTypeExponentialHistogram:
		to.SetEmptyExponentialHistogram().SetAggregationTemporality(from.ExponentialHistogram().AggregationTemporality())
	case pmetric.MetricTypeSummary:
		to.SetEmptySummary()
	}
}

// numbers are the points of a gauge or a sum.
func numbers(m pmetric.Metric) pmetric.NumberDataPointSlice {
	if m.Type() == pmetric.MetricTypeSum {
		return m.Sum().DataPoints()
	}
	return m.Gauge().DataPoints()
}

func (w *metricTree) move(row int, group int32) {
	m, l := w.metrics[group], w.rows
	switch p := l.points[row]; p.kind {
	case abi.MetricHistogram:
		l.histograms[p.index].MoveTo(m.Histogram().DataPoints().AppendEmpty())
	case abi.MetricExponentialHistogram:
		l.exponentials[p.index].MoveTo(m.ExponentialHistogram().DataPoints().AppendEmpty())
	case abi.MetricSummary:
		l.summaries[p.index].MoveTo(m.Summary().DataPoints().AppendEmpty())
	default:
		l.numbers[p.index].MoveTo(numbers(m).AppendEmpty())
	}
}

func (w *metricTree) copy(row int, group int32) {
	m, l := w.metrics[group], w.rows
	switch p := l.points[row]; p.kind {
	case abi.MetricHistogram:
		l.histograms[p.index].CopyTo(m.Histogram().DataPoints().AppendEmpty())
	case abi.MetricExponentialHistogram:
		l.exponentials[p.index].CopyTo(m.ExponentialHistogram().DataPoints().AppendEmpty())
	case abi.MetricSummary:
		l.summaries[p.index].CopyTo(m.Summary().DataPoints().AppendEmpty())
	default:
		l.numbers[p.index].CopyTo(numbers(m).AppendEmpty())
	}
}
