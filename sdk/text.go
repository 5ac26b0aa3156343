package sdk

import (
	"math/bits"
	"unsafe"
)

// Text is a value's text, a view of the batch, followed by bytes that the scanner may read beyond its end.
type Text struct {
	p unsafe.Pointer
	n int
}

// Span is a part of a Text: offset in the low 32 bits, length in the high 32.
type Span uint64

// SpanOf makes a Span.
func SpanOf(offset, length int) Span { return Span(uint64(length)<<32 | uint64(uint32(offset))) }

// Offset is where the span starts.
func (s Span) Offset() int { return int(uint32(s)) }

// Len is the span's length in bytes.
func (s Span) Len() int { return int(s >> 32) }

// Len is the text's length in bytes.
func (t Text) Len() int { return t.n }

// String is the whole text, without a copy.
func (t Text) String() string { return unsafe.String((*byte)(t.p), t.n) }

// Cut is a part of the text, without a copy. The span must lie in the text.
func (t Text) Cut(s Span) string { return t.String()[s.Offset():][:s.Len()] }

// At is the byte at an offset below Len.
func (t Text) At(i int) byte { return t.String()[i] }

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// word reads 8 bytes at an offset, which may reach beyond the text's end.
func (t Text) word(i int) uint64 { return *(*uint64)(unsafe.Add(t.p, i)) }

// zeros marks, by its high bit, the lowest byte of x that is 0; higher marks may be false.
// (The test "has a zero byte" of Hacker's Delight, 6-1.)
func zeros(x uint64) uint64 { return (x - ones) & ^x & highs }

// firstByte says where in 8 bytes the lowest marked byte is; 8 if none is marked.
func firstByte(z uint64) int { return bits.TrailingZeros64(z) >> 3 }

// Find returns the offset of the first byte c at or after from, or Len if there is none.
//
// Like all of the scanner it avoids jumps: the Go compiler turns each into a round through one dispatch loop, which
// costs a guest as much as ten other operations.
func (t Text) Find(c byte, from int) int {
	pattern := ones * uint64(c)
	for i := from; i < t.n; i += 16 {
		a, b := firstByte(zeros(t.word(i)^pattern)), firstByte(zeros(t.word(i+8)^pattern))
		if n := a + a>>3*b; n < 16 {
			return min(i+n, t.n)
		}
	}
	return t.n
}

// FindEither returns the offset of the first byte a or b at or after from, or Len if there is none.
func (t Text) FindEither(a, b byte, from int) int {
	first, second := ones*uint64(a), ones*uint64(b)
	for i := from; i < t.n; i += 8 {
		w := t.word(i)
		if z := zeros(w^first) | zeros(w^second); z != 0 {
			return min(i+firstByte(z), t.n)
		}
	}
	return t.n
}

// FindNear is [Text.Find] for a byte within 8 bytes of from: the distance, or 8 if it is not near. What it finds may lie
// beyond Len, and a from beyond Len counts as Len. It is small enough to be inlined.
func (t Text) FindNear(c byte, from int) int { return firstByte(zeros(t.Word(from) ^ ones*uint64(c))) }

// Word is the 8 bytes at an offset, the first in the lowest byte; what lies beyond Len is arbitrary.
// It is for comparing short texts without a call.
func (t Text) Word(i int) uint64 { return t.word(int(min(uint(i), uint(t.n)))) }

// Uint reads the decimal number that a span consists of, of at most 18 digits; ok says whether it is one.
func (t Text) Uint(s Span) (v int64, ok bool) {
	n := s.Len()
	if n == 0 || n > 18 || s.Offset()+n > t.n {
		return 0, false
	}
	at := s.Offset()
	for ; n > 8; n -= 8 {
		digits, ok := eight(t.word(at))
		if !ok {
			return 0, false
		}
		v, at = v*100_000_000+digits, at+8
	}
	digits, ok := eight(t.word(at)<<(64-8*n) | (ones*'0')>>(8*n))
	return v*powers[n] + digits, ok
}

var powers = [9]int64{1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000}

// eight reads eight digits, the first in the lowest byte, by joining neighbours to pairs, fours and the eight.
func eight(w uint64) (int64, bool) {
	w ^= ones * '0'
	if ((w+ones*0x76)|w)&highs != 0 { // a byte over 9
		return 0, false
	}
	w = w*10 + w>>8
	w = (w&0xff000000ff)*(100+1_000_000<<32) + (w>>16&0xff000000ff)*(1+10_000<<32)
	return int64(w >> 32), true
}

// byte is the byte at an offset that is known to lie in the text.
func (t Text) byte(i int) byte { return *(*byte)(unsafe.Add(t.p, i)) }

// escaped says whether the byte at i stands behind an odd number of backslashes.
func (t Text) escaped(i int) bool {
	if i == 0 || t.byte(i-1) != '\\' {
		return false
	}
	return t.oddEscapes(i)
}

func (t Text) oddEscapes(i int) bool {
	n := 0
	for i--; i >= 0 && t.byte(i) == '\\'; i-- {
		n++
	}
	return n%2 == 1
}
