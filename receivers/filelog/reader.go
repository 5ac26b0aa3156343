package filelog

import (
	"bytes"
	"errors"
	"io"
	"time"
)

const (
	// turnReads is how many batches a follower may send before others get their turn.
	turnReads = 16
	// partialWait is how long the beginning of a message may wait for its end.
	partialWait = 5 * time.Second
	// partialSpan is how far the end of a message may stand from its beginning. It bounds what is read again after a restart.
	partialSpan = 8 << 20
	// shortSum is the batch size below which the sum before the position is read from the file, to span earlier lines.
	shortSum = 64
)

// outcome is how one step of reading ended.
type outcome uint8

const (
	sent    outcome = iota // a batch was accepted, or there was nothing to send: read on
	atEnd                  // all complete lines are read
	refused                // the pipeline refused the batch: the position stands
	failed                 // the file cannot be read now
	stopped                // obsd is shutting down
)

// worker reads files, one follower at a time.
type worker struct {
	r     *fileLog
	buf   []byte
	batch batch
}

// turn lets the follower catch up. more asks for another turn at once.
func (w *worker) turn(f *follower) (more bool) {
	now := time.Now()
	f.wakeAt, f.holdUntil = time.Time{}, time.Time{}
	if f.fresh {
		f.ignoreOlder()
	}
	f.takeArrived(now)
	f.refresh(now)
	if f.fresh {
		f.fresh = false
		if f.known(f.claim) == nil {
			f.r.disown(f.claim, f)
		}
	}
	if !f.settleAt.IsZero() && !now.Before(f.settleAt) {
		f.settleAt = time.Time{}
		f.look(f.standing(), now)
	}
	f.tend(now)
	if now.Before(f.readAfter) {
		f.wake(f.readAfter)
	} else {
		more = w.readAll(f)
	}
	f.rest(time.Now())
	return more
}

// readAll reads the generations in their order, each to its end before the next one is begun.
func (w *worker) readAll(f *follower) (more bool) {
	w.batch.container = f.container
	reads := turnReads
	for i := 0; i < len(f.gens); i++ {
		g := f.gens[i]
		if g.done {
			continue
		}
		last := g == f.current
		if g.file == nil && (last && g.size <= g.offset && !g.asm.pending()) {
			continue
		}
		if now := time.Now(); now.Before(g.retryAt) || !f.open(g, now) {
			continue
		}
		switch w.readOne(f, g, &reads) {
		case sent:
			return true
		case refused, stopped:
			return false
		case failed:
			continue
		case atEnd:
		}
		if !last {
			if !f.handOver(i) {
				f.wake(time.Now().Add(w.r.cfg.PollInterval))
				return false
			}
			if w.retire(f, g) {
				i--
			}
		}
	}
	return false
}

// readOne reads one file to its end, or until the turn is used up.
func (w *worker) readOne(f *follower, g *generation, reads *int) outcome {
	if g.unloaded {
		if out := w.reload(f, g); out != sent {
			return out
		}
	}
	for ; *reads > 0; *reads-- {
		if out := w.step(f, g, false); out != sent {
			f.r.weigh(g)
			return out
		}
	}
	f.r.weigh(g)
	return sent
}

// step reads once and sends what it got. At the end of the file, last says that no more will be written to it.
func (w *worker) step(f *follower, g *generation, last bool) outcome {
	n, err := g.file.ReadAt(w.buf, g.offset)
	if err != nil && !errors.Is(err, io.EOF) {
		f.trouble(err, g, time.Now())
		return failed
	}
	now := time.Now()
	if n > 0 && !f.stillSame(g, now) {
		return failed
	}
	data := w.buf[:n]
	if end := g.offset + int64(n); end > g.size {
		g.size, g.grew = end, now
	}
	if g.asm.long.active {
		return w.longRest(f, g, data, now, last)
	}
	if out := w.flushPartials(f, g, now, func(p *partial) bool { return p.far }); out != atEnd {
		return out
	}
	if cut := bytes.LastIndexByte(data, '\n') + 1; cut > 0 {
		w.batch.begin(f.resource, data[:cut], now)
		before := g.asm
		taken := w.batch.addChunk(&g.asm, data[:cut], g.offset)
		return w.send(f, g, before, data[:taken])
	}
	if n == len(w.buf) && n < w.longest() {
		w.buf = make([]byte, min(2*len(w.buf), w.longest()))
		return w.step(f, g, last)
	}
	if n >= w.longest() {
		return w.longHead(f, g, data, now)
	}
	due := func(p *partial) bool {
		if last || now.Sub(p.seen) >= partialWait {
			return true
		}
		f.wake(p.seen.Add(partialWait))
		return false
	}
	if out := w.flushPartials(f, g, now, due); out != atEnd {
		return out
	}
	return w.flushLine(f, g, data, now, last)
}

// longest is the size of the read buffer in which a line without its newline counts as too long.
func (w *worker) longest() int { return int(w.r.cfg.MaxLogSize) + 1024 }

// longHead sends the beginning of a line that is too long for the buffer.
func (w *worker) longHead(f *follower, g *generation, data []byte, now time.Time) outcome {
	b := &w.batch
	b.begin(f.resource, nil, now)
	before := g.asm
	e := &b.entry
	*e = entry{}
	if !b.parse(&g.asm, data, e) {
		*e = entry{body: data}
	}
	head := len(data) - len(e.body)
	n := cutAt(e.body, b.maxLogSize)
	g.asm.long = longLine{active: true, time: e.time, stream: e.stream}
	if b.truncate {
		b.counts.truncated++
	} else {
		b.counts.split++
	}
	b.valid = false
	if body := bytes.TrimLeft(e.body[:n], "\x00"); len(body) > 0 {
		b.emit(body, e)
	}
	return w.send(f, g, before, data[:head+n])
}

// longRest goes on in a line that is too long for the buffer: it makes more records of it, or passes over it, until its newline.
func (w *worker) longRest(f *follower, g *generation, data []byte, now time.Time, last bool) outcome {
	b := &w.batch
	piece, _, ended := bytes.Cut(data, []byte{'\n'})
	if len(piece) > b.maxLogSize && !b.truncate {
		piece, ended = piece[:cutAt(piece, b.maxLogSize)], false
	} else if !ended && !b.truncate && len(piece) < b.maxLogSize && !last {
		if len(data) == len(w.buf) {
			w.buf = make([]byte, min(2*len(w.buf), w.longest()))
			return w.step(f, g, last)
		}
		if !w.flushDue(g, now) {
			return w.idle(f, g, len(piece), now)
		}
	}
	if len(piece) == 0 && !ended {
		return atEnd
	}
	b.begin(f.resource, nil, now)
	before := g.asm
	b.valid = false
	if body := bytes.TrimLeft(trimReturn(piece), "\x00"); !b.truncate && len(body) > 0 {
		b.emit(body, &entry{time: g.asm.long.time, stream: g.asm.long.stream})
	}
	taken := len(piece)
	if ended {
		g.asm.long = longLine{}
		taken++
	}
	return w.send(f, g, before, data[:taken])
}

// flushDue says whether the file has been quiet for long enough to send a line that has no newline.
func (w *worker) flushDue(g *generation, now time.Time) bool {
	period := w.r.cfg.ForceFlushPeriod
	return period > 0 && now.Sub(g.grew) >= period && g.asm.format != cri && g.asm.format != docker
}

// retire closes a rotated or deleted file that was read to its end and has been quiet for long enough. It says whether the generation is forgotten.
func (w *worker) retire(f *follower, g *generation) (forgotten bool) {
	now := time.Now()
	if quiet := now.Sub(g.grew); quiet < w.r.cfg.RotateWait {
		f.wake(now.Add(w.r.cfg.PollInterval))
		return false
	}
	for out := sent; out != atEnd; {
		if out = w.step(f, g, true); out != atEnd && out != sent {
			return false
		}
	}
	st, err := g.file.stat()
	f.r.weigh(g)
	if err != nil || st.links == 0 {
		f.forget(g)
		f.save()
		return true
	}
	f.r.shut(g)
	g.done, g.size, g.mtime = true, g.offset, st.mtime
	f.save()
	return false
}

// idle ends the turn at an unfinished line of n bytes and asks for one when it will be time to send it.
func (w *worker) idle(f *follower, g *generation, n int, now time.Time) outcome {
	if n > 0 && w.r.cfg.ForceFlushPeriod > 0 && g.asm.format != cri && g.asm.format != docker {
		f.wake(later(g.grew.Add(w.r.cfg.ForceFlushPeriod), now))
	}
	return atEnd
}

// later returns t, or a moment after now if t is not after it.
func later(t, now time.Time) time.Time {
	if t.After(now) {
		return t
	}
	return now.Add(time.Millisecond)
}

// flushLine sends a last line without a newline, once it is quiet or nothing more will come.
func (w *worker) flushLine(f *follower, g *generation, data []byte, now time.Time, last bool) outcome {
	if len(data) == 0 {
		return atEnd
	}
	if !last && !w.flushDue(g, now) {
		return w.idle(f, g, len(data), now)
	}
	w.batch.begin(f.resource, data, now)
	before := g.asm
	w.batch.addLine(&g.asm, data, g.offset)
	return w.send(f, g, before, data)
}

// flushPartials sends the messages that due picks, whose end does not come.
func (w *worker) flushPartials(f *follower, g *generation, now time.Time, due func(*partial) bool) outcome {
	if !g.asm.pending() {
		return atEnd
	}
	b := &w.batch
	before := g.asm
	begun := false
	for i := range g.asm.parts {
		p := &g.asm.parts[i]
		if !p.active || !due(p) {
			continue
		}
		if !begun {
			b.begin(f.resource, nil, now)
			b.entry, begun = entry{}, true
		}
		if len(p.text) > 0 {
			b.emitJoined(p.text, p.time, stream(i))
		}
		*p = partial{}
	}
	if !begun {
		return atEnd
	}
	return w.send(f, g, before, nil)
}

// send delivers the batch and moves the position over data. before is put back if the batch is refused.
func (w *worker) send(f *follower, g *generation, before assembly, data []byte) outcome {
	if out := w.deliver(f); out != sent {
		g.asm = before
		return out
	}
	w.r.tel.count(w.r.ctx, w.batch.counts)
	g.offset += int64(len(data))
	if len(data) >= shortSum || g.offset < shortSum {
		g.sum = sumOf(data)
	} else if s, err := sumBefore(g.file, g.offset); err == nil {
		g.sum = s
	}
	f.limitSpan(g)
	f.save()
	return sent
}

// limitSpan marks messages whose end is too far from their beginning to wait for it.
func (f *follower) limitSpan(g *generation) {
	span := max(partialSpan, 4*int64(f.r.cfg.MaxLogSize))
	for i := range g.asm.parts {
		if p := &g.asm.parts[i]; p.active && p.start >= 0 && g.offset-p.start > span {
			p.far = true
		}
	}
}

// reload reads the beginnings of unfinished messages again, after a restart or when their memory was wanted elsewhere.
func (w *worker) reload(f *follower, g *generation) outcome {
	b := &w.batch
	now := time.Now()
	from := g.offset
	for _, p := range g.asm.parts {
		if p.active && p.start >= 0 {
			from = min(from, p.start)
		}
	}
	asm := assembly{format: g.asm.format}
	b.begin(f.resource, nil, now)
	b.mute, b.resume = true, g.asm.parts
	defer func() { b.mute, b.resume = false, [streamCount]partial{} }()
	for from < g.offset {
		n, err := g.file.ReadAt(w.buf[:min(int64(len(w.buf)), g.offset-from)], from)
		if err != nil && !errors.Is(err, io.EOF) {
			f.trouble(err, g, now)
			return failed
		}
		cut := bytes.LastIndexByte(w.buf[:n], '\n') + 1
		if cut == 0 {
			break // the rest belongs to a line that was cut for its length
		}
		b.addChunk(&asm, w.buf[:cut], from)
		from += int64(cut)
	}
	for i := range g.asm.parts {
		if p := &g.asm.parts[i]; p.active && p.start >= 0 {
			asm.parts[i].seen = now
			*p = asm.parts[i]
		}
	}
	g.unloaded = false
	return sent
}
