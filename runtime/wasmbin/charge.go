package wasmbin

// What a bulk operation costs a byte, element or page, as a power of two of units; its own weight comes on top. They
// follow a memory that is not in the cache, and pages that the kernel has yet to map.
const (
	shiftBytes    = -2 // four bytes a unit
	shiftElements = 2
	shiftPages    = 15
)

// fuel writes the instructions that burn fuel.
type fuel struct {
	// global is the counter's index.
	global uint32
}

// charge appends code that burns units and traps below 0. It needs and leaves nothing on the operand stack.
//
//	global.get $fuel  i64.const units  i64.sub  global.set $fuel
//	global.get $fuel  i64.const 0  i64.lt_s  if  unreachable  end
func (c fuel) charge(b []byte, units int64) []byte {
	b = appendU32(append(b, opGlobalGet), c.global)
	b = appendSigned(append(b, opI64Const), units)
	return c.burn(b)
}

// chargeLength appends code that burns the u32 in a local, times two to the power of shift. With shifts of at most 15
// that is less than 1<<47, which cannot wrap a counter that was at least 0.
func (c fuel) chargeLength(b []byte, local uint32, shift int64) []byte {
	b = appendU32(append(b, opGlobalGet), c.global)
	b = appendU32(append(b, opLocalGet), local)
	b = append(b, opI64ExtendI32U)
	if shift < 0 {
		b = append(appendSigned(append(b, opI64Const), -shift), opI64ShrU)
	} else {
		b = append(appendSigned(append(b, opI64Const), shift), opI64Shl)
	}
	return c.burn(b)
}

// burn appends the end of a charge: the counter and what to take from it are on the stack.
func (c fuel) burn(b []byte) []byte {
	b = appendU32(append(b, opI64Sub, opGlobalSet), c.global)
	b = appendU32(append(b, opGlobalGet), c.global)
	return append(b, opI64Const, 0, opI64LtS, opIf, blockEmpty, opUnreachable, opEnd)
}
