package wasmtest

import (
	"encoding/binary"
	"slices"

	"github.com/obsd-io/obsd/runtime/abi"
)

// First bytes of a body that make a [Stamp] fail on its row.
const (
	FaultTrap    = '!' // it traps
	FaultForever = '~' // it never returns
	FaultGarbage = '?' // it returns a result that is none
	FaultMemory  = '^' // it takes all the memory that it gets, and traps
)

// Stamp is a plugin that sets one field of every row, and fails in a way that the first byte of a row's body says.
type Stamp struct {
	Field abi.Field
	Value int64
	// Manifest is the manifest's text; its reads must be ["body"].
	Manifest string
	// Mild leaves the trap out: rows that begin with FaultTrap are stamped too.
	Mild bool
	// Spin is how many steps of a loop it takes for each row.
	Spin int32
}

// Module is the plugin's binary.
func (s Stamp) Module() []byte {
	header := make([]byte, abi.ResultHeaderSize)
	le := binary.LittleEndian
	le.PutUint32(header, abi.ResultMagic)
	le.PutUint32(header[abi.ResultEdits:], partsAt)
	return Plugin{Manifest: s.Manifest, Process: s.process(), Data: map[uint32][]byte{resultAt: header}, Pages: 32}.Module()
}

// Opcodes besides those of wasmtest.go.
const (
	opBlock      = 0x02
	opIf         = 0x04
	opBrIf       = 0x0d
	opReturn     = 0x0f
	opLocalSet   = 0x21
	opI32Load    = 0x28
	opI32Load8U  = 0x2d
	opI32Store   = 0x36
	opI64Store   = 0x37
	opI32Eq      = 0x46
	opI32GeU     = 0x4f
	opI32Add     = 0x6a
	opI32Sub     = 0x6b
	opI32Shl     = 0x74
	opI64Or      = 0x84
	opI64Extend  = 0xad
	rowAt        = 512 // where the number of the row at hand lies
	spinAt       = 520 // and what is left of its spin
	batch        = 0   // parameters
	cell         = 1   // the batch's length, used for the address of the row's cell
	alignWord    = 2
	alignDouble  = 3
	noAlign      = 0
	editSizeLog2 = 4
)

func get(local byte) Code { return Code{opLocalGet, local} }

// load reads a word at an address on the stack, store writes one.
func load(offset uint32) Code  { return append(Code{opI32Load, alignWord}, leb(offset)...) }
func store(offset uint32) Code { return append(Code{opI32Store, alignWord}, leb(offset)...) }

func (s Stamp) process() Code {
	rows := slices.Concat(get(batch), load(abi.BatchRows))
	row := slices.Concat(I32(rowAt), load(0))
	edit := slices.Concat(row, I32(editSizeLog2), Code{opI32Shl})
	code := slices.Concat(
		I32(resultAt), rows, store(abi.ResultRows),
		I32(resultAt), rows, store(abi.ResultEditsCount),
		I32(rowAt), I32(0), store(0),
		// the first cell of the one column
		get(batch), get(batch), get(batch), load(abi.BatchDirectory), Code{opI32Add}, load(abi.ColumnCells), Code{opI32Add, opLocalSet, cell},
		Code{opBlock, blockEmpty, opLoop, blockEmpty},
		row, rows, Code{opI32GeU, opBrIf, 1},
	)
	faults := map[byte]Code{
		FaultTrap: Unreachable(), FaultForever: Forever(), FaultMemory: Grow(),
		FaultGarbage: append(I64(int64(abi.Pack(1, 1))), opReturn),
	}
	if s.Mild {
		delete(faults, FaultTrap)
	}
	for _, first := range []byte{FaultTrap, FaultForever, FaultGarbage, FaultMemory} {
		if fault, ok := faults[first]; ok {
			code = slices.Concat(code, get(batch), get(cell), load(0), Code{opI32Add, opI32Load8U, noAlign, 0},
				I32(int32(first)), Code{opI32Eq, opIf, blockEmpty}, fault, Code{opEnd})
		}
	}
	if s.Spin > 0 {
		left := slices.Concat(I32(spinAt), load(0))
		code = slices.Concat(code, I32(spinAt), I32(s.Spin), store(0), Code{opLoop, blockEmpty},
			I32(spinAt), left, I32(1), Code{opI32Sub}, store(0), left, Code{opBrIf, 0, opEnd})
	}
	return slices.Concat(code,
		edit, I64(int64(abi.Edit(0, uint16(s.Field), abi.OpSet, abi.TypeInt))), row, Code{opI64Extend, opI64Or, opI64Store, alignDouble}, leb(partsAt),
		edit, I64(s.Value), Code{opI64Store, alignDouble}, leb(partsAt+8),
		I32(rowAt), row, I32(1), Code{opI32Add}, store(0),
		get(cell), I32(abi.CellSize), Code{opI32Add, opLocalSet, cell},
		Code{opBr, 0, opEnd, opEnd}, I64(int64(abi.Pack(resultAt, abi.ResultHeaderSize))))
}
