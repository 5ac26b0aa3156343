// Package wasmtest makes small WebAssembly modules for tests: plugins that keep the contract of runtime/abi, or break
// it in one way. No toolchain is needed.
package wasmtest

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/obsd-io/obsd/runtime/abi"
)

// Opcodes and types of the core spec 2.0, §5.
const (
	i32 = 0x7f
	i64 = 0x7e

	opUnreachable = 0x00
	opLoop        = 0x03
	opBr          = 0x0c
	opEnd         = 0x0b
	opCall        = 0x10
	opReturnCall  = 0x12
	opI32Const    = 0x41
	opI64Const    = 0x42
	opMemoryGrow  = 0x40
	opLocalGet    = 0x20
	blockEmpty    = 0x40
)

// Where a plugin of this package keeps things in memory.
const (
	manifestAt = 1024
	resultAt   = 8192  // the result's header
	partsAt    = 16384 // verdicts, edits, arena, names, sets
	blockAt    = 65536 // the one block
)

// Code is a function's body without locals, its end left out.
type Code []byte

// I32 pushes a constant.
func I32(v int32) Code { return binaryAppend(Code{opI32Const}, int64(v)) }

// I64 pushes a constant.
func I64(v int64) Code { return binaryAppend(Code{opI64Const}, v) }

// Unreachable traps.
func Unreachable() Code { return Code{opUnreachable} }

// Forever never ends.
func Forever() Code { return Loop(nil) }

// Recurse is a body of (i32, i32) i64 that calls itself, which is [Plugin.Process] for 4, until the stack ends.
func Recurse() Code {
	return slices.Concat(Code{opLocalGet, 0, opLocalGet, 1}, Call(4))
}

// TailCall is as Recurse, without taking stack: it never ends.
func TailCall() Code {
	return slices.Concat(Code{opLocalGet, 0, opLocalGet, 1}, Code{opReturnCall, 4})
}

// Call calls the function of that number: imports come first, then the marker, manifest, configure, alloc and process.
func Call(function uint32) Code { return append(Code{opCall}, leb(function)...) }

// Grow asks for pages of memory until it gets no more, then traps.
func Grow() Code {
	// loop; i32.const 1; memory.grow 0; i32.const -1; i32.ne; br_if 0; end; unreachable
	return Code{opLoop, blockEmpty, opI32Const, 1, opMemoryGrow, 0, opI32Const, 0x7f, 0x47, 0x0d, 0, opEnd, opUnreachable}
}

// Loop does body, which leaves nothing on the stack, for ever.
func Loop(body Code) Code {
	return slices.Concat(Code{opLoop, blockEmpty}, body, Code{opBr, 0, opEnd, opUnreachable})
}

// Fill fills length bytes of memory from address 0; Copy copies as many there from address 1.
func Fill(length int32) Code {
	return slices.Concat(I32(0), I32(0), I32(length), Code{0xfc, 11, 0})
}

// Copy is as described at [Fill].
func Copy(length int32) Code {
	return slices.Concat(I32(0), I32(1), I32(length), Code{0xfc, 10, 0, 0})
}

// Store writes a word to an address.
func Store(address, value int32) Code {
	return slices.Concat(I32(address), I32(value), Code{0x36, 2, 0})
}

// Switch turns for ever through a table of n labels that all lead back to the start.
func Switch(n uint32) Code {
	out := append(slices.Concat(Code{opLoop, blockEmpty}, I32(0), Code{0x0e}), leb(n)...)
	return append(append(out, make([]byte, n+1)...), opEnd, opUnreachable)
}

// Plugin is a plugin in parts. The zero value of each field but Manifest stands for what works.
type Plugin struct {
	// Manifest is the manifest's text.
	Manifest string
	// Configure, Alloc and Process replace a function's body: (i32, i32) i64, (i32) i32, (i32, i32) i64.
	Configure, Alloc, Process Code
	// ManifestBody replaces the body of obsd_manifest: () i64.
	ManifestBody Code
	// ManifestResult replaces what obsd_manifest returns.
	ManifestResult *uint64
	// Start, if set, is the body of a start function.
	Start Code
	// Rename gives exports other names; an empty name leaves one out.
	Rename map[string]string
	// Pages is how much memory it starts with, default 4.
	Pages uint32
	// Imports are functions to import; they are the first functions, see [Call].
	Imports []Import
	// Flush, if set, is the body of obsd_flush: (i64) i64.
	Flush Code
	// StartSection has Start run by the module's start section, and not as [abi.ExportInitialize].
	StartSection bool
	// Data is memory's content by address.
	Data map[uint32][]byte
	// Result is what obsd_process returns where Process is not set.
	Result *Result
}

// Import is a function to import, with the types of its parameters and results as in the binary format.
type Import struct {
	Module, Name    string
	Params, Results string
}

// Types for an [Import].
const (
	I32Type = "\x7f"
	I64Type = "\x7e"
	F64Type = "\x7c"
)

// Result is a result in parts, as abi draws it.
type Result struct {
	Rows     uint32
	Verdicts []uint16
	Edits    []uint64
	Arena    string
	Names    []string
	First    uint32
	Sets     []uint64
	// Header changes words of the header, by offset, at the end.
	Header map[int]uint32
}

// Module is the plugin's binary.
func (p Plugin) Module() []byte {
	data := maps.Clone(p.Data)
	if data == nil {
		data = map[uint32][]byte{}
	}
	data[manifestAt] = []byte(p.Manifest)
	process := p.Process
	if process == nil {
		process = I64(0)
		if p.Result != nil {
			header, parts := p.Result.layout()
			data[resultAt], data[partsAt] = header, parts
			process = I64(int64(abi.Pack(resultAt, uint32(len(header)))))
		}
	}
	manifest := abi.Pack(manifestAt, uint32(len(p.Manifest)))
	if p.ManifestResult != nil {
		manifest = *p.ManifestResult
	}
	bodies := []Code{{}, or(p.ManifestBody, I64(int64(manifest))), or(p.Configure, I64(0)), or(p.Alloc, I32(blockAt)), process}
	names := []string{abi.ExportMarker, abi.ExportManifest, abi.ExportConfigure, abi.ExportAlloc, abi.ExportProcess}
	types := []byte{0, 1, 2, 3, 2}
	if p.Flush != nil {
		bodies, types, names = append(bodies, p.Flush), append(types, 4), append(names, abi.ExportFlush)
	}
	imports := uint32(len(p.Imports))
	start := imports + uint32(len(bodies))
	if p.Start != nil {
		bodies, types, names = append(bodies, p.Start), append(types, 0), append(names, abi.ExportInitialize)
	}
	rename := maps.Clone(p.Rename)
	if p.StartSection {
		if rename == nil {
			rename = map[string]string{}
		}
		rename[abi.ExportInitialize] = ""
	}
	m := []byte("\x00asm\x01\x00\x00\x00")
	m = section(m, 1, p.types())
	if imports > 0 {
		m = section(m, 2, p.imports())
	}
	m = section(m, 3, append([]byte{byte(len(types))}, types...))
	m = section(m, 5, append([]byte{1, 0}, leb(max(p.Pages, 4))...))
	m = section(m, 7, exports(names, imports, rename))
	if p.StartSection {
		m = section(m, 8, leb(start))
	}
	code := leb(uint32(len(bodies)))
	for _, b := range bodies {
		code = append(append(code, leb(uint32(len(b)+2))...), 0)
		code = append(append(code, b...), opEnd)
	}
	m = section(m, 10, code)
	return section(m, 11, segments(data))
}

// ownTypes is how many types the plugin's own functions have; those of imports follow.
const ownTypes = 5

func (p Plugin) types() []byte {
	out := append(leb(ownTypes+uint32(len(p.Imports))), 0x60, 0, 0, 0x60, 0, 1, i64, 0x60, 2, i32, i32, 1, i64, 0x60, 1, i32, 1, i32, 0x60, 1, i64, 1, i64)
	for _, f := range p.Imports {
		out = append(append(append(out, 0x60), name(f.Params)...), name(f.Results)...)
	}
	return out
}

func (p Plugin) imports() []byte {
	out := leb(uint32(len(p.Imports)))
	for i, f := range p.Imports {
		out = slices.Concat(out, name(f.Module), name(f.Name), []byte{0}, leb(ownTypes+uint32(i)))
	}
	return out
}

// Memory is a guest's memory that holds the result, and what obsd_process returns for it: for tests without a guest.
func (r *Result) Memory() (memory []byte, packed uint64) {
	header, parts := r.layout()
	memory = make([]byte, partsAt+len(parts))
	copy(memory[resultAt:], header)
	copy(memory[partsAt:], parts)
	return memory, abi.Pack(resultAt, uint32(len(header)))
}

// layout writes a result's header, and its parts for partsAt.
func (r *Result) layout() (header, parts []byte) {
	le := binary.LittleEndian
	header = make([]byte, abi.ResultHeaderSize)
	put := func(at int, v uint32) { le.PutUint32(header[at:], v) }
	here := func() uint32 { return partsAt + uint32(len(parts)) }
	put(0, abi.ResultMagic)
	put(abi.ResultRows, r.Rows)
	if len(r.Verdicts) > 0 {
		put(abi.ResultVerdicts, here())
	}
	for _, v := range r.Verdicts {
		parts = le.AppendUint16(parts, v)
	}
	put(abi.ResultEdits, here())
	put(abi.ResultEditsCount, uint32(len(r.Edits)/2))
	for _, v := range r.Edits {
		parts = le.AppendUint64(parts, v)
	}
	put(abi.ResultSets, here())
	put(abi.ResultSetsCount, uint32(len(r.Sets)))
	for _, v := range r.Sets {
		parts = le.AppendUint64(parts, v)
	}
	put(abi.ResultArena, here())
	put(abi.ResultArenaLength, uint32(len(r.Arena)))
	parts = append(parts, r.Arena...)
	var cells []byte
	for _, s := range r.Names {
		cells = le.AppendUint64(cells, abi.Cell(here(), uint32(len(s))))
		parts = append(parts, s...)
	}
	put(abi.ResultNames, here())
	put(abi.ResultNamesCount, uint32(len(r.Names)))
	put(abi.ResultNamesFirst, r.First)
	parts = append(parts, cells...)
	for at, v := range r.Header {
		put(at, v)
	}
	return header, parts
}

func or(c, otherwise Code) Code {
	if c == nil {
		return otherwise
	}
	return c
}

func exports(names []string, imports uint32, rename map[string]string) []byte {
	var out []byte
	n := uint32(0)
	add := func(old string, kind byte, index uint32) {
		as, ok := rename[old]
		if !ok {
			as = old
		}
		if as == "" {
			return
		}
		n++
		out = append(append(append(out, name(as)...), kind), leb(index)...)
	}
	for i, s := range names {
		add(s, 0, imports+uint32(i))
	}
	add(abi.ExportMemory, 2, 0)
	return append(leb(n), out...)
}

func segments(data map[uint32][]byte) []byte {
	out := leb(uint32(len(data)))
	for _, at := range slices.Sorted(maps.Keys(data)) {
		out = append(append(append(out, 0), I32(int32(at))...), opEnd)
		out = append(append(out, leb(uint32(len(data[at])))...), data[at]...)
	}
	return out
}

func section(m []byte, id byte, content []byte) []byte {
	return append(append(append(m, id), leb(uint32(len(content)))...), content...)
}

func name(s string) []byte { return append(leb(uint32(len(s))), s...) }

func leb(v uint32) []byte { return binary.AppendUvarint(nil, uint64(v)) }

// binaryAppend appends a signed LEB128 number.
func binaryAppend(c Code, v int64) Code {
	for {
		b := byte(v & 0x7f)
		if v >>= 7; v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(c, b)
		}
		c = append(c, b|0x80)
	}
}
