package wasmbin

import "bytes"

// write puts the new module together: the sections as they were, but for what is added.
func (m *module) write(initial int64) []byte {
	grown := len(m.code) + len(m.table) + 128
	out := append(make([]byte, 0, len(m.b)+grown), m.b[:8]...)
	global, export := false, false
	for _, s := range m.sections {
		if s.id != sectionCustom {
			order := sectionOrder[s.id]
			if !global && order >= sectionOrder[sectionGlobal] {
				global = true
				out = m.writeGlobal(out, s, initial)
			}
			if !export && order >= sectionOrder[sectionExport] {
				export = true
				out = m.writeExport(out, s)
			}
		}
		out = m.writeSection(out, s)
	}
	if !global {
		out = m.writeGlobal(out, section{}, initial)
	}
	if !export {
		out = m.writeExport(out, section{})
	}
	return out
}

// writeSection writes all sections but global and export, which get something added and may have to be made.
func (m *module) writeSection(out []byte, s section) []byte {
	switch s.id {
	case sectionGlobal, sectionExport:
		return out
	case sectionType:
		return m.writeTypes(out, s)
	case sectionTable:
		return appendSection(out, s.id, m.table)
	case sectionCode:
		return appendSection(out, s.id, m.code)
	case sectionCustom:
		if speaksOfCode(m.b[s.body:s.end]) {
			return out
		}
	}
	return append(out, m.b[s.at:s.end]...)
}

func appendSection(out []byte, id byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	out = appendU32(append(out, id), uint32(n))
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// writeTypes adds the types that replaced selects need.
func (m *module) writeTypes(out []byte, s section) []byte {
	if len(m.selects) == 0 {
		return append(out, m.b[s.at:s.end]...)
	}
	var added []byte
	for _, t := range m.selects {
		added = append(added, 0x60, 3, t, t, i32, 1, t, 0x60, 3, t, t, i32, 2, t, t)
	}
	count := appendU32(nil, uint32(s.entries+2*len(m.selects)))
	return appendSection(out, s.id, count, m.b[s.inBody:s.end], added)
}

// writeGlobal adds the counter. s is the module's section, if it has one.
func (m *module) writeGlobal(out []byte, s section, initial int64) []byte {
	added := append(appendSigned([]byte{i64, 1, opI64Const}, initial), opEnd)
	if s.id != sectionGlobal {
		return appendSection(out, sectionGlobal, []byte{1}, added)
	}
	return appendSection(out, s.id, appendU32(nil, uint32(s.entries+1)), m.b[s.inBody:s.end], added)
}

// writeExport adds the counter's name.
func (m *module) writeExport(out []byte, s section) []byte {
	added := append(appendU32(nil, uint32(len(FuelGlobal))), FuelGlobal...)
	added = appendU32(append(added, kindGlobal), m.fuel.global)
	if s.id != sectionExport {
		return appendSection(out, sectionExport, []byte{1}, added)
	}
	return appendSection(out, s.id, appendU32(nil, uint32(s.entries+1)), m.b[s.inBody:s.end], added)
}

// speaksOfCode says whether a custom section names offsets in the code, which are not right any more: DWARF, source
// maps, branch hints, relocations. The name section and producers stay.
func speaksOfCode(contents []byte) bool {
	r := reader{b: contents, end: len(contents), fn: -1}
	name := r.name()
	for _, prefix := range []string{".debug_", "external_debug_info", "sourceMappingURL", "metadata.code.", "reloc.", "linking"} {
		if bytes.HasPrefix(name, []byte(prefix)) {
			return true
		}
	}
	return false
}
