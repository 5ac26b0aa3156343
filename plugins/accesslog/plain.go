package main

import "github.com/obsd-io/obsd/sdk"

// Fixed texts of a plain line, as little-endian words.
const (
	noUser     = ' ' | '-'<<8 | ' '<<16 | '-'<<24 | ' '<<32 | '['<<40
	timeEnd    = ']' | ' '<<8 | '"'<<16
	protocol   = ' ' | 'H'<<8 | 'T'<<16 | 'T'<<24 | 'P'<<32 | '/'<<40 | '0'<<48 | '.'<<56
	requestEnd = '0' | '"'<<8 | ' '<<16
	sizeEnd    = ' ' | '"'<<8
	refererEnd = '"' | ' '<<8 | '"'<<16
	escape     = 0x5c
)

// plain reads what nearly every line is: combined format, an IPv4 address, no user, a request of three words, a size.
// It compares whole words at known distances where any searches, in half the time. False means only that the line is
// not of that kind; of a line that it takes, any says the same.
func (l *line) plain(t sdk.Text) bool {
	// Offsets may run beyond the text's end: Word and FindNear allow that, and the last check is that the closing
	// quote lies within the text.
	at := t.FindNear(' ', 0)
	at += at >> 3 * t.FindNear(' ', 8)
	l.texts[clientAddress], l.texts[userName] = sdk.SpanOf(0, at), 0
	if (t.Word(at)&0xffffffffffff^noUser)|(t.Word(at+32)&0xffffff^timeEnd)|zero(uint64(at)) != 0 {
		return false
	}
	var ok bool
	if l.time, ok = lastDay.read(t, sdk.SpanOf(at+6, len(layout))); !ok {
		return false
	}
	at += 35
	n := t.FindNear(' ', at)
	l.texts[requestMethod] = sdk.SpanOf(at, n)
	at += n + 1
	end := t.FindEither(' ', '"', at)
	// Of the version's digits it is enough that they are neither a space nor a backslash. No method has a quote at its
	// end; since a quote stands before an empty one, that one is not plain either.
	if (t.Word(end)&0xfff0ffffffffffff^protocol)|(t.Word(end+8)&0xfffff0^requestEnd)|(uint64(n)&8)|zero(t.Word(at-2)&0xff^'"') != 0 {
		return false
	}
	l.texts[protocolVersion] = sdk.SpanOf(end+6, 3)
	l.target(t, at, end)
	return l.plainRest(t, end+11)
}

// plainRest reads a plain line from its status on.
func (l *line) plainRest(t sdk.Text, at int) (ok bool) {
	n := t.FindNear(' ', at+4)
	if l.status, ok = t.Uint(sdk.SpanOf(at, 3)); !ok || t.Word(at+3)&0xff != ' ' {
		return false
	}
	at += 4
	if l.size, ok = t.Uint(sdk.SpanOf(at, n)); !ok || t.Word(at+n)&0xffff != sizeEnd {
		return false
	}
	at += n + 2
	end := t.Find('"', at)
	if (t.Word(end)&0xffffff^refererEnd) != 0 || t.Word(end-1)&0xff == escape {
		return false
	}
	l.texts[referer] = unlessDash(t, sdk.SpanOf(at, end-at))
	at = end + 3
	end = t.Find('"', at)
	l.texts[userAgent] = unlessDash(t, sdk.SpanOf(at, end-at))
	return end < t.Len() && t.Word(end-1)&0xff != escape
}

// zero is 1 for 0, and 0 for what is below 1<<63.
func zero(v uint64) uint64 { return (v - 1) >> 63 }
