// Package table lays a signal out as a table of columns for a plugin, and applies the plugin's result back to pdata.
//
// A [Plan] is made once for each plugin from its manifest. A [Session] belongs to one instance: it keeps the names
// that host and guest have agreed on, and the scratch of the call in flight. A [Table] is a batch as flat rows, which
// several calls may work on, each on rows of its own.
//
//	Table.Reset → for each call: Session.Measure → Session.Encode (into guest memory) → guest → Session.Apply
//	→ Table.Settle, or Table.Split for each signal
//
// A [Filter] selects the rows that are worth a call.
//
// Apply changes rows in place at once. What changes where rows lie is pending in the table until the end: verdicts, rows
// that leave their resource or metric because the plugin changed it for them, and new rows.
//
// What differs by signal stands in logs.go, metrics.go and traces.go, behind the interfaces rows and tree.
//
// # Ownership
//
// A table refers to the pdata of Reset, which nobody else may touch until Settle or the last Split. Encode copies what
// the plugin reads into guest memory. Apply takes values that are slices of an input column as substrings of the row's
// own string, and copies all else out of guest memory: nothing keeps a view of it. New rows of another signal than the
// table's hold copies of resource and scope, so that the parts of one Split share nothing with those of another.
package table

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/obsd-io/obsd/runtime/abi"
)

// Table is a batch of one signal as flat rows: log records, data points or spans, in the order of its resources,
// scopes, metrics and rows. It can be reused through Reset; it is not safe for concurrent use.
type Table struct {
	// Verdicts has what a plugin decided for each row: abi.Keep, abi.Drop, abi.Route+i for route i of the manifest,
	// or abi.Set|i for Sets[i].
	Verdicts []uint16
	// Sets has the sets of routes that verdicts refer to: bit i stands for route i.
	Sets []uint64

	data  Data
	sides [len(abi.SignalNames)]side // by signal

	// The groups: first those of the batch, each in its order, then those that edits and new rows made.
	resources []resource
	scopes    []scope
	metrics   []metric
	leaves    []leaf
	// batch has how many groups of each kind are the batch's.
	batch struct{ resources, scopes, metrics, leaves int32 }

	home  []int32 // the leaf of each row
	begin []int32 // of each leaf of the batch, its first row; and the end of the last
	moved []int32 // where each row goes; empty as long as all stay
	groups
}

// side is what a table has of one signal.
type side struct {
	rows  rows
	fresh []freshRow
}

// freshRow is a pending new row. In rows it stands behind the batch's.
type freshRow struct {
	leaf    int32
	verdict uint16
}

// resource is a resource of the batch, or one that edits of the batch's resource origin gave.
type resource struct {
	resource pcommon.Resource
	schema   string
	origin   int32
}

type scope struct {
	scope  pcommon.InstrumentationScope
	schema string
	// metrics is how many a scope of the batch has.
	metrics int32
}

// leaf is where rows lie; metric is none but for data points.
type leaf struct{ resource, scope, metric int32 }

// none stands for no group.
const none = -1

// rows are the rows of one signal in a table: the batch's, if it is the table's own, and behind them the new ones.
type rows interface {
	// walk lists the batch of t: its groups by t.addResource, t.addScope, t.addMetric and t.addLeaf.
	walk(t *Table)
	// clear forgets all rows.
	clear()
	// read takes a column of level row, attributes.* aside, and returns how many bytes of text it has.
	read(c column, numbers []int32, v *values) int
	attributes(row int) pcommon.Map
	// kind says of a data point which type of metric it belongs to; 0 of others.
	kind(row int) int
	// set sets a field of level row to a checked value.
	set(row int, f abi.Field, v value)
	// add makes a new row: empty but for its time, and fit for a new metric in the case of data points.
	add(now pcommon.Timestamp)
	// addCopy makes a new row like an old one.
	addCopy(row int)
	// tree gives a view of d to put rows in. Its groups are numbered in d's order.
	tree(d Data) tree
	// sweep removes from the batch of t each row that is gone, and the groups of the batch that are empty then.
	sweep(t *Table, gone func(row int32) bool)
}

// tree is a Data with numbered groups. Only data points know metrics: others take the scope for one.
type tree interface {
	addResource(r *resource) int32
	addScope(in int32, s *scope) int32
	addMetric(in int32, m *metric) int32
	// move empties a row of the table into a group, copy leaves it there.
	move(row int, group int32)
	copy(row int, group int32)
}

// Reset lays out d, which must hold pdata of its signal. The rows are d's own until Settle, Split, Reset or Clear.
func (t *Table) Reset(d Data) {
	t.Clear()
	if t.sides[d.Signal].rows == nil {
		t.sides[abi.SignalLogs].rows = new(logRows)
		t.sides[abi.SignalMetrics].rows = new(pointRows)
		t.sides[abi.SignalTraces].rows = new(spanRows)
	}
	t.data = d
	t.own().rows.walk(t)
	t.begin = append(t.begin, int32(len(t.home)))
	t.batch.resources, t.batch.scopes = int32(len(t.resources)), int32(len(t.scopes))
	t.batch.metrics, t.batch.leaves = int32(len(t.metrics)), int32(len(t.leaves))
	n := len(t.home)
	if cap(t.Verdicts) < n {
		t.Verdicts = make([]uint16, n)
	}
	t.Verdicts = t.Verdicts[:n]
	clear(t.Verdicts)
}

// Clear forgets everything, so that a pooled table holds on to no pdata.
func (t *Table) Clear() {
	t.data = Data{}
	for i := range t.sides {
		if s := &t.sides[i]; s.rows != nil {
			s.rows.clear()
			s.fresh = s.fresh[:0]
		}
	}
	clear(t.resources)
	clear(t.scopes)
	clear(t.metrics)
	t.resources, t.scopes, t.metrics, t.leaves = t.resources[:0], t.scopes[:0], t.metrics[:0], t.leaves[:0]
	t.home, t.begin, t.moved = t.home[:0], t.begin[:0], t.moved[:0]
	t.clear()
	t.Verdicts, t.Sets = t.Verdicts[:0], t.Sets[:0]
}

// Signal is the signal of the batch.
func (t *Table) Signal() abi.Signal { return t.data.Signal }

// Rows is the number of rows of the batch.
func (t *Table) Rows() int { return len(t.home) }

// New says how many new rows of a signal are pending.
func (t *Table) New(signal abi.Signal) int { return len(t.sides[signal].fresh) }

// Judge sets the verdict of rows, given by their numbers.
func (t *Table) Judge(rows []int32, verdict uint16) {
	for _, row := range rows {
		t.Verdicts[row] = verdict
	}
}

func (t *Table) own() *side { return &t.sides[t.data.Signal] }

// base is the number of the first new row of a signal.
func (t *Table) base(signal abi.Signal) int {
	if signal == t.data.Signal {
		return len(t.home)
	}
	return 0
}

// leafOf is where a row goes.
func (t *Table) leafOf(row int) int32 {
	if len(t.moved) > 0 {
		return t.moved[row]
	}
	return t.home[row]
}

func (t *Table) addResource(r pcommon.Resource, schema string) int32 {
	n := int32(len(t.resources))
	t.resources = append(t.resources, resource{resource: r, schema: schema, origin: n})
	return n
}

func (t *Table) addScope(s pcommon.InstrumentationScope, schema string) int32 {
	t.scopes = append(t.scopes, scope{scope: s, schema: schema})
	return int32(len(t.scopes) - 1)
}

// addMetric lists a metric of the batch.
func (t *Table) addMetric(m pmetric.Metric) int32 {
	n := int32(len(t.metrics))
	t.metrics = append(t.metrics, metric{source: m, metricKey: metricKey{origin: n}})
	return n
}

// addLeaf lists a leaf of the batch with n rows.
func (t *Table) addLeaf(l leaf, n int) {
	number := int32(len(t.leaves))
	t.leaves = append(t.leaves, l)
	t.begin = append(t.begin, int32(len(t.home)))
	at := len(t.home)
	t.home = slices.Grow(t.home, n)[:at+n]
	for i := range t.home[at:] {
		t.home[at+i] = number
	}
}
