package wasmbin

import (
	"bytes"
	"slices"
)

// Sections (core spec 2.0 §5.5.2; the tag section: the exception-handling proposal).
const (
	sectionCustom    = 0
	sectionType      = 1
	sectionImport    = 2
	sectionFunction  = 3
	sectionTable     = 4
	sectionMemory    = 5
	sectionGlobal    = 6
	sectionExport    = 7
	sectionStart     = 8
	sectionElement   = 9
	sectionCode      = 10
	sectionData      = 11
	sectionDataCount = 12
	sectionTag       = 13
)

// sectionNames are by number.
var sectionNames = [...]string{
	"custom", "type", "import", "function", "table", "memory", "global", "export", "start", "element", "code", "data",
	"data count", "tag",
}

// sectionOrder is where a section of that number comes; the order is not that of the numbers.
var sectionOrder = [...]int{
	sectionType: 1, sectionImport: 2, sectionFunction: 3, sectionTable: 4, sectionMemory: 5, sectionTag: 6,
	sectionGlobal: 7, sectionExport: 8, sectionStart: 9, sectionElement: 10, sectionDataCount: 11, sectionCode: 12,
	sectionData: 13,
}

// External kinds, of imports and exports (core spec 2.0 §5.5.5).
const (
	kindFunction = 0
	kindTable    = 1
	kindMemory   = 2
	kindGlobal   = 3
	kindTag      = 4
)

// maxTableElements is how many elements the tables of a module may have together, 8 bytes each: no limit on memory
// bounds them.
const maxTableElements = 1 << 20

// module is what the rewrite knows of a module. It keeps to the module's own bytes, which it does not change.
type module struct {
	reader
	sections  []section
	types     []funcType
	functions []uint32 // the type of each, imported ones first
	imported  int      // how many functions are imported
	tables    []byte   // the type of each
	memories  int
	globals   []byte // the type of each, imported ones first
	// selects are the operand types of selects that were replaced: for each, the module declares a type.
	selects []byte
	fuel    fuel
	// code and table are the contents of the sections of that name as they are rewritten.
	code, table []byte
}

// section is one of the module: its number, where it starts and ends, and where its contents start: after the size.
type section struct {
	id              byte
	at, body, end   int
	entries, inBody int // of vectors that are added to: how many there are, and where the first is
}

type funcType struct{ params, results []byte }

func newModule(b []byte) *module {
	m := &module{reader: reader{b: b, end: len(b), in: "header", fn: -1}}
	if len(b) > maxModule {
		m.fail(0, "a module of %d bytes, and more than %d are not rewritten", len(b), maxModule)
	}
	return m
}

// read reads all sections but code.
func (m *module) read() {
	if m.err != nil {
		return
	}
	if len(m.b) < 8 || !bytes.Equal(m.b[:8], []byte("\x00asm\x01\x00\x00\x00")) {
		m.fail(0, "not a core WebAssembly module of version 1")
		return
	}
	m.pos = 8
	last := 0
	for m.pos < len(m.b) && m.err == nil {
		m.in, m.end = "section", len(m.b)
		at := m.pos
		id := m.byte()
		if int(id) >= len(sectionNames) {
			m.fail(at, "number %d is not known", id)
			return
		}
		m.in = sectionNames[id] + " section"
		size := m.count("bytes")
		if m.err != nil {
			return
		}
		m.end = m.pos + size
		if order := sectionOrder[id]; id != sectionCustom {
			if order <= last {
				m.fail(at, "twice, or after a section that it comes before")
				return
			}
			last = order
		}
		m.readSection(section{id: id, at: at, body: m.pos, end: m.end})
	}
}

func (m *module) readSection(s section) {
	switch s.id {
	case sectionType:
		s.entries, s.inBody = m.vector("types", m.readType)
	case sectionImport:
		m.vector("imports", m.readImport)
		m.imported = len(m.functions)
	case sectionFunction:
		m.vector("functions", m.readFunction)
	case sectionTable:
		m.readTables()
	case sectionMemory:
		m.vector("memories", m.readMemory)
	case sectionGlobal:
		s.entries, s.inBody = m.vector("globals", m.readGlobal)
	case sectionExport:
		s.entries, s.inBody = m.vector("exports", m.readExport)
	case sectionTag:
		m.refuse(s.at, "tags", exceptions)
	default:
		m.pos = m.end
	}
	if m.err == nil && m.pos != m.end {
		m.fail(m.pos, "%d bytes after its end", m.end-m.pos)
	}
	m.sections = append(m.sections, s)
}

// vector reads a vector, and says how many elements it has and where the first is.
func (m *module) vector(of string, read func()) (n, first int) {
	n = m.count(of)
	first = m.pos
	for i := 0; i < n && m.err == nil; i++ {
		read()
	}
	return n, first
}

func (m *module) readType() {
	at := m.pos
	if c := m.byte(); m.err == nil && c != 0x60 {
		m.unknownType(at, c)
		return
	}
	m.types = append(m.types, funcType{m.valueTypes(), m.valueTypes()})
}

func (m *module) valueTypes() []byte {
	n := m.count("types")
	at := m.pos
	for i := 0; i < n && m.err == nil; i++ {
		m.valueType()
	}
	return m.b[at:m.pos:m.pos]
}

func (m *module) readFunction() {
	at := m.pos
	t := m.u32()
	if m.err == nil && uint64(t) >= uint64(len(m.types)) {
		m.fail(at, "type %d: there are %d", t, len(m.types))
		return
	}
	m.functions = append(m.functions, t)
}

func (m *module) readImport() {
	m.name()
	m.name()
	at := m.pos
	switch kind := m.byte(); kind {
	case kindFunction:
		m.readFunction()
	case kindTable:
		m.tables = append(m.tables, m.referenceType())
		m.limits()
	case kindMemory:
		m.readMemory()
	case kindGlobal:
		m.readGlobalType()
	case kindTag:
		m.refuse(at, "an imported tag", exceptions)
	default:
		m.fail(at, "import of kind %d, which is not known", kind)
	}
}

func (m *module) referenceType() byte {
	at := m.pos
	t := m.valueType()
	if m.err == nil && t != funcref && t != externref {
		m.fail(at, "type 0x%02x of a table is no reference", t)
	}
	return t
}

// limits reads limits. Without a maximum it is the largest number.
func (m *module) limits() (least, most uint32) {
	at := m.pos
	flags := m.byte()
	switch {
	case m.err != nil:
	case flags&2 != 0 && flags < 4:
		m.refuse(at, "shared memory", threads)
	case flags&4 != 0 && flags < 8:
		m.refuse(at, "64-bit limits", memory64)
	case flags > 1:
		m.fail(at, "limits of kind %d, which is not known", flags)
	}
	least, most = m.u32(), 1<<32-1
	if flags == 1 {
		most = m.u32()
	}
	return least, most
}

func (m *module) readMemory() {
	at := m.pos
	m.limits()
	if m.memories++; m.memories > 1 {
		m.refuse(at, "a second memory", multiMemory)
	}
}

// readTables also rewrites the section: each table's maximum becomes its part of maxTableElements. Core allows a
// program's table.grow to fail for any reason (spec 2.0 §4.4.9).
func (m *module) readTables() {
	n := m.count("tables")
	share := uint32(maxTableElements / max(n, 1))
	m.table = appendU32(nil, uint32(n))
	for i := 0; i < n && m.err == nil; i++ {
		at := m.pos
		if m.pos < m.end && m.b[m.pos] == 0x40 {
			m.refuse(at, "a table with a first value", functionRefs)
			return
		}
		t := m.referenceType()
		least, most := m.limits()
		if m.err == nil && least > share {
			m.fail(at, "a table of %d elements, which is more than %d", least, share)
		}
		m.tables = append(m.tables, t)
		m.table = appendU32(appendU32(append(m.table, t, 1), least), min(most, share))
	}
}

func (m *module) readGlobalType() {
	m.globals = append(m.globals, m.valueType())
	at := m.pos
	switch mutable := m.byte(); {
	case mutable > 3:
		m.fail(at, "mutability %d is not known", mutable)
	case mutable > 1:
		m.refuse(at, "a shared global", threads)
	}
}

func (m *module) readGlobal() {
	m.readGlobalType()
	own := len(m.globals) - 1
	for m.err == nil {
		at := m.pos
		switch code := m.byte(); code {
		case opEnd:
			return
		case opI32Const:
			m.signed(32)
		case opI64Const:
			m.signed(64)
		case 0x43:
			m.skip(4)
		case 0x44:
			m.skip(8)
		case 0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e: // i32 and i64: add, sub, mul (extended-const proposal)
		case opGlobalGet:
			if i := m.u32(); m.err == nil && uint64(i) >= uint64(own) {
				m.fail(at, "global %d: there are %d before", i, own)
			}
		case opRefNull:
			m.referenceType()
		case opRefFunc:
			m.u32()
		case prefixVector:
			if sub := m.u32(); m.err == nil && sub != 12 {
				m.fail(at, "instruction 0xfd 0x%02x in a constant", sub)
			}
			m.skip(16)
		default:
			m.notConstant(at, code)
		}
	}
}

func (m *module) notConstant(at int, code byte) {
	if m.err == nil && code == prefixGC {
		m.unknown(at, code, m.u32())
	}
	m.fail(at, "instruction 0x%02x in a constant", code)
}

func (m *module) readExport() {
	at := m.pos
	name := m.name()
	kind, index := m.byte(), m.u32()
	switch {
	case m.err != nil:
	case string(name) == FuelGlobal:
		m.fail(at, "exports %q, which is the name of the counter of fuel", name)
	case kind == kindGlobal && uint64(index) >= uint64(len(m.globals)):
		m.fail(at, "global %d: there are %d", index, len(m.globals))
	case kind == kindTag:
		m.refuse(at, "an exported tag", exceptions)
	case kind > kindTag:
		m.fail(at, "export of kind %d, which is not known", kind)
	}
}

// rewriteCode reads the code section and writes its new contents to m.code.
func (m *module) rewriteCode() {
	m.fuel = fuel{global: uint32(len(m.globals))}
	own := len(m.functions) - m.imported
	i := slices.IndexFunc(m.sections, func(s section) bool { return s.id == sectionCode })
	if m.err != nil {
		return
	}
	if i < 0 {
		if own > 0 {
			m.in = "code section"
			m.fail(len(m.b), "missing, and the function section has %d functions", own)
		}
		return
	}
	s := m.sections[i]
	f := &function{module: m, r: reader{b: m.b, pos: s.body, end: s.end, in: "code section", fn: -1}}
	if n := f.r.count("functions"); f.r.err == nil && n != own {
		f.r.fail(s.at, "%d functions, and the function section has %d", n, own)
	}
	m.code = appendU32(make([]byte, 0, (s.end-s.body)*9/8+64), uint32(own))
	for i := m.imported; i < len(m.functions) && f.r.err == nil; i++ {
		f.r.fn = i
		if size := f.r.count("bytes of code"); f.r.err == nil {
			f.r.end = f.r.pos + size
			m.code = f.rewrite(m.code, m.types[m.functions[i]])
			f.r.end = s.end
		}
	}
	f.r.fn = -1
	if f.r.err == nil && f.r.pos != s.end {
		f.r.fail(f.r.pos, "%d bytes after its end", s.end-f.r.pos)
	}
	m.err = f.r.err
}
