package probe

import (
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Metrics.
const (
	metricUp          = "probe.up"
	metricChecks      = "probe.checks"
	metricDuration    = "probe.duration"
	metricCertificate = "probe.tls.certificate.remaining"
	metricStatus      = "probe.http.status_code"
	metricBodySize    = "probe.http.body.size"
	metricBodyMatched = "probe.http.body.matched"
	metricRcode       = "probe.dns.rcode"
	metricAnswers     = "probe.dns.answers"
)

// Attributes of points.
const (
	attrType   = "probe.type"
	attrTarget = "probe.target"
	attrName   = "probe.name"
	attrPhase  = "probe.phase"
	attrResult = "result" // as in the kubelet's prober_probe_total, values too
	attrError  = "error.type"

	attrQuestion     = "dns.question.name"
	attrQuestionType = "probe.dns.question.type"
	attrService      = "probe.grpc.service"

	resultSuccessful = "successful"
	resultFailed     = "failed"
)

// points writes the points of one check.
type points struct {
	t       *target
	now     pcommon.Timestamp
	metrics pmetric.MetricSlice
}

// render makes a resource of what a check found.
func render(t *target, r *result, now time.Time, version string) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	for _, l := range t.resource {
		rm.Resource().Attributes().PutStr(l.key, l.value)
	}
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(scopeName)
	sm.Scope().SetVersion(version)
	p := points{t: t, now: pcommon.NewTimestampFromTime(now), metrics: sm.Metrics()}
	up := int64(0)
	if r.failure == "" {
		up = 1
	}
	p.gauge(metricUp, "", "1 if the last check succeeded, 0 if not.").SetIntValue(up)
	p.checks()
	p.durations(r)
	if !r.expires.IsZero() {
		p.gauge(metricCertificate, "s", "Time until the first of the server's certificates expires; negative after that.").
			SetDoubleValue(r.expires.Sub(now).Seconds())
	}
	if h := r.http; h != nil {
		p.gauge(metricStatus, "", "Status code of the answer.").SetIntValue(int64(h.status))
		p.gauge(metricBodySize, "By", "Bytes of the answer's body that were read.").SetIntValue(int64(h.size))
		if h.matched >= 0 {
			p.gauge(metricBodyMatched, "", "1 if the body is as it should be, 0 if not.").SetIntValue(int64(h.matched))
		}
	}
	if d := r.dns; d != nil {
		p.gauge(metricRcode, "", "Code of the answer.").SetIntValue(int64(d.rcode))
		p.gauge(metricAnswers, "{records}", "Records in the answer.").SetIntValue(int64(d.answers))
	}
	return md
}

func (p *points) metric(name, unit, description string) pmetric.Metric {
	m := p.metrics.AppendEmpty()
	m.SetName(name)
	m.SetUnit(unit)
	m.SetDescription(description)
	return m
}

func (p *points) gauge(name, unit, description string) pmetric.NumberDataPoint {
	return p.point(p.metric(name, unit, description).SetEmptyGauge().DataPoints())
}

func (p *points) point(list pmetric.NumberDataPointSlice) pmetric.NumberDataPoint {
	dp := list.AppendEmpty()
	dp.SetTimestamp(p.now)
	m := dp.Attributes()
	m.EnsureCapacity(len(p.t.points) + 4)
	m.PutStr(attrType, p.t.kind)
	m.PutStr(attrTarget, p.t.endpoint)
	for _, l := range p.t.points {
		m.PutStr(l.key, l.value)
	}
	return dp
}

// checks counts what was found since the target is known.
func (p *points) checks() {
	sum := p.metric(metricChecks, "{checks}", "Checks by result, and by what failed.").SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for _, failure := range slices.Sorted(maps.Keys(p.t.counts)) {
		dp := p.point(sum.DataPoints())
		dp.SetStartTimestamp(pcommon.NewTimestampFromTime(p.t.began))
		dp.SetIntValue(int64(p.t.counts[failure]))
		if failure == "" {
			dp.Attributes().PutStr(attrResult, resultSuccessful)
			continue
		}
		dp.Attributes().PutStr(attrResult, resultFailed)
		dp.Attributes().PutStr(attrError, failure)
	}
}

func (p *points) durations(r *result) {
	if r.seen == [phases]bool{} {
		return
	}
	list := p.metric(metricDuration, "s", "Time that each phase of the last check took; of a failed one, until it failed.").
		SetEmptyGauge().DataPoints()
	for i := range phases {
		if !r.seen[i] {
			continue
		}
		dp := p.point(list)
		dp.Attributes().PutStr(attrPhase, phaseNames[i])
		dp.SetDoubleValue(r.took[i].Seconds())
	}
}
