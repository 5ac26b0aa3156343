package sdk

import (
	"math/bits"
	"strings"
)

// Pattern is a line's shape: fields, and what stands between them.
type Pattern struct {
	prefix     string
	separators []separator // separators[i] ends field i
}

// separator is a field's end, ready to be compared a word at a time. One of length 0 is the text's end.
type separator struct {
	first      uint64 // its first byte, eight times
	word, mask uint64 // its bytes, and ones in their places
	length     int
	quote      bool // it starts with a double quote
}

// NewPattern compiles a shape in which {} stands for a field: `{} - {} [{}] "{}"`. It panics on a pattern in which
// two fields touch or stand more than 8 bytes apart, which is a mistake in the plugin's own code.
func NewPattern(shape string) Pattern {
	parts := strings.Split(shape, "{}")
	p := Pattern{prefix: parts[0]}
	for i, text := range parts[1:] {
		if len(text) > 8 || text == "" && i < len(parts)-2 {
			panic("BUG: sdk.NewPattern: want 1 to 8 bytes between fields: " + shape)
		}
		p.separators = append(p.separators, newSeparator(text))
	}
	return p
}

func newSeparator(text string) separator {
	if text == "" {
		return separator{}
	}
	s := separator{first: ones * uint64(text[0]), length: len(text), quote: text[0] == '"'}
	for i := range len(text) {
		s.word |= uint64(text[i]) << (8 * i)
		s.mask |= 0xff << (8 * i)
	}
	return s
}

// Split cuts a text into fields and returns how many of them end in the text; fields must have a place for each of the
// pattern's. A field ends at the first occurrence of what follows it in the pattern. One that ends nowhere runs to the
// text's end, is the last, and is not counted; but the pattern's own end, if it is {}, is. A separator that starts
// with a double quote is not looked for behind an odd number of backslashes: `\"` belongs to the field.
//
// The loop has few variables on purpose: the Go compiler has sixteen to give, and what exceeds them lies in memory,
// where each access costs a guest as much as ten other operations.
func (p *Pattern) Split(t Text, fields []Span) int {
	at := len(p.prefix)
	if t.n < at || t.String()[:at] != p.prefix {
		return 0
	}
	fields = fields[:len(p.separators)]
	for i := range fields {
		s := &p.separators[i]
		from, first := at, s.first
		z := uint64(0)
		for at < t.n { // the first byte of the separator, 8 bytes a step
			if z = zeros(t.word(at) ^ first); z != 0 {
				break
			}
			at += 8
		}
		at += bits.TrailingZeros64(z) >> 3
		if t.word(at)&s.mask != s.word || at+s.length > t.n || s.length == 0 || s.quote && t.escaped(at) {
			if at = t.find(s, from); at < 0 {
				fields[i] = SpanOf(from, t.n-from)
				if s.length == 0 {
					i++
				}
				return i
			}
		}
		fields[i] = SpanOf(from, at-from)
		at += s.length
	}
	return len(fields)
}

// find is the offset of a separator at or after from, or -1.
func (t Text) find(s *separator, from int) int {
	if s.length == 0 {
		return -1
	}
	for at := from; ; at++ {
		at = t.Find(byte(s.word), at)
		if at+s.length > t.n {
			return -1
		}
		if t.word(at)&s.mask == s.word && (!s.quote || !t.escaped(at)) {
			return at
		}
	}
}
