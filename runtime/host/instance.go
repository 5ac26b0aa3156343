package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/obsd-io/obsd/runtime/abi"
)

// Instance is one running copy of a plugin's module. Between Acquire and Release it belongs to one goroutine.
type Instance struct {
	plugin  *Plugin
	module  api.Module
	memory  api.Memory
	context callContext
	session any
	broken  bool

	manifest, configureFn, alloc, process api.Function
	flush                                 api.Function // nil if the module has none

	measured int64     // the memory that the pool's sums know of
	mark     int64     // memory above which the instance is worn
	stack    [2]uint64 // parameters and results of a call
	block    uint32    // address of the block from obsd_alloc
	capacity uint32    // its size
}

// Session is what Settings.NewSession made for this instance.
func (i *Instance) Session() any { return i.session }

// Block gives size bytes of guest memory for a batch: a view, valid until the next call into the guest.
// The block is kept and reused; its old content is undefined.
//
// # Errors
//
// An [*Error] of Func "alloc"; the instance is then only good for Release.
func (i *Instance) Block(ctx context.Context, size int) ([]byte, error) {
	if size > abi.MaxBatch {
		return nil, i.BadOutput("alloc", fmt.Errorf("a batch of %d bytes is over the limit of %d", size, abi.MaxBatch))
	}
	if uint32(size) > i.capacity {
		if err := i.grow(ctx, uint32(size)); err != nil {
			return nil, err
		}
	}
	view, ok := i.memory.Read(i.block, uint32(size))
	if !ok {
		return nil, i.BadOutput("alloc", fmt.Errorf("the block at %d of %d bytes lies outside the memory of %d", i.block, size, i.memory.Size()))
	}
	return view, nil
}

func (i *Instance) grow(ctx context.Context, size uint32) error {
	want := max(size+size/4, 4096)
	i.stack[0] = uint64(want)
	i.capacity = 0
	if _, err := i.call(ctx, "alloc", i.alloc, loadFuel); err != nil {
		return err
	}
	block := uint32(i.stack[0])
	if block == 0 || block%8 != 0 || uint64(block)+uint64(want)+abi.Slack > uint64(i.memory.Size()) {
		return i.BadOutput("alloc", fmt.Errorf("obsd_alloc(%d) returned %d; want an address, a multiple of 8, of a block that lies with %d bytes of slack in the memory of %d", want, block, abi.Slack, i.memory.Size()))
	}
	i.block, i.capacity = block, want
	return nil
}

// Process runs obsd_process over the first size bytes of the block. It returns what that returned, and the fuel used,
// after an error too.
//
// # Errors
//
// An [*Error] of Func "process", of kind trap, timeout, memory or canceled; the instance is then only good for Release.
func (i *Instance) Process(ctx context.Context, size int, fuel int64) (result uint64, used int64, err error) {
	i.context.output.reset()
	i.stack[0], i.stack[1] = uint64(i.block), uint64(uint32(size))
	used, err = i.call(ctx, "process", i.process, fuel)
	return i.stack[0], used, err
}

// Flush runs obsd_flush at a time in nanoseconds since 1970 and returns what Process would; 0 for a module without it.
//
// # Errors
//
// As of Process, of Func "flush".
func (i *Instance) Flush(ctx context.Context, now, fuel int64) (result uint64, used int64, err error) {
	if i.flush == nil {
		return 0, 0, nil
	}
	i.context.output.reset()
	i.stack[0] = uint64(now)
	used, err = i.call(ctx, "flush", i.flush, fuel)
	return i.stack[0], used, err
}

// call runs a function over the stack, under fuel, and says how much of it was used.
func (i *Instance) call(ctx context.Context, name string, fn api.Function, fuel int64) (used int64, err error) {
	if err := ctx.Err(); err != nil {
		i.broken = true
		return 0, &Error{Plugin: i.plugin.settings.Name, Func: name, Kind: KindCanceled, Err: err}
	}
	i.context.Context = ctx
	i.context.fuel.Set(uint64(fuel))
	err = fn.CallWithStack(&i.context, i.stack[:]) //nolint:contextcheck // it holds ctx, and what the host functions need
	left := int64(i.context.fuel.Get())
	if err != nil {
		i.stack[0] = 0
		err = i.fail(name, fuel, left, err)
	}
	return fuel - left, err
}

// Worn says that the instance has so much memory that Release closes it: three quarters of limits.memory, or half of
// what was left when it was new. Who has its flush called should do so first.
func (i *Instance) Worn() bool { return int64(i.memory.Size()) > i.mark }

func (i *Instance) setMark() {
	limit, now := i.plugin.settings.Limits.Memory, int64(i.memory.Size())
	i.mark = max(limit/4*3, now+(limit-now)/2)
}

// Memory is a view of the guest's whole memory, valid until the next call into the guest.
func (i *Instance) Memory() []byte {
	view, _ := i.memory.Read(0, i.memory.Size())
	return view
}

// BadOutput marks the instance as broken and returns the error to pass on.
func (i *Instance) BadOutput(fn string, err error) error {
	i.broken = true
	return &Error{Plugin: i.plugin.settings.Name, Func: fn, Kind: KindBadOutput, Output: i.context.output.String(), Err: err}
}

// fail names the kind of a failed call that got fuel and has left as much of it: less than nothing, if that is why.
func (i *Instance) fail(fn string, fuel, left int64, err error) error {
	i.broken = true
	e := &Error{Plugin: i.plugin.settings.Name, Func: fn, Kind: KindTrap, Output: i.context.output.String(), Err: trapCause(err)}
	var exit *sys.ExitError
	switch {
	case left < 0:
		e.Kind = KindTimeout
		e.Err = fmt.Errorf("ran out of fuel: %d units, about %s", fuel, i.plugin.Time(fuel))
	case errors.As(err, &exit):
		e.Err = fmt.Errorf("the guest exited with code %d", exit.ExitCode())
	case i.atMemoryLimit(e.Output):
		e.Kind = KindMemory
		e.Err = fmt.Errorf("limits.memory (%d MiB) reached: %w", i.plugin.settings.Limits.Memory>>20, e.Err)
	}
	return e
}

// atMemoryLimit guesses whether a trap came from a refused memory.grow, which itself only answers -1 to the guest.
func (i *Instance) atMemoryLimit(output string) bool {
	if strings.Contains(output, "out of memory") {
		return true
	}
	limit := i.plugin.settings.Limits.Memory / pageSize * pageSize
	return i.memory != nil && int64(i.memory.Size()) >= limit
}

// trapCause shortens wazero's error to its first line: the stack of a stripped module says nothing.
func trapCause(err error) error {
	line, _, _ := strings.Cut(err.Error(), "\n")
	line = strings.TrimSuffix(line, " (recovered by wazero)")
	return errors.New(line)
}

func (i *Instance) readManifest(ctx context.Context) (*abi.Manifest, error) {
	i.context.output.reset()
	i.stack = [2]uint64{}
	if _, err := i.call(ctx, "load", i.manifest, loadFuel); err != nil {
		return nil, err
	}
	text, err := i.text("load", "obsd_manifest", i.stack[0])
	if err != nil {
		return nil, err
	}
	m, err := parseManifest(text)
	if err != nil {
		return nil, i.plugin.refuse("load", err)
	}
	return m, nil
}

func (i *Instance) configure(ctx context.Context, config json.RawMessage) error {
	if config == nil {
		config = json.RawMessage("{}")
	}
	view, err := i.Block(ctx, len(config))
	if err != nil {
		return err
	}
	copy(view, config)
	i.context.output.reset()
	i.stack[0], i.stack[1] = uint64(i.block), uint64(len(config))
	if _, err := i.call(ctx, "configure", i.configureFn, loadFuel); err != nil {
		return err
	}
	if i.stack[0] == 0 {
		return nil
	}
	text, err := i.text("configure", "obsd_configure", i.stack[0])
	if err != nil {
		return err
	}
	return i.plugin.refuse("configure", errors.New("config: "+string(text)))
}

// text copies a short text out of the guest.
func (i *Instance) text(fn, export string, packed uint64) ([]byte, error) {
	const most = 1 << 20
	address, length := abi.Unpack(packed)
	view, ok := i.memory.Read(address, length)
	if !ok || length > most {
		return nil, i.BadOutput(fn, fmt.Errorf("%s returned %d bytes at %d; want at most %d within the memory of %d", export, length, address, most, i.memory.Size()))
	}
	return append([]byte(nil), view...), nil
}
