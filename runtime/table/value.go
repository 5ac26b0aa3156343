package table

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/obsd-io/obsd/runtime/abi"
)

// value is a checked value of an edit, copied out of guest memory. Its type is none, int, double, bool, string, bytes
// or JSON; or name, for a severity's number and text in one.
type value struct {
	typ  abi.Type
	bits uint64
	text string
}

// value takes an edit's value.
func (s *Session) value(r *result, e edit) value {
	switch e.typ() {
	case abi.TypeString, abi.TypeJSON:
		return value{typ: e.typ(), text: arenaText(r, e.cell)}
	case abi.TypeBytes:
		return value{typ: e.typ(), text: string(arenaBytes(r, e.cell))}
	case abi.TypeName:
		if e.op() == abi.OpSet && abi.Field(e.name()) == abi.FieldSeverity {
			return value{typ: e.typ(), bits: e.cell & 0xffffffff, text: s.names[e.cell>>32].text}
		}
		return value{typ: abi.TypeString, text: s.names[e.cell].text}
	}
	if e.typ() < abi.TypeSlice {
		return value{typ: e.typ(), bits: e.cell}
	}
	text, typ, _ := s.sliced(e)
	if typ == abi.TypeBytes {
		return value{typ: typ, text: text[uint32(e.cell):][:e.cell>>32]}
	}
	return value{typ: abi.TypeString, text: slice(text, e.cell)}
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

// put sets an attribute or a body.
func (v value) put(to pcommon.Value) {
	switch v.typ {
	case abi.TypeNone:
		pcommon.NewValueEmpty().CopyTo(to)
	case abi.TypeInt:
		to.SetInt(int64(v.bits))
	case abi.TypeDouble:
		to.SetDouble(math.Float64frombits(v.bits))
	case abi.TypeBool:
		to.SetBool(v.bits != 0)
	case abi.TypeBytes:
		to.SetEmptyBytes().FromRaw([]byte(v.text))
	case abi.TypeJSON:
		putJSON(to, v.text)
	default:
		to.SetStr(v.text)
	}
}

// traceID is a checked trace id; none is the empty one.
func (v value) traceID() (id pcommon.TraceID) {
	copy(id[:], v.text)
	return id
}

// spanID is a checked span id; none is the empty one.
func (v value) spanID() (id pcommon.SpanID) {
	copy(id[:], v.text)
	return id
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
		pcommon.NewValueEmpty().CopyTo(v)
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
