package wasmbin

// control follows an instruction that is not of fixed effect. Its opcode begins at an offset and is read.
func (f *function) control(at int, code byte, o *op) {
	if !f.dead {
		f.weight += int64(o.weight)
	}
	switch code {
	case opBlock, opLoop, opIf:
		f.enter(at, code)
	case opElse:
		f.otherwise(at)
	case opEnd:
		f.leave(at)
	case opBr:
		f.br(at)
	case opBrIf:
		f.brIf(at)
	case opBrTable:
		f.brTable(at)
	case opUnreachable, opReturn:
		f.dead = true
	case opCall, opReturnCall, opCallIndirect, opReturnCallIndirect:
		f.call(at, code)
	case opSelect, opSelectTyped:
		f.selectOne(at, code)
	case opRefNull:
		f.refNull(at)
	case opMemoryGrow:
		f.r.memoryIndex()
		if !f.dead && f.r.err == nil {
			f.pop(at, 1)
			f.chargeGrowth(at, shiftPages)
			f.push1(i32)
		}
	}
}

// blockType reads a block's type (core spec 2.0 §5.4.1).
func (f *function) blockType() (params, results []byte) {
	r := &f.r
	at := r.pos
	if at >= r.end {
		r.byte()
		return nil, nil
	}
	c := r.b[at]
	switch {
	case c == blockEmpty:
		r.pos++
		return nil, nil
	case c >= 0x40 && c < 0x80:
		r.valueType()
		return nil, r.b[at : at+1]
	}
	i := r.signed(33)
	if r.err == nil && (i < 0 || i >= int64(len(f.types))) {
		r.fail(at, "type %d: there are %d", i, len(f.types))
	}
	if r.err != nil {
		return nil, nil
	}
	return f.types[i].params, f.types[i].results
}

func (f *function) enter(at int, code byte) {
	params, results := f.blockType()
	if f.r.err != nil {
		return
	}
	if f.dead {
		f.skipped++
		return
	}
	if code == opIf {
		f.pop(at, 1)
	}
	f.pop(at, len(params))
	void := len(params)+len(results) == 0
	f.open(code, at, params, results)
	f.dispatch.opened(code, at, f.r.pos, len(f.frames)-1, void)
	f.push(at, params)
}

func (f *function) open(code byte, at int, params, results []byte) {
	if len(f.frames) >= maxNesting {
		f.r.fail(at, "more than %d blocks inside each other", maxNesting)
		return
	}
	f.frames = append(f.frames, frame{op: code, base: len(f.stack), params: params, results: results, weight: f.weight})
}

func (f *function) otherwise(at int) {
	if f.skipped > 0 {
		return
	}
	top := &f.frames[len(f.frames)-1]
	if top.op != opIf {
		f.r.fail(at, "else outside if")
		return
	}
	top.op = opElse
	f.dead = false
	f.stack = append(f.stack[:top.base], top.params...)
}

func (f *function) leave(at int) {
	if f.skipped > 0 {
		f.skipped--
		return
	}
	top := &f.frames[len(f.frames)-1]
	f.dead = false
	f.stack = f.stack[:top.base]
	if top.switchTo > 0 {
		f.dispatch.closed(top.switchTo-1, len(f.frames)-1, f.weight)
	}
	results := top.results
	f.frames = f.frames[:len(f.frames)-1]
	f.push(at, results)
}

// target reads a label, and gives the frame's number, or -1 after an error.
func (f *function) target(at int) int {
	depth := f.r.u32()
	if uint64(depth) >= uint64(len(f.frames)+f.skipped) {
		f.r.fail(at, "label %d: %d blocks are open", depth, len(f.frames)+f.skipped)
	}
	if f.r.err != nil || f.dead {
		return -1
	}
	return len(f.frames) - 1 - int(depth)
}

// distance is what one round costs that began at a frame's start, or 0 for a frame that is no loop.
func (f *function) distance(t int) int64 {
	if f.frames[t].op != opLoop {
		return 0
	}
	return f.weight - f.frames[t].weight
}

func (f *function) br(at int) {
	t := f.target(at)
	if t < 0 {
		return
	}
	if units := f.distance(t); units > 0 {
		open, past, known := f.dispatch.destination(f.r.b, f.frames[t].headOf-1, at)
		switch {
		case known && open > 0:
			f.flush(at)
			f.out = appendU32(append(f.out, opBr), uint32(len(f.frames)-1-open))
			f.copied = f.r.pos
		case known && past >= 0:
			units = f.weight - past
			fallthrough
		default:
			f.flush(at)
			f.out = f.fuel.charge(f.out, units)
		}
	}
	f.dead = true
}

// brIf charges a branch back only when it is taken: what is left on the stack goes below an if, unless the loop wants it.
//
//	br_if $loop  →  if  <charge>  br $loop  end
func (f *function) brIf(at int) {
	t := f.target(at)
	if t < 0 {
		return
	}
	f.pop(at, 1)
	units := f.distance(t)
	if units == 0 {
		return
	}
	f.flush(at)
	if len(f.frames[t].params) > 0 {
		f.out = f.fuel.charge(f.out, units)
		return
	}
	f.out = append(f.out, opIf, blockEmpty)
	f.out = f.fuel.charge(f.out, units)
	f.out = appendU32(append(f.out, opBr), uint32(len(f.frames)-t))
	f.out = append(f.out, opEnd)
	f.copied = f.r.pos
}

// brTable charges for the farthest loop that it may go back to, whichever label is taken.
func (f *function) brTable(at int) {
	n := f.r.count("labels")
	f.dispatch.table(at)
	var units int64
	for i := 0; i <= n && f.r.err == nil; i++ {
		if t := f.target(at); t >= 0 {
			units = max(units, f.distance(t))
			f.dispatch.entry(t)
		}
	}
	if f.dead || f.r.err != nil {
		return
	}
	f.pop(at, 1)
	if units > 0 {
		f.flush(at)
		f.out = f.fuel.charge(f.out, units)
	}
	f.dispatch.finish(f.weight, f.frames)
	f.dead = true
}

func (f *function) call(at int, code byte) {
	index := f.r.u32()
	indirect := code == opCallIndirect || code == opReturnCallIndirect
	if indirect {
		f.tableType(at, f.r.u32())
	} else {
		if f.r.err == nil && uint64(index) >= uint64(len(f.functions)) {
			f.r.fail(at, "function %d: there are %d", index, len(f.functions))
		}
		if f.r.err == nil {
			if int(index) < f.imported && !f.dead {
				f.weight += weightImport
			}
			index = f.functions[index]
		}
	}
	if f.r.err == nil && uint64(index) >= uint64(len(f.types)) {
		f.r.fail(at, "type %d: there are %d", index, len(f.types))
	}
	if f.r.err != nil || f.dead {
		return
	}
	typ := f.types[index]
	n := len(typ.params)
	if indirect {
		n++
	}
	f.pop(at, n)
	if code == opReturnCall || code == opReturnCallIndirect {
		f.dead = true
		return
	}
	f.push(at, typ.results)
}

func (f *function) selectOne(at int, code byte) {
	typ := byte(0)
	if code == opSelectTyped {
		if n := f.r.u32(); f.r.err == nil && n != 1 {
			f.r.fail(at, "select of %d types", n)
		}
		typ = f.r.valueType()
	}
	if f.dead || f.r.err != nil {
		return
	}
	f.pop(at, 3)
	if f.r.err != nil {
		return
	}
	// What pop has cut off is still there.
	if typ == 0 {
		typ = f.stack[:len(f.stack)+2][len(f.stack)+1]
	}
	if typ == f32 || typ == f64 || typ == v128 {
		f.selectFloat(at, typ)
	}
	f.push1(typ)
}

// local tells the dispatch of an access to a local.
func (f *function) local(at int, code byte, i uint32) {
	switch {
	case code == opLocalGet:
		f.dispatch.get(at, f.r.pos, i)
	case at == f.dispatch.constantEnd:
		f.dispatch.set(f.dispatch.constant, f.r.pos, i)
	}
}

func (f *function) refNull(at int) {
	t := f.r.byte()
	if f.r.err == nil && t != funcref && t != externref {
		if t < 0x40 || t >= 0x80 {
			f.r.refuse(at, "ref.null of a defined type", functionRefs)
			return
		}
		f.r.unknownType(at, t)
	}
	if !f.dead && f.r.err == nil {
		f.push1(t)
	}
}
