package sdk

import "github.com/obsd-io/obsd/runtime/abi"

// Metric is what a new data point is of.
type Metric struct {
	// Name is the metric's name; 0: the point's Edit sets MetricName.
	Name Name
	// Unit and Description may be 0, which is none.
	Unit, Description Name
	// Sum makes it a sum, else it is a gauge.
	Sum bool
	// Delta says of a sum that a point holds what came since the one before, else it holds all since StartTime.
	Delta bool
	// Monotonic says of a sum that it never falls.
	Monotonic bool
}

// Copy makes a copy of a row as it came, without its changes, and starts the copy's changes. The plugin's Emits must list
// the batch's signal. As with Edit, rows come in their order, and what it returns is valid until the next call.
func (b *Batch) Copy(row int) *Edit {
	if b.rows == 0 {
		panic("BUG: sdk.Batch.Copy: a flush has no rows to copy")
	}
	return b.make(row, abi.NewCopy)
}

// NewLog makes an empty log record in the resource and scope of a row, and starts its changes. Its times are Now until they
// are set. The plugin's Emits must list logs, whatever the batch's signal. For the rest it is as Copy.
func (b *Batch) NewLog(row int) *Edit { return b.make(row, abi.Type(abi.SignalLogs)) }

// NewSpan is as NewLog for a span. It has no times until they are set.
func (b *Batch) NewSpan(row int) *Edit { return b.make(row, abi.Type(abi.SignalTraces)) }

// NewPoint is as NewLog for a data point of a metric. PointValue must be set.
func (b *Batch) NewPoint(row int, m *Metric) *Edit {
	e := b.make(row, abi.Type(abi.SignalMetrics))
	for _, f := range [...]struct{ field, value Name }{
		{MetricName, m.Name}, {MetricUnit, m.Unit}, {MetricDescription, m.Description},
	} {
		if f.value != 0 {
			e.Name(f.field, f.value)
		}
	}
	if m.Sum {
		temporality := int64(temporalityCumulative)
		if m.Delta {
			temporality = temporalityDelta
		}
		e.Int(field|Name(abi.FieldMetricType), abi.MetricSum)
		e.Int(field|Name(abi.FieldMetricTemporality), temporality)
		e.Bool(field|Name(abi.FieldMetricMonotonic), m.Monotonic)
	} else {
		e.Int(field|Name(abi.FieldMetricType), abi.MetricGauge)
	}
	e.start = e.n
	e.More(Room)
	return e
}

// Temporalities of a sum, as in OTLP.
const (
	temporalityDelta      = 1
	temporalityCumulative = 2
)

func (b *Batch) make(row int, what abi.Type) *Edit {
	e := &b.edit
	e.More(Room + 1)
	e.row, e.made = uint64(uint32(row)), madeRow+e.n
	e.put(uint64(abi.OpNew)<<48|uint64(what)<<56, 0)
	e.start = e.n
	return e
}

// Route sends the row, old or new, to the route of that number in the plugin's Routes.
func (e *Edit) Route(route int) { e.judge(uint16(abi.Route + route)) }

// RouteSet sends the row, old or new, to each route whose bit is set, see [Batch.RouteSet].
func (e *Edit) RouteSet(set uint64) { e.judge(e.batch.set(set)) }

func (e *Edit) judge(verdict uint16) {
	if e.made == 0 {
		e.batch.judge(int(e.row), verdict)
		return
	}
	// A new row's verdict stands where others have their name, and is Keep so far.
	head := &e.words[e.made-madeRow]
	*head = *head&^(0xffff<<32) | uint64(verdict)<<32
}
