package condition

import (
	"cmp"
	"encoding/hex"
	"math"
	"strconv"
	"strings"

	"github.com/obsd-io/obsd/runtime/abi"
)

func (t *test) holds(s Source) bool {
	a := t.left.get(s)
	switch {
	case t.op == opIsMatch:
		return a.Type != abi.TypeNone && t.match(text(a))
	case t.op >= opHasPrefix:
		return a.Type == abi.TypeString && t.holdsText(a.Text)
	}
	return compare(a, t.right.get(s), t.op)
}

// holdsText is holds for a string on the left and a literal string on the right.
func (t *test) holdsText(s string) bool {
	literal := t.right.value.Text
	switch t.op {
	case opEqual:
		return s == literal
	case opNotEqual:
		return s != literal
	case opHasPrefix:
		return strings.HasPrefix(s, literal)
	case opHasSuffix:
		return strings.HasSuffix(s, literal)
	case opContains:
		return strings.Contains(s, literal)
	case opIsMatch:
		return t.match(s)
	}
	return ordered(s, literal, t.op)
}

// compare compares two values by the rules in the package's doc.
func compare(a, b Value, o op) bool {
	switch {
	case a.Type == abi.TypeInt && b.Type == abi.TypeInt:
		return ordered(a.Int, b.Int, o)
	case isNumber(a) && isNumber(b):
		return ordered(number(a), number(b), o)
	case a.Type != b.Type:
		return o == opNotEqual
	}
	switch a.Type {
	case abi.TypeNone:
		return o&opEqual != 0
	case abi.TypeString, abi.TypeBytes:
		return ordered(a.Text, b.Text, o)
	case abi.TypeBool:
		return ordered(a.Int, b.Int, o)
	}
	if o == opEqual {
		return a.Text == b.Text
	}
	return o == opNotEqual && a.Text != b.Text
}

// outcome is which of less, equal and greater an int is to another.
func outcome(a, b int64) op {
	o := opEqual
	if a < b {
		o = opLess
	}
	if a > b {
		o = opGreater
	}
	return o
}

func ordered[T cmp.Ordered](a, b T, o op) bool {
	switch {
	case a < b:
		return o&opLess != 0
	case a > b:
		return o&opGreater != 0
	case a == b:
		return o&opEqual != 0
	}
	return o == opNotEqual // not a number
}

func isNumber(v Value) bool { return v.Type == abi.TypeInt || v.Type == abi.TypeDouble }

func number(v Value) float64 {
	if v.Type == abi.TypeInt {
		return float64(v.Int)
	}
	return v.Double
}

// text is what IsMatch searches: as OTTL writes values, which is as JSON, and bytes in hexadecimal digits.
func text(v Value) string {
	switch v.Type {
	case abi.TypeInt:
		return strconv.FormatInt(v.Int, 10)
	case abi.TypeBool:
		return strconv.FormatBool(v.Int != 0)
	case abi.TypeBytes:
		return hex.EncodeToString([]byte(v.Text))
	case abi.TypeDouble:
		if a := math.Abs(v.Double); a != 0 && (a < 1e-6 || a >= 1e21) {
			return exponent(strconv.FormatFloat(v.Double, 'e', -1, 64))
		}
		return strconv.FormatFloat(v.Double, 'f', -1, 64)
	}
	return v.Text
}

// exponent turns 1e-07 into 1e-7.
func exponent(s string) string {
	if n := len(s); n >= 4 && s[n-4:n-1] == "e-0" {
		return s[:n-2] + s[n-1:]
	}
	return s
}

// literal turns a pattern that means plain text into a function without a regular expression.
func literal(pattern string) (op, string, bool) {
	inner, anchored := strings.CutPrefix(pattern, "^")
	inner, ended := strings.CutSuffix(inner, "$")
	if strings.ContainsAny(inner, `\.+*?()|[]{}^$`) {
		return 0, "", false
	}
	for i := range len(inner) {
		if inner[i] >= 0x80 { // where characters may be equal that differ in their bytes
			return 0, "", false
		}
	}
	switch {
	case anchored && ended:
		return opEqual, inner, true
	case anchored:
		return opHasPrefix, inner, true
	case ended:
		return opHasSuffix, inner, true
	}
	return opContains, inner, true
}

// plain makes the matcher of such a pattern.
func plain(o op, text string) func(string) bool {
	switch o {
	case opEqual:
		return func(s string) bool { return s == text }
	case opHasPrefix:
		return func(s string) bool { return strings.HasPrefix(s, text) }
	case opHasSuffix:
		return func(s string) bool { return strings.HasSuffix(s, text) }
	}
	return func(s string) bool { return strings.Contains(s, text) }
}
