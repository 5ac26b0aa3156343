package table

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/obsd-io/obsd/runtime/abi"
)

// Logs is a plog.Logs as flat rows, with a verdict for each. It can be reused through Reset; it is not safe for
// concurrent use.
type Logs struct {
	records  []plog.LogRecord
	resource []uint32 // of each row, an index into resources
	// resources has one entry for each plog.ResourceLogs.
	resources []pcommon.Resource
	// Verdicts has what a plugin decided for each row: abi.Keep, abi.Drop, abi.Route+i for route i of the manifest,
	// or abi.Set|i for Sets[i].
	Verdicts []uint16
	// Sets has the sets of routes that verdicts refer to: bit i stands for route i.
	Sets []uint64
}

// Reset lays out ld. The rows refer to ld's own records, in the order of its resources, scopes and records, until
// the next Reset or Clear.
func (l *Logs) Reset(ld plog.Logs) {
	l.Clear()
	for i := range ld.ResourceLogs().Len() {
		rl := ld.ResourceLogs().At(i)
		l.resources = append(l.resources, rl.Resource())
		for j := range rl.ScopeLogs().Len() {
			records := rl.ScopeLogs().At(j).LogRecords()
			for k := range records.Len() {
				l.records = append(l.records, records.At(k))
				l.resource = append(l.resource, uint32(i))
			}
		}
	}
	n := len(l.records)
	if cap(l.Verdicts) < n {
		l.Verdicts = make([]uint16, n)
	}
	l.Verdicts = l.Verdicts[:n]
	clear(l.Verdicts)
}

// Clear forgets the records, so that a pooled Logs holds on to none.
func (l *Logs) Clear() {
	clear(l.records)
	clear(l.resources)
	l.records, l.resource, l.resources = l.records[:0], l.resource[:0], l.resources[:0]
	l.Verdicts, l.Sets = l.Verdicts[:0], l.Sets[:0]
}

// Rows is the number of rows.
func (l *Logs) Rows() int { return len(l.records) }

// Judge sets the verdict of the rows from lo up to hi.
func (l *Logs) Judge(lo, hi int, verdict uint16) {
	for i := lo; i < hi; i++ {
		l.Verdicts[i] = verdict
	}
}

// Drop removes from ld, the very value that was laid out, each record whose verdict is abi.Drop, and the scopes and
// resources that this leaves empty. The rows are void afterwards; it returns how many records are left.
func (l *Logs) Drop(ld plog.Logs) int {
	dropped := 0
	for _, v := range l.Verdicts {
		if v == abi.Drop {
			dropped++
		}
	}
	left := len(l.Verdicts) - dropped
	if dropped == 0 || left == 0 {
		return left
	}
	row := -1
	ld.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
		rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
			sl.LogRecords().RemoveIf(func(plog.LogRecord) bool {
				row++
				return l.Verdicts[row] == abi.Drop
			})
			return sl.LogRecords().Len() == 0
		})
		return rl.ScopeLogs().Len() == 0
	})
	return left
}
