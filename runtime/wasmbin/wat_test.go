package wasmbin_test

import (
	"slices"

	"github.com/tetratelabs/wazero/api"
)

// Types of values.
const (
	i32  = api.ValueTypeI32
	i64  = api.ValueTypeI64
	f32  = api.ValueTypeF32
	f64  = api.ValueTypeF64
	v128 = byte(0x7b)
)

// code is part of a function's body.
type code []byte

// body joins code, and ends it.
func body(parts ...code) code { return append(slices.Concat(parts...), 0x0b) }

// number is an unsigned LEB128 number, and signed a signed one.
func number32(v uint32) code {
	var b code
	for ; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

func signed(v int64) code {
	var b code
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func i32Const(v int32) code { return append(code{0x41}, signed(int64(v))...) }

// function is one of a wat's.
type function struct {
	params, results []byte
	locals          []byte // of one each
	body            code
}

// wat is a module with functions of a type each, exported as "0", "1", …
type wat struct {
	functions []function
	memory    bool // of a page, exported as memory
	table     bool // of 8 elements, the functions from 0 on
	extra     code // sections before the code
}

func section(id byte, contents ...code) code {
	b := slices.Concat(contents...)
	return slices.Concat(code{id}, number32(uint32(len(b))), b)
}

func vector(b []byte) code { return append(number32(uint32(len(b))), b...) }

func (w wat) bytes() []byte {
	n := number32(uint32(len(w.functions)))
	types, indexes, exports, bodies := slices.Clone(n), slices.Clone(n), slices.Clone(n), slices.Clone(n)
	for i, f := range w.functions {
		types = slices.Concat(types, code{0x60}, vector(f.params), vector(f.results))
		indexes = append(indexes, byte(i))
		exports = append(exports, 1, '0'+byte(i), 0, byte(i))
		b := number32(uint32(len(f.locals)))
		for _, l := range f.locals {
			b = append(b, 1, l)
		}
		bodies = slices.Concat(bodies, vector(slices.Concat(b, f.body)))
	}
	m := slices.Concat(code("\x00asm\x01\x00\x00\x00"), section(1, types), section(3, indexes))
	if w.table {
		m = slices.Concat(m, section(4, code{1, 0x70, 0, 8}))
	}
	if w.memory {
		m = slices.Concat(m, section(5, code{1, 0, 1}))
		exports[0]++
		exports = append(exports, 6, 'm', 'e', 'm', 'o', 'r', 'y', 2, 0)
	}
	m = slices.Concat(m, w.extra, section(7, exports))
	if w.table {
		e := slices.Concat(code{1, 0}, i32Const(0), code{0x0b}, n)
		for i := range w.functions {
			e = append(e, byte(i))
		}
		m = slices.Concat(m, section(9, e))
	}
	return slices.Concat(m, section(10, bodies))
}
