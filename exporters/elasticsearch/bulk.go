package elasticsearch

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// maxBlind is how many parts of one batch may be refused as malformed, with none
// taken, before the blame goes to the request instead of the documents.
const maxBlind = 64

// attempt is one try to deliver a batch. It may take several requests.
type attempt struct {
	exporter *logsExporter
	enc      *encoder

	// retry holds the places of the records to send again.
	retry []int
	// err and delay are the first reason for that and the longest wait.
	err   error
	delay time.Duration
	// down means that the server takes nothing now: do not ask again.
	down bool
	// accepted means that a request of this batch was taken.
	accepted bool
	// refused are documents that a server could not read, each on its own. It
	// shows later whether they are to blame.
	refused []refused
}

type refused struct {
	loss loss
	seq  int
	err  error
}

// part is a range of the encoder's documents.
type part struct{ from, to int }

// send sends the first n documents of the encoder. What is too large or
// malformed is sent again in halves, all halves of one size before smaller ones:
// so the good documents arrive soon, and the bad ones remain.
func (a *attempt) send(ctx context.Context, n int) {
	parts := []part{{0, n}}
	refusals := 0
	for len(parts) > 0 && !a.down {
		p := parts[0]
		parts = parts[1:]
		docs := a.enc.docs[p.from:p.to]
		body := a.enc.body[docs[0].start:docs[len(docs)-1].end]
		ans := a.exporter.client.bulk(ctx, body, len(docs), &a.enc.reply)
		switch {
		case ans.verdict == answered:
			a.accepted = true
			a.exporter.accepted.Store(true)
			a.read(ctx, docs, ans)
		case ans.verdict == later:
			a.later(docs, ans)
			a.down = true
		case ans.verdict == tooLarge && len(docs) == 1:
			a.exporter.ledger.lose(ctx, a.loss(&docs[0], reasonTooLarge, 413, ans.err.Error()))
		case ans.verdict == malformed && len(docs) == 1:
			a.refused = append(a.refused, refused{a.loss(&docs[0], reasonRefused, 400, ans.err.Error()), docs[0].seq, ans.err})
		default:
			if ans.verdict == tooLarge {
				a.exporter.lowerLimit(len(body) / 2)
			} else if refusals++; refusals >= maxBlind && !a.accepted {
				a.later(docs, ans)
				a.down = true
				break
			}
			half := p.from + len(docs)/2
			parts = append(parts, part{p.from, half}, part{half, p.to})
		}
	}
	for _, p := range parts {
		a.later(a.enc.docs[p.from:p.to], answer{})
	}
}

// later keeps documents for the next attempt.
func (a *attempt) later(docs []document, ans answer) {
	for i := range docs {
		a.retry = append(a.retry, docs[i].seq)
	}
	a.because(ans.err, ans.delay)
}

// because keeps the reason for the next attempt.
func (a *attempt) because(err error, delay time.Duration) {
	if a.err == nil {
		a.err = err
	}
	a.delay = max(a.delay, delay)
}

// settle decides about documents that the server could not even read. They are
// to blame if it has read others. If it has read none it may be the request that
// is wrong, or the address: then they are kept.
func (a *attempt) settle(ctx context.Context, records int) {
	blame := a.accepted || (records == 1 && a.exporter.accepted.Load())
	for _, r := range a.refused {
		if blame {
			a.exporter.ledger.lose(ctx, r.loss)
			continue
		}
		a.retry = append(a.retry, r.seq)
		a.because(r.err, 0)
	}
	slices.Sort(a.retry)
}

// loss copies what a log line says about a document.
func (a *attempt) loss(d *document, reason string, status int, detail string) loss {
	source := a.enc.body[d.source:d.end]
	return loss{
		reason: reason,
		detail: printable(detail, 500),
		status: status,
		index:  slices.Clone(a.enc.body[d.nameStart:d.nameEnd]),
		source: slices.Clone(source[:min(len(source), 2*excerptLength)]),
	}
}

// read goes through the results of the documents of a request.
func (a *attempt) read(ctx context.Context, docs []document, ans answer) {
	if ans.items == nil {
		a.exporter.ledger.count(ctx, outcomeDelivered, "", len(docs))
		return
	}
	results, ok := match(docs, ans.items)
	if !ok {
		a.later(docs, answer{err: fmt.Errorf(
			"elasticsearch: bulk to %s: the answer does not say which of %d documents failed: all are sent again", ans.node, len(docs))})
		return
	}
	ledger := a.exporter.ledger
	delivered, there, again := 0, 0, 0
	var why *item
	for i := range docs {
		d, it := &docs[i], results[i]
		switch {
		case it.ok():
			delivered++
		case it.Status == 409 && len(d.id) > 0:
			there++
		case a.exporter.again(it):
			again++
			why = it
			a.retry = append(a.retry, d.seq)
			ledger.count(ctx, outcomeRetry, it.kind(), 1)
		default:
			ledger.lose(ctx, a.loss(d, it.kind(), it.Status, it.reason()))
		}
	}
	ledger.count(ctx, outcomeDelivered, "", delivered)
	ledger.count(ctx, outcomeThere, "", there)
	if again > 0 {
		a.because(fmt.Errorf("elasticsearch: bulk to %s: %d of %d documents are sent again: status %d: %s: %s: %s",
			ans.node, again, len(docs), why.Status, printable(why.kind(), 64), why.reason(), mend(why.Status)), 0)
	}
}

// match returns the result of each document. The order of the answer counts,
// unless an id shows that it is another order: OpenSearch mixes documents that
// pass a pipeline. It is not ok if documents without an id could be confused.
func match(docs []document, items []item) ([]*item, bool) {
	results := make([]*item, len(docs))
	ordered := true
	for i := range docs {
		results[i] = &items[i]
		ordered = ordered && (len(docs[i].id) == 0 || items[i].ID == "" || string(docs[i].id) == items[i].ID)
	}
	if ordered {
		return results, true
	}
	byID := make(map[string][]*item, len(items))
	for i := range items {
		byID[items[i].ID] = append(byID[items[i].ID], &items[i])
	}
	for i := range docs {
		id := string(docs[i].id)
		same := byID[id]
		if id == "" || len(same) == 0 {
			return nil, false
		}
		results[i], byID[id] = same[0], same[1:]
	}
	return results, true
}
