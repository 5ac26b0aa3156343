package table

import (
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/obsd-io/obsd/runtime/abi"
)

// Data is the pdata of one signal: of the three members, the signal's own is set.
type Data struct {
	Signal  abi.Signal
	Logs    plog.Logs
	Metrics pmetric.Metrics
	Traces  ptrace.Traces
}

// LogsOf wraps logs.
func LogsOf(ld plog.Logs) Data { return Data{Signal: abi.SignalLogs, Logs: ld} }

// MetricsOf wraps metrics.
func MetricsOf(md pmetric.Metrics) Data { return Data{Signal: abi.SignalMetrics, Metrics: md} }

// TracesOf wraps traces.
func TracesOf(td ptrace.Traces) Data { return Data{Signal: abi.SignalTraces, Traces: td} }

// NewData makes empty pdata of a signal.
func NewData(signal abi.Signal) Data {
	switch signal {
	case abi.SignalLogs:
		return LogsOf(plog.NewLogs())
	case abi.SignalMetrics:
		return MetricsOf(pmetric.NewMetrics())
	case abi.SignalTraces:
		return TracesOf(ptrace.NewTraces())
	}
	panic("BUG: pdata of no signal")
}

// Rows is the number of log records, data points or spans.
func (d Data) Rows() int {
	switch d.Signal {
	case abi.SignalLogs:
		return d.Logs.LogRecordCount()
	case abi.SignalMetrics:
		return d.Metrics.DataPointCount()
	case abi.SignalTraces:
		return d.Traces.SpanCount()
	}
	return 0
}
