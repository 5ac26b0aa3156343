package hostmetrics

import (
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

const (
	scopeName = "github.com/obsd-io/obsd/receivers/hostmetrics"
	schemaURL = "https://opentelemetry.io/schemas/1.9.0"
)

// page collects the metrics of one scrape. A metric that is switched off is
// taken and forgotten, so that scrapers need not ask.
type page struct {
	md      pmetric.Metrics
	scope   pmetric.ScopeMetrics
	on      map[string]definition
	points  map[string]pmetric.NumberDataPointSlice
	started pcommon.Timestamp
	now     pcommon.Timestamp
}

func newPage(on map[string]definition, resource pcommon.Resource, version string, started, now pcommon.Timestamp) *page {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.SetSchemaUrl(schemaURL)
	resource.CopyTo(rm.Resource())
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(scopeName)
	sm.Scope().SetVersion(version)
	return &page{
		md: md, scope: sm, on: on, started: started, now: now,
		points: make(map[string]pmetric.NumberDataPointSlice, len(on)),
	}
}

// wants says whether any of the metrics is on.
func (p *page) wants(names ...string) bool {
	for _, name := range names {
		if _, ok := p.on[name]; ok {
			return true
		}
	}
	return false
}

// integer records a value of a metric; attrs are keys and values in turn.
func (p *page) integer(name string, v uint64, attrs ...string) {
	if dp, ok := p.point(name, attrs); ok {
		dp.SetIntValue(int64(min(v, math.MaxInt64)))
	}
}

// float records a value of a metric; attrs are keys and values in turn.
func (p *page) float(name string, v float64, attrs ...string) {
	if dp, ok := p.point(name, attrs); ok {
		dp.SetDoubleValue(v)
	}
}

func (p *page) point(name string, attrs []string) (pmetric.NumberDataPoint, bool) {
	def, ok := p.on[name]
	if !ok {
		return pmetric.NumberDataPoint{}, false
	}
	points, ok := p.points[name]
	if !ok {
		points = p.open(def)
		p.points[name] = points
	}
	dp := points.AppendEmpty()
	dp.SetTimestamp(p.now)
	if def.kind != gauge {
		dp.SetStartTimestamp(p.started)
	}
	dp.Attributes().EnsureCapacity(len(attrs) / 2)
	for i := 0; i+1 < len(attrs); i += 2 {
		dp.Attributes().PutStr(attrs[i], attrs[i+1])
	}
	return dp, true
}

func (p *page) open(def definition) pmetric.NumberDataPointSlice {
	m := p.scope.Metrics().AppendEmpty()
	m.SetName(def.name)
	m.SetUnit(def.unit)
	m.SetDescription(def.description)
	if def.kind == gauge {
		return m.SetEmptyGauge().DataPoints()
	}
	s := m.SetEmptySum()
	s.SetIsMonotonic(def.kind == counter)
	s.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	return s.DataPoints()
}

// metrics is what was recorded; nothing at all if nothing was.
func (p *page) metrics() pmetric.Metrics {
	if len(p.points) == 0 {
		return pmetric.NewMetrics()
	}
	return p.md
}
