package sdk

// maxDepth is how deep arrays and objects may nest.
const maxDepth = 64

// Object reads the members of a JSON object in place, one after the other:
//
//	var o sdk.Object
//	for row := range b.Rows() {
//		for o.Read(lines.Text(row)); o.Next(); {
//			… o.Key, o.Value …
//		}
//		if !o.Whole() { … take back … }
//	}
//
// It is a loop and not a function with a callback, and used again for each row, because in a guest a call and a copy
// of a few words cost more than the reading does.
type Object struct {
	// Key and Value are the member that Next found.
	Key, Value JSON

	at    int // where the next member starts
	depth int
	state state
	top   bool // nothing may follow the object
}

// state is how far an object or array was read.
type state uint8

const (
	stateBroken state = iota
	stateMore         // a member or item must follow
	stateDone
)

// Read turns to the object that a text consists of. If the text is none, or is not JSON, the members before the fault
// are found all the same and [Object.Whole] is false.
func (o *Object) Read(t Text) {
	o.Key.text, o.Key.kind, o.Value.text = t, KindString, t
	o.depth, o.top, o.at = 0, true, 1
	if o.state = stateMore; t.n == 0 || t.byte(0) != '{' || t.byte(1) != '"' {
		o.at, o.state = t.open(t.space(0), '{', '}')
		if o.state == stateDone {
			o.finish()
		}
	}
}

// Object reads the members of an object; any other value has none.
func (v JSON) Object() (o Object) {
	if v.kind == KindObject {
		o.enter(v.text, v.span.Offset(), 0)
	}
	return o
}

// Whole says, once Next returned false, that the object was read to its end.
func (o *Object) Whole() bool { return o.state == stateDone }

func (o *Object) enter(t Text, at, depth int) {
	o.Key.text, o.Key.kind, o.Value.text = t, KindString, t
	o.depth, o.top = depth, false
	o.at, o.state = t.open(at, '{', '}')
}

// open reads what begins an object or array, and its end if it is empty.
func (t Text) open(at int, first, last byte) (int, state) {
	if at >= t.n || t.byte(at) != first {
		return at, stateBroken
	}
	at = t.space(at + 1)
	if at < t.n && t.byte(at) == last {
		return at + 1, stateDone
	}
	return at, stateMore
}

// finish is called behind the outermost object's end.
func (o *Object) finish() {
	if o.at = o.Key.text.space(o.at); o.at != o.Key.text.n {
		o.state = stateBroken
	}
}

// Next goes to the next member. It returns false if there is none, or if the text is not JSON from there on.
//
// What nearly every member is (a key of at most 15 bytes without escapes, at most one space around the colon and
// behind the comma; a string without escapes, a number without exponent or a word) is read here without a call. Offsets
// may run beyond the text's end until the last check, that the comma lies within it.
func (o *Object) Next() bool {
	if o.state != stateMore {
		return false
	}
	const keyEnd = '"' | ':'<<8
	t, at := o.Key.text, o.at
	at += oneIf(t.byte(at), ' ')
	key := at + 1
	colon := key + t.plain(key)
	value := colon + 2
	value += oneIf(t.byte(value), ' ')
	if t.word(colon)&0xffff != keyEnd || t.byte(at) != '"' {
		return o.slow()
	}
	o.Key.span, o.Key.special, o.Value.special = SpanOf(key, colon-key), false, false
	first := t.byte(value)
	if first > '9' {
		return o.word(value)
	}
	end := 0
	if first == '"' {
		value++
		if end = value + t.plain(value); end-value == 16 {
			end = t.stop(end)
		}
		if end >= t.n || t.byte(end) != '"' {
			return o.value(value - 1)
		}
		o.Value.kind, o.Value.span = KindString, SpanOf(value, end-value)
		end++
	} else {
		digits := value + oneIf(first, '-')
		end = digits + t.nearDigits(digits)
		point := oneIf(t.byte(end), '.')
		fraction := t.nearDigits(end+point) * point
		if end == digits || t.byte(digits) == '0' && end != digits+1 || fraction < point || t.byte(end+point+fraction)|' ' == 'e' || end-digits+fraction > 15 {
			return o.value(value)
		}
		end += point + fraction
		o.Value.kind, o.Value.span, o.Value.special = KindNumber, SpanOf(value, end-value), point != 0
	}
	if o.at = end + 1; t.byte(end) == ',' && end < t.n {
		return true
	}
	return o.behind(end)
}

// oneIf is 1 if c is the byte b, else 0, without a jump.
func oneIf(c, b byte) int { return int((uint64(c^b) - 1) >> 63) }

// plain is how many plain characters of a string stand at an offset, at most 16.
func (t Text) plain(at int) int {
	a, b := firstByte(stops(t.word(at))), firstByte(stops(t.word(at+8)))
	return a + a>>3*b
}

// nearDigits is how many digits stand at an offset, at most 16.
func (t Text) nearDigits(at int) int {
	a, b := firstByte(others(t.word(at))), firstByte(others(t.word(at+8)))
	return a + a>>3*b
}

// others marks the lowest byte of w that is no digit. Higher marks may be false.
func others(w uint64) uint64 {
	w ^= ones * '0'
	return (w + ones*0x76 | w) & highs
}

// word reads a member whose value is no string and no number: true, mostly, or false.
func (o *Object) word(at int) bool {
	end, ok := o.Value.scanWord(at)
	if !ok {
		return o.value(at)
	}
	o.Value.span = SpanOf(at, end-at)
	if o.at = end + 1; end < o.Key.text.n && o.Key.text.byte(end) == ',' {
		return true
	}
	return o.behind(end)
}

// slow is Next without presumptions.
func (o *Object) slow() bool {
	o.state = stateBroken
	t := o.Key.text
	o.at = t.space(o.at)
	if o.at >= t.n || t.byte(o.at) != '"' {
		return false
	}
	end := o.Key.scanString(o.at + 1)
	if end < 0 {
		return false
	}
	o.at = t.space(end)
	if o.at >= t.n || t.byte(o.at) != ':' {
		return false
	}
	return o.value(t.space(o.at + 1))
}

// value reads a member's value and what stands behind it.
func (o *Object) value(at int) bool {
	end, ok := o.Value.scan(o.Key.text.space(at), o.depth+1)
	if !ok {
		o.at, o.state = end, stateBroken
		return false
	}
	return o.behind(end)
}

// behind reads what stands behind a member.
func (o *Object) behind(at int) bool {
	o.at, o.state = o.Key.text.separator(at, '}')
	if o.state == stateDone && o.top {
		o.finish()
	}
	return o.state != stateBroken
}

// separator reads what stands behind a member or item: a comma, or last.
func (t Text) separator(at int, last byte) (int, state) {
	if t.byte(at) <= ' ' {
		at = t.space(at)
	}
	if at < t.n {
		switch t.byte(at) {
		case ',':
			return at + 1, stateMore
		case last:
			return at + 1, stateDone
		}
	}
	return at, stateBroken
}

// array is what Object is for arrays.
type array struct {
	item  JSON
	at    int
	depth int
	state state
}

func newArray(t Text, at, depth int) array {
	a := array{item: JSON{text: t}, depth: depth}
	a.at, a.state = t.open(at, '[', ']')
	return a
}

func (a *array) next() bool {
	if a.state != stateMore {
		return false
	}
	a.state = stateBroken
	var ok bool
	if a.at, ok = a.item.scan(a.item.text.space(a.at), a.depth+1); !ok {
		return false
	}
	a.at, a.state = a.item.text.separator(a.at, ']')
	return a.state != stateBroken
}
