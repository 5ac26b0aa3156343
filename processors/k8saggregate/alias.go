package k8saggregate

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/obsd-io/obsd/internal/heapster"
)

// alias gives a batch Heapster's names: beside ours, or in their place.
func (a *aggregator) alias(md pmetric.Metrics) pmetric.Metrics {
	only := pmetric.NewMetrics()
	for _, rm := range md.ResourceMetrics().All() {
		o := heapster.Identify(rm.Resource().Attributes())
		if o.Type == heapster.Unknown {
			continue
		}
		to := aliases{points: make(map[string]pmetric.NumberDataPointSlice)}
		a.translator.Resource(&o, o.Key(), rm, to.add)
		if to.metrics == (pmetric.ResourceMetrics{}) {
			continue
		}
		o.PutTags(to.metrics.Resource().Attributes(), a.config.ClusterName, heapster.JoinLabels(rm.Resource().Attributes()))
		to.metrics.MoveTo(only.ResourceMetrics().AppendEmpty())
	}
	if a.config.HeapsterNames == HeapsterAdd {
		only.ResourceMetrics().MoveAndAppendTo(md.ResourceMetrics())
		return md
	}
	return only
}

// aliases collects the points of one resource.
type aliases struct {
	metrics pmetric.ResourceMetrics
	to      pmetric.MetricSlice
	points  map[string]pmetric.NumberDataPointSlice
}

func (t *aliases) add(p heapster.Point) {
	points, ok := t.points[p.Name]
	if !ok {
		points = t.metric(&p)
		t.points[p.Name] = points
	}
	dp := points.AppendEmpty()
	dp.SetTimestamp(p.Time)
	dp.SetStartTimestamp(p.Start)
	if p.Float {
		dp.SetDoubleValue(p.Value)
	} else {
		dp.SetIntValue(p.Int())
	}
	if p.Label != "" {
		dp.Attributes().PutStr("resource_id", p.Label)
	}
	if mark, ok := p.Attributes.Get(attrIncomplete); ok {
		mark.CopyTo(dp.Attributes().PutEmpty(attrIncomplete))
	}
}

func (t *aliases) metric(p *heapster.Point) pmetric.NumberDataPointSlice {
	if t.metrics == (pmetric.ResourceMetrics{}) {
		t.metrics = pmetric.NewResourceMetrics()
		t.to = t.metrics.ScopeMetrics().AppendEmpty().Metrics()
	}
	m := t.to.AppendEmpty()
	m.SetName(p.Name)
	if !p.Cumulative {
		return m.SetEmptyGauge().DataPoints()
	}
	sum := m.SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	return sum.DataPoints()
}
