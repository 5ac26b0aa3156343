package sdk

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

// textOf makes a Text, with what bytes behind it that a scanner could fall for.
func textOf(s, behind string) Text {
	b := append([]byte(s), behind...)
	for len(b) < len(s)+ReadAhead {
		b = append(b, 0)
	}
	return Text{unsafe.Pointer(unsafe.SliceData(b)), len(s)}
}

func TestFind(t *testing.T) {
	for length := range 70 {
		for at := range length + 1 { // at length: not there, but right behind the end
			s := strings.Repeat("\x80", at) + "," + strings.Repeat("-", 70)
			text := textOf(s[:length], s[length:])
			for from := range at + 1 {
				if got := text.Find(',', from); got != min(at, length) {
					t.Fatalf("length %d, at %d, from %d: got %d", length, at, from, got)
				}
				if near := at - from; text.FindNear(',', from) != min(near, 8) {
					t.Fatalf("length %d, at %d, from %d: near: got %d, want %d", length, at, from, text.FindNear(',', from), min(near, 8))
				}
			}
		}
	}
	text := textOf("a,,b", ",")
	if a, b, c := text.Find(',', 2), text.Find(',', 3), text.Find(',', 9); a != 2 || b != 4 || c != 4 {
		t.Errorf("got %d, %d, %d", a, b, c)
	}
}

func TestText(t *testing.T) {
	text := textOf("hello", " world")
	if text.Len() != 5 || text.String() != "hello" || text.Cut(SpanOf(1, 3)) != "ell" || text.At(4) != 'o' {
		t.Errorf("got %q", text.String())
	}
	if w := text.Word(1); w&0xffffffff != 'e'|'l'<<8|'l'<<16|'o'<<24 {
		t.Errorf("word: got %x", w)
	}
	if text.Word(5) != text.Word(99) || text.Word(5) != text.Word(-1) {
		t.Error("a word beyond the end is not that at the end")
	}
	if s := SpanOf(1<<31, 1<<30); s.Offset() != 1<<31 || s.Len() != 1<<30 {
		t.Errorf("span: got %d, %d", s.Offset(), s.Len())
	}
	for name, f := range map[string]func(){
		"cut": func() { text.Cut(SpanOf(3, 3)) }, "at": func() { text.At(5) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s beyond the end does not panic", name)
				}
			}()
			f()
		}()
	}
}

func TestUint(t *testing.T) {
	for n := range 19 {
		digits := "987654321098765432"[:n]
		want, err := strconv.ParseInt(digits, 10, 64)
		if got, ok := textOf(digits, "1").Uint(SpanOf(0, n)); got != want || ok != (err == nil) {
			t.Errorf("%q: got %d, %t", digits, got, ok)
		}
		for i := range n {
			for _, c := range []byte("/:-+ .\x00\x7f\x80\xb0\xff") {
				b := []byte(digits)
				b[i] = c
				if _, ok := textOf(string(b), "1").Uint(SpanOf(0, n)); ok {
					t.Errorf("%q: taken as a number", b)
				}
			}
		}
	}
	text := textOf("1234567890123456789", "")
	for name, s := range map[string]Span{"19 digits": SpanOf(0, 19), "beyond the end": SpanOf(18, 2), "empty": SpanOf(3, 0)} {
		if _, ok := text.Uint(s); ok {
			t.Errorf("%s: taken as a number", name)
		}
	}
	if got, ok := textOf("x000000000000000042", "").Uint(SpanOf(1, 18)); got != 42 || !ok {
		t.Errorf("leading zeros: got %d, %t", got, ok)
	}
}

// The scanner finds what package strings finds.
func FuzzText(f *testing.F) {
	f.Add("a - b [c]", "12", uint8(0), byte('-'))
	f.Fuzz(func(t *testing.T, s, behind string, from uint8, c byte) {
		text := textOf(s, behind)
		if at := int(from); at <= len(s) {
			want := strings.IndexByte(s[at:], c) + at
			if want < at {
				want = len(s)
			}
			if got := text.Find(c, at); got != want {
				t.Fatalf("find %q in %q: got %d, want %d", c, s[at:], got, want)
			}
			n := min(len(s)-at, 20)
			want64, err := strconv.ParseUint(s[at:at+n], 10, 63)
			if got, ok := text.Uint(SpanOf(at, n)); ok != (err == nil && n <= 18) || ok && got != int64(want64) {
				t.Fatalf("number %q: got %d, %t", s[at:at+n], got, ok)
			}
		}
	})
}

func TestValue(t *testing.T) {
	for name, v := range map[string]Value{
		"int": {Type: 2, bits: 7}, "double": {Type: 3, bits: math.Float64bits(0.5)}, "bool": {Type: 4, bits: 1}, "none": {},
	} {
		got := fmt.Sprint(v.Int(), v.Double(), v.Bool(), v.Text().Len(), v.Text().Find('x', 0))
		want := map[string]string{"int": "7 7 false 0 0", "double": "0 0.5 false 0 0", "bool": "0 0 true 0 0", "none": "0 0 false 0 0"}[name]
		if got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}
