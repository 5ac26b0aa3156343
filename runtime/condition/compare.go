package condition

import (
	"cmp"
	"encoding/hex"
	"math"
	"strconv"
	"strings"

	"github.com/obsd-io/obsd/runtime/abi"
)

// Holds says whether the test holds for the values of its operands.
func (t *Test) Holds(left, right Value) bool {
	switch {
	case t.op == opIsMatch:
		return left.Type != abi.TypeNone && t.match(text(left))
	case t.op >= opHasPrefix:
		return left.Type == abi.TypeString && t.HoldsText(left.Text)
	}
	return compare(left, right, t.op)
}

// decide finds what the types alone decide.
func (t *Test) decide() {
	literal := t.Right.Value
	for typ := range abi.Type(len(t.decided)) {
		left := Value{Type: typ}
		switch {
		case typ == abi.TypeNone:
			left = t.Left.Value
		case t.op == opIsMatch, typ == literal.Type, t.op < opHasPrefix && isNumber(left) && isNumber(literal):
			continue
		}
		t.decided[typ] = never
		if t.Holds(left, literal) {
			t.decided[typ] = always
		}
	}
}

// HoldsText is Holds for a string on the left, if the right is a literal string.
func (t *Test) HoldsText(left string) bool {
	literal := t.Right.Value.Text
	switch t.op {
	case opEqual:
		return left == literal
	case opNotEqual:
		return left != literal
	case opHasPrefix:
		return strings.HasPrefix(left, literal)
	case opHasSuffix:
		return strings.HasSuffix(left, literal)
	case opContains:
		return strings.Contains(left, literal)
	case opIsMatch:
		return t.match(left)
	}
	return ordered(left, literal, t.op)
}

// HoldsInt is Holds for an int on the left, if the test is a comparison and the right a literal int.
func (t *Test) HoldsInt(left int64) bool { return t.op&outcome(left, t.Right.Value.Int) != 0 }

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

// outcome is which of less, equal and greater an int is to another; it has no branches, since rows follow no pattern.
func outcome(a, b int64) op { return opLess << (1 + bit(a > b) - bit(a < b)) }

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
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
