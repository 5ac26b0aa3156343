package influxdb

import (
	"context"
	"time"
)

// batch turns one request of the pipeline into payloads and sends each as soon
// as it is full. An item is a record of the pipeline: a data point or a log
// record. It may become several lines, which stay in one payload.
type batch struct {
	e   *influxExporter
	ctx context.Context // a batch lives for one call

	line line
	ends []int // where each line ends in line.buf

	// markBytes, markLines: the end of the last whole item.
	markBytes, markLines int

	items     int // begun in this request
	settled   int // of these, delivered or counted as lost
	delivered int64
	lost      int64
	skipped   int64

	pending tally // of the item being encoded
	sent    tally // of the items in the payload

	now  time.Time
	tags tagset
	keys map[float64]string // names of bounds and quantiles
	dist distribution
	logs logEncoder
}

// reset prepares a batch, new or used, for a request.
func (b *batch) reset(ctx context.Context, now time.Time) {
	b.ctx, b.now = ctx, now
	b.line.buf, b.ends = b.line.buf[:0], b.ends[:0]
	b.markBytes, b.markLines = 0, 0
	b.items, b.settled = 0, 0
	b.delivered, b.lost, b.skipped = 0, 0, 0
	b.pending, b.sent = tally{}, tally{}
	b.tags.text = text{changed: &b.pending.changed}
}

// endLine closes a line and keeps it.
func (b *batch) endLine(ts int64) {
	b.line.end(ts)
	b.ends = append(b.ends, len(b.line.buf))
}

// lose counts the item being encoded as lost.
func (b *batch) lose(r reason, detail string) {
	b.pending.add(r, 1, detail)
}

// next ends an item. When the payload would be too large with it, what was
// there before is sent first.
func (b *batch) next() error {
	full := len(b.ends) > b.e.maxLines || len(b.line.buf) > b.e.maxBytes
	if full && b.markLines > 0 {
		if err := b.flush(); err != nil {
			return err
		}
	}
	b.sent.merge(&b.pending)
	b.pending = tally{}
	b.markBytes, b.markLines = len(b.line.buf), len(b.ends)
	b.items++
	return nil
}

// flush sends the whole items and settles them. After an error they count as
// neither delivered nor lost: the caller hands them back to be retried.
func (b *batch) flush() error {
	var d delivery
	if b.markLines > 0 {
		var err error
		d, err = b.e.deliver(b.ctx, b.line.buf, b.ends[:b.markLines])
		if err != nil {
			return err
		}
	}
	for r, n := range d.count {
		if n > 0 {
			b.sent.add(reason(r), int(n), d.detail[r])
		}
	}
	b.e.tel.record(b.ctx, d.accepted, &b.sent, &b.e.target)
	b.delivered += d.accepted
	b.lost += b.sent.total()
	b.skipped += b.sent.skipped
	b.settled = b.items
	b.sent = tally{}
	b.shift()
	return nil
}

// shift moves the lines behind the mark to the front.
func (b *batch) shift() {
	n := copy(b.line.buf, b.line.buf[b.markBytes:])
	b.line.buf = b.line.buf[:n]
	rest := b.ends[:0]
	for _, end := range b.ends[b.markLines:] {
		rest = append(rest, end-b.markBytes)
	}
	b.ends = rest
	b.markBytes, b.markLines = 0, 0
}
