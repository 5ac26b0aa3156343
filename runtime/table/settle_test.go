package table_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/obsd-io/obsd/internal/wasmtest"
	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/table"
)

// outcome is what the model expects of a batch.
type outcome struct {
	rows     []single // the batch's, edited, and then the new ones of all signals
	verdicts []uint16
	sets     []uint64
	stays    []bool // whether neither resource nor metric of the row was changed
}

// run has random calls, each with rows of its own and random edits, work on d, and returns what must come of it.
func run(t *testing.T, seed uint64, d table.Data, routes bool) (*table.Table, outcome) {
	t.Helper()
	g := &gen{Rand: rand.New(rand.NewPCG(seed, 2))}
	want := outcome{rows: singles(d)}
	g.next = int64(len(want.rows))
	tab := new(table.Table)
	tab.Reset(d)
	require.Equal(t, len(want.rows), tab.Rows())
	want.verdicts = make([]uint16, len(want.rows))
	want.stays = make([]bool, len(want.rows))
	heads := make([][3]string, len(want.rows))
	for i, one := range want.rows {
		heads[i] = head(one)
	}
	calls := make([][]int32, 1+g.IntN(3))
	for row := range want.rows {
		if n := g.IntN(len(calls) + 1); n < len(calls) {
			calls[n] = append(calls[n], int32(row))
		}
	}
	s := table.NewSession(plan(t, allowed()))
	first := uint32(0)
	alike := g.IntN(4) == 0
	for _, rows := range calls {
		m := &model{gen: g, names: modelNames()}
		result := wasmtest.Result{Rows: uint32(len(rows)), Names: m.names, First: first}
		if first > 0 {
			result.Names = nil
		}
		if routes {
			result.Sets = [][]uint64{{0b11, 0b10}, {0b01, 0b11}, {0b10, 0b01, 0b11}}[g.IntN(3)]
		}
		if alike { // rows of some groups all get one resource
			m.names[5] = "alike"
		}
		verdict := func(drop bool) uint16 {
			v := []uint16{abi.Keep, abi.Keep, abi.Route, abi.Route + 1, abi.Set, abi.Set | 1}[g.IntN(6)]
			if !routes {
				v = abi.Keep
			}
			if drop && g.IntN(5) == 0 {
				v = abi.Drop
			}
			return v
		}
		base := uint16(len(want.sets))
		into := func(v uint16) uint16 {
			if v >= abi.Set {
				return v + base
			}
			return v
		}
		for i, row := range rows {
			one := want.rows[row]
			before := one.clone()
			m.row, m.laid = uint32(i), ""
			if v, ok := before.attributes().Get("s"); ok && v.Type() == pcommon.ValueTypeStr {
				m.laid = v.Str()
			}
			for range g.IntN(4) {
				m.edit(one)
			}
			if alike {
				m.put(0, abi.OpSetResource, abi.TypeName, 5)
				one.ofResource().Attributes().PutStr("s", "alike")
			}
			v := verdict(true)
			result.Verdicts = append(result.Verdicts, v)
			want.verdicts[row] = into(v)
			for range max(0, g.IntN(4)-1) {
				v := verdict(false)
				want.rows = append(want.rows, m.fresh(before, v))
				want.verdicts = append(want.verdicts, into(v))
			}
		}
		result.Edits, result.Arena = m.edits, m.arena
		memory, packed := result.Memory()
		s.Encode(make([]byte, s.Measure(tab, rows)), modelNow)
		require.NoError(t, s.Apply(memory, packed))
		clear(memory) // nothing may be a view of it
		want.sets = append(want.sets, result.Sets...)
		first = uint32(len(m.names))
	}
	for i := range want.stays {
		want.stays[i] = head(want.rows[i]) == heads[i]
	}
	return tab, want
}

// head tells the groups of a batch's rows apart, by level: where a row came from, and what its edits made of that.
func head(one single) [3]string {
	r := fmt.Sprint(one.resource, canonical(one.ofResource().Attributes()))
	s := fmt.Sprint(r, one.scope)
	if one.Signal != abi.SignalMetrics {
		return [3]string{r, s, s}
	}
	m := one.ofMetric()
	temporality, monotonic := pmetric.AggregationTemporalityUnspecified, false
	if m.Type() == pmetric.MetricTypeSum {
		temporality, monotonic = m.Sum().AggregationTemporality(), m.Sum().IsMonotonic()
	}
	return [3]string{r, s, fmt.Sprintf("%s %d %q %q %q %d %d %t", s, one.metric, m.Name(), m.Unit(), m.Description(), m.Type(), temporality, monotonic)}
}

// canonical is a text of attributes that does not depend on their order.
func canonical(m pcommon.Map) string {
	var all []string
	for key, v := range m.All() {
		all = append(all, fmt.Sprintf("%s=%d:%q", key, v.Type(), v.AsString()))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// part lists which of the rows that are expected of a signal go to a verdict.
func (o outcome) part(signal abi.Signal, verdict int) (rows []single) {
	for i, one := range o.rows {
		v := o.verdicts[i]
		if one.Signal != signal || v == abi.Drop {
			continue
		}
		if v >= abi.Set && verdict >= abi.Route && o.sets[v-abi.Set]&(1<<(verdict-abi.Route)) != 0 || int(v) == verdict {
			rows = append(rows, one)
		}
	}
	return rows
}

// compare holds pdata against the rows that are expected in it: the rows themselves, bit by bit, and that those that
// belong together lie in one group, in their order.
func compare(t *testing.T, want []single, got table.Data) {
	t.Helper()
	rows := singles(got)
	require.Len(t, rows, len(want))
	expected := map[int64]string{}
	var groups [3]map[string]bool
	for level := range groups {
		groups[level] = map[string]bool{}
	}
	for _, one := range want {
		expected[one.id()] = one.bytes(t)
		for level, key := range head(one) {
			groups[level][key] = true
		}
	}
	var found [3]map[int]bool
	for level := range found {
		found[level] = map[int]bool{}
	}
	last := map[[3]int]int64{}
	for _, one := range rows {
		id := one.id()
		require.Equal(t, expected[id], one.bytes(t), "row %d", id)
		delete(expected, id)
		group := [3]int{one.resource, one.scope, one.metric}
		if before, ok := last[group]; ok {
			require.Less(t, before, id)
		}
		last[group] = id
		found[0][one.resource], found[1][one.scope] = true, true
		found[2][one.metric] = true
	}
	if got.Signal != abi.SignalMetrics {
		found[2] = found[1]
	}
	for level := range groups {
		require.Len(t, found[level], len(groups[level]), "groups of level %d", level)
	}
}

var allSignals = []abi.Signal{abi.SignalLogs, abi.SignalMetrics, abi.SignalTraces}

// For random batches, calls, edits, new rows and drops, Settle gives what plain pdata calls give on each row by itself;
// the rows that nothing moved lie as they lay.
func TestSettleIsPlainPdata(t *testing.T) {
	t.Run("built", testSettleIsPlainPdata)
	t.Run("not built", func(t *testing.T) {
		table.WithoutBuilders(t)
		testSettleIsPlainPdata(t)
	})
}

func testSettleIsPlainPdata(t *testing.T) {
	for _, signal := range allSignals {
		for seed := range uint64(60) {
			g := &gen{Rand: rand.New(rand.NewPCG(seed, 1))}
			d := g.data(signal)
			tab, want := run(t, seed, d, false)
			for _, other := range allSignals {
				if rows := want.part(other, abi.Keep); other != signal {
					require.Equal(t, len(rows), tab.New(other))
					parts := tab.Split(other, 1)
					compare(t, rows, parts[0])
				}
			}
			rows := want.part(signal, abi.Keep)
			require.Equal(t, len(rows), tab.Settle(), "%s, seed %d", abi.SignalNames[signal], seed)
			compare(t, rows, d)
			lastID := int64(-1)
			for _, one := range singles(d) {
				if id := one.id(); id < int64(len(want.stays)) && want.stays[id] {
					require.Less(t, lastID, id)
					lastID = id
				}
			}
			tab.Clear()
		}
	}
}

// For the same, Split gives each verdict its rows.
func TestSplitIsPlainPdata(t *testing.T) {
	for _, signal := range allSignals {
		for seed := range uint64(60) {
			g := &gen{Rand: rand.New(rand.NewPCG(seed, 1))}
			tab, want := run(t, seed, g.data(signal), true)
			for _, of := range allSignals {
				for verdict, part := range tab.Split(of, 4) {
					if verdict != abi.Drop {
						compare(t, want.part(of, verdict), part)
					} else {
						require.Zero(t, part.Rows())
					}
				}
			}
		}
	}
}

// A row without edits, in a group where other rows were edited, is byte for byte what it was; so is a whole batch whose
// edits change nothing.
func TestUntouched(t *testing.T) {
	for _, signal := range allSignals {
		g := &gen{Rand: rand.New(rand.NewPCG(7, 1))}
		d := g.data(signal)
		before := marshal(t, d)
		tab, s := send(t, allowed(), d)
		var edits []uint64
		for i, one := range singles(d) {
			v, _ := one.ofResource().Attributes().Get("s")
			edits = append(edits, abi.Edit(uint32(i), 0, abi.OpSetResource, abi.TypeSlice|2), abi.Cell(0, uint32(len(v.Str()))))
			if signal == abi.SignalMetrics && i%2 == 0 {
				edits = join(edits, set(uint32(i), abi.FieldMetricName, abi.TypeSlice|6, abi.Cell(0, uint32(len(one.ofMetric().Name())))))
			}
		}
		memory, packed := (&wasmtest.Result{Rows: uint32(tab.Rows()), Names: []string{"s"}, Edits: edits}).Memory()
		require.NoError(t, s.Apply(memory, packed))
		require.Equal(t, len(edits)/2, s.Edits())
		require.Equal(t, tab.Rows(), tab.Settle())
		require.Equal(t, before, marshal(t, d))
	}
}
