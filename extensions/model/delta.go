package model

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// A row of older values is, as bytes,
//
//	gap      how long before the row after it, in nanoseconds: uvarint, the lowest bit set where it counts seconds
//	series   how many there were: uvarint
//	changed  a bit for each: whether its value is another than in the row after
//	values   of those whose bit is set, each as below
//	length   of all of this, as uvarint with its bytes from the last to the first, since rows are read from the end
//
// A value is a uvarint whose lowest three bits are its kind. It gives back the same bits that went in. Most of what a kubelet
// tells are whole numbers, some times a power of ten, and a few more or less than half a minute later. So the rest of the uvarint
// is the difference from the number of the row after, zigzag.
const (
	kindWhole = iota // a whole number
	kindPages        // of 4096, as memory is
	kindMilli        // of nanocores, as millicores: n / 1e9 * 1e3
	kindNano         // of nanoseconds, that were seconds in between: n / 1e9 * 1e9
	kindBits         // anything else: the rest is the number of bytes that follow, of the value's bits xor those of the row after
	kindNone         // there is no value
	kindCount

	kindWidth = 3 // bits
)

// mostWhole is from where on not every whole number is a float64.
const mostWhole = 1 << 53

// number is the value of a kind that is made of a whole number.
func number(kind int, n int64) float64 {
	v := float64(n)
	switch kind {
	case kindPages:
		return v * 4096
	case kindMilli:
		return v / 1e9 * 1e3
	case kindNano:
		return v / 1e9 * 1e9
	}
	return v
}

// whole is the whole number that is nearest to a value of a kind, or 0 where there is none.
func whole(kind int, v float64) int64 {
	switch kind {
	case kindPages:
		v /= 4096
	case kindMilli:
		v = v / 1e3 * 1e9
	}
	if v = math.Round(v); v > -mostWhole && v < mostWhole {
		return int64(v)
	}
	return 0
}

// appendValue writes a value that differs from that of the row after.
func appendValue(b []byte, v, after float64) []byte {
	if math.IsNaN(v) {
		return append(b, kindNone)
	}
	want := math.Float64bits(v)
	for _, kind := range [...]int{kindPages, kindWhole, kindMilli, kindNano} {
		if n := whole(kind, v); math.Float64bits(number(kind, n)) == want {
			d := n - whole(kind, after)
			return binary.AppendUvarint(b, uint64(d<<1^d>>63)<<kindWidth|uint64(kind))
		}
	}
	x := want ^ math.Float64bits(after)
	size := (bits.Len64(x) + 7) / 8
	b = append(b, byte(size<<kindWidth|kindBits))
	for range size {
		b = append(b, byte(x))
		x >>= 8
	}
	return b
}

// readValue reads a value and tells how many bytes it took.
func readValue(b []byte, after float64) (float64, int) {
	head, n := binary.Uvarint(b)
	kind, rest := int(head&(1<<kindWidth-1)), head>>kindWidth
	switch kind {
	case kindNone:
		return math.NaN(), n
	case kindBits:
		var x uint64
		for i, c := range b[n : n+int(rest)] {
			x |= uint64(c) << (8 * i)
		}
		return math.Float64frombits(x ^ math.Float64bits(after)), n + int(rest)
	}
	return number(kind, whole(kind, after)+(int64(rest>>1)^-int64(rest&1))), n
}

// skipValue is how many bytes a value takes.
func skipValue(b []byte) int {
	head, n := binary.Uvarint(b)
	if head&(1<<kindWidth-1) == kindBits {
		n += int(head >> kindWidth)
	}
	return n
}

// appendRow writes prev as what differs from now.
func (w *window) appendRow(rows []byte) []byte {
	var room [512]byte
	b := binary.AppendUvarint(room[:0], packGap(w.at-w.prevAt))
	b = binary.AppendUvarint(b, uint64(len(w.cells)))
	changed := len(b)
	b = append(b, make([]byte, (len(w.cells)+7)/8)...)
	for i, c := range w.cells {
		if math.Float64bits(c.prev) != math.Float64bits(c.now) {
			b[changed+i/8] |= 1 << (i % 8)
			b = appendValue(b, c.prev, c.now)
		}
	}
	return appendSized(rows, b)
}

const second = 1e9

func packGap(gap int64) uint64 {
	if gap%second == 0 {
		return uint64(gap/second)<<1 | 1
	}
	return uint64(gap) << 1
}

// appendSized adds a row and its length. Rows are let go of as others come, so there is little room to spare.
func appendSized(rows, row []byte) []byte {
	var length [binary.MaxVarintLen64]byte
	size := binary.PutUvarint(length[:], uint64(len(row)))
	slices.Reverse(length[:size])
	if need := len(rows) + len(row) + size; need > cap(rows) {
		rows = append(make([]byte, 0, need+need/8), rows...)
	}
	return append(append(rows, row...), length[:size]...)
}

// row is a row that was read.
type row struct {
	gap             int64
	series          int
	changed, values []byte
}

// lastRow reads the last of some rows, and gives those before it.
func lastRow(rows []byte) ([]byte, row) {
	end := len(rows)
	var length uint64
	for shift := 0; ; shift += 7 {
		end--
		length |= uint64(rows[end]&0x7f) << shift
		if rows[end] < 0x80 {
			break
		}
	}
	begin := end - int(length)
	b := rows[begin:end]
	gap, n := binary.Uvarint(b)
	b = b[n:]
	series, n := binary.Uvarint(b)
	b = b[n:]
	r := row{gap: int64(gap >> 1), series: int(series), changed: b[:(series+7)/8], values: b[(series+7)/8:]}
	if gap&1 == 1 {
		r.gap *= second
	}
	return rows[:begin], r
}

// value is that of a series in this row, after being that in the row after. One that came later has none.
func (r *row) value(series int, after float64) float64 {
	if series >= r.series {
		return math.NaN()
	}
	if !r.has(series) {
		return after
	}
	b := r.values
	for i := range series {
		if r.has(i) {
			b = b[skipValue(b):]
		}
	}
	v, _ := readValue(b, after)
	return v
}

func (r *row) has(series int) bool { return r.changed[series/8]>>(series%8)&1 == 1 }

// oldest is the length of the first row.
func (w *window) oldest() int {
	n := 0
	for rows := w.older; len(rows) > 0; rows, _ = lastRow(rows) {
		n = len(rows)
	}
	return n
}

// withoutSeries writes rows anew without a series that has no value in any of them, and so none that differs.
func withoutSeries(rows []byte, series int) (out []byte) {
	if len(rows) == 0 {
		return rows
	}
	before, r := lastRow(rows)
	out = withoutSeries(before, series)
	if series >= r.series {
		return append(out, rows[len(before):]...)
	}
	b := binary.AppendUvarint(nil, packGap(r.gap))
	b = binary.AppendUvarint(b, uint64(r.series-1))
	changed := len(b)
	b = append(b, make([]byte, (r.series+6)/8)...)
	for i := range r.series {
		switch {
		case i < series && r.has(i):
			b[changed+i/8] |= 1 << (i % 8)
		case i > series && r.has(i):
			b[changed+(i-1)/8] |= 1 << ((i - 1) % 8)
		}
	}
	return appendSized(out, append(b, r.values...))
}
