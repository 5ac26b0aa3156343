package table_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/obsd-io/obsd/internal/wasmtest"
	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/table"
)

func plan(t testing.TB, m abi.Manifest) *table.Plan {
	t.Helper()
	if m.Signals == nil {
		m.Signals = []string{"logs"}
	}
	p, err := table.NewPlan(&m)
	require.NoError(t, err)
	return p
}

// span gives the row numbers from lo up to hi.
func span(lo, hi int) (rows []int32) {
	for row := lo; row < hi; row++ {
		rows = append(rows, int32(row))
	}
	return rows
}

// send lays out all rows of d as one call, and returns the table and the session that wait for a result.
func send(t testing.TB, m abi.Manifest, d table.Data) (*table.Table, *table.Session) {
	t.Helper()
	s := table.NewSession(plan(t, m))
	tab := new(table.Table)
	tab.Reset(d)
	s.Encode(make([]byte, s.Measure(tab, span(0, tab.Rows()))), 42)
	return tab, s
}

func TestPlanErrors(t *testing.T) {
	f := func(m abi.Manifest, want string) {
		t.Helper()
		_, err := table.NewPlan(&m)
		require.EqualError(t, err, want)
	}
	const (
		keys      = "attributes.<key>, attributes.*, resource.<key>, resource.*"
		logReads  = "body, time, observed_time, severity_number, severity_text, event_name, trace_id, span_id, flags, scope.name, scope.version, " + keys + ", scope.attributes.<key>"
		logWrites = "body, time, observed_time, severity, event_name, trace_id, span_id, flags, " + keys
	)
	f(abi.Manifest{
		Signals: []string{"logs"}, Reads: []string{"body", "atrributes.x", "scope.attributes.*", "attributes.", "value", "", "severity"},
		Writes: []string{"severity_number", "body", "metric.name", ""},
	}, `manifest: reads: unknown column "atrributes.x"; known are `+logReads+"\n"+
		`manifest: reads: unknown column "scope.attributes.*"; known are `+logReads+"\n"+
		`manifest: reads: unknown column "attributes."; known are `+logReads+"\n"+
		`manifest: reads: unknown column "value"; known are `+logReads+"\n"+
		`manifest: reads: unknown column ""; known are `+logReads+"\n"+
		`manifest: reads: unknown column "severity"; known are `+logReads+"\n"+
		`manifest: writes: unknown "severity_number"; known are `+logWrites+"\n"+
		`manifest: writes: unknown "metric.name"; known are `+logWrites+"\n"+
		`manifest: writes: unknown ""; known are `+logWrites)
	f(abi.Manifest{Signals: []string{"metrics"}, Writes: []string{"metric.type", "point.count", "scope.name"}},
		`manifest: writes: unknown "metric.type"; known are time, flags, start_time, value, metric.name, metric.unit, metric.description, `+keys+"\n"+
			`manifest: writes: unknown "point.count"; known are time, flags, start_time, value, metric.name, metric.unit, metric.description, `+keys+"\n"+
			`manifest: writes: unknown "scope.name"; known are time, flags, start_time, value, metric.name, metric.unit, metric.description, `+keys)
	f(abi.Manifest{Signals: []string{"logs", "profiles"}, Emits: []string{"log"}},
		`manifest: signals: unknown "profiles"; known are logs, metrics, traces`+"\n"+`manifest: emits: unknown "log"; known are logs, metrics, traces`)
}

// everything is logs with every kind of value, in two resources and three scopes.
func everything() plog.Logs {
	ld := plog.NewLogs()
	for i := range 2 {
		rl := ld.ResourceLogs().AppendEmpty()
		rl.Resource().Attributes().PutStr("host.name", fmt.Sprint("host", i))
		for range i + 1 {
			records := rl.ScopeLogs().AppendEmpty().LogRecords()
			for k := range 5 {
				r := records.AppendEmpty()
				r.SetTimestamp(pcommon.Timestamp(k))
				r.SetSeverityNumber(plog.SeverityNumber(k))
				r.SetSeverityText([]string{"", "INFO"}[k%2])
				body(r.Body(), k)
				r.Attributes().PutStr("s", fmt.Sprint("text", k))
				r.Attributes().PutInt("i", int64(-k))
				r.Attributes().PutDouble("d", math.Pi)
				r.Attributes().PutBool("b", k%2 == 0)
				if k > 2 {
					r.Attributes().PutEmptyMap("m").PutStr("x", "y")
				}
			}
		}
	}
	return ld
}

func body(v pcommon.Value, k int) {
	switch k {
	case 0:
		v.SetStr("grüß dich")
	case 1:
		v.SetEmptyBytes().FromRaw([]byte{0xff, 0, 1})
	case 2:
		v.SetInt(7)
	case 3:
		v.SetEmptyMap().PutStr("k", "v")
	}
}

func records(ld plog.Logs) (out []plog.LogRecord) {
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, r := range sl.LogRecords().All() {
				out = append(out, r)
			}
		}
	}
	return out
}

var everyColumn = []string{"body", "time", "observed_time", "severity_number", "severity_text", "attributes.s", "attributes.none", "attributes.*", "resource.host.name"}

// What is laid out is read back value for value, by a reader that follows abi's drawing.
func TestEncode(t *testing.T) {
	ld := everything()
	rows := records(ld)
	s := table.NewSession(plan(t, abi.Manifest{Reads: everyColumn}))
	l := new(table.Table)
	l.Reset(table.LogsOf(ld))
	for _, window := range [][2]int{{0, len(rows)}, {3, 9}, {5, 5}, {14, 15}} {
		lo, hi := window[0], window[1]
		size := s.Measure(l, span(lo, hi))
		b := make([]byte, size)
		for i := range b {
			b[i] = 0xaa
		}
		s.Encode(b, 42)
		r := newReader(t, b)
		require.Equal(t, hi-lo, r.rows)
		for row := range r.rows {
			record := rows[lo+row]
			host := "host0"
			if lo+row >= 5 {
				host = "host1"
			}
			number := func(n int64) any {
				if n == 0 {
					return nil
				}
				return n
			}
			text, _ := record.Attributes().Get("s")
			var severityText any
			if record.SeverityText() != "" {
				severityText = record.SeverityText()
			}
			want := []any{
				plain(record.Body()), number(int64(record.Timestamp())), nil, number(int64(record.SeverityNumber())),
				severityText, text.Str(), nil, nil, host,
			}
			for column, w := range want {
				if everyColumn[column] != "attributes.*" {
					require.Equal(t, w, r.value(column, row), "%s of row %d of %v", everyColumn[column], row, window)
				}
			}
			var attributes [][2]any
			for k, v := range record.Attributes().All() {
				attributes = append(attributes, [2]any{k, plain(v)})
			}
			require.Equal(t, attributes, r.attributes(7, row))
		}
		require.NoError(t, s.Apply(nil, 0))
	}
}

// plain is a value as reader gives it.
func plain(v pcommon.Value) any {
	switch v.Type() {
	case pcommon.ValueTypeEmpty:
		return nil
	case pcommon.ValueTypeMap, pcommon.ValueTypeSlice:
		return v.AsString()
	case pcommon.ValueTypeBytes:
		return string(v.Bytes().AsRaw())
	default:
		return v.AsRaw()
	}
}

// A result that breaks the contract is refused whole: the text says where, and no record has changed.
func TestRefused(t *testing.T) {
	edit := abi.Edit
	f := func(name string, r wasmtest.Result, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			ld := everything()
			before := marshal(t, table.LogsOf(ld))
			l, s := send(t, abi.Manifest{
				Reads: []string{"body", "resource.host.name", "attributes.*"}, Writes: []string{"attributes.a", "time", "severity"}, Routes: []string{"x", "y"},
			}, table.LogsOf(ld))
			memory, packed := r.Memory()
			err := s.Apply(memory, packed)
			require.EqualError(t, err, want)
			require.Equal(t, before, marshal(t, table.LogsOf(ld)))
			require.Equal(t, make([]uint16, 15), l.Verdicts)
		})
	}
	good := edit(0, 0, abi.OpSetAttribute, abi.TypeInt)
	one := func(words ...uint64) wasmtest.Result {
		return wasmtest.Result{Rows: 15, Names: []string{"a", "b"}, Edits: append([]uint64{good, 1}, words...)}
	}
	header := func(at int, v uint32) wasmtest.Result {
		r := one()
		r.Header = map[int]uint32{at: v}
		return r
	}
	f("magic", header(0, 1), "the result starts with 0x1, want 0x3152534f")
	f("rows", header(abi.ResultRows, 14), "the result is for 14 rows, the batch has 15")
	f("verdicts outside", header(abi.ResultVerdicts, 0xffffffff), "verdicts: 15 × 2 bytes at 4294967295 lie outside the memory of 16418")
	f("edits outside", header(abi.ResultEditsCount, 0xffffffff), "edits: 4294967295 × 16 bytes at 16384 lie outside the memory of 16418")
	f("arena outside", header(abi.ResultArenaLength, 0xfffffff0), "arena: 4294967280 × 1 bytes at 16400 lie outside the memory of 16418")
	f("sets outside", header(abi.ResultSetsCount, 1<<30), "sets: 1073741824 × 8 bytes at 16400 lie outside the memory of 16418")
	f("names outside", header(abi.ResultNames, 1<<30), "names: 2 × 8 bytes at 1073741824 lie outside the memory of 16418")
	f("names first", header(abi.ResultNamesFirst, 1), "names: the first new one is numbered 1, want 0")
	f("names too many", header(abi.ResultNamesCount, 5000), "names: 5000, at most 4096: give rare keys inline")
	f("row too large", one(edit(15, 0, abi.OpSetAttribute, abi.TypeInt), 1), "edit 1: row 15: want rows in order, below 15")
	f("rows out of order", one(edit(3, 0, abi.OpSetAttribute, abi.TypeInt), 1, edit(2, 0, abi.OpSetAttribute, abi.TypeInt), 1), "edit 2: row 2: want rows in order, below 15")
	f("op", one(edit(1, 0, 77, 0), 0), "edit 1: row 1: op 77 is not known")
	f("stray key", one(edit(1, 0, abi.OpExt, abi.TypeString), 0), "edit 1: row 1: an entry of op 255 without one that it belongs to")
	f("name", one(edit(1, 2, abi.OpSetAttribute, abi.TypeInt), 0), "edit 1: row 1: name 2 was not announced")
	f("not declared", one(edit(1, 1, abi.OpSetAttribute, abi.TypeInt), 0),
		`edit 1: row 1: sets attributes.b, which the manifest does not declare: add "attributes.b" to its writes`)
	f("body not declared", one(edit(1, uint16(abi.FieldBody), abi.OpSet, abi.TypeInt), 0), `edit 1: row 1: sets body, which the manifest does not declare: add "body" to its writes`)
	f("inline key not declared", func() wasmtest.Result {
		r := one(edit(1, abi.NameInline, abi.OpSetAttribute, abi.TypeInt), 1, edit(1, 0, abi.OpExt, abi.TypeString), abi.Cell(0, 1))
		r.Arena = "z"
		return r
	}(), `edit 1: row 1: sets attributes.z, which the manifest does not declare: add "attributes.z" to its writes`)
	f("inline key missing", one(edit(1, abi.NameInline, abi.OpSetAttribute, abi.TypeInt), 1), "edit 1: row 1: the entry with the key is missing")
	f("inline key of another row", one(edit(1, abi.NameInline, abi.OpSetAttribute, abi.TypeInt), 1, edit(2, 0, abi.OpExt, abi.TypeString), 0), "edit 1: row 1: the next entry is not its key")
	f("type", one(edit(1, 0, abi.OpSetAttribute, 9), 0), "edit 1: row 1: value: type 9 is not known")
	f("arena value", one(edit(1, 0, abi.OpSetAttribute, abi.TypeString), abi.Cell(0, 1)), "edit 1: row 1: value: 1 bytes at 0 lie outside the arena of 0")
	f("arena overflow", one(edit(1, 0, abi.OpSetAttribute, abi.TypeString), abi.Cell(0xffffffff, 0xffffffff)), "edit 1: row 1: value: 4294967295 bytes at 4294967295 lie outside the arena of 0")
	f("name value", one(edit(1, 0, abi.OpSetAttribute, abi.TypeName), 9), "edit 1: row 1: value: name 9 was not announced")
	f("slice of no column", one(edit(1, 0, abi.OpSetAttribute, abi.TypeSlice|9), 0), "edit 1: row 1: value: a slice of column 9, which has no text in this row")
	f("slice of a map", one(edit(1, 0, abi.OpSetAttribute, abi.TypeSlice|2), 0), "edit 1: row 1: value: a slice of column 2, which has no text in this row")
	f("slice of a number", one(edit(2, 0, abi.OpSetAttribute, abi.TypeSlice), 0), "edit 1: row 2: value: a slice of column 0, which has no text in this row")
	f("slice too long", one(edit(1, 0, abi.OpSetAttribute, abi.TypeSlice|1), abi.Cell(3, 3)), "edit 1: row 1: value: a slice of 3 bytes at 3 of column 1, which has 5")
	f("slice too long, of a shorter row than the last", one(edit(0, 0, abi.OpSetAttribute, abi.TypeSlice), abi.Cell(0, 11), edit(1, 0, abi.OpSetAttribute, abi.TypeSlice), abi.Cell(0, 4)),
		"edit 2: row 1: value: a slice of 4 bytes at 0 of column 0, which has 3")
	f("severity", one(edit(1, uint16(abi.FieldSeverity), abi.OpSet, abi.TypeInt), 25), "edit 1: row 1: severity_number: type 2, value 25; want type 2, 0 to 24")
	f("severity of an unknown name", one(edit(1, uint16(abi.FieldSeverity), abi.OpSet, abi.TypeName), 9|7<<32), "edit 1: row 1: severity_text: name 7 was not announced")
	f("severity text", one(edit(1, uint16(abi.FieldSeverityText), abi.OpSet, abi.TypeInt), 25), "edit 1: row 1: severity_text: type 2 is not a string")
	f("time", one(edit(1, uint16(abi.FieldTime), abi.OpSet, abi.TypeInt), 1<<63), "edit 1: row 1: time: type 2, value -9223372036854775808; want type 2, 0 to 9223372036854775807")
	verdicts := func(v uint16, sets ...uint64) wasmtest.Result {
		return wasmtest.Result{Rows: 15, Verdicts: append(make([]uint16, 14), v), Sets: sets}
	}
	f("route", verdicts(4), "row 14: verdict 4: the manifest has 2 routes, the result 0 sets")
	f("set", verdicts(abi.Set), "row 14: verdict 32768: the manifest has 2 routes, the result 0 sets")
	f("set of an unknown route", verdicts(abi.Set, 0b100), "set 0: 0x4: the manifest has 2 routes")
}

// Slices keep their characters whole, and those of a resource's column are of the row's own resource.
func TestSlices(t *testing.T) {
	ld := everything()
	_, s := send(t, abi.Manifest{Reads: []string{"body", "resource.host.name"}, Writes: []string{"attributes.a"}}, table.LogsOf(ld))
	set := func(row int, column abi.Type, offset, length uint32) []uint64 {
		return []uint64{abi.Edit(uint32(row), 0, abi.OpSetAttribute, abi.TypeSlice|column), abi.Cell(offset, length)}
	}
	r := wasmtest.Result{Rows: 15, Names: []string{"a"}, Edits: slices.Concat(
		set(0, 0, 0, 3),  // "gr" and half of ü
		set(1, 0, 1, 2),  // bytes
		set(3, 0, 0, 4),  // JSON
		set(4, 1, 0, 5),  // host0
		set(14, 1, 4, 1), // 1 of host1
	)}
	memory, packed := r.Memory()
	require.NoError(t, s.Apply(memory, packed))
	want := map[int]any{0: "gr\uFFFD", 1: []byte{0, 1}, 3: `{"k"`, 4: "host0", 14: "1"}
	for row, record := range records(ld) {
		v, ok := record.Attributes().Get("a")
		require.Equal(t, want[row] != nil, ok)
		if ok {
			require.Equal(t, want[row], v.AsRaw(), "row %d", row)
		}
	}
}

func TestDropAndSplit(t *testing.T) {
	verdicts := []uint16{0, 1, 2, 3, 0x8000, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2}
	judge := func() (plog.Logs, *table.Table) {
		ld := everything()
		for i, r := range records(ld) {
			r.SetTimestamp(pcommon.Timestamp(100 + i))
		}
		l := new(table.Table)
		l.Reset(table.LogsOf(ld))
		copy(l.Verdicts, verdicts)
		l.Sets = []uint64{0b11}
		return ld, l
	}
	times := func(ld plog.Logs) (out []int) {
		for _, r := range records(ld) {
			out = append(out, int(r.Timestamp())-100)
		}
		return out
	}
	ld, l := judge()
	require.Equal(t, 9, l.Settle())
	require.Equal(t, []int{0, 2, 3, 4, 10, 11, 12, 13, 14}, times(ld))
	require.Equal(t, 1, ld.ResourceLogs().At(1).ScopeLogs().Len())

	_, l = judge()
	var parts []plog.Logs
	for _, part := range l.Split(abi.SignalLogs, 4) {
		parts = append(parts, part.Logs)
	}
	require.Equal(t, []int{0}, times(parts[0]))
	require.Equal(t, 0, parts[1].ResourceLogs().Len())
	require.Equal(t, []int{2, 4, 10, 11, 12, 13, 14}, times(parts[2]))
	require.Equal(t, []int{3, 4}, times(parts[3]))
	host, _ := parts[2].ResourceLogs().At(1).Resource().Attributes().Get("host.name")
	require.Equal(t, "host1", host.Str())
	require.Equal(t, 2, parts[2].ResourceLogs().Len())
}

// A batch that starts within the logs slices its own rows' resource.
func TestSliceOfLaterRows(t *testing.T) {
	ld := everything()
	s := table.NewSession(plan(t, abi.Manifest{Reads: []string{"resource.host.name"}, Writes: []string{"attributes.a"}}))
	l := new(table.Table)
	l.Reset(table.LogsOf(ld))
	s.Encode(make([]byte, s.Measure(l, span(7, 9))), 0)
	memory, packed := (&wasmtest.Result{
		Rows: 2, Names: []string{"a"}, Edits: []uint64{abi.Edit(1, 0, abi.OpSetAttribute, abi.TypeSlice), abi.Cell(0, 5)},
	}).Memory()
	require.NoError(t, s.Apply(memory, packed))
	v, ok := records(ld)[8].Attributes().Get("a")
	require.True(t, ok)
	require.Equal(t, "host1", v.Str())
}

// Whatever bytes a guest leaves, Apply returns: it does not panic. What it refuses changes nothing, what it accepts can be
// settled, split and marshalled.
func FuzzApply(f *testing.F) {
	for _, signal := range allSignals {
		m := &model{gen: &gen{Rand: rand.New(rand.NewPCG(1, 1))}, names: modelNames()}
		d := m.data(signal)
		for i, one := range singles(d) {
			m.row = uint32(i)
			before := one.clone()
			for range 3 {
				m.edit(one)
			}
			m.fresh(before, abi.Keep)
		}
		r := wasmtest.Result{
			Rows: uint32(d.Rows()), Names: m.names, Arena: m.arena, Edits: m.edits, Verdicts: make([]uint16, d.Rows()), Sets: []uint64{1},
		}
		memory, packed := r.Memory()
		f.Add(memory[8192:], packed, uint8(signal), false)
		f.Add(memory[8192:], packed, uint8(signal), true)
	}
	f.Fuzz(func(t *testing.T, tail []byte, packed uint64, signal uint8, split bool) {
		if len(tail) > 1<<16 || signal < 1 || signal > 3 {
			t.Skip()
		}
		g := &gen{Rand: rand.New(rand.NewPCG(1, 1))}
		d := g.data(abi.Signal(signal))
		before := marshal(t, d)
		tab, s := send(t, allowed(), d)
		if s.Apply(append(make([]byte, 8192), tail...), packed) != nil {
			require.Equal(t, before, marshal(t, d))
			require.Equal(t, make([]uint16, d.Rows()), tab.Verdicts)
			return
		}
		if !split {
			tab.Settle()
			marshal(t, d)
			return
		}
		for _, of := range allSignals {
			for _, part := range tab.Split(of, 4) {
				marshal(t, part)
			}
		}
	})
}
