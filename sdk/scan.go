package sdk

// scan reads the value at an offset and returns the offset behind it; if it is not JSON, that of the fault.
func (v *JSON) scan(at, depth int) (end int, ok bool) {
	if at >= v.text.n {
		return at, false
	}
	v.special = false
	switch first := v.text.byte(at); {
	case first == '"':
		v.kind = KindString
		end = v.scanString(at + 1)
		return max(at, end), end >= 0
	case first == '{' || first == '[':
		end, ok = v.skip(at, depth)
		v.kind = Kind(first)
	case first > '9':
		end, ok = v.scanWord(at)
	default:
		v.kind = KindNumber
		end, v.special, ok = v.text.numberEnd(at)
	}
	v.span = SpanOf(at, end-at)
	return end, ok
}

// skip reads an object or array.
func (v *JSON) skip(at, depth int) (end int, ok bool) {
	switch {
	case depth >= maxDepth:
		return at, false
	case v.text.byte(at) == '{':
		var o Object
		for o.enter(v.text, at, depth); o.Next(); {
			continue
		}
		return o.at, o.state == stateDone
	default:
		a := newArray(v.text, at, depth)
		for a.next() {
			continue
		}
		return a.at, a.state == stateDone
	}
}

// scanWord reads true, false or null.
func (v *JSON) scanWord(at int) (end int, ok bool) {
	const (
		words = 0xffffffff
		true4 = 't' | 'r'<<8 | 'u'<<16 | 'e'<<24
		null4 = 'n' | 'u'<<8 | 'l'<<16 | 'l'<<24
		tail4 = 'a' | 'l'<<8 | 's'<<16 | 'e'<<24
	)
	end, v.kind = at+4, KindBool
	switch w := v.text.word(at); {
	case w&words == true4:
	case w&words == null4:
		v.kind = KindNull
	case w&0xff == 'f' && w>>8&words == tail4:
		end++
	default:
		return at, false
	}
	return end, end <= v.text.n
}

// scanString reads a string from behind its opening quote, sets its span, and returns the offset behind its closing
// quote; -1 if it is none.
func (v *JSON) scanString(at int) int {
	t, start := v.text, at
	v.special = false
	if at += firstByte(stops(t.word(at))); at-start == 8 {
		at = t.stop(at)
	}
	if at >= t.n || t.byte(at) != '"' {
		if at = t.escapedEnd(at); at < 0 {
			return at
		}
		v.special = true
	}
	v.span = SpanOf(start, at-start)
	return at + 1
}

// stops marks, by its high bit, the lowest byte of w that ends a run of plain characters in a string: a quote, a
// backslash or a control character. Higher marks may be false.
func stops(w uint64) uint64 {
	return zeros(w^ones*'"') | zeros(w^ones*'\\') | (w-ones*' ')&^w&highs
}

// stop finds the first quote, backslash or control character at or after from; Len if there is none.
func (t Text) stop(from int) int {
	for i := from; i < t.n; i += 16 {
		a, b := firstByte(stops(t.word(i))), firstByte(stops(t.word(i+8)))
		if n := a + a>>3*b; n < 16 {
			return min(i+n, t.n)
		}
	}
	return t.n
}

// escapedEnd finds the quote that ends a string, at or after a stop; -1 if there is none.
func (t Text) escapedEnd(at int) int {
	for at < t.n {
		switch t.byte(at) {
		case '"':
			return at
		case '\\':
			if at = t.escape(at); at < 0 {
				return at
			}
			at = t.stop(at)
		default:
			return -1
		}
	}
	return -1
}

// escape returns the offset behind the escape at i, or -1.
func (t Text) escape(i int) int {
	if i+1 >= t.n {
		return -1
	}
	switch t.byte(i + 1) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if i+6 <= t.n {
			if _, ok := hex4(t.String()[i+2 : i+6]); ok {
				return i + 6
			}
		}
	}
	return -1
}

// numberEnd reads -? int frac? exp? and returns the offset behind it, and whether there is a frac or exp.
func (t Text) numberEnd(at int) (end int, special, ok bool) {
	if t.byte(at) == '-' {
		at++
	}
	first := at
	if at = t.digits(at); at == first || at > first+1 && t.byte(first) == '0' {
		return first, false, false
	}
	if at < t.n && t.byte(at) == '.' {
		special, first = true, at+1
		if at = t.digits(first); at == first {
			return at, true, false
		}
	}
	if at < t.n && t.byte(at)|' ' == 'e' {
		if at++; at < t.n && (t.byte(at) == '+' || t.byte(at) == '-') {
			at++
		}
		special, first = true, at
		if at = t.digits(first); at == first {
			return at, true, false
		}
	}
	return at, special, true
}

// digits returns the offset of the first byte from at on that is not a digit.
func (t Text) digits(at int) int {
	for at < t.n {
		n := firstByte(others(t.word(at)))
		if at += n; n < 8 {
			return min(at, t.n)
		}
	}
	return min(at, t.n)
}

// space returns the offset of the first byte from at on that is not white space.
func (t Text) space(at int) int {
	for at < t.n {
		if c := t.byte(at); c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return at
		}
		at++
	}
	return at
}
