package model

import (
	"math"
	"slices"
	"time"
)

// window holds the last values of several metrics of one object. The metrics of an object come together, so they share
// the times; a value that is not there is NaN. Both rings have their full size from the start:
//
//	times            [ 50 | 60 | 20 | 30 | 40 ]   first = 2, count = 5
//	values series 0  [  5 |  6 |  2 |  3 |  4 ]
//	       series 1  [  0 |  0 |NaN |  1 |  1 ]
type window struct {
	series       []entry
	times        []int64 // Unix nanoseconds
	values       []float64
	first, count int
	// begin is the time of the first value in the newest slot, which the next values go to until it is full.
	begin int64
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

// parts is how much earlier than the first value in a slot another may be and still belong there.
const parts = time.Second

// capacity is how many values a time span may hold.
func capacity(span, resolution time.Duration) int { return int(span/apart(resolution)) + 2 }

func (w *window) index(i int) int { return (w.first + i) % len(w.times) }

// find is the number of a series, or -1.
func (w *window) find(e entry) int { return slices.Index(w.series, e) }

// add makes room for a series. Most of an object's series come at once, so the list grows by a few at a time.
func (w *window) add(e entry, slots int) int {
	if w.times == nil {
		w.times = make([]int64, slots)
	}
	const few = 8
	if len(w.series) == cap(w.series) {
		w.series = append(make([]entry, 0, len(w.series)+few), w.series...)
		w.values = append(make([]float64, 0, (len(w.series)+few)*slots), w.values...)
	}
	w.series = append(w.series, e)
	for range slots {
		w.values = append(w.values, math.NaN())
	}
	return len(w.series) - 1
}

// put takes a value. One that comes late is left out.
func (w *window) put(series int, p point, resolution, span time.Duration) {
	if slot, ok := w.slot(p.at, resolution, span); ok {
		w.values[series*len(w.times)+slot] = p.value
	}
}

// slot finds where values of a time go, and moves on if it is time to.
func (w *window) slot(at int64, resolution, span time.Duration) (int, bool) {
	if w.count > 0 {
		newest := w.index(w.count - 1)
		switch {
		case at <= w.times[newest]-int64(span):
			w.count = 0 // the clock was set back: the old times would hide the new ones
		case at < w.begin-int64(parts):
			return 0, false
		case at-w.begin < int64(apart(resolution)):
			w.times[newest] = max(w.times[newest], at)
			return newest, true
		}
	}
	if w.count == len(w.times) {
		w.first = (w.first + 1) % len(w.times)
		w.count--
	}
	w.count++
	slot := w.index(w.count - 1)
	w.times[slot], w.begin = at, at
	for s := range w.series {
		w.values[s*len(w.times)+slot] = math.NaN()
	}
	return slot, true
}

// each calls yield for the values of a series, from the oldest to the newest.
func (w *window) each(series int, yield func(point)) {
	for i := range w.count {
		slot := w.index(i)
		if v := w.values[series*len(w.times)+slot]; !math.IsNaN(v) {
			yield(point{w.times[slot], v})
		}
	}
}

// last is the newest value of a series, and the time of the one before it, or 0.
func (w *window) last(series int) (p point, before int64) {
	w.each(series, func(next point) { before, p = p.at, next })
	return p, before
}

// compact lets go of series without a value and tells how many there were.
func (w *window) compact() (gone int) {
	slots := len(w.times)
	for s := range slices.Backward(w.series) {
		if p, _ := w.last(s); p.at == 0 {
			w.series = slices.Delete(w.series, s, s+1)
			w.values = slices.Delete(w.values, s*slots, (s+1)*slots)
			gone++
		}
	}
	return gone
}
