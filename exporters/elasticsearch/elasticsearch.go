// Package elasticsearch is the exporter `elasticsearch`: it writes logs to
// Elasticsearch (or OpenSearch) with the bulk API.
//
// A batch goes this way:
//
//	pdata ── encoder ──> body ── client ──> answer ── attempt ──> ledger
//	          JSON of    ≤ flush   gzip,     per       retry, split,
//	          one batch    bytes   nodes   document    delivered or lost
//
// The queue and the retries above it are exporterhelper's.
package elasticsearch

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"
)

const (
	// lowestLimit is where lowering the size of requests after a 413 ends.
	lowestLimit = 16 << 10
	// keptBuffer bounds the buffers that are kept for the next batch, in
	// multiples of flush::bytes.
	keptBuffer = 2
)

// logsExporter writes logs.
type logsExporter struct {
	cfg      *Config
	set      exporter.Settings
	ledger   *ledger
	client   *client
	encoders sync.Pool // *encoder

	// limit is the size of a request: flush::bytes, or less after a 413.
	limit atomic.Int64
	// accepted is set once the server has taken a request.
	accepted atomic.Bool
}

func newLogsExporter(cfg *Config, set exporter.Settings) (*logsExporter, error) {
	ledger, err := newLedger(set.TelemetrySettings, set.ID)
	if err != nil {
		return nil, err
	}
	e := &logsExporter{cfg: cfg, set: set, ledger: ledger}
	e.limit.Store(int64(cfg.Flush.Bytes))
	enc := encoding{
		ecs:          cfg.Mapping.Mode == modeECS,
		index:        cfg.LogsIndex,
		dynamicIndex: cfg.LogsDynamicIndex.Enabled,
		dynamicID:    cfg.LogsDynamicID.Enabled,
		generatedID:  cfg.LogsGeneratedID.Enabled,
		writeIndex:   cfg.WriteOperation == operationIndex,
	}
	e.encoders.New = func() any { return newEncoder(enc) }
	return e, nil
}

// start makes the client. It asks the server nothing: one that is down is no
// reason not to start.
func (e *logsExporter) start(ctx context.Context, host component.Host) error {
	var err error
	e.client, err = newClient(ctx, e.cfg, host, e.set)
	return err
}

// shutdown follows after the queue is drained.
func (e *logsExporter) shutdown(ctx context.Context) error {
	e.ledger.close()
	if e.client == nil {
		return nil
	}
	return e.client.close(ctx)
}

// push delivers a batch. Its error holds the records to send again, if there are
// any; all others are stored, or counted as lost.
func (e *logsExporter) push(ctx context.Context, ld plog.Logs) error {
	enc := e.encoders.Get().(*encoder)
	defer e.keep(enc)
	a := &attempt{exporter: e, enc: enc}
	records := a.run(ctx, ld)
	a.settle(ctx, records)
	if len(a.retry) == 0 {
		return nil
	}
	err := a.err
	if a.delay > 0 {
		err = exporterhelper.NewThrottleRetry(err, a.delay)
	}
	if len(a.retry) == records {
		return err
	}
	return consumererror.NewLogs(err, pick(ld, a.retry))
}

// run encodes and sends all records, and returns how many there are. Once the
// server is down the rest is only counted.
func (a *attempt) run(ctx context.Context, ld plog.Logs) int {
	seq := 0
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			if sl.LogRecords().Len() == 0 {
				continue
			}
			a.enc.begin(rl.Resource(), rl.SchemaUrl(), sl.Scope(), sl.SchemaUrl())
			for _, lr := range sl.LogRecords().All() {
				a.add(ctx, lr, seq)
				seq++
			}
		}
	}
	if n := len(a.enc.docs); n > 0 && !a.down {
		a.send(ctx, n)
	} else if n > 0 {
		a.later(a.enc.docs, answer{})
	}
	return seq
}

// add encodes a record, and sends those before it if there is no room for it.
func (a *attempt) add(ctx context.Context, lr plog.LogRecord, seq int) {
	if a.down {
		a.retry = append(a.retry, seq)
		return
	}
	a.enc.add(lr, seq)
	n := len(a.enc.docs) - 1
	if n > 0 && int64(len(a.enc.body)) > a.exporter.limit.Load() {
		a.send(ctx, n)
		a.enc.drop(n)
	}
}

// pick copies the records at the given places, in order, with their resource
// and scope.
func pick(ld plog.Logs, places []int) plog.Logs {
	out := plog.NewLogs()
	seq := 0
	for _, rl := range ld.ResourceLogs().All() {
		var toResource plog.ResourceLogs
		hasResource := false
		for _, sl := range rl.ScopeLogs().All() {
			var toScope plog.ScopeLogs
			hasScope := false
			for _, lr := range sl.LogRecords().All() {
				wanted := len(places) > 0 && places[0] == seq
				seq++
				if !wanted {
					continue
				}
				places = places[1:]
				if !hasResource {
					toResource, hasResource = out.ResourceLogs().AppendEmpty(), true
					rl.Resource().CopyTo(toResource.Resource())
					toResource.SetSchemaUrl(rl.SchemaUrl())
				}
				if !hasScope {
					toScope, hasScope = toResource.ScopeLogs().AppendEmpty(), true
					sl.Scope().CopyTo(toScope.Scope())
					toScope.SetSchemaUrl(sl.SchemaUrl())
				}
				lr.CopyTo(toScope.LogRecords().AppendEmpty())
			}
		}
	}
	return out
}

// keep puts an encoder back, unless one batch has made it very large.
func (e *logsExporter) keep(enc *encoder) {
	if cap(enc.body) > keptBuffer*e.cfg.Flush.Bytes {
		return
	}
	enc.reset()
	e.encoders.Put(enc)
}

// again reports whether a document is worth another try. What an ingest pipeline
// refuses with status 500 is not: it would do so each time. If the configured
// pipeline is missing it is: the document is not to blame.
func (e *logsExporter) again(it *item) bool {
	if it.Status == 500 && it.Error != nil && strings.HasSuffix(it.Error.Type, "processor_exception") {
		return false
	}
	return slices.Contains(e.cfg.Retry.RetryOnStatus, it.Status) || e.lacksPipeline(it)
}

// lacksPipeline reports whether the document failed because there is no such
// pipeline as the configured one.
func (e *logsExporter) lacksPipeline(it *item) bool {
	return e.cfg.Pipeline != "" && it.Status == 400 && it.Error != nil &&
		it.Error.Reason == "pipeline with id ["+e.cfg.Pipeline+"] does not exist"
}

// lowerLimit makes requests smaller from now on, after a 413.
func (e *logsExporter) lowerLimit(to int) {
	limit := int64(max(to, lowestLimit))
	for {
		now := e.limit.Load()
		if limit >= now {
			return
		}
		if e.limit.CompareAndSwap(now, limit) {
			e.set.Logger.Warn("request too large for the server: requests are smaller from now on; set flush::bytes to this or less",
				zap.Int64("bytes", limit))
			return
		}
	}
}
