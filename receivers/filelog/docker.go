package filelog

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// parseDocker takes a line of Docker's json-file driver apart:
//
//	{"log":"the message\n","stream":"stdout","attrs":{"tag":"web"},"time":"2026-11-23T10:00:00.000000000Z"}
//
// Docker cuts a long message into several lines; all but the last lack the \n at the end of log.
// The unescaped message is put into scratch if it differs from the line.
func parseDocker(line []byte, c *clock, e *entry, scratch *[]byte) bool {
	s := scanner{rest: line}
	if !s.take('{') {
		return false
	}
	var hasLog, hasTime bool
	for more := true; more; more = s.take(',') {
		key, ok := s.text()
		if !ok || !s.take(':') {
			return false
		}
		switch string(key) {
		case "log":
			e.body, hasLog = s.text()
			ok = hasLog
		case "stream":
			ok = s.stream(e)
		case "time":
			var text []byte
			if text, ok = s.text(); ok {
				e.time, hasTime = c.parse(text)
				ok = hasTime
			}
		case "attrs":
			e.attrs, ok = s.skip()
		default:
			_, ok = s.skip()
		}
		if !ok {
			return false
		}
	}
	if !s.take('}') || len(s.space()) != 0 || !hasLog || !hasTime || e.stream == streamNone {
		return false
	}
	return e.finishDocker(scratch)
}

// finishDocker cuts the line end off the body and unescapes it.
func (e *entry) finishDocker(scratch *[]byte) bool {
	if n := len(e.body); n >= 2 && e.body[n-1] == 'n' && backslashes(e.body[:n-1])%2 == 1 {
		e.body, e.partial = e.body[:n-2], false
	} else {
		e.partial = true
	}
	if bytes.IndexByte(e.body, '\\') < 0 {
		return true
	}
	var ok bool
	*scratch, ok = unescape((*scratch)[:0], e.body)
	e.body = *scratch
	return ok
}

// scanner walks over the one JSON object of a line. It reads no more of the grammar than it needs.
type scanner struct{ rest []byte }

// space skips blanks and returns what follows.
func (s *scanner) space() []byte {
	for len(s.rest) > 0 && (s.rest[0] == ' ' || s.rest[0] == '\t' || s.rest[0] == '\r') {
		s.rest = s.rest[1:]
	}
	return s.rest
}

func (s *scanner) take(want byte) bool {
	if rest := s.space(); len(rest) == 0 || rest[0] != want {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// text reads a string and returns what stands between its quotes, still escaped.
func (s *scanner) text() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	for from := 0; ; {
		i := bytes.IndexByte(s.rest[from:], '"')
		if i < 0 {
			return nil, false
		}
		end := from + i
		if backslashes(s.rest[:end])%2 == 0 {
			text := s.rest[:end]
			s.rest = s.rest[end+1:]
			return text, true
		}
		from = end + 1
	}
}

func (s *scanner) stream(e *entry) bool {
	text, ok := s.text()
	switch string(text) {
	case "stdout":
		e.stream = streamStdout
	case "stderr":
		e.stream = streamStderr
	default:
		return false
	}
	return ok
}

// skip reads over any value and returns its bytes.
func (s *scanner) skip() ([]byte, bool) {
	start := s.space()
	depth := 0
	for len(s.rest) > 0 {
		switch s.rest[0] {
		case '"':
			if _, ok := s.text(); !ok {
				return nil, false
			}
			if depth == 0 {
				return start[:len(start)-len(s.rest)], true
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return start[:len(start)-len(s.rest)], len(start) > len(s.rest)
			}
			if depth--; depth == 0 {
				s.rest = s.rest[1:]
				return start[:len(start)-len(s.rest)], true
			}
		case ',':
			if depth == 0 {
				return start[:len(start)-len(s.rest)], len(start) > len(s.rest)
			}
		}
		s.rest = s.rest[1:]
	}
	return nil, false
}

// backslashes counts the backslashes at the end of b.
func backslashes(b []byte) int {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n
}

// unescape appends the text that the JSON string b stands for. ok is false if b has an escape that JSON does not know.
func unescape(dst, b []byte) (text []byte, ok bool) {
	for {
		i := bytes.IndexByte(b, '\\')
		if i < 0 {
			return append(dst, b...), true
		}
		if i+1 >= len(b) {
			return dst, false
		}
		dst = append(dst, b[:i]...)
		c := b[i+1]
		b = b[i+2:]
		switch c {
		case '"', '\\', '/':
			dst = append(dst, c)
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			if dst, b, ok = unescapeRune(dst, b); !ok {
				return dst, false
			}
		default:
			return dst, false
		}
	}
}

// unescapeRune reads the four digits after \u, and a second escape where the two make one rune.
func unescapeRune(dst, b []byte) (text, rest []byte, ok bool) {
	r, ok := hex4(b)
	if !ok {
		return dst, b, false
	}
	b = b[4:]
	if utf16.IsSurrogate(r) {
		low := rune(-1)
		if len(b) >= 6 && b[0] == '\\' && b[1] == 'u' {
			if low, ok = hex4(b[2:]); !ok {
				return dst, b, false
			}
		}
		if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
			b = b[6:]
		}
	}
	return utf8.AppendRune(dst, r), b, true
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
