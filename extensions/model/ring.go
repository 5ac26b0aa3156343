package model

import "time"

// point is a value at a time in Unix nanoseconds.
type point struct {
	at    int64
	value float64
}

// series holds the last values of one metric of one object, in a ring that has its full size from the start:
//
//	points  [ 5 | 6 | 2 | 3 | 4 ]   first = 2, count = 5
type series struct {
	label        string
	points       []point
	name         uint16
	first, count uint16
	float        bool
}

// apart is how far apart values are kept at least: less than the resolution, so that a receiver that is a little early
// does not lose every second value.
func apart(resolution time.Duration) time.Duration { return resolution * 3 / 4 }

// capacity is how many values a window may hold.
func capacity(window, resolution time.Duration) int {
	return int(window/apart(resolution)) + 2
}

func (r *series) at(i int) *point { return &r.points[(int(r.first)+i)%len(r.points)] }

func (r *series) last() point { return *r.at(int(r.count) - 1) }

// add takes a value in the order of time; one that comes late is left out. While the newest value is nearer to the one
// before it than the resolution, the next takes its place.
func (r *series) add(p point, resolution, window time.Duration) {
	if r.count > 0 {
		last := r.at(int(r.count) - 1)
		switch {
		case p.at <= last.at-int64(window):
			r.count = 0 // the clock was set back: the old times would hide the new ones
		case p.at < last.at:
			return
		case p.at == last.at, r.count > 1 && last.at-r.at(int(r.count)-2).at < int64(apart(resolution)):
			*last = p
			return
		}
	}
	if int(r.count) == len(r.points) {
		r.first = uint16((int(r.first) + 1) % len(r.points))
		r.count--
	}
	r.count++
	*r.at(int(r.count) - 1) = p
}

// between calls yield for the values from start to end, both included.
func (r *series) between(start, end int64, yield func(point)) {
	for i := range int(r.count) {
		if p := *r.at(i); p.at >= start && p.at <= end {
			yield(p)
		}
	}
}
