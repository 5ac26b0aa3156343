package table_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/table"
)

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
