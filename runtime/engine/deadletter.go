package engine

import (
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.uber.org/zap"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/host"
	"github.com/obsd-io/obsd/runtime/table"
)

// Attributes of a row that was put aside.
const (
	deadReason = "obsd.dead_letter.reason"
	deadKind   = "obsd.dead_letter.kind"
	deadPlugin = "obsd.dead_letter.plugin"
	deadDigest = "obsd.dead_letter.digest"
	deadTime   = "obsd.dead_letter.time"
)

// kindDeadLetter is the kind of a loss: the row could not be put aside.
const kindDeadLetter host.Kind = "dead letter"

// apply applies on_error to the rows that the plugin failed on. Its error ends the batch.
func (e *Engine) apply(b *batch) error {
	first := b.failures[0]
	rows := 0
	for _, f := range b.failures {
		rows += len(f.rows)
	}
	e.log.Error("a plugin failed; the rows concerned follow on_error", zap.Error(first.err), zap.Int("rows", rows), zap.String("on_error", string(e.config.OnError)))
	switch e.config.OnError {
	case Drop:
		for _, f := range b.failures {
			e.figures.lose(b.data.Signal, f.err.Kind, len(f.rows))
			b.table.Judge(f.rows, abi.Drop)
		}
	case Fail:
		e.figures.lose(b.data.Signal, first.err.Kind, b.table.Rows())
		return consumererror.NewPermanent(first.err)
	case DeadLetter:
		e.putAside(b)
	}
	return nil
}

// putAside marks the rows that the plugin failed on with the reason, and sends them to the connector's route for them or
// writes them into the file.
func (e *Engine) putAside(b *batch) {
	now := time.Now().UTC().Format(time.RFC3339Nano)
	digest := b.version.plugin.Digest()
	for _, f := range b.failures {
		mark := func(attributes pcommon.Map) {
			attributes.PutStr(deadReason, f.err.Error())
			attributes.PutStr(deadKind, string(f.err.Kind))
			attributes.PutStr(deadPlugin, e.name)
			attributes.PutStr(deadDigest, digest)
			attributes.PutStr(deadTime, now)
		}
		verdict := uint16(abi.Drop)
		if e.deadRoute() {
			verdict = uint16(abi.Route + len(b.version.plugin.Manifest().Routes))
			visit(b.data, f.rows, func(r row) { mark(r.attributes) })
		} else {
			visit(b.data, f.rows, func(r row) { e.write(b.data.Signal, r, mark) })
		}
		b.table.Judge(f.rows, verdict)
	}
}

// deadRoute says whether rows are put aside into pipelines.
func (e *Engine) deadRoute() bool { return e.dead == nil }

// write puts a copy of a row into the file. One that cannot be written is lost, and the pipeline goes on.
func (e *Engine) write(signal abi.Signal, r row, mark func(pcommon.Map)) {
	alone := table.NewData(signal)
	r.copyTo(alone)
	visit(alone, []int32{0}, func(copied row) { mark(copied.attributes) })
	line, err := marshal(alone)
	if err == nil {
		err = e.dead.write(append(line, '\n'))
	}
	if err != nil {
		e.figures.lose(signal, kindDeadLetter, 1)
		e.log.Error("a row that a plugin failed on could not be put aside and is lost", zap.String("plugin", e.name), zap.Error(err))
	}
}
