package table_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/table"
)

// gen makes random pdata. Each row has its number as the attribute id.
type gen struct {
	*rand.Rand
	next int64
}

func (g *gen) data(signal abi.Signal) table.Data {
	d := table.NewData(signal)
	for range 1 + g.IntN(3) {
		switch signal {
		case abi.SignalLogs:
			rl := d.Logs.ResourceLogs().AppendEmpty()
			rl.SetSchemaUrl(fmt.Sprint("schema", g.IntN(3)))
			g.attributes(rl.Resource().Attributes())
			rl.Resource().SetDroppedAttributesCount(g.Uint32N(3))
			for range 1 + g.IntN(2) {
				sl := rl.ScopeLogs().AppendEmpty()
				g.scope(sl.Scope(), sl.SetSchemaUrl)
				for range 1 + g.IntN(4) {
					g.log(sl.LogRecords().AppendEmpty())
				}
			}
		case abi.SignalTraces:
			rs := d.Traces.ResourceSpans().AppendEmpty()
			rs.SetSchemaUrl(fmt.Sprint("schema", g.IntN(3)))
			g.attributes(rs.Resource().Attributes())
			for range 1 + g.IntN(2) {
				ss := rs.ScopeSpans().AppendEmpty()
				g.scope(ss.Scope(), ss.SetSchemaUrl)
				for range 1 + g.IntN(4) {
					g.span(ss.Spans().AppendEmpty())
				}
			}
		default:
			rm := d.Metrics.ResourceMetrics().AppendEmpty()
			rm.SetSchemaUrl(fmt.Sprint("schema", g.IntN(3)))
			g.attributes(rm.Resource().Attributes())
			for range 1 + g.IntN(2) {
				sm := rm.ScopeMetrics().AppendEmpty()
				g.scope(sm.Scope(), sm.SetSchemaUrl)
				for range 1 + g.IntN(4) {
					g.metric(sm.Metrics().AppendEmpty())
				}
			}
		}
	}
	return d
}

func (g *gen) attributes(m pcommon.Map) {
	for i, set := range []func(){
		func() { m.PutStr("s", "grüß "+strings.Repeat("x", g.IntN(5))) },
		func() { m.PutInt("i", g.Int64N(3)-1) },
		func() { m.PutDouble("d", math.Pi) },
		func() { m.PutBool("b", g.IntN(2) == 0) },
		func() { m.PutEmptyBytes("bytes").FromRaw([]byte{0xff, 0, 1}) },
		func() { m.PutEmptyMap("m").PutStr("x", "y") },
		func() { m.PutEmptySlice("l").AppendEmpty().SetInt(g.Int64N(2)) },
		func() { m.PutEmpty("none") },
	} {
		if g.IntN(3) > 0 || i == 0 {
			set()
		}
	}
}

func (g *gen) row(m pcommon.Map) {
	g.attributes(m)
	m.PutInt("id", g.next)
	g.next++
}

func (g *gen) scope(s pcommon.InstrumentationScope, schema func(string)) {
	if g.IntN(2) == 0 {
		return
	}
	s.SetName(fmt.Sprint("lib", g.IntN(3)))
	s.SetVersion("1")
	s.Attributes().PutStr("k", "v")
	schema("scope schema")
}

func (g *gen) time() pcommon.Timestamp { return pcommon.Timestamp(g.Uint64N(5)) }

func (g *gen) ids() (t pcommon.TraceID, s pcommon.SpanID) {
	if g.IntN(2) == 0 {
		t[0], s[7] = byte(g.IntN(9)+1), 1
	}
	return t, s
}

func (g *gen) log(r plog.LogRecord) {
	g.row(r.Attributes())
	body(r.Body(), g.IntN(5))
	r.SetTimestamp(g.time())
	r.SetObservedTimestamp(g.time())
	r.SetSeverityNumber(plog.SeverityNumber(g.IntN(4)))
	r.SetSeverityText([]string{"", "INFO"}[g.IntN(2)])
	r.SetEventName([]string{"", "login"}[g.IntN(2)])
	r.SetFlags(plog.LogRecordFlags(g.Uint32N(2)))
	t, s := g.ids()
	r.SetTraceID(t)
	r.SetSpanID(s)
}

func (g *gen) span(s ptrace.Span) {
	g.row(s.Attributes())
	s.SetName(fmt.Sprint("GET ", g.IntN(3)))
	s.SetKind(ptrace.SpanKind(g.IntN(6)))
	s.SetStartTimestamp(g.time())
	s.SetEndTimestamp(g.time())
	s.Status().SetCode(ptrace.StatusCode(g.IntN(3)))
	s.Status().SetMessage([]string{"", "broken"}[g.IntN(2)])
	s.TraceState().FromRaw([]string{"", "a=b"}[g.IntN(2)])
	s.SetFlags(g.Uint32N(2))
	t, id := g.ids()
	s.SetTraceID(t)
	s.SetSpanID(id)
	_, parent := g.ids()
	s.SetParentSpanID(parent)
	s.Events().AppendEmpty().SetName("event")
	s.Links().AppendEmpty().SetSpanID(id)
}

func (g *gen) metric(m pmetric.Metric) {
	m.SetName(fmt.Sprint("metric", g.IntN(3)))
	m.SetUnit([]string{"", "s"}[g.IntN(2)])
	m.SetDescription([]string{"", "what"}[g.IntN(2)])
	m.Metadata().PutStr("meta", "data")
	temporality := pmetric.AggregationTemporality(1 + g.IntN(2))
	points := 1 + g.IntN(3)
	switch g.IntN(5) {
	case 0:
		for p := m.SetEmptyGauge().DataPoints(); points > 0; points-- {
			g.number(p.AppendEmpty())
		}
	case 1:
		m.SetEmptySum().SetAggregationTemporality(temporality)
		m.Sum().SetIsMonotonic(g.IntN(2) == 0)
		for p := m.Sum().DataPoints(); points > 0; points-- {
			g.number(p.AppendEmpty())
		}
	case 2:
		m.SetEmptyHistogram().SetAggregationTemporality(temporality)
		for p := m.Histogram().DataPoints(); points > 0; points-- {
			h := p.AppendEmpty()
			g.row(h.Attributes())
			h.SetTimestamp(g.time())
			h.SetCount(g.Uint64N(3))
			h.ExplicitBounds().FromRaw([]float64{0.5, math.Inf(1)})
			h.BucketCounts().FromRaw([]uint64{1, 2, 3})
			if g.IntN(2) == 0 {
				h.SetSum(1.5)
				h.SetMin(0)
				h.SetMax(math.NaN())
			}
			h.Exemplars().AppendEmpty().SetIntValue(7)
		}
	case 3:
		m.SetEmptyExponentialHistogram().SetAggregationTemporality(temporality)
		for p := m.ExponentialHistogram().DataPoints(); points > 0; points-- {
			h := p.AppendEmpty()
			g.row(h.Attributes())
			h.SetStartTimestamp(g.time())
			h.SetScale(-2)
			h.SetZeroCount(4)
			h.SetZeroThreshold(0.25)
			h.SetCount(g.Uint64N(3))
			h.Positive().SetOffset(-1)
			h.Positive().BucketCounts().FromRaw([]uint64{5, 6})
			if g.IntN(2) == 0 {
				h.SetSum(2)
				h.SetMax(3)
			}
		}
	default:
		for p := m.SetEmptySummary().DataPoints(); points > 0; points-- {
			s := p.AppendEmpty()
			g.row(s.Attributes())
			s.SetCount(2)
			s.SetSum(0.5)
			s.SetFlags(1)
			for _, q := range []float64{0.5, 0.99} {
				v := s.QuantileValues().AppendEmpty()
				v.SetQuantile(q)
				v.SetValue(10 * q)
			}
		}
	}
}

func (g *gen) number(p pmetric.NumberDataPoint) {
	g.row(p.Attributes())
	p.SetTimestamp(g.time())
	p.SetStartTimestamp(g.time())
	p.SetFlags(pmetric.DataPointFlags(g.Uint32N(2)))
	switch g.IntN(3) {
	case 0:
		p.SetIntValue(g.Int64N(5) - 2)
	case 1:
		p.SetDoubleValue([]float64{0, 2.5, math.NaN()}[g.IntN(3)])
	}
	p.Exemplars().AppendEmpty().SetDoubleValue(1)
}
