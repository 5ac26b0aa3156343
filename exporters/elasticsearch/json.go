package elasticsearch

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

const (
	// objectDepth bounds how deep objects and arrays lie in each other below an
	// attribute or a body. Elasticsearch refuses a document with more than 20
	// levels, so what lies deeper becomes a string of JSON.
	objectDepth = 12
	// maxDepth bounds the depth of that string; what lies deeper becomes null, so
	// that no input can exhaust the stack.
	maxDepth = 100
)

const hexDigits = "0123456789abcdef"

// Constants for looking at eight bytes at a time.
const (
	low  = 0x0101010101010101
	high = 0x8080808080808080
)

// clean returns the length of the longest prefix of s[from:] that a JSON string
// holds as it is: printable ASCII but for the quote and the backslash.
func clean(s string, from int) int {
	i := from
	for ; i+8 <= len(s); i += 8 {
		b := s[i : i+8]
		x := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		quote, slash := x^(low*'"'), x^(low*'\\')
		// A byte's high bit is set in mask where the byte needs care. A borrow
		// can set further bits above the first hit only, so none is missed.
		mask := (x | (x - low*0x20) | (quote - low) | (slash - low)) & high
		if mask != 0 {
			break
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			break
		}
	}
	return i - from
}

// appendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, one for each.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	dst = appendEscaped(dst, s)
	return append(dst, '"')
}

// appendEscaped is appendString without the quotes.
func appendEscaped(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		if n := clean(s, i); n > 0 {
			dst = append(dst, s[i:i+n]...)
			i += n
			continue
		}
		if c := s[i]; c < utf8.RuneSelf {
			dst = appendEscape(dst, c)
			i++
			continue
		}
		n := 0
		dst, n = appendRunes(dst, s[i:])
		i += n
	}
	return dst
}

// appendRunes appends what s starts with that is not ASCII, and returns its
// length.
func appendRunes(dst []byte, s string) ([]byte, int) {
	i, from := 0, 0
	for i < len(s) && s[i] >= utf8.RuneSelf {
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[from:i-1]...)
			dst = append(dst, "\ufffd"...)
			from = i
		}
	}
	return append(dst, s[from:i]...), i
}

// appendEscape appends one ASCII byte that needs care.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	default:
		return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
}

// appendFloat appends f so that Elasticsearch's dynamic mapping sees a float:
// with a point or an exponent. JSON has no NaN and no infinity: they become
// null, which leaves the field out of the index and keeps the document.
func appendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	if f == math.Trunc(f) {
		return append(strconv.AppendFloat(dst, f, 'f', -1, 64), '.', '0')
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

// appendBytes appends b as Elasticsearch's `binary` type wants it: base64.
func appendBytes(dst []byte, b pcommon.ByteSlice) []byte {
	dst = append(dst, '"')
	var group [3]byte
	n := 0
	for i := range b.Len() {
		group[n] = b.At(i)
		if n++; n == len(group) {
			dst = base64.StdEncoding.AppendEncode(dst, group[:])
			n = 0
		}
	}
	dst = base64.StdEncoding.AppendEncode(dst, group[:n])
	return append(dst, '"')
}

// appendValue appends any value. The depth is that of what holds it.
func appendValue(dst []byte, v pcommon.Value, depth int) []byte {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return appendString(dst, v.Str())
	case pcommon.ValueTypeInt:
		return strconv.AppendInt(dst, v.Int(), 10)
	case pcommon.ValueTypeDouble:
		return appendFloat(dst, v.Double())
	case pcommon.ValueTypeBool:
		return strconv.AppendBool(dst, v.Bool())
	case pcommon.ValueTypeBytes:
		return appendBytes(dst, v.Bytes())
	case pcommon.ValueTypeMap, pcommon.ValueTypeSlice:
		return appendNested(dst, v, depth)
	default:
		return append(dst, "null"...)
	}
}

// appendNested appends a map or a slice, or what stands for it when it lies too
// deep.
func appendNested(dst []byte, v pcommon.Value, depth int) []byte {
	switch {
	case depth == objectDepth:
		return appendString(dst, string(appendNested(nil, v, depth+1)))
	case depth >= maxDepth:
		return append(dst, "null"...)
	case v.Type() == pcommon.ValueTypeMap:
		return appendMap(dst, v.Map(), depth+1)
	default:
		return appendSlice(dst, v.Slice(), depth+1)
	}
}

func appendSlice(dst []byte, s pcommon.Slice, depth int) []byte {
	dst = append(dst, '[')
	for i, v := range s.All() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendValue(dst, v, depth)
	}
	return append(dst, ']')
}

func appendMap(dst []byte, m pcommon.Map, depth int) []byte {
	dst = append(dst, '{')
	start := len(dst)
	seen := newKeySet(m)
	for k, v := range m.All() {
		if seen.again(k, v) {
			continue
		}
		dst = appendKey(dst, start, k)
		dst = appendValue(dst, v, depth)
	}
	return append(dst, '}')
}

// appendKey appends a key, and a comma if it is not the first since start.
func appendKey(dst []byte, start int, k string) []byte {
	if len(dst) > start {
		dst = append(dst, ',')
	}
	if !isFieldName(k) {
		k = fieldName(k)
	}
	return append(appendString(dst, k), ':')
}

// isFieldName reports whether Elasticsearch takes k as a name: it refuses the
// document if k, or what stands between two dots of it, is empty or blank.
func isFieldName(k string) bool {
	before := byte('.')
	for i := range len(k) {
		c := k[i]
		if before == '.' && (c == '.' || c <= ' ') {
			return false
		}
		before = c
	}
	return k != ""
}

// fieldName puts "_" where a part of a name is empty, and more of them for each
// blank, so that other names stay other names.
func fieldName(k string) string {
	parts := strings.Split(k, ".")
	for i, part := range parts {
		if strings.TrimSpace(part) == "" {
			parts[i] = strings.Repeat("_", len(part)+1)
		}
	}
	return strings.Join(parts, ".")
}

// fewKeys is up to where looking at each key is quicker than a map of them.
// Beyond, it would take time by the square of what a client has sent.
const fewKeys = 64

// keySet finds keys that are there twice: OTLP can carry such, and Elasticsearch
// refuses a document that does. The first one counts.
type keySet struct {
	of pcommon.Map
	// bits is a filter over few keys, all holds many.
	bits uint64
	all  map[string]struct{}
}

func newKeySet(m pcommon.Map) keySet {
	s := keySet{of: m}
	if n := m.Len(); n > fewKeys {
		s.all = make(map[string]struct{}, n)
	}
	return s
}

// again reports whether the key of v was there before v.
func (s *keySet) again(k string, v pcommon.Value) bool {
	if s.all != nil {
		before := len(s.all)
		s.all[k] = struct{}{}
		return len(s.all) == before
	}
	h := uint(len(k)) * 7
	if len(k) > 0 {
		h += uint(k[0])*31 + uint(k[len(k)-1])*13 + uint(k[len(k)/2])*3
	}
	bit := uint64(1) << (h & 63)
	if s.bits&bit == 0 {
		s.bits |= bit
		return false
	}
	first, ok := s.of.Get(k)
	return ok && first != v
}

// clock appends times, and remembers the last second it has formatted.
type clock struct {
	second uint64
	text   [20]byte // 2006-01-02T15:04:05.
	valid  bool
}

// append appends t as a quoted RFC 3339 time in UTC with nanoseconds, which both
// `date` and `date_nanos` fields read.
func (c *clock) append(dst []byte, t pcommon.Timestamp) []byte {
	second, nanos := uint64(t)/1e9, uint64(t)%1e9
	if second != c.second || !c.valid {
		c.second, c.valid = second, true
		time.Unix(int64(second), 0).UTC().AppendFormat(c.text[:0], "2006-01-02T15:04:05.")
	}
	dst = append(dst, '"')
	dst = append(dst, c.text[:]...)
	for div := uint64(100_000_000); div > 0; div /= 10 {
		dst = append(dst, '0'+byte(nanos/div%10))
	}
	return append(dst, 'Z', '"')
}
