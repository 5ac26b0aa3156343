package sdk

import (
	"errors"
	"strconv"
	"unsafe"
)

// Kind is what a JSON value is, named by a byte that such a value starts with.
type Kind byte

// Kinds. KindNone is a value that is not there.
const (
	KindNone   Kind = 0
	KindNull   Kind = 'n'
	KindBool   Kind = 't'
	KindNumber Kind = '0'
	KindString Kind = '"'
	KindArray  Kind = '['
	KindObject Kind = '{'
)

// JSON is a value in a JSON text (RFC 8259), read in place. The zero JSON is a value that is not there.
//
// What encoding/json takes for JSON is taken here, with two differences: arrays and objects nest at most 64 deep,
// and bytes that are not UTF-8 stay as they are.
type JSON struct {
	text Text
	span Span // of a string: without its quotes
	kind Kind
	// special says of a string that it has escapes, of a number that it has a point or an exponent.
	special bool
}

// ParseJSON takes a copy of b, which must be one JSON value.
func ParseJSON(b []byte) (JSON, error) {
	own := make([]byte, len(b), len(b)+ReadAhead)
	copy(own, b)
	v := JSON{text: Text{unsafe.Pointer(unsafe.SliceData(own)), len(b)}}
	at, ok := v.scan(v.text.space(0), 0)
	if ok {
		at = v.text.space(at)
	}
	if !ok || at != len(b) {
		return JSON{}, errors.New("not JSON at byte " + strconv.Itoa(min(at, len(b))))
	}
	return v, nil
}

// Kind says what the value is.
func (v JSON) Kind() Kind { return v.kind }

// Span is where the value stands in its text; a string's span excludes its quotes.
func (v JSON) Span() Span { return v.span }

// Escaped says whether the value is a string with escapes, which its span shows raw.
func (v JSON) Escaped() bool { return v.kind == KindString && v.special }

// Raw is the value's text as it stands; a string's without its quotes.
func (v JSON) Raw() string {
	if v.kind == KindNone {
		return ""
	}
	return v.text.Cut(v.span)
}

// String is a string's content, or otherwise if the value is not a string. It copies only to undo escapes.
func (v JSON) String(otherwise string) string {
	if v.kind != KindString {
		return otherwise
	}
	if v.special {
		return string(appendUnescaped(make([]byte, 0, v.span.Len()), v.Raw()))
	}
	return v.Raw()
}

// Int is a whole number's value; ok is false for all else, such as 1.0 and numbers beyond an int64.
func (v JSON) Int() (n int64, ok bool) { return v.int() }

// int is Int for what is not to be copied.
func (v *JSON) int() (n int64, ok bool) {
	if v.kind != KindNumber || v.special {
		return 0, false
	}
	at, length := v.span.Offset(), v.span.Len()
	negative := v.text.byte(at) == '-'
	if negative {
		at, length = at+1, length-1
	}
	if length > 18 {
		return v.longInt()
	}
	n, ok = v.text.Uint(SpanOf(at, length))
	if negative {
		n = -n
	}
	return n, ok
}

// longInt is Int for a number of more than 18 characters.
func (v *JSON) longInt() (int64, bool) {
	raw := v.Raw()
	negative := raw[0] == '-'
	if negative {
		raw = raw[1:]
	}
	if len(raw) > 19 {
		return 0, false
	}
	n := uint64(0) // 19 digits fit
	for i := range len(raw) {
		if raw[i]-'0' > 9 {
			return 0, false
		}
		n = n*10 + uint64(raw[i]-'0')
	}
	if negative {
		return -int64(n), n <= 1<<63
	}
	return int64(n), n < 1<<63
}

// Double is a number's value; ok is false for all else and for numbers beyond a float64.
func (v JSON) Double() (f float64, ok bool) { return v.double() }

// double is Double for what is not to be copied.
func (v *JSON) double() (f float64, ok bool) {
	if v.kind != KindNumber {
		return 0, false
	}
	if f, ok := v.shortDouble(); ok {
		return f, true
	}
	f, err := strconv.ParseFloat(v.Raw(), 64)
	return f, err == nil
}

// shortDouble reads up to 15 digits with a point among them: the digits and the power of ten that divides them are
// both exact, so the quotient is the nearest float64.
func (v *JSON) shortDouble() (float64, bool) {
	at, end := v.span.Offset(), v.span.Offset()+v.span.Len()
	sign := 1.0
	if v.text.byte(at) == '-' {
		at, sign = at+1, -1
	}
	near := v.text.FindNear('.', at)
	point := at + near
	fraction := end - point - 1
	if near == 8 || fraction < 0 || fraction > 8 || end-at > 16 {
		return 0, false
	}
	whole, ok1 := v.text.Uint(SpanOf(at, point-at))
	part, ok2 := v.text.Uint(SpanOf(point+1, fraction))
	return sign * float64(whole*powers[fraction]+part) / float64(powers[fraction]), ok1 && ok2
}

// Bool is a truth value, or otherwise if the value is not one.
func (v JSON) Bool(otherwise bool) bool {
	if v.kind != KindBool {
		return otherwise
	}
	return v.text.byte(v.span.Offset()) == 't'
}

// Get is the first member of an object with that key; one that is not there is the zero JSON.
func (v JSON) Get(key string) JSON {
	for o := v.Object(); o.Next(); {
		if o.Key.String("") == key {
			return o.Value
		}
	}
	return JSON{}
}

// Members calls f for each member of an object, until it returns false.
func (v JSON) Members(f func(key, value JSON) bool) {
	for o := v.Object(); o.Next(); {
		if !f(o.Key, o.Value) {
			return
		}
	}
}

// Items calls f for each item of an array, until it returns false.
func (v JSON) Items(f func(item JSON) bool) {
	if v.kind != KindArray {
		return
	}
	for a := newArray(v.text, v.span.Offset(), 0); a.next(); {
		if !f(a.item) {
			return
		}
	}
}

// Strings is the strings of an array; other items are left out.
func (v JSON) Strings() (list []string) {
	v.Items(func(item JSON) bool {
		if item.kind == KindString {
			list = append(list, item.String(""))
		}
		return true
	})
	return list
}
