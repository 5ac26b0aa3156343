package table

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/obsd-io/obsd/runtime/abi"
)

// edit applies checked edits, a row at a time.
func (s *Session) edit(r result) {
	var source sliceSource
	for at := 0; at < len(r.edits); {
		row, sets, end := run(r.edits, at)
		record := s.logs.records[s.lo+int(row)]
		attributes := record.Attributes()
		if sets > 0 {
			attributes.EnsureCapacity(attributes.Len() + sets)
		}
		for ; at < end; at += abi.EditSize {
			e := editAt(r.edits, at)
			if e.op != abi.OpSetAttribute && e.op != abi.OpDeleteAttribute {
				s.editField(r, e, record)
				continue
			}
			var key string
			if e.name == abi.NameInline {
				at += abi.EditSize
				key = arenaText(r, editAt(r.edits, at).cell)
			} else {
				key = s.names[e.name].text
			}
			// As in checkEdits, what is nearly every edit goes without the calls of the rest.
			if e.op == abi.OpSetAttribute && e.typ >= abi.TypeSlice && (source.is(e) || source.find(s, e)) && source.typ != abi.TypeBytes {
				attributes.PutStr(key, slice(source.text, e.cell))
				continue
			}
			s.editAttribute(r, e, attributes, key)
		}
	}
}

// run finds the end of the edits of one row, and how many attributes they set.
func run(edits []byte, at int) (row uint32, sets, end int) {
	row = le.Uint32(edits[at:])
	for end = at; end < len(edits) && le.Uint32(edits[end:]) == row; end += abi.EditSize {
		if abi.Op(edits[end+6]) == abi.OpSetAttribute {
			sets++
		}
	}
	return row, sets, end
}

func (s *Session) editAttribute(r result, e edit, attributes pcommon.Map, key string) {
	switch {
	case e.op == abi.OpDeleteAttribute:
		attributes.Remove(key)
	case e.typ == abi.TypeInt:
		attributes.PutInt(key, int64(e.cell))
	case e.typ == abi.TypeString || e.typ == abi.TypeName:
		attributes.PutStr(key, s.stringOf(r, e))
	default:
		s.put(r, e, attributes.PutEmpty(key))
	}
}

func (s *Session) editField(r result, e edit, record plog.LogRecord) {
	switch abi.Field(e.name) {
	case abi.FieldBody:
		s.put(r, e, record.Body())
	case abi.FieldSeverity:
		record.SetSeverityNumber(plog.SeverityNumber(uint32(e.cell)))
		if e.typ == abi.TypeName {
			record.SetSeverityText(s.names[e.cell>>32].text)
		}
	case abi.FieldSeverityText:
		record.SetSeverityText(s.stringOf(r, e))
	case abi.FieldTime:
		record.SetTimestamp(pcommon.Timestamp(e.cell))
	}
}

// stringOf is the text of a checked string.
func (s *Session) stringOf(r result, e edit) string {
	switch e.typ {
	case abi.TypeString:
		return arenaText(r, e.cell)
	case abi.TypeName:
		return s.names[e.cell].text
	}
	text, _, _ := s.sliced(e)
	return slice(text, e.cell)
}

// slice is the part of a text that a checked cell says. The whole is valid UTF-8, so a part is valid unless it splits a
// character.
func slice(text string, cell uint64) string {
	offset, end := uint32(cell), uint32(cell)+uint32(cell>>32)
	cut := text[offset:end]
	if len(cut) > 0 && (!utf8.RuneStart(cut[0]) || int(end) < len(text) && !utf8.RuneStart(text[end])) {
		return strings.ToValidUTF8(cut, "\uFFFD")
	}
	return cut
}

// put sets any value.
func (s *Session) put(r result, e edit, v pcommon.Value) {
	switch {
	case e.typ == abi.TypeInt:
		v.SetInt(int64(e.cell))
	case e.typ == abi.TypeDouble:
		v.SetDouble(math.Float64frombits(e.cell))
	case e.typ == abi.TypeBool:
		v.SetBool(e.cell != 0)
	case e.typ == abi.TypeBytes:
		v.SetEmptyBytes().FromRaw(arenaBytes(r, e.cell))
	case e.typ == abi.TypeJSON:
		putJSON(v, arenaText(r, e.cell))
	case e.typ >= abi.TypeSlice:
		if text, typ, _ := s.sliced(e); typ == abi.TypeBytes {
			v.SetEmptyBytes().FromRaw([]byte(text[uint32(e.cell):][:e.cell>>32]))
			return
		}
		v.SetStr(s.stringOf(r, e))
	default:
		v.SetStr(s.stringOf(r, e))
	}
}

// putJSON sets a map or an array from its text; what is not JSON stays a string.
func putJSON(v pcommon.Value, text string) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var raw any
	if err := dec.Decode(&raw); err != nil || dec.More() {
		v.SetStr(text)
		return
	}
	fromRaw(v, raw)
}

func fromRaw(v pcommon.Value, raw any) {
	switch raw := raw.(type) {
	case nil:
	case string:
		v.SetStr(raw)
	case bool:
		v.SetBool(raw)
	case json.Number:
		if n, err := raw.Int64(); err == nil {
			v.SetInt(n)
		} else if f, err := raw.Float64(); err == nil {
			v.SetDouble(f)
		} else {
			v.SetStr(raw.String())
		}
	case []any:
		slice := v.SetEmptySlice()
		slice.EnsureCapacity(len(raw))
		for _, item := range raw {
			fromRaw(slice.AppendEmpty(), item)
		}
	case map[string]any:
		m := v.SetEmptyMap()
		m.EnsureCapacity(len(raw))
		for _, key := range slices.Sorted(maps.Keys(raw)) {
			fromRaw(m.PutEmpty(key), raw[key])
		}
	}
}
