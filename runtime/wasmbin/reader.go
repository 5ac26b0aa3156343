package wasmbin

import "fmt"

// reader reads a module's bytes. Its first error sticks: from there on it is at its end and reads zeros, so that a
// caller may look at err once for many reads. A loop must end when err is set.
type reader struct {
	b   []byte
	pos int
	// end is where what is being read ends: the section or the function's body.
	end int
	// in names what is being read, for errors: a section. In the code section it is the function fn, if that is not negative.
	in  string
	fn  int
	err error
}

// fail makes an error of what is wrong at an offset, unless there is one.
func (r *reader) fail(at int, format string, args ...any) {
	if r.err == nil {
		in := r.in
		if r.fn >= 0 {
			in = fmt.Sprintf("function %d", r.fn)
		}
		r.err = fmt.Errorf("offset 0x%x: %s: %s", at, in, fmt.Sprintf(format, args...))
	}
	r.pos = r.end
}

// refuse is fail for what is valid somewhere, but not here: the construct's name, and the proposal that it belongs to.
func (r *reader) refuse(at int, what, proposal string) {
	r.fail(at, "%s: %s", what, proposal)
}

func (r *reader) byte() byte {
	if r.pos >= r.end {
		r.fail(r.pos, "ends too early")
		return 0
	}
	c := r.b[r.pos]
	r.pos++
	return c
}

func (r *reader) skip(n int) {
	if n > r.end-r.pos {
		r.fail(r.pos, "ends too early: %d bytes wanted, %d left", n, r.end-r.pos)
		return
	}
	r.pos += n
}

// u32 reads an unsigned LEB128 number of at most 32 bits (core spec 2.0 §5.2.2).
func (r *reader) u32() uint32 {
	if r.pos < r.end {
		if c := r.b[r.pos]; c < 0x80 {
			r.pos++
			return uint32(c)
		}
	}
	at := r.pos
	var v uint32
	for shift := 0; ; shift += 7 {
		c := r.byte()
		if r.err != nil {
			return 0
		}
		if shift == 28 && c > 0x0f {
			r.fail(at, "a number is longer than 32 bits")
			return 0
		}
		v |= uint32(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
}

// signed reads a signed LEB128 number of at most that many bits: 32, 33 or 64.
func (r *reader) signed(bits int) int64 {
	at := r.pos
	var v int64
	for shift := 0; ; shift += 7 {
		c := r.byte()
		if r.err != nil {
			return 0
		}
		v |= int64(c&0x7f) << shift
		left := bits - shift
		if left <= 7 {
			// The last byte: no more may follow, and the bits above the number's own repeat its sign.
			if above := int8(c<<1) >> left; c >= 0x80 || above != 0 && above != -1 {
				r.fail(at, "a number is longer than %d bits", bits)
				return 0
			}
		}
		if c < 0x80 {
			if c&0x40 != 0 && shift+7 < 64 {
				v |= -1 << (shift + 7)
			}
			return v
		}
	}
}

// count reads the length of a vector, whose elements are at least one byte each: what follows bounds it, and so all
// that is allocated for it.
func (r *reader) count(of string) int {
	at := r.pos
	n := r.u32()
	if r.err == nil && uint64(n) > uint64(r.end-r.pos) {
		r.fail(at, "%d %s in %d bytes", n, of, r.end-r.pos)
		return 0
	}
	return int(n)
}

func (r *reader) name() []byte {
	n := r.count("bytes of a name")
	at := r.pos
	r.skip(n)
	return r.b[at:r.pos]
}

// appendU32 appends an unsigned LEB128 number.
func appendU32(b []byte, v uint32) []byte {
	for ; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

// appendSigned appends a signed LEB128 number.
func appendSigned(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}
