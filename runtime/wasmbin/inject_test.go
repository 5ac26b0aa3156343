package wasmbin_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/runtime/wasmbin"
)

// header starts a module.
const header = "\x00asm\x01\x00\x00\x00"

func modul(sections ...code) []byte { return slices.Concat(code(header), slices.Concat(sections...)) }

// oneFunction is a module of one function () -> () of that code.
func oneFunction(c ...byte) []byte {
	return wat{memory: true, table: true, functions: []function{{body: body(c)}}}.bytes()
}

// TestRefused lists what is no module, and what is one of another kind.
func TestRefused(t *testing.T) {
	nested := slices.Repeat([]byte{0x02, 0x40}, 100_001)
	for name, c := range map[string]struct {
		module []byte
		want   string
	}{
		"empty":                   {nil, "offset 0x0: header: not a core WebAssembly module of version 1"},
		"component":               {[]byte("\x00asm\x0d\x00\x01\x00"), "offset 0x0: header: not a core WebAssembly module of version 1"},
		"section cut off":         {modul(code{1, 5, 1}), "offset 0x9: type section: 5 bytes in 1 bytes"},
		"size cut off":            {modul(code{1}), "offset 0x9: type section: ends too early"},
		"size too long":           {modul(code{1, 0xff, 0xff, 0xff, 0xff, 0x1f}), "offset 0x9: type section: a number is longer than 32 bits"},
		"section unknown":         {modul(code{14, 0}), "offset 0x8: section: number 14 is not known"},
		"section twice":           {modul(section(1, code{0}), section(1, code{0})), "offset 0xb: type section: twice, or after a section that it comes before"},
		"sections in wrong order": {modul(section(3, code{0}), section(1, code{0})), "offset 0xb: type section: twice, or after a section that it comes before"},
		"bytes left":              {modul(section(1, code{0, 0})), "offset 0xb: type section: 1 bytes after its end"},
		"count":                   {modul(section(1, code{0xff, 0xff, 0xff, 0xff, 0x0f})), "offset 0xa: type section: 4294967295 types in 0 bytes"},
		"struct type":             {modul(section(1, code{1, 0x5f, 0})), "offset 0xb: type section: type 0x5f: garbage-collected types are not supported"},
		"recursive type":          {modul(section(1, code{1, 0x4e, 0})), "offset 0xb: type section: type 0x4e: garbage-collected types are not supported"},
		"exnref":                  {modul(section(1, code{1, 0x60, 1, 0x69, 0})), "offset 0xd: type section: type 0x69: exceptions are not supported"},
		"typed reference":         {modul(section(1, code{1, 0x60, 1, 0x64, 0})), "offset 0xd: type section: type 0x64: typed function references are not supported"},
		"type unknown":            {modul(section(1, code{1, 0x60, 1, 0x12, 0})), "offset 0xd: type section: type 0x12 is not known"},
		"function of no type":     {modul(section(1, code{0}), section(3, code{1, 0})), "offset 0xe: function section: type 0: there are 0"},
		"imported tag":            {modul(section(2, code{1, 1, 'm', 1, 't', 4, 0, 0})), "offset 0xf: import section: an imported tag: exceptions are not supported"},
		"import of no kind":       {modul(section(2, code{1, 0, 0, 9})), "offset 0xd: import section: import of kind 9, which is not known"},
		"tags":                    {modul(section(13, code{1, 0, 0})), "offset 0x8: tag section: tags: exceptions are not supported"},
		"shared memory":           {modul(section(5, code{1, 3, 1, 1})), "offset 0xb: memory section: shared memory: threads are not supported"},
		"64-bit memory":           {modul(section(5, code{1, 4, 1})), "offset 0xb: memory section: 64-bit limits: 64-bit memories are not supported"},
		"limits":                  {modul(section(5, code{1, 9, 1})), "offset 0xb: memory section: limits of kind 9, which is not known"},
		"two memories":            {modul(section(5, code{2, 0, 1, 0, 1})), "offset 0xd: memory section: a second memory: more than one memory is not supported"},
		"table with a value":      {modul(section(4, code{1, 0x40, 0, 0x70, 0, 1})), "offset 0xb: table section: a table with a first value: typed function references are not supported"},
		"table of numbers":        {modul(section(4, code{1, 0x7f, 0, 1})), "offset 0xb: table section: type 0x7f of a table is no reference"},
		"large table":             {modul(section(4, code{1, 0x70, 0}, number32(1<<20+1))), "offset 0xb: table section: a table of 1048577 elements, which is more than 1048576"},
		"large tables":            {modul(section(4, code{2, 0x70, 0}, number32(1<<19+1), code{0x70, 0, 0})), "offset 0xb: table section: a table of 524289 elements, which is more than 524288"},
		"shared global":           {modul(section(6, code{1, 0x7f, 2, 0x41, 0, 0x0b})), "offset 0xc: global section: a shared global: threads are not supported"},
		"global of the counter":   {modul(section(6, code{1, 0x7e, 0, 0x23, 0, 0x0b})), "offset 0xd: global section: global 0: there are 0 before"},
		"constant":                {modul(section(6, code{1, 0x7f, 0, 0x41, 0, 0x45, 0x0b})), "offset 0xf: global section: instruction 0x45 in a constant"},
		"struct constant":         {modul(section(6, code{1, 0x7f, 0, 0xfb, 0, 0x0b})), "offset 0xd: global section: instruction 0xfb 0x00: garbage-collected types are not supported"},
		"export of the name":      {modul(section(6, code{1, 0x7e, 1, 0x42, 0, 0x0b}), section(7, code{1, 9}, code("obsd_fuel"), code{3, 0})), "offset 0x13: export section: exports \"obsd_fuel\", which is the name of the counter of fuel"},
		"export of the counter":   {modul(section(7, code{1, 1, 'x', 3, 0})), "offset 0xb: export section: global 0: there are 0"},
		"exported tag":            {modul(section(7, code{1, 1, 'x', 4, 0})), "offset 0xb: export section: an exported tag: exceptions are not supported"},
		"no code":                 {modul(section(1, code{1, 0x60, 0, 0}), section(3, code{1, 0})), "offset 0x12: code section: missing, and the function section has 1 functions"},
		"code without functions":  {modul(section(10, code{1, 2, 0, 0x0b})), "offset 0x8: code section: 1 functions, and the function section has 0"},

		"atomic":                {oneFunction(0xfe, 0x00, 2, 0), "offset 0x3b: function 0: atomic instruction 0xfe 0x00: threads are not supported"},
		"struct":                {oneFunction(0xfb, 0x01, 0), "offset 0x3b: function 0: instruction 0xfb 0x01: garbage-collected types are not supported"},
		"try":                   {oneFunction(0x06, 0x40), "offset 0x3b: function 0: instruction 0x06 (try): exceptions are not supported"},
		"try_table":             {oneFunction(0x1f, 0x40), "offset 0x3b: function 0: instruction 0x1f (try_table): exceptions are not supported"},
		"throw":                 {oneFunction(0x08, 0), "offset 0x3b: function 0: instruction 0x08 (throw): exceptions are not supported"},
		"call_ref":              {oneFunction(0x14, 0), "offset 0x3b: function 0: instruction 0x14 (call_ref): typed function references are not supported"},
		"ref.null of a type":    {oneFunction(0xd0, 0), "offset 0x3b: function 0: ref.null of a defined type: typed function references are not supported"},
		"ref.null of any":       {oneFunction(0xd0, 0x6e), "offset 0x3b: function 0: type 0x6e: garbage-collected types are not supported"},
		"relaxed vector":        {oneFunction(0xfd, 0x80, 0x02), "offset 0x3b: function 0: instruction 0xfd 0x100: relaxed vector instructions are not supported"},
		"wide arithmetic":       {oneFunction(0xfc, 19), "offset 0x3b: function 0: instruction 0xfc 0x13: wide arithmetic is not supported"},
		"second memory":         {oneFunction(0x41, 0, 0x28, 0x42, 1, 0, 0x1a), "offset 0x3d: function 0: a memory's number: more than one memory is not supported"},
		"grow second memory":    {oneFunction(0x41, 0, 0x40, 1, 0x1a), "offset 0x3e: function 0: a memory's number: more than one memory is not supported"},
		"opcode unknown":        {oneFunction(0x27), "offset 0x3b: function 0: instruction 0x27 is not known"},
		"vector opcode unknown": {oneFunction(0xfd, 154, 1), "offset 0x3b: function 0: instruction 0xfd 0x9a is not known"},
		"counter":               {oneFunction(0x23, 0, 0x1a), "offset 0x3b: function 0: global 0: there are 0"},
		"set the counter":       {oneFunction(0x42, 0, 0x24, 0), "offset 0x3d: function 0: global 0: there are 0"},
		"counter, out of reach": {oneFunction(0x00, 0x23, 0, 0x1a), "offset 0x3c: function 0: global 0: there are 0"},
		"local":                 {oneFunction(0x20, 0, 0x1a), "offset 0x3b: function 0: local 0: there are 0"},
		"added local":           {oneFunction(0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 11, 0, 0x20, 0, 0x1a), "offset 0x44: function 0: local 0: there are 0"},
		"function":              {oneFunction(0x10, 1), "offset 0x3b: function 0: function 1: there are 1"},
		"type of a call":        {oneFunction(0x41, 0, 0x11, 1, 0), "offset 0x3d: function 0: type 1: there are 1"},
		"type of a block":       {oneFunction(0x02, 1, 0x0b), "offset 0x3c: function 0: type 1: there are 1"},
		"label":                 {oneFunction(0x0c, 1), "offset 0x3b: function 0: label 1: 1 blocks are open"},
		"operands":              {oneFunction(0x41, 0, 0x6a, 0x1a), "offset 0x3d: function 0: an instruction wants 2 operands, and there are fewer"},
		"operands of outside":   {oneFunction(0x41, 0, 0x02, 0x40, 0x1a, 0x0b), "offset 0x3f: function 0: an instruction wants 1 operands, and there are fewer"},
		"else outside if":       {oneFunction(0x05), "offset 0x3b: function 0: else outside if"},
		"code after the end":    {oneFunction(0x0b, 0x01), "offset 0x3c: function 0: 2 bytes after its end"},
		"no end":                {wat{functions: []function{{body: code{0x01}}}}.bytes(), "offset 0x1f: function 0: ends too early"},
		"longest constant":      {oneFunction(0x41, 0x80, 0x80, 0x80, 0x80, 0x78, 0x1a), ""},
		"constant of 33 bits":   {oneFunction(0x41, 0x80, 0x80, 0x80, 0x80, 0x10, 0x1a), "offset 0x3c: function 0: a number is longer than 32 bits"},
		"select of two":         {oneFunction(0x1c, 2, 0x7f, 0x7f), "offset 0x3b: function 0: select of 2 types"},
		"locals":                {modul(section(1, code{1, 0x60, 0, 0}), section(3, code{1, 0}), section(10, code{1, 8, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 0x0b})), "offset 0x17: function 0: more than 50000 parameters and locals"},
		"blocks":                {oneFunction(nested...), "offset 0x30d7d: function 0: more than 100000 blocks inside each other"},
	} {
		t.Run(name, func(t *testing.T) {
			before := slices.Clone(c.module)
			_, err := wasmbin.Inject(c.module, wasmbin.Options{})
			if c.want == "" {
				assert.NoError(t, err)
			} else {
				assert.EqualError(t, err, c.want)
			}
			assert.Equal(t, before, c.module, "the module is changed")
		})
	}
}

// TestModulesWithoutParts rewrites modules that lack what is added to.
func TestModulesWithoutParts(t *testing.T) {
	for name, m := range map[string][]byte{
		"nothing":        modul(),
		"custom section": modul(section(0, code{4}, code("name"))),
		"data only":      modul(section(5, code{1, 0, 1}), section(11, code{1, 0, 0x41, 0, 0x0b, 1, 'x'})),
		"no exports":     modul(section(1, code{1, 0x60, 0, 0}), section(3, code{1, 0}), section(8, code{0}), section(10, code{1, 2, 0, 0x0b})),
		"globals":        modul(section(6, code{2, 0x7f, 1, 0x41, 7, 0x0b, 0x7c, 0, 0x44, 0, 0, 0, 0, 0, 0, 0, 0, 0x0b}), section(7, code{1, 1, 'g', 3, 0})),
		"extended":       modul(section(6, code{1, 0x7f, 1, 0x41, 7, 0x41, 1, 0x6a, 0x0b})),
	} {
		t.Run(name, func(t *testing.T) {
			out, err := wasmbin.Inject(m, wasmbin.Options{Initial: 1 << 40})
			require.NoError(t, err)
			again, err := wasmbin.Inject(m, wasmbin.Options{Initial: 1 << 40})
			require.NoError(t, err)
			assert.Equal(t, out, again)
			inst := instantiate(t, newRuntime(t, true), out)
			assert.InDelta(t, 1<<40, fuelOf(inst).Get(), 100)
		})
	}
}

// TestCustomSections keeps names, and drops what speaks of offsets.
func TestCustomSections(t *testing.T) {
	custom := func(name string) code { return section(0, vector([]byte(name)), code("content")) }
	out, err := wasmbin.Inject(modul(custom("name"), custom(".debug_info"), custom("producers"), custom("metadata.code.branch_hint"), custom("sourceMappingURL")), wasmbin.Options{})
	require.NoError(t, err)
	assert.Contains(t, string(out), string(custom("name")))
	assert.Contains(t, string(out), string(custom("producers")))
	for _, gone := range []string{".debug_info", "metadata", "source"} {
		assert.NotContains(t, string(out), gone)
	}
}

// endless are functions () -> () that never end, by what they run on.
var endless = map[string]function{
	"br":                  {body: body(code{0x03, 0x40, 0x0c, 0, 0x0b})},
	"br_if":               {body: body(code{0x03, 0x40, 0x41, 1, 0x0d, 0, 0x0b})},
	"br_table":            {body: body(code{0x03, 0x40, 0x41, 0, 0x0e, 0, 0, 0x0b})},
	"br_if with operands": {body: body(code{0x41, 0, 0x41, 0, 0x41, 0, 0x03, 1, 0x41, 1, 0x0d, 0, 0x0b, 0x1a, 0x1a, 0x1a})},
	"a loop from inside":  {body: body(code{0x03, 0x40, 0x02, 0x40, 0x02, 0x40, 0x0c, 2, 0x0b, 0x0b, 0x0b})},
	"recursion":           {body: body(code{0x10, 0, 0x10, 0})},
	"tail call":           {body: body(code{0x12, 0})},
	"call_indirect":       {body: body(code{0x41, 0, 0x11, 0, 0})},
	"tail call_indirect":  {body: body(code{0x41, 0, 0x13, 0, 0})},
	"fill":                {body: body(code{0x03, 0x40, 0x41, 0, 0x41, 0, 0x41, 0x80, 0x80, 4, 0xfc, 11, 0, 0x0c, 0, 0x0b})},
	// A loop as Go makes one: local 0 says where to go on; 0 leads forward, 1 back.
	"dispatch": {locals: []byte{i32}, body: body(code{
		0x03, 0x40, 0x02, 0x40, 0x02, 0x40, 0x20, 0, 0x0e, 1, 0, 1, 0x0b,
		0x41, 1, 0x21, 0, 0x0c, 1, 0x0b, // forward
		0x41, 0, 0x21, 0, 0x0c, 0, 0x0b,
	})},
	"dispatch to its own place": {locals: []byte{i32}, body: body(code{
		0x03, 0x40, 0x02, 0x40, 0x20, 0, 0x0e, 0, 0, 0x0b, 0x41, 0, 0x21, 0, 0x0c, 0, 0x0b,
	})},
	"dispatch by another local": {locals: []byte{i32, i32}, body: body(code{
		0x03, 0x40, 0x02, 0x40, 0x20, 0, 0x0e, 0, 0, 0x02, 0x40, 0x41, 0, 0x21, 1, 0x0c, 1, 0x0b, 0x0b, 0x0c, 0, 0x0b,
	})},
}

// TestEndless runs functions that never end, on little fuel and on none.
func TestEndless(t *testing.T) {
	for name, f := range endless {
		for _, compile := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s compile=%t", name, compile), func(t *testing.T) {
				m := wat{memory: true, table: true, functions: []function{f, {params: []byte{i32, i32, i32}, results: []byte{i32, i32, i32}, body: body(code{0x20, 0, 0x20, 1, 0x20, 2})}}}.bytes()
				out, err := wasmbin.Inject(m, wasmbin.Options{Initial: 1})
				require.NoError(t, err)
				inst := instantiate(t, newRuntime(t, compile), out)
				for _, fuel := range []int64{10_000, 0, -5} {
					fuelOf(inst).Set(uint64(fuel))
					_, err := inst.ExportedFunction("0").Call(context.Background())
					require.ErrorContains(t, err, "unreachable")
					assert.Negative(t, int64(fuelOf(inst).Get()))
				}
			})
		}
	}
}

// TestOwnTrap leaves the counter at 0 or above, however little there is.
func TestOwnTrap(t *testing.T) {
	out, err := wasmbin.Inject(oneFunction(0x00), wasmbin.Options{})
	require.NoError(t, err)
	inst := instantiate(t, newRuntime(t, true), out)
	for fuel := range int64(1000) {
		fuelOf(inst).Set(uint64(fuel))
		_, err := inst.ExportedFunction("0").Call(context.Background())
		require.ErrorContains(t, err, "unreachable")
		if fuel >= 50 {
			assert.GreaterOrEqual(t, int64(fuelOf(inst).Get()), int64(0), fuel)
		}
	}
}

// TestBulk holds bulk operations to their length: what they cost, that a length that is no signed number costs more and
// not less, and that a growth which fails is not charged.
func TestBulk(t *testing.T) {
	get := code{0x20, 0}
	zero := code{0x41, 0}
	length := wat{memory: true, table: true, functions: []function{
		{params: []byte{i32}, body: body(zero, zero, get, code{0xfc, 10, 0, 0})},                          // memory.copy
		{params: []byte{i32}, body: body(zero, zero, get, code{0xfc, 11, 0})},                             // memory.fill
		{params: []byte{i32}, body: body(zero, zero, get, code{0xfc, 14, 0, 0})},                          // table.copy
		{params: []byte{i32}, body: body(zero, code{0xd0, 0x70}, get, code{0xfc, 17, 0})},                 // table.fill
		{params: []byte{i32}, results: []byte{i32}, body: body(get, code{0x40, 0})},                       // memory.grow
		{params: []byte{i32}, results: []byte{i32}, body: body(code{0xd0, 0x70}, get, code{0xfc, 15, 0})}, // table.grow
	}}
	inst := instantiate(t, newRuntime(t, true), inject(t, length.bytes()))
	cost := func(i int, n uint32) (int64, error) {
		fuelOf(inst).Set(uint64(plenty))
		_, err := inst.ExportedFunction(string(rune('0'+i))).Call(context.Background(), uint64(n))
		return plenty - int64(fuelOf(inst).Get()), err
	}
	for i, unit := range []struct {
		few, many uint32
		each      float64
	}{{0, 65536, .25}, {0, 65536, .25}, {0, 8, 4}, {0, 8, 4}, {0, 2, 32768}, {0, 4, 4}} {
		few, err := cost(i, unit.few)
		require.NoError(t, err)
		many, err := cost(i, unit.many)
		require.NoError(t, err)
		assert.InDelta(t, float64(unit.many-unit.few)*unit.each, many-few, 0, i)
		huge, err := cost(i, 1<<32-1)
		if i < 4 {
			require.Error(t, err, i)
			assert.InDelta(t, (1<<32-1)*unit.each, huge-few, 1, i)
		} else {
			require.NoError(t, err, i)
			assert.Equal(t, few, huge, i)
		}
	}
}

// TestTableGrowth stops at the limit on tables.
func TestTableGrowth(t *testing.T) {
	m := wat{table: true, functions: []function{{params: []byte{i32}, results: []byte{i32}, body: body(code{0xd0, 0x70, 0x20, 0, 0xfc, 15, 0})}}}.bytes()
	inst := instantiate(t, newRuntime(t, true), inject(t, m))
	for _, c := range []struct{ n, want uint32 }{{1 << 20, 1<<32 - 1}, {1<<20 - 8, 8}, {1, 1<<32 - 1}, {0, 1 << 20}} {
		got, err := inst.ExportedFunction("0").Call(context.Background(), uint64(c.n))
		require.NoError(t, err)
		assert.Equal(t, c.want, uint32(got[0]))
	}
}

// TestForwardJumpsAreFree holds jumps of Go's kind to what they cost: nothing forward, the way back.
func TestForwardJumpsAreFree(t *testing.T) {
	// loop block $1 block $0 local.get 0 br_table $0 $1 end $0 (drop 200 constants) i32.const 1 local.set 0 br loop
	// end $1 local.get 1 i32.const 1 i32.sub local.tee 1 i32.eqz if return end i32.const 1 local.set 0 br loop end
	slow := slices.Repeat(code{0x41, 0, 0x1a}, 200)
	f := function{params: []byte{i32, i32}, body: body(
		code{0x03, 0x40, 0x02, 0x40, 0x02, 0x40, 0x20, 0, 0x0e, 1, 0, 1, 0x0b}, slow, code{0x41, 1, 0x21, 0, 0x0c, 1, 0x0b},
		code{0x20, 1, 0x41, 1, 0x6b, 0x22, 1, 0x45, 0x04, 0x40, 0x0f, 0x0b, 0x41, 1, 0x21, 0, 0x0c, 0, 0x0b})}
	inst := instantiate(t, newRuntime(t, true), inject(t, wat{functions: []function{f}}.bytes()))
	cost := func(rounds uint64) int64 {
		fuelOf(inst).Set(uint64(plenty))
		_, err := inst.ExportedFunction("0").Call(context.Background(), 0, rounds)
		require.NoError(t, err)
		return plenty - int64(fuelOf(inst).Get())
	}
	once := cost(1)
	assert.Less(t, (cost(1001)-once)/1000, int64(60), "a round is charged for what it jumps over")
	assert.Greater(t, once, int64(400))
}

// TestPlugins runs the bundled plugins with and without fuel over the same batches.
func TestPlugins(t *testing.T) {
	t.Parallel()
	for _, p := range plugins {
		t.Run(p.name, func(t *testing.T) {
			m := module(t, p.name)
			var outputs [2][]string
			for i, b := range [][]byte{m, inject(t, m)} {
				g := newGuest(t, b, p.config)
				g.load(p.logs(256))
				for range 3 {
					require.NoError(t, g.run())
					memory, _ := g.module.Memory().Read(0, g.module.Memory().Size())
					outputs[i] = append(outputs[i], string(memory))
				}
			}
			for i := range outputs[0] {
				assert.True(t, outputs[0][i] == outputs[1][i], "the memory differs after run %d", i)
			}
		})
	}
}
