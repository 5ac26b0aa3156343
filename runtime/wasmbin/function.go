package wasmbin

import "slices"

// Bounds on what one function may need of the rewrite's memory. Compilers stay far below them.
const (
	maxLocals   = 50_000
	maxOperands = 1 << 20
	maxNesting  = 100_000
)

// function rewrites one function after another. It follows the types on the operand stack as validation does (core
// spec 2.0, appendix A.3), but only as far as it needs them: it counts operands, and knows the type of each, but does
// not compare them with what an instruction wants.
type function struct {
	*module
	r reader
	// out is the body's code so far, without locals and without the charge at entry; from copied on, input is yet to be copied.
	out    []byte
	copied int
	// weight is that of the live instructions before r.pos.
	weight int64
	locals []byte
	stack  []byte
	frames []frame
	// dead says that the rest of the innermost block cannot be reached; skipped counts blocks opened since.
	dead    bool
	skipped int
	// scratch is how many locals the rewrite adds.
	scratch  uint32
	dispatch dispatch
}

// frame is a block, loop, if or the function itself, while it is open.
type frame struct {
	op byte
	// switchTo is for a block that a dispatch leads to, and headOf for a loop that heads one: its number, plus 1.
	switchTo, headOf int32
	// base is the operand stack's height below the parameters.
	base            int
	params, results []byte
	// weight is the function's at the frame's start.
	weight int64
}

// rewrite reads a function's body of size bytes at r.pos, and appends the rewritten one, with its size.
func (f *function) rewrite(code []byte, typ funcType) []byte {
	f.weight, f.dead, f.skipped, f.scratch = 0, false, 0, 0
	f.out, f.stack, f.frames = f.out[:0], f.stack[:0], f.frames[:0]
	f.locals = append(f.locals[:0], typ.params...)
	f.dispatch.reset()
	groups, declared, decl := f.readLocals()
	f.copied = f.r.pos
	f.open(opReturn, f.r.pos, nil, typ.results)
	for len(f.frames) > 0 && f.r.err == nil {
		f.scan()
		f.instruction()
	}
	if f.r.err == nil && f.r.pos != f.r.end {
		f.r.fail(f.r.pos, "%d bytes after its end", f.r.end-f.r.pos)
	}
	if f.r.err != nil {
		return code
	}
	f.flush(f.r.pos)
	return f.assemble(code, groups, declared, decl)
}

// assemble appends the body's size, its locals, the charge at entry and its code.
func (f *function) assemble(code []byte, groups, declared int, decl []byte) []byte {
	var head [64]byte
	local := head[:0]
	if f.scratch > 0 {
		groups++
	}
	local = appendU32(local, uint32(groups))
	var more [8]byte
	added := more[:0]
	if f.scratch > 0 {
		added = append(appendU32(added, f.scratch), i32)
	}
	// Locals are set to zero at entry, and they count as the interpreter does so one by one.
	var entry [32]byte
	charge := f.fuel.charge(entry[:0], f.weight+int64(declared)+weightCall)
	code = appendU32(code, uint32(len(local)+len(decl)+len(added)+len(charge)+len(f.out)))
	code = append(append(code, local...), decl...)
	code = append(append(code, added...), charge...)
	return append(code, f.out...)
}

// readLocals reads the declarations: how many groups and locals they are, and the groups' bytes.
func (f *function) readLocals() (groups, declared int, decl []byte) {
	r := &f.r
	groups = r.count("groups of locals")
	from, params := r.pos, len(f.locals)
	for range groups {
		at := r.pos
		n := r.u32()
		t := r.valueType()
		if r.err != nil {
			break
		}
		if uint64(len(f.locals))+uint64(n) > maxLocals {
			r.fail(at, "more than %d parameters and locals", maxLocals)
			break
		}
		for range n {
			f.locals = append(f.locals, t)
		}
	}
	return groups, len(f.locals) - params, r.b[from:r.pos]
}

// flush copies input up to an offset.
func (f *function) flush(to int) {
	f.out = append(f.out, f.r.b[f.copied:to]...)
	f.copied = to
}

func (f *function) instruction() {
	r := &f.r
	at := r.pos
	code := r.byte()
	o, sub := &one[code], uint32(0)
	switch code {
	case prefixMisc, prefixVector:
		sub = r.u32()
		t := misc
		if code == prefixVector {
			t = vector
		}
		o = &t[uint8(sub)]
		if sub > 0xff {
			o = &t[0xff]
		}
		if sub > 0xff || o.imm == immUnknown {
			r.unknown(at, code, sub)
			return
		}
	case prefixGC, prefixThreads:
		sub = r.u32()
		r.unknown(at, code, sub)
		return
	}
	switch o.imm {
	case immControl:
		f.control(at, code, o)
		return
	case immUnknown:
		if r.err == nil {
			r.unknown(at, code, 0)
		}
		return
	}
	index := f.immediates(at, o.imm)
	if f.dead || r.err != nil {
		return
	}
	if o.imm == immLocal {
		f.local(at, code, index)
	}
	if code == prefixMisc && sub >= miscMemoryInit {
		f.bulk(at, sub)
	}
	f.weight += int64(o.weight)
	f.pop(at, int(o.pops))
	switch {
	case o.push == 0 && code != opTableGet:
	case o.imm == immLocal:
		f.push1(f.locals[index])
	case o.imm == immGlobal:
		f.push1(f.globals[index])
	case code == opTableGet:
		f.push1(f.tableType(at, index))
	default:
		f.push1(o.push)
	}
}

// immediates reads what follows an opcode, and gives its index, if it has one.
func (f *function) immediates(at int, imm immediate) (index uint32) {
	r := &f.r
	switch imm {
	case immNone:
	case immLocal:
		index = f.variable(at, "local", len(f.locals))
	case immGlobal:
		// No module can name the counter, which comes after its own globals.
		index = f.variable(at, "global", len(f.globals))
	case immMemory, immMemoryLane:
		if r.u32()&0x40 != 0 {
			r.refuse(at, "a memory's number", multiMemory)
		}
		r.u32()
		if imm == immMemoryLane {
			r.byte()
		}
	case immLane:
		r.byte()
	case imm4Bytes:
		r.skip(4)
	case imm8Bytes:
		r.skip(8)
	case imm16Bytes:
		r.skip(16)
	case immI32:
		r.signed(32)
		f.dispatch.constant, f.dispatch.constantEnd = at, r.pos
	case immI64:
		r.signed(64)
	case immZero:
		r.memoryIndex()
	case immZeros:
		r.memoryIndex()
		r.memoryIndex()
	case immIndex, immIndexZero:
		if index = r.u32(); imm == immIndexZero {
			r.memoryIndex()
		}
	case immIndex2:
		index = r.u32()
		r.u32()
	}
	return index
}

func (f *function) variable(at int, what string, n int) uint32 {
	i := f.r.u32()
	if f.r.err == nil && uint64(i) >= uint64(n) {
		f.r.fail(at, "%s %d: there are %d", what, i, n)
	}
	return i
}

// memoryIndex reads a memory's index, which core 2.0 has as a byte 0.
func (r *reader) memoryIndex() {
	at := r.pos
	if r.byte() != 0 {
		r.refuse(at, "a memory's number", multiMemory)
	}
}

func (f *function) pop(at, n int) {
	if len(f.frames) == 0 || len(f.stack)-n < f.frames[len(f.frames)-1].base {
		f.r.fail(at, "an instruction wants %d operands, and there are fewer", n)
		return
	}
	f.stack = f.stack[:len(f.stack)-n]
}

func (f *function) push1(t byte) { f.stack = append(f.stack, t) }

func (f *function) push(at int, types []byte) {
	if len(f.stack)+len(types) > maxOperands {
		f.r.fail(at, "more than %d operands", maxOperands)
		return
	}
	f.stack = append(f.stack, types...)
}

func (f *function) tableType(at int, index uint32) byte {
	if uint64(index) >= uint64(len(f.tables)) {
		f.r.fail(at, "table %d: there are %d", index, len(f.tables))
		return 0
	}
	return f.tables[index]
}

// newLocals makes sure that the function has n locals more than it declares, and gives the first one's index.
func (f *function) newLocals(n uint32) uint32 {
	f.scratch = max(f.scratch, n)
	return uint32(len(f.locals))
}

// bulk charges a bulk operation by its length, before it is copied: its opcode begins at an offset, and input is read
// up to the next one. What grows is charged afterwards and if it worked, since a program may ask for more than it can
// get; the limits on memory and tables bound what is then owed.
func (f *function) bulk(at int, sub uint32) {
	switch sub {
	case miscMemoryInit, miscMemoryCopy, miscMemoryFill:
		f.chargeBefore(at, shiftBytes)
	case miscTableInit, miscTableCopy, miscTableFill:
		f.chargeBefore(at, shiftElements)
	case miscTableGrow:
		f.chargeGrowth(at, shiftElements)
	}
}

// chargeBefore charges by the length on top of the stack.
func (f *function) chargeBefore(at int, shift int64) {
	f.flush(at)
	n := f.newLocals(1)
	f.out = appendU32(append(f.out, opLocalTee), n)
	f.out = f.fuel.chargeLength(f.out, n, shift)
}

// chargeGrowth charges what memory.grow or table.grow, which takes its length from the top of the stack, has added.
func (f *function) chargeGrowth(at int, shift int64) {
	f.flush(at)
	n := f.newLocals(2)
	f.out = appendU32(append(f.out, opLocalTee), n)
	f.flush(f.r.pos)
	f.out = appendU32(append(f.out, opLocalTee), n+1)
	f.out = appendU32(append(f.out, opLocalGet), n+1)
	f.out = append(f.out, opI32Const, 0x7f, opI32Ne, opIf, blockEmpty)
	f.out = f.fuel.chargeLength(f.out, n, shift)
	f.out = append(f.out, opEnd)
}

// selectFloat replaces a select whose operands are in float or vector registers, where wazero 1.12 loses the second
// one if registers are short (wazero#2534: on amd64 the conditional move does not say that it reads what it
// overwrites). The opcode begins at an offset, and input is read up to the next one.
//
//	block (param t t i32) (result t)
//	  block (param t t i32) (result t t)
//	    br_if 0      ;; to the drop, which leaves the first operand
//	    br 1         ;; out with the second
//	  end
//	  drop
//	end
func (f *function) selectFloat(at int, t byte) {
	f.flush(at)
	f.copied = f.r.pos
	typ := f.selectType(t)
	f.out = appendSigned(append(f.out, opBlock), typ)
	f.out = appendSigned(append(f.out, opBlock), typ+1)
	f.out = append(f.out, opBrIf, 0, opBr, 1, opEnd, opDrop, opEnd)
}

// selectType is the index of the first of the two types that a select of t becomes. The rewritten module declares them
// after its own.
func (m *module) selectType(t byte) int64 {
	i := slices.Index(m.selects, t)
	if i < 0 {
		i = len(m.selects)
		m.selects = append(m.selects, t)
	}
	return int64(len(m.types) + 2*i)
}
