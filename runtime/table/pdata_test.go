package table_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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

// single is one row with its resource, scope and metric, as pdata of its own: what the model edits by plain calls, and
// what rows are compared by.
type single struct {
	table.Data
	// resource, scope and metric number the groups of the batch.
	resource, scope, metric int
}

// singles takes pdata apart.
func singles(d table.Data) (all []single) {
	scopes, metrics := 0, 0
	switch d.Signal {
	case abi.SignalLogs:
		for i, rl := range d.Logs.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, r := range sl.LogRecords().All() {
					one := plog.NewLogs()
					to := one.ResourceLogs().AppendEmpty()
					rl.Resource().CopyTo(to.Resource())
					to.SetSchemaUrl(rl.SchemaUrl())
					in := to.ScopeLogs().AppendEmpty()
					sl.Scope().CopyTo(in.Scope())
					in.SetSchemaUrl(sl.SchemaUrl())
					r.CopyTo(in.LogRecords().AppendEmpty())
					all = append(all, single{table.LogsOf(one), i, scopes, -1})
				}
				scopes++
			}
		}
	case abi.SignalTraces:
		for i, rs := range d.Traces.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					one := ptrace.NewTraces()
					to := one.ResourceSpans().AppendEmpty()
					rs.Resource().CopyTo(to.Resource())
					to.SetSchemaUrl(rs.SchemaUrl())
					in := to.ScopeSpans().AppendEmpty()
					ss.Scope().CopyTo(in.Scope())
					in.SetSchemaUrl(ss.SchemaUrl())
					s.CopyTo(in.Spans().AppendEmpty())
					all = append(all, single{table.TracesOf(one), i, scopes, -1})
				}
				scopes++
			}
		}
	default:
		for i, rm := range d.Metrics.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					for k := range points(m) {
						one := pmetric.NewMetrics()
						to := one.ResourceMetrics().AppendEmpty()
						rm.Resource().CopyTo(to.Resource())
						to.SetSchemaUrl(rm.SchemaUrl())
						in := to.ScopeMetrics().AppendEmpty()
						sm.Scope().CopyTo(in.Scope())
						in.SetSchemaUrl(sm.SchemaUrl())
						only(m, k, in.Metrics().AppendEmpty())
						all = append(all, single{table.MetricsOf(one), i, scopes, metrics})
					}
					metrics++
				}
				scopes++
			}
		}
	}
	return all
}

func points(m pmetric.Metric) int {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints().Len()
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints().Len()
	case pmetric.MetricTypeHistogram:
		return m.Histogram().DataPoints().Len()
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().DataPoints().Len()
	default:
		return m.Summary().DataPoints().Len()
	}
}

// only copies a metric with one of its points.
func only(m pmetric.Metric, k int, to pmetric.Metric) {
	m.CopyTo(to)
	at := -1
	gone := func() bool { at++; return at != k }
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		to.Gauge().DataPoints().RemoveIf(func(pmetric.NumberDataPoint) bool { return gone() })
	case pmetric.MetricTypeSum:
		to.Sum().DataPoints().RemoveIf(func(pmetric.NumberDataPoint) bool { return gone() })
	case pmetric.MetricTypeHistogram:
		to.Histogram().DataPoints().RemoveIf(func(pmetric.HistogramDataPoint) bool { return gone() })
	case pmetric.MetricTypeExponentialHistogram:
		to.ExponentialHistogram().DataPoints().RemoveIf(func(pmetric.ExponentialHistogramDataPoint) bool { return gone() })
	default:
		to.Summary().DataPoints().RemoveIf(func(pmetric.SummaryDataPoint) bool { return gone() })
	}
}

func (s single) log() plog.LogRecord {
	return s.Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
}

func (s single) span() ptrace.Span {
	return s.Traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
}

func (s single) ofMetric() pmetric.Metric {
	return s.Metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
}

// point is what data points of all types have.
type point interface {
	Attributes() pcommon.Map
	SetTimestamp(pcommon.Timestamp)
	SetStartTimestamp(pcommon.Timestamp)
	SetFlags(pmetric.DataPointFlags)
}

func (s single) point() point {
	switch m := s.ofMetric(); m.Type() {
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints().At(0)
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints().At(0)
	case pmetric.MetricTypeHistogram:
		return m.Histogram().DataPoints().At(0)
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().DataPoints().At(0)
	default:
		return m.Summary().DataPoints().At(0)
	}
}

func (s single) attributes() pcommon.Map {
	switch s.Signal {
	case abi.SignalLogs:
		return s.log().Attributes()
	case abi.SignalTraces:
		return s.span().Attributes()
	default:
		return s.point().Attributes()
	}
}

func (s single) id() int64 {
	v, _ := s.attributes().Get("id")
	return v.Int()
}

func (s single) ofResource() pcommon.Resource {
	switch s.Signal {
	case abi.SignalLogs:
		return s.Logs.ResourceLogs().At(0).Resource()
	case abi.SignalTraces:
		return s.Traces.ResourceSpans().At(0).Resource()
	default:
		return s.Metrics.ResourceMetrics().At(0).Resource()
	}
}

// clone is a single with data of its own.
func (s single) clone() single {
	return single{singles(s.Data)[0].Data, s.resource, s.scope, s.metric}
}

// bytes is the row as protobuf, the resource's attributes in order of their keys: rows whose resources were changed
// alike in another order share one.
func (s single) bytes(t *testing.T) string {
	t.Helper()
	c := s.clone()
	m := c.ofResource().Attributes()
	sorted := pcommon.NewMap()
	var keys []string
	for key := range m.All() {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		v, _ := m.Get(key)
		v.CopyTo(sorted.PutEmpty(key))
	}
	sorted.MoveTo(m)
	return marshal(t, c.Data)
}

// marshal is pdata as protobuf.
func marshal(t *testing.T, d table.Data) string {
	t.Helper()
	var b []byte
	var err error
	switch d.Signal {
	case abi.SignalLogs:
		b, err = (&plog.ProtoMarshaler{}).MarshalLogs(d.Logs)
	case abi.SignalMetrics:
		b, err = (&pmetric.ProtoMarshaler{}).MarshalMetrics(d.Metrics)
	default:
		b, err = (&ptrace.ProtoMarshaler{}).MarshalTraces(d.Traces)
	}
	require.NoError(t, err)
	return string(b)
}
