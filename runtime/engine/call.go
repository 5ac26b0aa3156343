package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/obsd-io/obsd/runtime/host"
	"github.com/obsd-io/obsd/runtime/table"
)

// maxBytes is the most bytes of one call, unless a single row has more: long lines must neither hold up the garbage
// collector, nor fill a guest's memory.
const maxBytes = 1 << 20

// batch is a version at work on one Data. It is reused.
type batch struct {
	version *version
	data    table.Data
	table   table.Table
	rows    []int32 // those that go to the plugin
	// failures has the rows that the plugin failed on, ascending.
	failures []failure

	inst *host.Instance // held between calls
	fuel int64          // what is left of time_per_batch
	// searches is how many calls are left for the search for poison rows.
	searches int
	// breaker is nil where a batch is a trial without consequences.
	breaker *breaker
	trial   bool // the breaker's
	over    bool // the trial failed: no more calls
	figures *figures
	// flush, if set, flushes an instance that is about to be closed.
	flush func(*host.Instance)
	// counts has the number of rows for each verdict.
	counts []int64
}

// failure is what a plugin did not manage.
type failure struct {
	rows []int32 // part of batch.rows
	err  *host.Error
}

// begin readies a batch; br may be nil, f gets the figures.
func (b *batch) begin(v *version, d table.Data, br *breaker, f *figures) {
	b.version, b.data, b.breaker, b.figures = v, d, br, f
	b.fuel, b.searches, b.trial, b.over = v.batchFuel, maxSearches, false, false
	b.table.Reset(d)
	b.rows = v.selected(&b.table, b.rows)
}

// end lets go of all that belongs to others.
func (b *batch) end() {
	b.table.Clear()
	clear(b.failures)
	b.failures = b.failures[:0]
	b.version, b.breaker, b.figures, b.flush, b.data = nil, nil, nil, nil, table.Data{}
}

// process has the plugin work on the selected rows and notes the failures.
//
// # Errors
//
// The context's error: the batch is the caller's to send again.
func (b *batch) process(ctx context.Context) error {
	if len(b.rows) == 0 {
		return nil
	}
	if b.breaker != nil {
		ok, trial := b.breaker.allow()
		if !ok {
			b.refuse(b.rows)
			return nil
		}
		b.trial = trial
	}
	err := b.work(ctx, b.rows)
	b.release(ctx)
	if b.trial && err != nil {
		b.breaker.gaveUp()
	} else if b.trial {
		b.breaker.succeeded()
	}
	return err
}

// call has one instance work on the first of the rows, as many as a call should get, and returns how many these are.
// After an error they are as they were.
func (b *batch) call(ctx context.Context, rows []int32) (n int, err error) {
	v := b.version
	n = min(len(rows), v.rowsPerCall())
	if err := ctx.Err(); err != nil {
		return n, err
	}
	if b.inst == nil {
		if b.inst, err = v.plugin.Acquire(ctx); err != nil {
			return len(rows), err
		}
	}
	session := b.inst.Session().(*table.Session)
	size := session.Measure(&b.table, rows[:n])
	for size > maxBytes && n > 1 {
		n /= 2
		size = session.Measure(&b.table, rows[:n])
	}
	block, err := b.inst.Block(ctx, size)
	if err != nil {
		return n, err
	}
	started := time.Now()
	session.Encode(block, started.UnixNano())
	budget := min(v.budget(n, size), b.fuel)
	result, used, err := b.inst.Process(ctx, size, budget)
	took := time.Since(started)
	b.fuel -= used
	v.learn(n, took, used)
	b.figures.call(ctx, took, used)
	if err != nil {
		return n, b.late(err, n, size, budget)
	}
	if err := session.Apply(b.inst.Memory(), result); err != nil {
		return n, b.inst.BadOutput("process", err)
	}
	b.figures.edits.Add(int64(session.Edits()))
	return n, nil
}

// late puts a timeout in the words of the configuration.
func (b *batch) late(err error, rows, size int, budget int64) error {
	var late *host.Error
	if !errors.As(err, &late) || late.Kind != host.KindTimeout {
		return err
	}
	switch budget {
	case b.version.callFuel:
		most := b.version.plugin.Time(budget).Round(100 * time.Microsecond)
		late.Err = fmt.Errorf("%d records took longer than the %s that any call may take", rows, most)
	case b.version.budget(rows, size):
		late.Err = fmt.Errorf("%d records with %d KiB took longer than limits.time_per_record (%s) allows", rows, size>>10, b.version.limits.TimePerRecord)
	default:
		late.Err = b.outOfTime()
	}
	return late
}

func (b *batch) outOfTime() error {
	return fmt.Errorf("ran over limits.time_per_batch (%s)", b.version.limits.TimePerBatch)
}

// release gives the instance back. One that will be closed for its memory is flushed first.
func (b *batch) release(ctx context.Context) {
	if b.inst == nil {
		return
	}
	if b.flush != nil && b.inst.Worn() {
		b.flush(b.inst)
	}
	b.version.plugin.Release(ctx, b.inst)
	b.inst = nil
}

// fail notes rows that the plugin did not manage.
func (b *batch) fail(rows []int32, err *host.Error) {
	b.failures = append(b.failures, failure{rows, err})
	b.figures.failed(err.Kind)
	if b.breaker != nil {
		b.breaker.failed(b.trial, err)
		b.trial, b.over = false, b.over || b.trial
	}
}

// kindOpen is the kind of rows that the plugin did not get since it failed too often.
const kindOpen host.Kind = "circuit open"

// refuse notes rows that the plugin does not get.
func (b *batch) refuse(rows []int32) {
	err := &host.Error{Plugin: b.version.name, Func: "process", Kind: kindOpen, Err: errors.New("the plugin failed too often and is left alone for a while")}
	if n := len(b.failures); n == 0 || b.failures[n-1].err.Kind != kindOpen { // once a batch, however it was cut
		b.figures.failed(kindOpen)
	}
	b.failures = append(b.failures, failure{rows, err})
}

// failedRows are the rows of all failures.
func (b *batch) failedRows() []int32 {
	var rows []int32
	for _, f := range b.failures {
		rows = append(rows, f.rows...)
	}
	return rows
}
