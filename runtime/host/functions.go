package host

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand"

	"github.com/tetratelabs/wazero/api"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/capability"
)

// Types of parameters and results, as [hostFunction] lists them.
const (
	i32 = api.ValueTypeI32
	i64 = api.ValueTypeI64
	f64 = api.ValueTypeF64
)

// Prices of host functions in fuel: about what they take, so that a guest that calls them in a loop runs no longer than one
// that computes. pricePerByte is for each byte of a guest's memory that they are pointed to.
const (
	priceLog     = 10_000
	priceSeries  = 4000 // a new one takes more, but there are few
	priceRecord  = 2000
	priceKV      = 1500
	priceLookup  = 1000
	priceWrite   = 500
	pricePerByte = 1
)

// hostFunction is a function of the module obsd. run has the parameters at stack[0], stack[1], …, and leaves its result
// in stack[0].
type hostFunction struct {
	signature
	price int64
	run   func(set *capability.Set, m guestMemory, stack []uint64)
}

// hostFunctions has all functions of abi's host.go.
var hostFunctions = map[string]hostFunction{
	abi.HostLog: {signature{[]api.ValueType{i32, i32, i32}, nil}, priceLog, func(s *capability.Set, m guestMemory, stack []uint64) {
		s.Log.Write(int32(stack[0]), m.bytes(stack[1:]))
	}},
	abi.HostMetric: {signature{[]api.ValueType{i32, i32}, []api.ValueType{i32}}, priceSeries, func(s *capability.Set, m guestMemory, stack []uint64) {
		stack[0] = api.EncodeI32(s.Metrics.Series(m.bytes(stack)))
	}},
	abi.HostMetricRecord: {signature{[]api.ValueType{i32, f64}, nil}, priceRecord, func(s *capability.Set, _ guestMemory, stack []uint64) {
		s.Metrics.Record(int32(stack[0]), api.DecodeF64(stack[1]))
	}},
	abi.HostKVGet: {signature{[]api.ValueType{i32, i32, i32, i32}, []api.ValueType{i64}}, priceKV, func(s *capability.Set, m guestMemory, stack []uint64) {
		stack[0] = m.answered(s.KV.Get(m.bytes(stack), m.room(stack[2:])))
	}},
	abi.HostKVSet: {signature{[]api.ValueType{i32, i32, i32, i32, i64}, []api.ValueType{i32}}, priceKV, func(s *capability.Set, m guestMemory, stack []uint64) {
		stack[0] = answer(s.KV.Set(m.bytes(stack), m.bytes(stack[2:]), int64(stack[4])))
	}},
	abi.HostKVAdd: {signature{[]api.ValueType{i32, i32, i64, i64}, []api.ValueType{i64}}, priceKV, func(s *capability.Set, m guestMemory, stack []uint64) {
		stack[0] = uint64(s.KV.Add(m.bytes(stack), int64(stack[2]), int64(stack[3])))
	}},
	abi.HostKVDelete: {signature{[]api.ValueType{i32, i32}, []api.ValueType{i32}}, priceKV, func(s *capability.Set, m guestMemory, stack []uint64) {
		stack[0] = answer(s.KV.Delete(m.bytes(stack)))
	}},
	abi.HostLookup: {signature{[]api.ValueType{i32, i32, i32, i32}, []api.ValueType{i32}}, priceLookup, func(s *capability.Set, m guestMemory, stack []uint64) {
		stack[0] = api.EncodeI32(s.Lookup.Column(m.bytes(stack), m.bytes(stack[2:])))
	}},
	abi.HostLookupGet: {signature{[]api.ValueType{i32, i32, i32, i32, i32}, []api.ValueType{i64}}, priceLookup, func(s *capability.Set, m guestMemory, stack []uint64) {
		stack[0] = m.answered(s.Lookup.Get(int32(stack[0]), m.bytes(stack[1:]), m.room(stack[3:])))
	}},
}

// answer is 0 for yes and -1 for no, as an i32.
func answer(ok bool) uint64 {
	if ok {
		return 0
	}
	return api.EncodeI32(-1)
}

// callContext is the context of each call into a guest, kept with the instance so that a call allocates none. By it a
// host function finds the fuel of the instance that called it.
type callContext struct {
	context.Context
	fuel   api.MutableGlobal
	output output
	random *rand.Rand // of random_get; nil until it is called
}

// errOutOfFuel ends a call from within a host function; it is not seen, since the fuel left says more.
var errOutOfFuel = errors.New("out of fuel")

// charge takes fuel for what a host function is about to do, and traps if there is not enough.
func (c *callContext) charge(units int64) {
	left := int64(c.fuel.Get()) - units
	c.fuel.Set(uint64(left))
	if left < 0 {
		panic(errOutOfFuel)
	}
}

// guestMemory reads texts of the guest that calls.
type guestMemory struct {
	memory api.Memory
	call   *callContext
}

// bytes is a view of the bytes that an address and a length name, paid for.
func (m guestMemory) bytes(pair []uint64) []byte {
	return m.read(uint32(pair[0]), uint64(uint32(pair[1])))
}

// room is a view of the bytes that an address and a length name, to answer in.
func (m guestMemory) room(pair []uint64) []byte {
	return m.view(uint32(pair[0]), uint64(uint32(pair[1])))
}

// answered is the result of an answer of n bytes, paid for, or of -1.
func (m guestMemory) answered(n int) uint64 {
	m.call.charge(int64(max(n, 0)) * pricePerByte)
	return uint64(n)
}

// read is a view, paid for.
func (m guestMemory) read(address uint32, length uint64) []byte {
	m.call.charge(int64(length) * pricePerByte)
	return m.view(address, length)
}

// view is length bytes at an address. What lies outside the memory traps.
func (m guestMemory) view(address uint32, length uint64) []byte {
	view, ok := m.memory.Read(address, uint32(min(length, math.MaxUint32)))
	if !ok {
		panic(fmt.Errorf("%d bytes at %d lie outside the memory of %d", length, address, m.memory.Size()))
	}
	return view
}

// addHost gives the runtime the module obsd, with what is granted. Calls go by [api.GoModuleFunc]: reflection would take ten times
// as long.
func (p *Plugin) addHost(ctx context.Context) error {
	b := p.runtime.NewHostModuleBuilder(abi.HostModule)
	granted := false
	for name, f := range hostFunctions {
		if !p.settings.Capabilities.Grants(abi.HostFunctions[name]) {
			continue
		}
		granted = true
		b.NewFunctionBuilder().WithGoModuleFunction(p.hostFunc(f), f.params, f.results).Export(name)
	}
	if !granted {
		return nil
	}
	_, err := b.Instantiate(ctx)
	return err
}

func (p *Plugin) hostFunc(f hostFunction) api.GoModuleFunc {
	set := p.settings.Capabilities
	return func(ctx context.Context, m api.Module, stack []uint64) {
		call, ok := ctx.(*callContext)
		if !ok {
			panic("BUG: a guest is called without a callContext")
		}
		call.charge(f.price)
		f.run(set, guestMemory{m.Memory(), call}, stack)
	}
}
