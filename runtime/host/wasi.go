package host

import (
	"context"
	"encoding/binary"
	"math/rand"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// Error numbers of WASI preview 1.
const (
	wasiSuccess = 0
	wasiBadFD   = 8
	wasiInvalid = 28
	wasiNoSup   = 58
)

// addWASI gives the runtime WASI preview 1 as wazero has it, but for the functions that would work for as long as the guest
// says: here they cost fuel. That they are few follows from what a plugin has: no files, no sockets, an empty input.
func (p *Plugin) addWASI(ctx context.Context) error {
	b := p.runtime.NewHostModuleBuilder(wasi_snapshot_preview1.ModuleName)
	wasi_snapshot_preview1.NewFunctionExporter().ExportFunctions(b)
	for name, f := range map[string]struct {
		params []api.ValueType
		run    func(m guestMemory, stack []uint64) uint64
	}{
		"fd_write":    {[]api.ValueType{i32, i32, i32, i32}, fdWrite},
		"poll_oneoff": {[]api.ValueType{i32, i32, i32, i32}, pollOneoff},
		"random_get":  {[]api.ValueType{i32, i32}, randomGet},
	} {
		b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, m api.Module, stack []uint64) {
			stack[0] = f.run(guestMemory{m.Memory(), ctx.(*callContext)}, stack)
		}), f.params, []api.ValueType{i32}).Export(name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

// fdWrite, (fd, buffers, count, written), keeps what goes to the standard output and error: the buffers are pairs of
// address and length.
func fdWrite(m guestMemory, stack []uint64) uint64 {
	if fd := uint32(stack[0]); fd != 1 && fd != 2 {
		return wasiBadFD
	}
	m.call.charge(priceWrite)
	count := uint32(stack[2])
	buffers := m.read(uint32(stack[1]), uint64(count)*8)
	var written uint32
	for ; len(buffers) > 0; buffers = buffers[8:] {
		text := m.read(binary.LittleEndian.Uint32(buffers), uint64(binary.LittleEndian.Uint32(buffers[4:])))
		_, _ = m.call.output.Write(text)
		written += uint32(len(text))
	}
	binary.LittleEndian.PutUint32(m.read(uint32(stack[3]), 4), written)
	return wasiSuccess
}

// randomGet, (address, length), fills memory from the instance's own source, whose seed is fixed.
func randomGet(m guestMemory, stack []uint64) uint64 {
	m.call.charge(priceWrite)
	if m.call.random == nil {
		m.call.random = rand.New(rand.NewSource(42))
	}
	_, _ = m.call.random.Read(m.read(uint32(stack[0]), uint64(uint32(stack[1]))))
	return wasiSuccess
}

// Layouts of poll_oneoff.
const (
	subscriptionSize = 48
	subscriptionType = 8 // where the type lies: 0 is a clock
	eventSize        = 32
	eventError       = 8
	eventType        = 10
)

// pollOneoff, (subscriptions, events, count, happened), has each clock go off at once, since a guest's clocks stand still, and
// each file say that it cannot be waited for.
func pollOneoff(m guestMemory, stack []uint64) uint64 {
	count := uint32(stack[2])
	if count == 0 {
		return wasiInvalid
	}
	m.call.charge(priceWrite)
	in := m.read(uint32(stack[0]), uint64(count)*subscriptionSize)
	out := m.read(uint32(stack[1]), uint64(count)*eventSize)
	for ; len(in) > 0; in, out = in[subscriptionSize:], out[eventSize:] {
		typ := in[subscriptionType]
		copy(out, in[:8]) // the guest's own word for it
		clear(out[8:eventSize])
		out[eventType] = typ
		if typ != 0 {
			out[eventError] = wasiNoSup
		}
	}
	binary.LittleEndian.PutUint32(m.read(uint32(stack[3]), 4), count)
	return wasiSuccess
}
