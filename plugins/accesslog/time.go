package main

import (
	"time"

	"github.com/obsd-io/obsd/sdk"
)

// layout is strftime's %d/%b/%Y:%H:%M:%S %z.
const layout = "02/Jan/2006:15:04:05 -0700"

// lastDay is the day of the line before: time.Parse takes a guest longer than a hundred lines.
var lastDay day

// day is a day as lines write it.
type day struct {
	text     [3]uint64 // a time without its clock
	midnight int64     // in its zone, seconds since 1970
}

// read reads the time that a span holds, as nanoseconds since 1970; false says that it holds none.
func (d *day) read(t sdk.Text, s sdk.Span) (int64, bool) {
	at := s.Offset()
	seconds, ok := clock(t.Word(at + 12))
	if !ok || s.Len() != len(layout) || at+len(layout) > t.Len() {
		return 0, false
	}
	zone := t.Word(at+18) >> 16
	if (t.Word(at)^d.text[0])|(t.Word(at+4)^d.text[1])|(zone^d.text[2]) != 0 {
		parsed, err := time.Parse(layout, t.Cut(s))
		// Record times are nanoseconds from 1970 on, which an int64 holds until 2262. What counts is the day, not its
		// clock: the next line of that day is not looked at.
		if err != nil || parsed.Unix() < seconds || parsed.Year() > 2261 {
			return 0, false
		}
		d.text = [3]uint64{t.Word(at), t.Word(at + 4), zone}
		d.midnight = parsed.Unix() - seconds
	}
	return (d.midnight + seconds) * int64(time.Second), true
}

// clock reads the 8 bytes hh:mm:ss, the first in the lowest byte, as seconds.
func clock(w uint64) (int64, bool) {
	const colons = ':'<<16 | ':'<<40
	const zeros = '0' | '0'<<8 | '0'<<24 | '0'<<32 | '0'<<48 | '0'<<56
	w ^= zeros | colons
	// A digit over 9, or a byte over 0 where a colon stands, reaches its byte's highest bit.
	if ((w+0x76767f76767f7676)|w)&0x8080808080808080 != 0 {
		return 0, false
	}
	pair := func(shift int) int64 { return int64(w>>shift&0xff)*10 + int64(w>>(shift+8)&0xff) }
	h, m, s := pair(0), pair(24), pair(48)
	return h*3600 + m*60 + s, h < 24 && m < 60 && s < 60
}
