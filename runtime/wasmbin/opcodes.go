package wasmbin

import "fmt"

// Value types (core spec 2.0 §5.3.1 and §5.3.3).
const (
	i32       = 0x7f
	i64       = 0x7e
	f32       = 0x7d
	f64       = 0x7c
	v128      = 0x7b
	funcref   = 0x70
	externref = 0x6f
)

// Opcodes that the rewrite looks at or writes (core spec 2.0 §5.4; tail calls: the proposal of that name).
const (
	opUnreachable        = 0x00
	opBlock              = 0x02
	opLoop               = 0x03
	opIf                 = 0x04
	opElse               = 0x05
	opEnd                = 0x0b
	opBr                 = 0x0c
	opBrIf               = 0x0d
	opBrTable            = 0x0e
	opReturn             = 0x0f
	opCall               = 0x10
	opCallIndirect       = 0x11
	opReturnCall         = 0x12
	opReturnCallIndirect = 0x13
	opDrop               = 0x1a
	opSelect             = 0x1b
	opSelectTyped        = 0x1c
	opLocalGet           = 0x20
	opLocalSet           = 0x21
	opLocalTee           = 0x22
	opGlobalGet          = 0x23
	opGlobalSet          = 0x24
	opTableGet           = 0x25
	opTableSet           = 0x26
	opMemoryGrow         = 0x40
	opI32Const           = 0x41
	opI64Const           = 0x42
	opI32Eqz             = 0x45
	opI32Ne              = 0x47
	opI64LtS             = 0x53
	opI64Sub             = 0x7d
	opI64Shl             = 0x86
	opI64ShrU            = 0x88
	opI64ExtendI32U      = 0xad
	opRefNull            = 0xd0
	opRefFunc            = 0xd2

	prefixGC      = 0xfb
	prefixMisc    = 0xfc
	prefixVector  = 0xfd
	prefixThreads = 0xfe

	blockEmpty = 0x40
)

// Second opcodes after prefixMisc (core spec 2.0 §5.4.4 to §5.4.7).
const (
	miscMemoryInit = 8
	miscDataDrop   = 9
	miscMemoryCopy = 10
	miscMemoryFill = 11
	miscTableInit  = 12
	miscElemDrop   = 13
	miscTableCopy  = 14
	miscTableGrow  = 15
	miscTableSize  = 16
	miscTableFill  = 17
)

// immediate says what follows an opcode.
type immediate uint8

const (
	// immUnknown marks an opcode that does not exist in what is rewritten.
	immUnknown immediate = iota
	immNone
	// immControl marks what changes or needs more than a fixed number of operands; it is handled one by one.
	immControl
	immLocal
	immGlobal
	immMemory     // alignment and offset
	immMemoryLane // alignment, offset and a lane
	immLane
	imm4Bytes
	imm8Bytes
	imm16Bytes
	immI32
	immI64
	immZero  // a memory's index, which must be 0
	immZeros // two of them
	immIndex
	immIndex2
	immIndexZero // an index and a memory's
)

// op is an opcode of fixed effect: it takes that many operands and leaves one of type push, or none if that is 0.
type op struct {
	imm    immediate
	pops   uint8
	push   uint8
	weight uint8
}

// The weights, in units of fuel: about a third of a cycle each. They follow what wazero's compiler makes of an opcode
// on amd64, measured in loops of one opcode, and are not more than a rough scale: what a load costs depends on
// whether the cache has it.
const (
	weightFree   = 0  // no code: block, loop, end, nop
	weightMove   = 1  // operands that the compiler keeps in registers or in the next instruction
	weightSimple = 2  // one machine instruction
	weightMemory = 4  // a bounds check and an access
	weightMul    = 6  // a few cycles
	weightFew    = 10 // several machine instructions
	weightBranch = 4
	weightSlow   = 24  // float division and square root, conversions that check
	weightDivide = 40  // integer division
	weightCall   = 24  // without the callee
	weightImport = 160 // a way out to the host and back
	weightGrow   = 255 // a way out to the runtime, without what is grown
)

// one is the table of the opcodes of one byte, misc and vector those after their prefixes.
var one, misc, vector = coreOps(), miscOps(), vectorOps()

type table [256]op

// set describes the opcodes from first to last.
func (t *table) set(first, last int, imm immediate, pops, push, weight uint8) {
	for i := first; i <= last; i++ {
		t[i] = op{imm, pops, push, weight}
	}
}

func coreOps() *table {
	t := &table{}
	t.set(0x01, 0x01, immNone, 0, 0, weightFree) // nop
	t.control()
	t.variables()
	t.set(0x1a, 0x1a, immNone, 1, 0, weightMove)    // drop
	t.set(0x25, 0x25, immIndex, 1, 0, weightMemory) // table.get: its type is the table's, see function.tableGet
	t.set(0x26, 0x26, immIndex, 2, 0, weightMemory) // table.set
	t.set(0x28, 0x28, immMemory, 1, i32, weightMemory)
	t.set(0x29, 0x29, immMemory, 1, i64, weightMemory)
	t.set(0x2a, 0x2a, immMemory, 1, f32, weightMemory)
	t.set(0x2b, 0x2b, immMemory, 1, f64, weightMemory)
	t.set(0x2c, 0x2f, immMemory, 1, i32, weightMemory)
	t.set(0x30, 0x35, immMemory, 1, i64, weightMemory)
	t.set(0x36, 0x3e, immMemory, 2, 0, weightMemory)
	t.set(0x3f, 0x3f, immZero, 0, i32, weightSimple) // memory.size
	t.set(0x41, 0x41, immI32, 0, i32, weightMove)
	t.set(0x42, 0x42, immI64, 0, i64, weightMove)
	t.set(0x43, 0x43, imm4Bytes, 0, f32, weightMove)
	t.set(0x44, 0x44, imm8Bytes, 0, f64, weightMove)
	t.compare()
	t.integers(0x67, i32)
	t.integers(0x79, i64)
	t.floats(0x8b, f32)
	t.floats(0x99, f64)
	t.conversions()
	t.set(0xd1, 0xd1, immNone, 1, i32, weightSimple)      // ref.is_null
	t.set(0xd2, 0xd2, immIndex, 0, funcref, weightImport) // ref.func, by way of the runtime
	return t
}

func (t *table) control() {
	for c, weight := range map[int]uint8{
		opUnreachable: weightFree, opBlock: weightFree, opLoop: weightFree, opElse: weightFree, opEnd: weightFree,
		opIf: weightBranch, opBr: weightMove, opBrIf: weightBranch, opBrTable: weightFew, opReturn: weightBranch,
		opCall: weightCall, opCallIndirect: 2 * weightCall, opReturnCall: weightCall, opReturnCallIndirect: 2 * weightCall,
		opSelect: weightSimple, opSelectTyped: weightSimple,
		opMemoryGrow: weightGrow, opRefNull: weightMove,
	} {
		t.set(c, c, immControl, 0, 0, weight)
	}
}

// variables are the opcodes of locals and globals; push says only that there is a result, of the variable's type.
func (t *table) variables() {
	t.set(opLocalGet, opLocalGet, immLocal, 0, 1, weightMove)
	t.set(opLocalSet, opLocalSet, immLocal, 1, 0, weightMove)
	t.set(opLocalTee, opLocalTee, immLocal, 1, 1, weightMove)
	t.set(opGlobalGet, opGlobalGet, immGlobal, 0, 1, weightSimple)
	t.set(opGlobalSet, opGlobalSet, immGlobal, 1, 0, weightMemory)
}

func (t *table) compare() {
	t.set(0x45, 0x45, immNone, 1, i32, weightSimple)
	t.set(0x46, 0x4f, immNone, 2, i32, weightSimple)
	t.set(0x50, 0x50, immNone, 1, i32, weightSimple)
	t.set(0x51, 0x5a, immNone, 2, i32, weightSimple)
	t.set(0x5b, 0x66, immNone, 2, i32, weightMul)
}

// integers are the 18 opcodes from clz to rotr.
func (t *table) integers(first int, typ uint8) {
	t.set(first, first+2, immNone, 1, typ, weightMul)       // clz, ctz, popcnt
	t.set(first+3, first+17, immNone, 2, typ, weightSimple) // add to rotr
	t.set(first+5, first+5, immNone, 2, typ, weightMul)     // mul
	t.set(first+6, first+9, immNone, 2, typ, weightDivide)  // div, rem
}

// floats are the 14 opcodes from abs to copysign.
func (t *table) floats(first int, typ uint8) {
	t.set(first, first+1, immNone, 1, typ, weightMul)      // abs, neg
	t.set(first+2, first+5, immNone, 1, typ, weightFew)    // ceil, floor, trunc, nearest
	t.set(first+6, first+6, immNone, 1, typ, weightSlow)   // sqrt
	t.set(first+7, first+9, immNone, 2, typ, weightMul)    // add, sub, mul
	t.set(first+10, first+10, immNone, 2, typ, weightSlow) // div
	t.set(first+11, first+13, immNone, 2, typ, weightFew)  // min, max, copysign
}

func (t *table) conversions() {
	t.set(0xa7, 0xa7, immNone, 1, i32, weightMove)   // i32.wrap_i64
	t.set(0xa8, 0xab, immNone, 1, i32, weightSlow)   // i32.trunc
	t.set(0xac, 0xad, immNone, 1, i64, weightSimple) // i64.extend_i32
	t.set(0xae, 0xb1, immNone, 1, i64, weightSlow)   // i64.trunc
	t.set(0xb2, 0xb6, immNone, 1, f32, weightFew)    // f32.convert, f32.demote
	t.set(0xb7, 0xbb, immNone, 1, f64, weightFew)    // f64.convert, f64.promote
	t.set(0xbc, 0xbc, immNone, 1, i32, weightSimple) // reinterpret
	t.set(0xbd, 0xbd, immNone, 1, i64, weightSimple)
	t.set(0xbe, 0xbe, immNone, 1, f32, weightSimple)
	t.set(0xbf, 0xbf, immNone, 1, f64, weightSimple)
	t.set(0xc0, 0xc1, immNone, 1, i32, weightSimple) // sign extension
	t.set(0xc2, 0xc4, immNone, 1, i64, weightSimple)
}

func miscOps() *table {
	t := &table{}
	t.set(0, 3, immNone, 1, i32, weightSlow) // i32.trunc_sat
	t.set(4, 7, immNone, 1, i64, weightSlow) // i64.trunc_sat
	t.set(miscMemoryInit, miscMemoryInit, immIndexZero, 3, 0, weightImport)
	t.set(miscDataDrop, miscDataDrop, immIndex, 0, 0, weightFew)
	t.set(miscMemoryCopy, miscMemoryCopy, immZeros, 3, 0, weightCall)
	t.set(miscMemoryFill, miscMemoryFill, immZero, 3, 0, weightCall)
	t.set(miscTableInit, miscTableInit, immIndex2, 3, 0, weightImport)
	t.set(miscElemDrop, miscElemDrop, immIndex, 0, 0, weightFew)
	t.set(miscTableCopy, miscTableCopy, immIndex2, 3, 0, weightCall)
	t.set(miscTableGrow, miscTableGrow, immIndex, 2, i32, weightGrow)
	t.set(miscTableSize, miscTableSize, immIndex, 0, i32, weightSimple)
	t.set(miscTableFill, miscTableFill, immIndex, 3, 0, weightCall)
	return t
}

// vectorOps follows the table of the core spec 2.0, §5.4.8.
func vectorOps() *table {
	t := &table{}
	t.set(0, 10, immMemory, 1, v128, weightMemory)   // loads
	t.set(11, 11, immMemory, 2, 0, weightMemory)     // v128.store
	t.set(12, 12, imm16Bytes, 0, v128, weightSimple) // v128.const
	t.set(13, 13, imm16Bytes, 2, v128, weightFew)    // i8x16.shuffle
	t.set(14, 14, immNone, 2, v128, weightFew)       // i8x16.swizzle
	t.set(15, 20, immNone, 1, v128, weightMul)       // splats
	t.lanes()
	t.set(35, 76, immNone, 2, v128, weightMul)       // comparisons
	t.set(77, 77, immNone, 1, v128, weightSimple)    // v128.not
	t.set(78, 81, immNone, 2, v128, weightSimple)    // and, andnot, or, xor
	t.set(82, 82, immNone, 3, v128, weightMul)       // v128.bitselect
	t.set(83, 83, immNone, 1, i32, weightMul)        // v128.any_true
	t.set(84, 87, immMemoryLane, 2, v128, weightMul) // loads of a lane
	t.set(88, 91, immMemoryLane, 2, 0, weightMul)    // stores of a lane
	t.set(92, 93, immMemory, 1, v128, weightMemory)  // loads with zeros
	t.set(94, 95, immNone, 1, v128, weightFew)       // demote, promote
	t.set(96, 98, immNone, 1, v128, weightFew)       // i8x16: abs, neg, popcnt
	t.set(103, 106, immNone, 1, v128, weightFew)     // f32x4: ceil, floor, trunc, nearest
	t.set(116, 117, immNone, 1, v128, weightFew)     // f64x2: ceil, floor
	t.set(122, 122, immNone, 1, v128, weightFew)     // f64x2: trunc
	t.set(148, 148, immNone, 1, v128, weightFew)     // f64x2: nearest
	t.set(124, 127, immNone, 1, v128, weightFew)     // extadd_pairwise
	t.vectorIntegers()
	t.vectorFloats(224, 228)
	t.vectorFloats(236, 240)
	t.set(248, 255, immNone, 1, v128, weightSlow) // conversions
	return t
}

// lanes are the vector opcodes that extract or replace a lane.
func (t *table) lanes() {
	t.set(21, 34, immLane, 2, v128, weightMul) // replace_lane, but for:
	t.set(21, 22, immLane, 1, i32, weightMul)  // i8x16.extract_lane
	t.set(24, 25, immLane, 1, i32, weightMul)  // i16x8.extract_lane
	t.set(27, 27, immLane, 1, i32, weightMul)  // i32x4.extract_lane
	t.set(29, 29, immLane, 1, i64, weightMul)  // i64x2.extract_lane
	t.set(31, 31, immLane, 1, f32, weightMul)  // f32x4.extract_lane
	t.set(33, 33, immLane, 1, f64, weightMul)  // f64x2.extract_lane
}

// vectorIntegers are the vector opcodes on integers, without those that only i8x16 has.
func (t *table) vectorIntegers() {
	for _, first := range []int{96, 128, 160, 192} {
		t.set(first, first+1, immNone, 1, v128, weightMul)     // abs, neg
		t.set(first+3, first+4, immNone, 1, i32, weightMul)    // all_true, bitmask
		t.set(first+11, first+13, immNone, 2, v128, weightFew) // shl, shr_s, shr_u
		t.set(first+14, first+14, immNone, 2, v128, weightMul) // add
		t.set(first+17, first+17, immNone, 2, v128, weightMul) // sub
	}
	for _, first := range []int{96, 128} {
		t.set(first+5, first+6, immNone, 2, v128, weightMul)   // narrow
		t.set(first+15, first+16, immNone, 2, v128, weightMul) // add_sat
		t.set(first+18, first+19, immNone, 2, v128, weightMul) // sub_sat
		t.set(first+27, first+27, immNone, 2, v128, weightMul) // avgr_u
	}
	for _, first := range []int{128, 160, 192} {
		t.set(first+7, first+10, immNone, 1, v128, weightMul)  // extend
		t.set(first+28, first+31, immNone, 2, v128, weightFew) // extmul
		t.set(first+21, first+21, immNone, 2, v128, weightFew) // mul
	}
	t.set(118, 121, immNone, 2, v128, weightMul) // i8x16: min, max
	t.set(150, 153, immNone, 2, v128, weightMul) // i16x8: min, max
	t.set(182, 185, immNone, 2, v128, weightMul) // i32x4: min, max
	t.set(130, 130, immNone, 2, v128, weightFew) // i16x8.q15mulr_sat_s
	t.set(186, 186, immNone, 2, v128, weightFew) // i32x4.dot_i16x8_s
	t.set(214, 219, immNone, 2, v128, weightMul) // i64x2: comparisons
}

// vectorFloats are abs, neg and sqrt from unary, and the eight opcodes from add to pmax from binary.
func (t *table) vectorFloats(unary, binary int) {
	t.set(unary, unary+1, immNone, 1, v128, weightMul)
	t.set(unary+3, unary+3, immNone, 1, v128, weightSlow)
	t.set(binary, binary+7, immNone, 2, v128, weightFew)
	t.set(binary+3, binary+3, immNone, 2, v128, weightSlow)
}

// The proposals that are refused, as errors name them.
const (
	threads       = "threads are not supported"
	exceptions    = "exceptions are not supported"
	gc            = "garbage-collected types are not supported"
	functionRefs  = "typed function references are not supported"
	memory64      = "64-bit memories are not supported"
	multiMemory   = "more than one memory is not supported"
	relaxedVector = "relaxed vector instructions are not supported"
	wide          = "wide arithmetic is not supported"
)

// refused names the opcodes of one byte that other proposals define.
var refused = map[byte]struct{ name, proposal string }{
	0x06: {"try", exceptions}, 0x07: {"catch", exceptions}, 0x08: {"throw", exceptions}, 0x09: {"rethrow", exceptions},
	0x0a: {"throw_ref", exceptions}, 0x18: {"delegate", exceptions}, 0x19: {"catch_all", exceptions},
	0x1f: {"try_table", exceptions},
	0x14: {"call_ref", functionRefs}, 0x15: {"return_call_ref", functionRefs}, 0xd4: {"ref.as_non_null", functionRefs},
	0xd5: {"br_on_null", functionRefs}, 0xd6: {"br_on_non_null", functionRefs}, 0xd3: {"ref.eq", gc},
}

// unknown fails for an opcode, which is sub after a prefix.
func (r *reader) unknown(at int, code byte, sub uint32) {
	name := fmt.Sprintf("instruction 0x%02x", code)
	if code >= prefixGC && code <= prefixThreads {
		name = fmt.Sprintf("instruction 0x%02x 0x%02x", code, sub)
	}
	switch known, ok := refused[code]; {
	case ok:
		r.refuse(at, fmt.Sprintf("%s (%s)", name, known.name), known.proposal)
	case code == prefixThreads:
		r.refuse(at, "atomic "+name, threads)
	case code == prefixGC:
		r.refuse(at, name, gc)
	case code == prefixVector && sub >= 0x100 && sub < 0x130:
		r.refuse(at, name, relaxedVector)
	case code == prefixMisc && sub >= 19 && sub <= 22:
		r.refuse(at, name, wide)
	default:
		r.fail(at, "%s is not known", name)
	}
}

// valueType reads a value type.
func (r *reader) valueType() byte {
	at := r.pos
	t := r.byte()
	if r.err == nil && !isValueType(t) {
		r.unknownType(at, t)
	}
	return t
}

func isValueType(t byte) bool {
	return t >= v128 && t <= i32 || t == funcref || t == externref
}

func (r *reader) unknownType(at int, t byte) {
	name := fmt.Sprintf("type 0x%02x", t)
	switch t {
	case 0x63, 0x64:
		r.refuse(at, name, functionRefs)
	case 0x69, 0x74:
		r.refuse(at, name, exceptions)
	case 0x4e, 0x4f, 0x50, 0x5e, 0x5f, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x71, 0x72, 0x73, 0x77, 0x78:
		r.refuse(at, name, gc)
	default:
		r.fail(at, "%s is not known", name)
	}
}
