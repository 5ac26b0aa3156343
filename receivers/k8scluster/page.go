package k8scluster

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

const (
	scopeName = "github.com/obsd-io/obsd/receivers/k8scluster"
	schemaURL = "https://opentelemetry.io/schemas/1.18.0"
)

// page is a batch that is being written.
type page struct {
	catalog    *catalog
	version    string
	md         pmetric.Metrics
	now, ended pcommon.Timestamp
	points     int

	metrics pmetric.MetricSlice // of the resource that is open
	last    stat                // of its last metric
	series  pmetric.NumberDataPointSlice
}

func newPage(c *catalog, version string) *page { return &page{catalog: c, version: version} }

// begin starts a batch as of a time.
func (p *page) begin(now time.Time) {
	p.md, p.points = pmetric.NewMetrics(), 0
	p.now, p.ended = pcommon.NewTimestampFromTime(now), pcommon.NewTimestampFromTime(now.Add(-step))
}

// done returns the batch.
func (p *page) done() pmetric.Metrics {
	md := p.md
	p.md, p.metrics, p.series = pmetric.Metrics{}, pmetric.MetricSlice{}, pmetric.NumberDataPointSlice{}
	return md
}

// object writes an object: what of it is no more, then what it is; without all only what has changed.
func (p *page) object(t telling, all bool) {
	for _, e := range t.told {
		if find(t.now, e) == nil {
			p.open(e, len(e.points))
			for _, pt := range e.points {
				p.point(pt, true)
			}
		}
	}
	for _, e := range t.now {
		told := find(t.told, e)
		switch {
		case told == nil, told == e && all:
			p.open(e, len(e.points))
			for _, pt := range e.points {
				p.point(pt, false)
			}
		case told != e:
			p.change(told, e)
		}
	}
}

// change writes an entity that is another than it was told: points of series that are no more come with them.
func (p *page) change(told, e *entity) {
	all := e.with(told)
	p.open(e, len(all))
	for _, pt := range all {
		p.point(pt, !e.has(pt))
	}
}

// open starts a resource.
func (p *page) open(e *entity, metrics int) {
	rm := p.md.ResourceMetrics().AppendEmpty()
	rm.SetSchemaUrl(schemaURL)
	m := rm.Resource().Attributes()
	m.EnsureCapacity(len(e.parent) + len(e.own))
	for _, a := range e.parent {
		m.PutStr(a.key, a.value)
	}
	for _, a := range e.own {
		m.PutStr(a.key, a.value)
	}
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(scopeName)
	sm.Scope().SetVersion(p.version)
	p.metrics, p.last = sm.Metrics(), -1
	p.metrics.EnsureCapacity(metrics)
}

// point adds a point. Those of one metric come one after the other.
func (p *page) point(pt point, ended bool) {
	d := &p.catalog.metrics[pt.stat]
	if pt.stat != p.last {
		p.last, p.series = pt.stat, p.metric(d)
	}
	dp := p.series.AppendEmpty()
	p.points++
	if d.label != "" {
		dp.Attributes().PutStr(d.label, pt.label)
	}
	switch {
	case ended:
		dp.SetTimestamp(p.ended)
		dp.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
		return
	case d.float:
		dp.SetDoubleValue(pt.value)
	default:
		dp.SetIntValue(int64(pt.value))
	}
	dp.SetTimestamp(p.now)
}

func (p *page) metric(d *definition) pmetric.NumberDataPointSlice {
	m := p.metrics.AppendEmpty()
	m.SetName(d.name)
	m.SetUnit(d.unit)
	m.SetDescription(d.description)
	if !d.sum {
		return m.SetEmptyGauge().DataPoints()
	}
	s := m.SetEmptySum()
	s.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	return s.DataPoints()
}
