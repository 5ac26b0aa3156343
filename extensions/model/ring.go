package model

import (
	"math"
	"slices"
	"time"
)

// window holds the last values of several metrics of one object. The metrics of an object come together, so they share
// the times; a value that is not there is NaN. The two newest rows are numbers. The rows before, each of which is whole and
// never changes, are kept as what is different in them from the row after (see delta.go), which is a fifth of the size:
//
//	                         series  0   1   2
//	older   row at t-90s ── changed      ×      ─► 4 bytes
//	        row at t-60s ── changed  ×   ×      ─► 7 bytes
//	prev    row at t-30s             5   6  NaN
//	now     row at t                 5   7   1
type window struct {
	cells []cell
	older []byte // rows, the oldest first
	// at and prevAt are the times of now and prev, in Unix nanoseconds.
	at, prevAt int64
	// begin is the time of the first value in the newest row, which the next values go to until it is full.
	begin int64
	// count is how many rows there are, slots how many there may be.
	count, slots int
}

// cell is a series with its two newest values.
type cell struct {
	now, prev float64
	entry
}

// entry says which series it is: numbers of a name and of one of the object's labels.
type entry struct{ name, label uint16 }

// point is a value at a time in Unix nanoseconds.
type point struct {
	at    int64
	value float64
}

// apart is how far apart values are kept at least: less than the resolution, so that a receiver that is a little early
// does not lose every second value.
func apart(resolution time.Duration) time.Duration { return resolution * 3 / 4 }

// parts is how much earlier than the first value in a row another may be and still belong there.
const parts = time.Second

// capacity is how many values a time span may hold.
func capacity(span, resolution time.Duration) int { return int(span/apart(resolution)) + 2 }

// find is the number of a series, or -1.
func (w *window) find(e entry) int {
	return slices.IndexFunc(w.cells, func(c cell) bool { return c.entry == e })
}

// add makes room for a series, in a window of at most slots rows, which is 3 or more.
func (w *window) add(e entry, slots int) int {
	w.slots = slots
	w.cells = append(w.cells, cell{math.NaN(), math.NaN(), e})
	return len(w.cells) - 1
}

// put takes a value. One that comes late is left out.
func (w *window) put(series int, p point, resolution, span time.Duration) {
	if !w.row(p.at, resolution, span) {
		return
	}
	if math.IsNaN(p.value) {
		p.value = math.NaN() // that which stands for no value
	}
	w.cells[series].now = p.value
}

// row makes the newest row that which values of a time go to, if there is one.
func (w *window) row(at int64, resolution, span time.Duration) bool {
	switch {
	case w.count == 0:
	case at <= w.at-int64(span): // the clock was set back: the old times would hide the new ones
		w.count, w.older = 0, nil
	case at < w.begin-int64(parts):
		return false
	case at-w.begin < int64(apart(resolution)):
		w.at = max(w.at, at)
		return true
	}
	w.turn(at)
	return true
}

// turn begins a new row.
func (w *window) turn(at int64) {
	if w.count == w.slots {
		w.older = w.older[:copy(w.older, w.older[w.oldest():])]
	}
	if w.count >= 2 {
		w.older = w.appendRow(w.older)
	}
	if n := len(w.cells); cap(w.cells) > n { // series that came with the last row: there will be no more soon
		w.cells = append(make([]cell, 0, n), w.cells...)
	}
	for i := range w.cells {
		c := &w.cells[i]
		if c.prev = c.now; w.count == 0 {
			c.prev = math.NaN()
		}
		c.now = math.NaN()
	}
	w.prevAt, w.at, w.begin = w.at, at, at
	w.count = min(w.count+1, w.slots)
}

// back calls yield for the values of a series, from the newest to the oldest, until it returns false.
func (w *window) back(series int, yield func(point) bool) {
	c := w.cells[series]
	if w.count > 0 && !math.IsNaN(c.now) && !yield(point{w.at, c.now}) {
		return
	}
	if w.count < 2 || !math.IsNaN(c.prev) && !yield(point{w.prevAt, c.prev}) {
		return
	}
	p := point{w.prevAt, c.prev}
	for rows := w.older; len(rows) > 0; {
		var r row
		rows, r = lastRow(rows)
		p.at -= r.gap
		p.value = r.value(series, p.value)
		if !math.IsNaN(p.value) && !yield(p) {
			return
		}
	}
}

// each calls yield for the values of a series, from the oldest to the newest.
func (w *window) each(series int, yield func(point)) {
	points := make([]point, 0, w.count)
	w.back(series, func(p point) bool {
		points = append(points, p)
		return true
	})
	for _, p := range slices.Backward(points) {
		yield(p)
	}
}

// last is the newest value of a series, and the time of the one before it, or 0.
func (w *window) last(series int) (p point, before int64) {
	n := 0
	w.back(series, func(next point) bool {
		if n++; n == 1 {
			p = next
		} else {
			before = next.at
		}
		return n < 2
	})
	return p, before
}

// compact lets go of series without a value and tells how many there were.
func (w *window) compact() (gone int) {
	for s := range slices.Backward(w.cells) {
		alive := false
		w.back(s, func(p point) bool {
			alive = p.at != 0
			return false
		})
		if !alive {
			w.older = withoutSeries(w.older, s)
			w.cells = slices.Delete(w.cells, s, s+1)
			gone++
		}
	}
	return gone
}
