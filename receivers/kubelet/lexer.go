package kubelet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// lexer reads JSON from memory without allocating: the caller walks objects and lists in their order and takes the
// values it wants. RATIONALE.md says why it is not a library.
//
// A value of another type than the one asked for, null among them, is skipped and reads as absent. A document that is
// not JSON, or that ends too early, is an error; after the first one every method answers at once, so loops end. Of what
// is skipped only the end is looked for.
type lexer struct {
	b   []byte
	i   int
	err error

	noPSI bool // pressure is not wanted: it is half of a summary
}

// fail keeps the first error and ends the document.
func (l *lexer) fail(what string) {
	if l.err == nil {
		l.err = fmt.Errorf("not valid JSON at byte %d of %d: %s", l.i, len(l.b), what)
	}
	l.i = len(l.b)
}

// peek returns the next byte that is not white space; 0 at the end.
func (l *lexer) peek() byte {
	for l.i < len(l.b) {
		switch c := l.b[l.i]; c {
		case ' ', '\n', '\t', '\r':
			l.i++
		default:
			return c
		}
	}
	return 0
}

// open enters an object ('{') or a list ('['). If the value is anything else it is skipped.
func (l *lexer) open(bracket byte) bool {
	if l.peek() != bracket {
		l.skip()
		return false
	}
	l.i++
	return true
}

// key goes on to the next member of an object and returns its name, which is valid until the document is gone. first
// starts true and is the loop's own. At the end of the object it is left.
func (l *lexer) key(first *bool) ([]byte, bool) {
	if !l.next(first, '}') {
		return nil, false
	}
	k := l.text()
	if l.err == nil && l.peek() != ':' {
		l.fail("no colon after a name")
	}
	if l.err != nil {
		return nil, false
	}
	l.i++
	return k, true
}

// next goes on to the next element of a list, or of an object with its own closing bracket. A nil first is a list that
// is none.
func (l *lexer) next(first *bool, closing byte) bool {
	if first == nil || l.err != nil {
		return false
	}
	c := l.peek()
	switch {
	case c == closing:
		l.i++
		return false
	case *first:
		*first = false
		return true
	case c == ',':
		l.i++
		if l.peek() == closing {
			l.fail("a comma before the end")
			return false
		}
		return true
	case c == 0:
		l.fail("the answer is cut off")
	default:
		l.fail("no comma between two values")
	}
	return false
}

// text reads a string. The bytes are those of the document unless it has escapes.
func (l *lexer) text() []byte {
	if l.peek() != '"' {
		if l.i >= len(l.b) {
			l.fail("the answer is cut off")
		} else {
			l.fail("no string where one is needed")
		}
		return nil
	}
	start := l.i + 1
	end, escaped := l.stringEnd(start)
	if end < 0 {
		l.fail("the answer is cut off")
		return nil
	}
	l.i = end + 1
	if !escaped {
		return l.b[start:end]
	}
	var s string
	if err := json.Unmarshal(l.b[start-1:end+1], &s); err != nil {
		l.fail("a string with a bad escape")
		return nil
	}
	return []byte(s)
}

// stringEnd finds the closing quote of a string whose text begins at i; -1 if there is none.
func (l *lexer) stringEnd(i int) (end int, escaped bool) {
	for {
		q := bytes.IndexByte(l.b[i:], '"')
		if q < 0 {
			return -1, false
		}
		s := bytes.IndexByte(l.b[i:i+q], '\\')
		if s < 0 {
			return i + q, escaped
		}
		escaped = true
		i += s + 2
		if i > len(l.b) {
			return -1, false
		}
	}
}

// str reads a string; a value of another type reads as absent.
func (l *lexer) str() ([]byte, bool) {
	if l.peek() != '"' {
		l.skip()
		return nil, false
	}
	b := l.text()
	return b, l.err == nil
}

// num is a number that may be absent.
type num struct {
	v  uint64
	ok bool
}

// uint reads a whole number of at least 0; anything else reads as absent.
func (l *lexer) uint() num {
	c := l.peek()
	if c < '0' || c > '9' {
		l.skip()
		return num{}
	}
	start, v, over := l.i, uint64(0), false
	for l.i < len(l.b) {
		d := l.b[l.i] - '0'
		if d > 9 {
			break
		}
		over = over || v > (math.MaxUint64-uint64(d))/10
		v = v*10 + uint64(d)
		l.i++
	}
	if l.i < len(l.b) {
		switch l.b[l.i] {
		case '.', 'e', 'E':
			l.i = start
			l.number()
			return num{}
		}
	}
	if over || l.b[start] == '0' && l.i-start > 1 {
		return num{}
	}
	return num{v: v, ok: true}
}

// float reads any number; anything else reads as absent.
func (l *lexer) float() (float64, bool) {
	if c := l.peek(); c != '-' && (c < '0' || c > '9') {
		l.skip()
		return 0, false
	}
	v, err := strconv.ParseFloat(string(l.number()), 64)
	return v, err == nil && l.err == nil
}

// number passes over a number and returns its bytes.
func (l *lexer) number() []byte {
	start := l.i
	for l.i < len(l.b) {
		switch c := l.b[l.i]; {
		case c >= '0' && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
			l.i++
		default:
			return l.b[start:l.i]
		}
	}
	return l.b[start:l.i]
}

// time reads an RFC 3339 time as nanoseconds since 1970; 0 is absent.
func (l *lexer) time() int64 {
	b, ok := l.str()
	if !ok || len(b) == 0 {
		return 0
	}
	if t, ok := parseUTC(b); ok {
		return t
	}
	t, err := time.Parse(time.RFC3339, string(b))
	if err != nil || t.Unix() <= 0 {
		return 0
	}
	return t.UnixNano()
}

// parseUTC reads the one form in which the kubelet writes times, 2006-01-02T15:04:05Z.
func parseUTC(b []byte) (int64, bool) {
	const form = "dddd-dd-ddTdd:dd:ddZ"
	if len(b) != len(form) {
		return 0, false
	}
	for i := range len(form) {
		if form[i] == 'd' && (b[i] < '0' || b[i] > '9') || form[i] != 'd' && b[i] != form[i] {
			return 0, false
		}
	}
	two := func(i int) int { return int(b[i]-'0')*10 + int(b[i+1]-'0') }
	year, month, day := two(0)*100+two(2), two(5), two(8)
	hour, minute, second := two(11), two(14), two(17)
	if year < 1970 || year > 2200 || month < 1 || month > 12 || day < 1 || day > 28 || hour > 23 || minute > 59 || second > 59 {
		return 0, false // days 29 to 31 and what is no date at all are left to package time
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC).UnixNano(), true
}

// skip passes over the next value, whatever it is.
func (l *lexer) skip() {
	switch c := l.peek(); {
	case c == '"':
		start := l.i + 1
		end, _ := l.stringEnd(start)
		if end < 0 {
			l.fail("the answer is cut off")
			return
		}
		l.i = end + 1
	case c == '{', c == '[':
		l.skipNested()
	case c == '-' || c >= '0' && c <= '9':
		l.number()
	case c == 't':
		l.word("true")
	case c == 'f':
		l.word("false")
	case c == 'n':
		l.word("null")
	case c == 0:
		l.fail("the answer is cut off")
	default:
		l.fail("an unexpected character")
	}
}

// skipNested passes over an object or list.
func (l *lexer) skipNested() {
	for depth := 0; l.i < len(l.b); l.i++ {
		switch l.b[l.i] {
		case '"':
			end, _ := l.stringEnd(l.i + 1)
			if end < 0 {
				l.fail("the answer is cut off")
				return
			}
			l.i = end
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				l.i++
				return
			}
		}
	}
	l.fail("the answer is cut off")
}

func (l *lexer) word(w string) {
	if len(l.b)-l.i < len(w) {
		l.fail("the answer is cut off")
		return
	}
	if string(l.b[l.i:l.i+len(w)]) != w {
		l.fail("an unknown word")
		return
	}
	l.i += len(w)
}

// end checks that nothing but white space follows.
func (l *lexer) end() error {
	if l.peek(); l.err == nil && l.i < len(l.b) {
		l.fail("text after the end")
	}
	return l.err
}
