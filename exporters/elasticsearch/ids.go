package elasticsearch

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
)

const (
	// attrIDs is the attribute of a scope, while it is in the queue, with which the ids of its records begin. A record's own
	// number, with which its id ends, is in the bits of its flags that OpenTelemetry has no use for: an attribute of each
	// record would cost more than to encode it.
	attrIDs = "elasticsearch.generated_ids"

	// numberShift is where the number begins in the flags. Bits 0 to 7 are those of the trace.
	numberShift = 8
	// maxNumbered is how many records of a scope can have numbers.
	maxNumbered = 1 << (32 - numberShift)
)

// idText keeps the order of the bytes, as base64 would not.
var idText = base32.HexEncoding.WithPadding(base32.NoPadding)

// idDigits are those of idText.
const idDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUV"

// idGenerator makes ids that no other process makes. An id is
//
//	milliseconds since 1970 | the process | the scope | number of the record
//	6 bytes                   5, random     4           5 digits
//
// It begins with the time because Elasticsearch looks in each segment of an index for a new document's id: one that is
// greater than all ids of a segment is not there, which is seen without a search.
type idGenerator struct {
	process [5]byte
	scopes  atomic.Uint32
	now     func() time.Time
}

func newIDGenerator() *idGenerator {
	g := &idGenerator{now: time.Now}
	_, _ = rand.Read(g.process[:]) // it never fails
	return g
}

// stamp says in each scope and record what its documents' ids will be. They stay the same wherever the queue cuts or joins
// batches.
func (g *idGenerator) stamp(ld plog.Logs) {
	var id [15]byte
	var room [8]byte
	binary.BigEndian.PutUint64(room[:], uint64(g.now().UnixMilli())) //nolint:gosec // it is after 1970
	copy(id[:6], room[2:])
	copy(id[6:11], g.process[:])
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			if sl.LogRecords().Len() > maxNumbered {
				sl.Scope().Attributes().Remove(attrIDs)
				continue
			}
			binary.BigEndian.PutUint32(id[11:], g.scopes.Add(1))
			sl.Scope().Attributes().PutStr(attrIDs, idText.EncodeToString(id[:]))
			for i, lr := range sl.LogRecords().All() {
				lr.SetFlags(lr.Flags()&(1<<numberShift-1) | plog.LogRecordFlags(i<<numberShift)) //nolint:gosec // it has room
			}
		}
	}
}

// appendID appends the id of a record to those of the scope.
func appendID(b []byte, ids string, flags plog.LogRecordFlags) []byte {
	n := uint32(flags) >> numberShift
	return append(append(b, ids...), idDigits[n>>20], idDigits[n>>15&31], idDigits[n>>10&31], idDigits[n>>5&31], idDigits[n&31])
}

// stampedLogs gives records their ids before they go into the queue, so that they have the same ones whenever they are sent.
type stampedLogs struct {
	exporter.Logs
	ids *idGenerator
}

// Capabilities implements consumer.Logs.
func (*stampedLogs) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: true}
}

// ConsumeLogs implements consumer.Logs.
func (s *stampedLogs) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	s.ids.stamp(ld)
	return s.Logs.ConsumeLogs(ctx, ld)
}

// ExporterHelperBatchingEnabled tells the service whether the queue batches.
func (s *stampedLogs) ExporterHelperBatchingEnabled() bool { return batches(s.Logs) }
