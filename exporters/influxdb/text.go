package influxdb

import (
	"strings"
	"unicode/utf8"
)

const (
	// A server refuses a series whose measurement, tags and field name together are longer than 64 KiB.
	maxSeriesKey = 60_000
	maxName      = 1024
	maxTagValue  = 4096
	// InfluxDB 2 refuses a string field longer than 1 MiB.
	maxFieldValue = 1 << 20
)

// changes counts what had to be altered to be written.
type changes [numChanges]int64

// change is a kind of alteration; its name is a value of the attribute `change`.
type change int

const (
	changeCharacters change = iota
	changeTruncated
	changeRenamed
	changeCollision
	changeNotFinite
	changeBuckets
	changeMoved
	numChanges
)

var changeNames = [numChanges]string{
	changeCharacters: "characters_replaced",
	changeTruncated:  "truncated",
	changeRenamed:    "key_renamed",
	changeCollision:  "duplicate_key",
	changeNotFinite:  "not_finite",
	changeBuckets:    "buckets_left_out",
	changeMoved:      "time_moved",
}

// text makes names and values fit for line protocol and counts what it alters.
// In the usual case it returns its argument.
type text struct {
	changed *changes
}

// name returns s as a name of a measurement, tag or field.
func (t text) name(s string) string {
	return t.clean(s, maxName)
}

// key returns s as a key of a tag or field. A few keys are the server's own.
func (t text) key(s string) string {
	s = t.clean(s, maxName)
	switch s {
	case "time", "_time", "_field", "_measurement":
		t.changed[changeRenamed]++
		return s + "_"
	}
	return s
}

// measurement returns s as a measurement. A line that starts with # is a comment.
func (t text) measurement(s string) string {
	s = t.name(s)
	if strings.HasPrefix(s, "#") {
		t.changed[changeRenamed]++
		return "_" + s
	}
	return s
}

// tagValue returns s as the value of a tag.
func (t text) tagValue(s string) string {
	return t.clean(s, maxTagValue)
}

func (t text) clean(s string, limit int) string {
	if len(s) > limit {
		t.changed[changeTruncated]++
		s = cut(s, limit)
	}
	if plain(s) {
		return s
	}
	t.changed[changeCharacters]++
	return replace(s)
}

// plain reports whether line protocol can carry s outside of quotes.
func plain(s string) bool {
	ascii := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < ' ' || c == 0x7f {
			return false
		}
		if c >= utf8.RuneSelf {
			ascii = false
		}
		if c == '\\' && eats(s, i+1) {
			return false
		}
	}
	return ascii || utf8.ValidString(s)
}

// eats reports whether a backslash before s[i] would change the meaning of what
// follows: the format has no escape for a backslash.
func eats(s string, i int) bool {
	return i == len(s) || s[i] == ' ' || s[i] == ',' || s[i] == '=' || s[i] < ' ' || s[i] == 0x7f
}

// replace makes s plain: control characters become spaces, invalid bytes
// U+FFFD, and a backslash that would eat its neighbour a slash.
func replace(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r < ' ' || r == 0x7f:
			b.WriteByte(' ')
		case r == '\\' && eats(s, i+1):
			b.WriteByte('/')
		default:
			b.WriteRune(r)
		}
		i += size
	}
	return b.String()
}

// cut shortens s to at most limit bytes and does not split a character.
func cut(s string, limit int) string {
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// value returns s as the value of a string field.
func (t text) value(s string) string {
	if len(s) > maxFieldValue {
		t.changed[changeTruncated]++
		s = cut(s, maxFieldValue)
	}
	if utf8.ValidString(s) {
		return s
	}
	t.changed[changeCharacters]++
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > maxFieldValue {
		s = cut(s, maxFieldValue)
	}
	return s
}

// matches reports whether pattern, in which * stands for any text, covers s.
func matches(pattern, s string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	if !strings.HasPrefix(s, head) {
		return false
	}
	s = s[len(head):]
	for {
		var part string
		part, rest, star = strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(s, part)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
}
