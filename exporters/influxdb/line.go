package influxdb

import (
	"math"
	"strconv"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
)

// line appends one point of line protocol to buf:
//
//	measurement,tag=value,tag=value field=1.5,field=2i,field="text" 1700000000000000000\n
//
// It exists beside lineprotocol.Encoder for one reason: that encoder writes a
// newline in a string as backslash and n, which no server turns back, so the
// lines of a stack trace would be glued together for good. Tags come in already
// sorted and cleaned, and those of a resource already encoded.
type line struct {
	buf    []byte
	start  int // of this line in buf
	fields int
}

func (l *line) begin(measurement string, t *tagset) {
	l.measurement(measurement)
	if t.unmixed {
		l.buf = append(l.buf, t.joined...)
		return
	}
	l.tags(t.all)
}

func (l *line) measurement(name string) {
	l.start, l.fields = len(l.buf), 0
	l.buf = appendEscaped(l.buf, name, false)
}

func (l *line) tags(tags []tag) {
	for i := range tags {
		if tags[i].encoded != "" {
			l.buf = append(l.buf, tags[i].encoded...)
			continue
		}
		l.buf = tags[i].append(l.buf)
	}
}

func (l *line) field(key string) {
	if l.fields == 0 {
		l.buf = append(l.buf, ' ')
	} else {
		l.buf = append(l.buf, ',')
	}
	l.fields++
	l.buf = appendEscaped(l.buf, key, true)
	l.buf = append(l.buf, '=')
}

// float writes a field, and reports false if v is not a number that can be
// written.
func (l *line) float(key string, v float64) bool {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return false
	}
	l.field(key)
	if i := int64(v); float64(i) == v && i > -1e15 && i < 1e15 && (i != 0 || !math.Signbit(v)) {
		l.buf = strconv.AppendInt(l.buf, i, 10) // shorter and faster, the same float
		return true
	}
	value, _ := lineprotocol.FloatValue(v)
	l.buf = value.AppendBytes(l.buf)
	return true
}

// whole writes an integer, as a float unless typed is set.
func (l *line) whole(key string, v int64, typed bool) {
	l.field(key)
	if typed {
		l.buf = lineprotocol.IntValue(v).AppendBytes(l.buf)
		return
	}
	l.buf = strconv.AppendInt(l.buf, v, 10)
}

func (l *line) bool(key string, v bool) {
	l.field(key)
	l.buf = lineprotocol.BoolValue(v).AppendBytes(l.buf)
}

func (l *line) string(key, v string) {
	l.field(key)
	l.buf = append(l.buf, '"')
	l.buf = appendQuoted(l.buf, v)
	l.buf = append(l.buf, '"')
}

func (l *line) bytes(key string, v []byte) {
	l.field(key)
	l.buf = append(l.buf, '"')
	l.buf = appendQuoted(l.buf, v)
	l.buf = append(l.buf, '"')
}

// end closes the line. ts is in the unit of the request.
func (l *line) end(ts int64) {
	l.buf = append(l.buf, ' ')
	l.buf = strconv.AppendInt(l.buf, ts, 10)
	l.buf = append(l.buf, '\n')
}

// drop takes back the line begun last.
func (l *line) drop() {
	l.buf = l.buf[:l.start]
}

// appendEscaped escapes the separators of line protocol. In a measurement the
// equals sign is none.
func appendEscaped(buf []byte, s string, equals bool) []byte {
	start := 0
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == ',' || c == ' ' || c == '=' && equals {
			buf = append(buf, s[start:i]...)
			buf = append(buf, '\\')
			start = i
		}
	}
	return append(buf, s[start:]...)
}

// appendQuoted escapes what must be escaped between double quotes.
func appendQuoted[T string | []byte](buf []byte, s T) []byte {
	start := 0
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == '"' || c == '\\' {
			buf = append(buf, s[start:i]...)
			buf = append(buf, '\\')
			start = i
		}
	}
	return append(buf, s[start:]...)
}
