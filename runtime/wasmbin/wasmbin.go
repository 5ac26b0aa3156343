// Package wasmbin rewrites a core WebAssembly module so that it burns fuel, and traps when it has none.
//
// The counter is a global of its own behind the module's, exported as [FuelGlobal]. Each place where a program can come
// to run on, and on, takes from it: the entry of a function, a branch back to a loop, an operation on many bytes.
// A unit of fuel is about a third of a cycle; each instruction has a weight in units.
//
//	(func (param i32)                    (func (param i32)
//	                                       global.get $fuel  i64.const 32  i64.sub  global.set $fuel
//	                                       global.get $fuel  i64.const 0  i64.lt_s  if  unreachable  end
//	  loop $again                          loop $again
//	    local.get 0                          local.get 0
//	    i32.const 1                          i32.const 1
//	    i32.sub                              i32.sub
//	    local.tee 0                          local.tee 0
//	    br_if $again                         if
//	                                           global.get $fuel  i64.const 9  i64.sub  global.set $fuel
//	                                           global.get $fuel  i64.const 0  i64.lt_s  if  unreachable  end
//	                                           br $again
//	                                         end
//	  end)                                 end)
//
// The charge at entry is the weight of the whole body, that of a branch back the weight of what lies between the
// loop's start and the branch. So all that is run has been paid for before: RATIONALE.md has the proof.
//
// Two things are rewritten besides. A jump of a Go guest is a branch back to one loop that holds the whole function and
// starts with a br_table; where it leads to a block that is still open, it becomes a branch to that block, which costs
// no fuel and less time. And a select of floats or vectors becomes two blocks, since wazero 1.12.0 gives garbage for some
// of them on amd64 (wazero#2534).
//
// What is known of core 2.0 with tail calls and extended constants is rewritten; threads, exceptions, garbage-collected
// types, typed function references, 64-bit and several memories, and relaxed vector instructions are refused by name.
package wasmbin

// FuelGlobal is the name under which a rewritten module exports its counter, a mutable i64 global: the units that are
// left. Whoever calls into the module sets it before. If a call traps and the counter is negative, the fuel was at an
// end; a trap of the module's own leaves it at 0 or above. A module that is called again with a negative counter
// traps at once.
const FuelGlobal = "obsd_fuel"

// Version is that of the rewrite: what is kept of rewritten modules is kept under it, and it rises when the output changes.
const Version = 1

// Options are what [Inject] can be told.
type Options struct {
	// Initial is the fuel with which an instance starts: what its start function and _initialize may burn, and all
	// that is called before the counter is set.
	Initial int64
}

// maxModule bounds a module's size in bytes, so that the sizes of what is rewritten still are 32-bit numbers: a byte of
// code becomes at most 24.
const maxModule = 64 << 20

// Inject returns a module that does what the given one does, and traps with unreachable when its fuel falls below 0.
// The output depends on nothing but the arguments. Neither is the module changed, nor does the output share its bytes.
//
// Functions, types, tables, memories and globals keep their numbers. Custom sections stay, but for those that speak of
// offsets in the code: debug information, source maps, branch hints. A table without a maximum, or with a larger one,
// gets one of 1<<20 elements, of which several tables have equal parts, since nothing else bounds their memory.
//
// Inject is safe for foreign bytes, of any kind and before anything else has looked at them: the memory it takes is
// bounded by a small multiple of their number. It is no validator, but what is invalid stays so: the engine that
// compiles the output refuses it. In particular no module can name the counter.
//
// # Errors
//
// An error begins with the offset in the module and names the section or function, by its index with imports counted:
// "offset 0x1a3: function 12: atomic instruction 0xfe 0x00: threads are not supported".
func Inject(module []byte, o Options) ([]byte, error) {
	m := newModule(module)
	m.read()
	m.rewriteCode()
	if m.err != nil {
		return nil, m.err
	}
	return m.write(o.Initial), nil
}
