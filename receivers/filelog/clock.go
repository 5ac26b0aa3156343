package filelog

// minutePrefix is the length of "2026-11-23T10:00:", all of a time stamp that stays the same for a minute.
const minutePrefix = 17

// clock reads RFC 3339 time stamps with up to nine digits after the second, as container runtimes write them.
// It keeps the minute it read last, because neighbouring lines mostly share it.
type clock struct {
	prefix [minutePrefix]byte
	minute int64 // Unix seconds of prefix, taken as UTC
	known  bool
}

// parse returns the nanoseconds since 1970 that b stands for. It is stricter than time.Parse: what it takes, time.Parse takes with the same result.
// Years outside 1970 to 2261 are refused, because a log record cannot hold them.
func (c *clock) parse(b []byte) (int64, bool) {
	if len(b) < len("2026-11-23T10:00:00Z") || len(b) > len("2026-11-23T10:00:00.000000000+00:00") {
		return 0, false
	}
	if !c.known || string(b[:minutePrefix]) != string(c.prefix[:]) {
		minute, ok := parseMinute(b)
		if !ok {
			return 0, false
		}
		c.minute, c.known = minute, true
		copy(c.prefix[:], b)
	}
	second, ok := twoDigits(b[17], b[18], 59)
	if !ok {
		return 0, false
	}
	nanos, rest, ok := parseFraction(b[19:])
	if !ok {
		return 0, false
	}
	zone, ok := parseZone(rest)
	if !ok {
		return 0, false
	}
	return (c.minute+int64(second)-zone)*1e9 + nanos, true
}

// parseMinute reads "2026-11-23T10:00:".
func parseMinute(b []byte) (int64, bool) {
	if b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	century, ok1 := twoDigits(b[0], b[1], 99)
	inCentury, ok2 := twoDigits(b[2], b[3], 99)
	month, ok3 := twoDigits(b[5], b[6], 12)
	day, ok4 := twoDigits(b[8], b[9], 31)
	hour, ok5 := twoDigits(b[11], b[12], 23)
	minute, ok6 := twoDigits(b[14], b[15], 59)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 {
		return 0, false
	}
	year := century*100 + inCentury
	if year < 1970 || year > 2261 || month == 0 || day == 0 || day > daysIn(year, month) {
		return 0, false
	}
	return ((daysSince1970(year, month, day)*24+int64(hour))*60 + int64(minute)) * 60, true
}

// parseFraction reads ".123456789", or nothing, and returns what follows.
func parseFraction(b []byte) (nanos int64, rest []byte, ok bool) {
	if b[0] != '.' {
		return 0, b, true
	}
	i, scale := 1, int64(1e9)
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		if i > 9 {
			return 0, nil, false
		}
		nanos = nanos*10 + int64(b[i]-'0')
		scale /= 10
		i++
	}
	if i == 1 {
		return 0, nil, false
	}
	return nanos * scale, b[i:], true
}

// parseZone reads "Z" or "+01:00" and returns the seconds east of Greenwich.
func parseZone(b []byte) (int64, bool) {
	if len(b) == 1 && b[0] == 'Z' {
		return 0, true
	}
	if len(b) != len("+00:00") || b[3] != ':' || (b[0] != '+' && b[0] != '-') {
		return 0, false
	}
	hours, ok1 := twoDigits(b[1], b[2], 23)
	minutes, ok2 := twoDigits(b[4], b[5], 59)
	if !ok1 || !ok2 {
		return 0, false
	}
	seconds := int64(hours*60+minutes) * 60
	if b[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

func twoDigits(tens, ones byte, most int) (int, bool) {
	tens -= '0'
	ones -= '0'
	n := int(tens)*10 + int(ones)
	return n, tens <= 9 && ones <= 9 && n <= most
}

func daysIn(year, month int) int {
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

// daysSince1970 counts days with years that begin in March, so that the leap day comes last.
func daysSince1970(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	leapDays := year/4 - year/100 + year/400
	return int64(365*year+leapDays+(153*(month-3)+2)/5+day) - 719469
}
