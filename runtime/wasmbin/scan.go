package wasmbin

// scan reads on over instructions of fixed effect, which nearly all are, and stops before the first that is not, or that
// is wrong or rare: [function.instruction] takes it. It does for speed what that would do one by one, with all that it
// keeps in registers. Code that cannot be reached is not for it.
func (f *function) scan() {
	if f.dead {
		return
	}
	b, locals, globals, stack := f.r.b[:f.r.end], f.locals, f.globals, f.stack
	base, weight, pos := f.frames[len(f.frames)-1].base, f.weight, f.r.pos
	constant, constantEnd := f.dispatch.constant, f.dispatch.constantEnd
	for pos < len(b) {
		at, next := pos, pos+1
		code := b[at]
		o := &one[code]
		switch o.imm {
		case immNone:
		case immLocal, immGlobal:
			if next >= len(b) || b[next] >= 0x80 {
				goto stop
			}
			types := locals
			if o.imm == immGlobal {
				types = globals
			} else if at == f.dispatch.next {
				goto stop
			}
			i := int(b[next])
			if i >= len(types) || len(stack)-int(o.pops) < base {
				goto stop
			}
			if at == constantEnd && (code == opLocalSet || code == opLocalTee) {
				f.dispatch.set(constant, next+1, uint32(i))
			}
			pos = next + 1
			weight += int64(o.weight)
			stack = stack[:len(stack)-int(o.pops)]
			if o.push != 0 {
				stack = append(stack, types[i])
			}
			continue
		case immI32, immI64:
			next = skipNumber(b, next)
			constant, constantEnd = at, next
		case immMemory:
			if next < len(b) && b[next] >= 0x40 {
				goto stop
			}
			next = skipNumber(b, next+1)
		default:
			goto stop
		}
		if next > len(b) || len(stack)-int(o.pops) < base {
			goto stop
		}
		pos = next
		weight += int64(o.weight)
		stack = stack[:len(stack)-int(o.pops)]
		if o.push != 0 {
			stack = append(stack, o.push)
		}
	}
stop:
	f.stack, f.weight, f.r.pos = stack, weight, pos
	f.dispatch.constant, f.dispatch.constantEnd = constant, constantEnd
}

// skipNumber gives the offset after a LEB128 number of at most four bytes, which cannot be too large for its type, or
// one past the end.
func skipNumber(b []byte, at int) int {
	for i := at; i < len(b) && i < at+4; i++ {
		if b[i] < 0x80 {
			return i + 1
		}
	}
	return len(b) + 1
}
