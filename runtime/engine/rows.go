package engine

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/table"
)

// row is one row of a table.Data.
type row struct {
	attributes pcommon.Map
	// copyTo appends a copy of the row, in a resource and scope of its own, to a Data of the same signal.
	copyTo func(table.Data)
}

// visit calls use with each of the rows, given by ascending numbers as [table.Table] counts them, while nothing was
// moved by Settle or Split.
func visit(d table.Data, rows []int32, use func(row)) {
	w := walk{rows: rows, use: use}
	switch d.Signal {
	case abi.SignalLogs:
		w.logs(d.Logs)
	case abi.SignalMetrics:
		w.metrics(d.Metrics)
	case abi.SignalTraces:
		w.traces(d.Traces)
	}
}

// walk goes through the rows of a signal in their order.
type walk struct {
	rows []int32 // those still to come
	at   int32   // the number of the row at hand
	use  func(row)
}

// wanted says whether the row at hand is one to visit, and goes on to the next.
func (w *walk) wanted() bool {
	w.at++
	if len(w.rows) == 0 || w.rows[0] != w.at-1 {
		return false
	}
	w.rows = w.rows[1:]
	return true
}

func (w *walk) logs(ld plog.Logs) {
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, r := range sl.LogRecords().All() {
				if !w.wanted() {
					continue
				}
				w.use(row{r.Attributes(), func(to table.Data) {
					res := to.Logs.ResourceLogs().AppendEmpty()
					rl.Resource().CopyTo(res.Resource())
					res.SetSchemaUrl(rl.SchemaUrl())
					scope := res.ScopeLogs().AppendEmpty()
					sl.Scope().CopyTo(scope.Scope())
					scope.SetSchemaUrl(sl.SchemaUrl())
					r.CopyTo(scope.LogRecords().AppendEmpty())
				}})
			}
		}
	}
}

func (w *walk) traces(td ptrace.Traces) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				if !w.wanted() {
					continue
				}
				w.use(row{s.Attributes(), func(to table.Data) {
					res := to.Traces.ResourceSpans().AppendEmpty()
					rs.Resource().CopyTo(res.Resource())
					res.SetSchemaUrl(rs.SchemaUrl())
					scope := res.ScopeSpans().AppendEmpty()
					ss.Scope().CopyTo(scope.Scope())
					scope.SetSchemaUrl(ss.SchemaUrl())
					s.CopyTo(scope.Spans().AppendEmpty())
				}})
			}
		}
	}
}

func (w *walk) metrics(md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				w.points(m, func(to table.Data) pmetric.Metric {
					res := to.Metrics.ResourceMetrics().AppendEmpty()
					rm.Resource().CopyTo(res.Resource())
					res.SetSchemaUrl(rm.SchemaUrl())
					scope := res.ScopeMetrics().AppendEmpty()
					sm.Scope().CopyTo(scope.Scope())
					scope.SetSchemaUrl(sm.SchemaUrl())
					metric := scope.Metrics().AppendEmpty()
					metric.SetName(m.Name())
					metric.SetUnit(m.Unit())
					metric.SetDescription(m.Description())
					m.Metadata().CopyTo(metric.Metadata())
					return metric
				})
			}
		}
	}
}

// points goes through a metric's points; in makes a copy of the metric, without type and points.
func (w *walk) points(m pmetric.Metric, in func(table.Data) pmetric.Metric) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		each(w, m.Gauge().DataPoints(), func(to table.Data) pmetric.NumberDataPoint {
			return in(to).SetEmptyGauge().DataPoints().AppendEmpty()
		})
	case pmetric.MetricTypeSum:
		each(w, m.Sum().DataPoints(), func(to table.Data) pmetric.NumberDataPoint {
			sum := in(to).SetEmptySum()
			sum.SetIsMonotonic(m.Sum().IsMonotonic())
			sum.SetAggregationTemporality(m.Sum().AggregationTemporality())
			return sum.DataPoints().AppendEmpty()
		})
	case pmetric.MetricTypeHistogram:
		each(w, m.Histogram().DataPoints(), func(to table.Data) pmetric.HistogramDataPoint {
			h := in(to).SetEmptyHistogram()
			h.SetAggregationTemporality(m.Histogram().AggregationTemporality())
			return h.DataPoints().AppendEmpty()
		})
	case pmetric.MetricTypeExponentialHistogram:
		each(w, m.ExponentialHistogram().DataPoints(), func(to table.Data) pmetric.ExponentialHistogramDataPoint {
			h := in(to).SetEmptyExponentialHistogram()
			h.SetAggregationTemporality(m.ExponentialHistogram().AggregationTemporality())
			return h.DataPoints().AppendEmpty()
		})
	case pmetric.MetricTypeSummary:
		each(w, m.Summary().DataPoints(), func(to table.Data) pmetric.SummaryDataPoint {
			return in(to).SetEmptySummary().DataPoints().AppendEmpty()
		})
	}
}

// point is a data point of any type of metric, slice its slice.
type point[P any] interface {
	Attributes() pcommon.Map
	CopyTo(P)
}

type slice[P any] interface {
	Len() int
	At(int) P
}

// each goes through the points of one metric; fresh makes an empty one.
func each[P point[P]](w *walk, points slice[P], fresh func(table.Data) P) {
	for i := range points.Len() {
		if p := points.At(i); w.wanted() {
			w.use(row{p.Attributes(), func(to table.Data) { p.CopyTo(fresh(to)) }})
		}
	}
}

// clone copies a Data.
func clone(d table.Data) table.Data {
	to := table.NewData(d.Signal)
	switch d.Signal {
	case abi.SignalLogs:
		d.Logs.CopyTo(to.Logs)
	case abi.SignalMetrics:
		d.Metrics.CopyTo(to.Metrics)
	case abi.SignalTraces:
		d.Traces.CopyTo(to.Traces)
	}
	return to
}

// marshal writes a Data as OTLP/JSON.
func marshal(d table.Data) ([]byte, error) {
	switch d.Signal {
	case abi.SignalMetrics:
		return new(pmetric.JSONMarshaler).MarshalMetrics(d.Metrics)
	case abi.SignalTraces:
		return new(ptrace.JSONMarshaler).MarshalTraces(d.Traces)
	default:
		return new(plog.JSONMarshaler).MarshalLogs(d.Logs)
	}
}
