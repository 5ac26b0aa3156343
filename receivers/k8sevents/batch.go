package k8sevents

import (
	"context"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"
	v1 "k8s.io/api/core/v1"
)

// maxBatch is how many events are sent at once, and how many the API server is asked for at once.
const maxBatch = 500

// batch is what goes to the pipeline next.
type batch struct {
	logs    plog.Logs
	scopes  map[object]plog.LogRecordSlice
	marks   []mark
	version string    // the position after it; empty in the middle of a list
	newest  time.Time // the newest event until then
}

// mark is an event that is known once it was sent.
type mark struct {
	key uint64
	occurrence
}

func (b *batch) add(key uint64, e *v1.Event, version string, now time.Time) {
	if len(b.marks) == 0 {
		b.logs, b.scopes = plog.NewLogs(), map[object]plog.LogRecordSlice{}
	}
	o := objectOf(e)
	records, ok := b.scopes[o]
	if !ok {
		rl := b.logs.ResourceLogs().AppendEmpty()
		fillResource(rl.Resource().Attributes(), &o)
		scope := rl.ScopeLogs().AppendEmpty()
		scope.Scope().SetName(scopeName)
		scope.Scope().SetVersion(version)
		records = scope.LogRecords()
		b.scopes[o] = records
	}
	fillRecord(records.AppendEmpty(), e, now)
	b.marks = append(b.marks, mark{key, occurrenceOf(e)})
	if t := timeOf(e); t.After(b.newest) {
		b.newest = t
	}
}

func (b *batch) holds(key uint64, o occurrence) bool {
	for _, m := range b.marks {
		if m.key == key && m.occurrence == o {
			return true
		}
	}
	return false
}

// clear forgets what was sent.
func (b *batch) clear() {
	b.logs, b.scopes, b.marks, b.version = plog.Logs{}, nil, b.marks[:0], ""
}

// deliver sends the batch and moves the position. It returns false if it was to stop before the pipeline took the batch.
func (f *follower) deliver(ctx, sending context.Context) bool {
	b := &f.batch
	if len(b.marks) > 0 && !f.send(ctx, sending) {
		return false
	}
	for _, m := range b.marks {
		f.sent.put(m.key, m.occurrence)
	}
	if b.version != "" {
		f.pos.Version = b.version
		if b.newest.After(f.pos.Newest) {
			f.pos.Newest = b.newest
		}
		f.r.checkpoints.move(sending, f.namespace, f.pos, len(b.marks) > 0)
	}
	b.clear()
	return true
}

// send hands the batch to the pipeline until it is taken or lost.
func (f *follower) send(ctx, sending context.Context) bool {
	r, retry, n := f.r, &f.r.cfg.RetryOnFailure, len(f.batch.marks)
	began, wait := time.Now(), retry.InitialInterval
	for try := 0; ; try++ {
		logs := plog.NewLogs()
		f.batch.logs.CopyTo(logs) // a pipeline may have changed what it refuses in the end
		op := r.obs.StartLogsOp(sending)
		err := r.next.ConsumeLogs(op, logs)
		r.obs.EndLogsOp(op, "k8s_event", n, err)
		switch {
		case err == nil:
			return true
		case consumererror.IsPermanent(err):
			r.lose(sending, n, reasonPermanent, "see the error: the exporter or processor says what it does not take", err)
			return true
		case ctx.Err() != nil:
			return false
		case !retry.Enabled:
			r.lose(sending, n, reasonRetries, "enable retry_on_failure", err)
			return true
		case retry.MaxElapsedTime > 0 && time.Since(began) > retry.MaxElapsedTime:
			r.lose(sending, n, reasonRetries, "raise retry_on_failure::max_elapsed_time, or give the exporter a queue on disk", err)
			return true
		}
		if try == 0 {
			r.set.Logger.Warn("k8s_events: the pipeline refused a batch; it is sent again until it is taken or too old",
				zap.Int("records", n), zap.Error(err))
		}
		if !pause(ctx, wait/2+rand.N(wait/2+1)) {
			return false
		}
		wait = min(2*wait, retry.MaxInterval)
	}
}

func (r *eventReceiver) lose(ctx context.Context, n int, reason, mend string, err error) {
	r.tel.lose(ctx, n, reason)
	r.set.Logger.Warn("k8s_events: events lost",
		zap.Int("records", n), zap.String("reason", reason), zap.String("mend", mend), zap.Error(err))
}

// pause returns false if ctx ends meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
