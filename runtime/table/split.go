package table

import (
	"math/bits"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/obsd-io/obsd/runtime/abi"
)

// Split moves the records of ld, the very value that was laid out, into one plog.Logs for each verdict below targets:
// parts[abi.Keep] has the rows without a route, parts[abi.Route+i] those of route i. A row of a set is copied into
// each of its routes. Parts without rows are empty. The rows are void afterwards, and so is ld, unless all rows went
// one way: then that part is ld itself.
func (l *Logs) Split(ld plog.Logs, targets int) []plog.Logs {
	parts := make([]plog.Logs, targets)
	for i := range parts {
		parts[i] = plog.NewLogs()
	}
	if len(l.Verdicts) == 0 {
		return parts
	}
	if v, same := l.uniform(); same {
		parts[v] = ld
		return parts
	}
	row := 0
	heads := make([]plog.LogRecordSlice, targets)
	open := make([]bool, targets)
	for i := range ld.ResourceLogs().Len() {
		rl := ld.ResourceLogs().At(i)
		for j := range rl.ScopeLogs().Len() {
			sl := rl.ScopeLogs().At(j)
			clear(open)
			head := func(target int) plog.LogRecordSlice {
				if !open[target] {
					open[target], heads[target] = true, openScope(parts[target], rl, sl)
				}
				return heads[target]
			}
			for k := range sl.LogRecords().Len() {
				l.hand(sl.LogRecords().At(k), l.Verdicts[row], head)
				row++
			}
		}
	}
	return parts
}

// uniform says whether all rows have one verdict that names a single part.
func (l *Logs) uniform() (uint16, bool) {
	first := l.Verdicts[0]
	for _, v := range l.Verdicts {
		if v != first {
			return 0, false
		}
	}
	return first, first != abi.Drop && first < abi.Set
}

// openScope starts a copy of a resource and a scope, without records, in a part.
func openScope(part plog.Logs, rl plog.ResourceLogs, sl plog.ScopeLogs) plog.LogRecordSlice {
	r := part.ResourceLogs().AppendEmpty()
	rl.Resource().CopyTo(r.Resource())
	r.SetSchemaUrl(rl.SchemaUrl())
	s := r.ScopeLogs().AppendEmpty()
	sl.Scope().CopyTo(s.Scope())
	s.SetSchemaUrl(sl.SchemaUrl())
	return s.LogRecords()
}

// hand gives a record to the parts that its verdict names.
func (l *Logs) hand(record plog.LogRecord, verdict uint16, head func(int) plog.LogRecordSlice) {
	switch {
	case verdict == abi.Drop:
	case verdict < abi.Set:
		record.MoveTo(head(int(verdict)).AppendEmpty())
	default:
		for set := l.Sets[verdict-abi.Set]; set != 0; set &= set - 1 {
			record.CopyTo(head(abi.Route + bits.TrailingZeros64(set)).AppendEmpty())
		}
	}
}
