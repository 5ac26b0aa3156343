package kubelet

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

const (
	scopeName = "github.com/obsd-io/obsd/receivers/kubelet"
	schemaURL = "https://opentelemetry.io/schemas/1.9.0"
)

// page collects what one scrape of a summary gives, a resource after the other. A figure that is switched off or absent
// is taken and forgotten, so that callers need not ask.
type page struct {
	md      pmetric.Metrics
	catalog *catalog
	width   [entities]int // metrics that a resource of the entity may have
	version string
	now     pcommon.Timestamp

	entity   entity
	started  pcommon.Timestamp
	resource pcommon.Resource
	metrics  pmetric.MetricSlice
	points   int
}

func newPage(c *catalog, version string) *page {
	p := &page{catalog: c, version: version}
	for e := range c {
		for s := range c[e] {
			if c[e][s].on {
				p.width[e]++
			}
		}
	}
	return p
}

// begin starts a new page for a scrape.
func (p *page) begin(now pcommon.Timestamp, resources int) {
	p.md, p.now, p.points = pmetric.NewMetrics(), now, 0
	p.md.ResourceMetrics().EnsureCapacity(resources)
}

// open starts a resource and returns its attributes. started is when what it stands for began, in nanoseconds since
// 1970; 0 if unknown. One in the future, by a clock that runs ahead, is cut to now.
func (p *page) open(e entity, started int64, attributes int) pcommon.Map {
	p.entity, p.started = e, min(pcommon.Timestamp(started), p.now)
	all := p.md.ResourceMetrics()
	if n := all.Len(); n > 0 && p.metrics.Len() == 0 { // the last one got no metrics: use it again
		p.resource.Attributes().Clear()
		return p.resource.Attributes()
	}
	rm := all.AppendEmpty()
	rm.SetSchemaUrl(schemaURL)
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(scopeName)
	sm.Scope().SetVersion(p.version)
	p.resource, p.metrics = rm.Resource(), sm.Metrics()
	p.metrics.EnsureCapacity(p.width[e])
	p.resource.Attributes().EnsureCapacity(attributes)
	return p.resource.Attributes()
}

// done returns the page.
func (p *page) done() pmetric.Metrics {
	if all := p.md.ResourceMetrics(); all.Len() > 0 && p.metrics.Len() == 0 {
		last, i := all.Len()-1, -1
		all.RemoveIf(func(pmetric.ResourceMetrics) bool { i++; return i == last })
	}
	md := p.md
	p.md, p.metrics, p.resource = pmetric.Metrics{}, pmetric.MetricSlice{}, pcommon.Resource{}
	return md
}

// metric starts a metric of the resource.
func (p *page) metric(s stat) (pmetric.NumberDataPointSlice, bool) {
	d := &p.catalog[p.entity][s]
	if !d.on || d.name == "" {
		return pmetric.NumberDataPointSlice{}, false
	}
	return p.add(d.name, d.unit, d.description, d.kind), true
}

func (p *page) add(name, unit, description string, k kind) pmetric.NumberDataPointSlice {
	m := p.metrics.AppendEmpty()
	m.SetName(name)
	m.SetUnit(unit)
	m.SetDescription(description)
	if k == gauge {
		return m.SetEmptyGauge().DataPoints()
	}
	s := m.SetEmptySum()
	s.SetIsMonotonic(k == counter)
	s.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	return s.DataPoints()
}

// point adds a point. Only those of sums have a start.
func (p *page) point(to pmetric.NumberDataPointSlice, k kind) pmetric.NumberDataPoint {
	dp := to.AppendEmpty()
	dp.SetTimestamp(p.now)
	if k != gauge {
		dp.SetStartTimestamp(p.started)
	}
	p.points++
	return dp
}

func (p *page) int(s stat, n num) {
	if !n.ok {
		return
	}
	if points, ok := p.metric(s); ok {
		p.point(points, p.catalog[p.entity][s].kind).SetIntValue(clamp(n.v))
	}
}

func (p *page) float(s stat, v float64, ok bool) {
	if !ok {
		return
	}
	if points, ok := p.metric(s); ok {
		p.point(points, p.catalog[p.entity][s].kind).SetDoubleValue(v)
	}
}

// ratio adds v/of, where there is an of.
func (p *page) ratio(s stat, v, of float64, ok bool) {
	p.float(s, v/of, ok && of > 0)
}

// put sets an attribute unless its value is unknown.
func put(m pcommon.Map, key, value string) {
	if value != "" {
		m.PutStr(key, value)
	}
}

func clamp(v uint64) int64 { return int64(min(v, math.MaxInt64)) }
