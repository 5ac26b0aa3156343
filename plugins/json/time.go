package main

import (
	"math"

	"github.com/obsd-io/obsd/sdk"
)

// timeOf reads a time as nanoseconds since 1970: RFC 3339, or a Unix time as number or text.
func timeOf(t sdk.Text, v *sdk.JSON) (int64, bool) {
	at := v.Span()
	switch v.Kind() {
	case sdk.KindNumber:
		if n, ok := v.Int(); ok {
			return unix(n, 0)
		}
		return decimal(t, at)
	case sdk.KindString:
		if at.Len() > len("2006-01-02T15:04:05") && t.At(at.Offset()+4) == '-' {
			return lastMinute.rfc3339(t, at)
		}
		return decimal(t, at)
	}
	return 0, false
}

const second = 1_000_000_000

// unix turns a number with a fraction (in 1e-9) into nanoseconds. Its magnitude tells the unit, since seconds from
// 1973 to 5138, and the same moments in milliseconds, microseconds and nanoseconds, have no number in common.
// Smaller numbers are no times: "t" and "time" are used for durations too.
func unix(n, fraction int64) (int64, bool) {
	unit := int64(0)
	switch {
	case n >= 1e17:
		unit = 1
	case n >= 1e14:
		unit = 1e3
	case n >= 1e11:
		unit = 1e6
	case n >= 1e8:
		unit = second
	}
	if unit == 0 || n > math.MaxInt64/unit-1 {
		return 0, false
	}
	return n*unit + fraction*unit/second, true
}

// decimal reads digits with a fraction without going through a float64, which holds no nanoseconds of today.
func decimal(t sdk.Text, s sdk.Span) (int64, bool) {
	from, end := s.Offset(), s.Offset()+s.Len()
	if s.Len() > 40 {
		return 0, false
	}
	point := min(t.Find('.', from), end)
	var whole, fraction int64
	var ok bool
	if whole, ok = t.Uint(sdk.SpanOf(from, min(point-from, 18))); !ok {
		return 0, false
	}
	if point-from == 19 { // nanoseconds as text
		last, ok := t.Uint(sdk.SpanOf(from+18, 1))
		if !ok || whole > math.MaxInt64/10-1 {
			return 0, false
		}
		whole = whole*10 + last
	} else if point-from > 19 {
		return 0, false
	}
	if point < end {
		if fraction, ok = nanos(t, point+1, end); !ok {
			return 0, false
		}
	}
	return unix(whole, fraction)
}

var powers = [10]int64{1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000}

// nanos reads the digits of a fraction; those after the ninth are cut off.
func nanos(t sdk.Text, from, end int) (int64, bool) {
	n := min(end-from, 9)
	v, ok := t.Uint(sdk.SpanOf(from, n))
	if rest := end - from - n; ok && rest > 0 {
		_, ok = t.Uint(sdk.SpanOf(from+n, rest))
	}
	return v * powers[9-n], ok
}

// lastMinute is the minute just parsed: neighbouring records mostly share it.
var lastMinute minuteMemo

// minuteMemo has the first 16 bytes of a time, 2006-01-02T15:04, and their moment.
type minuteMemo struct {
	low, high uint64
	seconds   int64 // since 1970
}

// rfc3339 reads a time of RFC 3339 §5.6. As there, a space may stand for the T and the second may be 60; as in
// ISO 8601, a comma for the point, and the offset may lack its colon.
func (m *minuteMemo) rfc3339(t sdk.Text, s sdk.Span) (int64, bool) {
	at, end := s.Offset(), s.Offset()+s.Len()
	if (t.Word(at) != m.low || t.Word(at+8) != m.high) && !m.parse(t, at) {
		return 0, false
	}
	tail := t.Word(at + 16) // :05 and the first of what follows
	second10, second1 := tail>>8&0xff-'0', tail>>16&0xff-'0'
	seconds := int64(second10*10 + second1)
	if tail&0xff != ':' || second10 > 6 || second1 > 9 || seconds > 60 {
		return 0, false
	}
	offset, zone, ok := offsetAt(t, at, end)
	if !ok {
		return 0, false
	}
	fraction := int64(0)
	if point := at + 19; point < zone {
		if c := t.At(point); c != '.' && c != ',' {
			return 0, false
		}
		if fraction, ok = nanos(t, point+1, zone); !ok {
			return 0, false
		}
	}
	seconds += m.seconds - offset
	return seconds*second + fraction, seconds > 0 && seconds < math.MaxInt64/second
}

// offsetAt reads the offset that a time ends with, in seconds, and where it starts.
func offsetAt(t sdk.Text, at, end int) (offset int64, zone int, ok bool) {
	if t.At(end-1)|' ' == 'z' {
		return 0, end - 1, true
	}
	zone = end - len("+0000")
	if t.At(end-3) == ':' {
		zone--
	}
	sign := t.At(zone)
	hours, ok1 := t.Uint(sdk.SpanOf(zone+1, 2))
	minutes, ok2 := t.Uint(sdk.SpanOf(end-2, 2))
	offset = hours*3600 + minutes*60
	if sign == '-' {
		offset = -offset
	}
	return offset, zone, ok1 && ok2 && zone >= at+19 && (sign == '-' || sign == '+') && hours < 24 && minutes < 60
}

// parse reads 2006-01-02T15:04 and remembers it.
func (m *minuteMemo) parse(t sdk.Text, at int) bool {
	year, ok1 := t.Uint(sdk.SpanOf(at, 4))
	month, ok2 := t.Uint(sdk.SpanOf(at+5, 2))
	day, ok3 := t.Uint(sdk.SpanOf(at+8, 2))
	hour, ok4 := t.Uint(sdk.SpanOf(at+11, 2))
	minute, ok5 := t.Uint(sdk.SpanOf(at+14, 2))
	separator := t.At(at + 10)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || t.At(at+4) != '-' || t.At(at+7) != '-' || t.At(at+13) != ':' ||
		separator|' ' != 't' && separator != ' ' {
		return false
	}
	if month < 1 || month > 12 || day < 1 || day > days(year, month) || hour > 23 || minute > 59 {
		return false
	}
	m.low, m.high = t.Word(at), t.Word(at+8)
	m.seconds = (sinceEpoch(year, month, day)*24+hour)*3600 + minute*60
	return true
}

// days is the number of days of a month.
func days(year, month int64) int64 {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// sinceEpoch is the number of days from 1970 to a date of the Gregorian calendar. Years are counted from March,
// so that a leap day is a year's last; 30.6 days a month then fall on the right one.
func sinceEpoch(year, month, day int64) int64 {
	if month < 3 {
		year, month = year-1, month+12
	}
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1 - 719468
}
