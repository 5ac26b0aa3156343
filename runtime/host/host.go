// Package host loads a plugin's module, holds it to its limits and calls it. It is the only importer of wazero.
//
// A [Plugin] is one module with one configuration: a wazero runtime of its own and a capped pool of instances.
// What a batch means is not known here: a caller acquires an [Instance], writes into the block that it gives,
// calls it, and reads the result from the instance's memory.
package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/obsd-io/obsd/runtime/abi"
)

// pageSize is the size of a WebAssembly memory page in bytes (core spec 2.0, §4.2.8).
const pageSize = 65536

// loadTimeout bounds start, manifest and configure together where a deadline is in force.
const loadTimeout = 10 * time.Second

// Limits bound what a plugin may use.
type Limits struct {
	// Memory is the most memory of one instance, in bytes, rounded down to whole pages of 64 KiB.
	Memory int64
	// TimePerBatch is the longest that one call may take; 0 switches the deadline off, and with it its cost.
	TimePerBatch time.Duration
	// Instances is the most instances that exist at once.
	Instances int
}

// Settings are what [Load] needs.
type Settings struct {
	// Name is what errors call the plugin, for example "wasm/accesslog".
	Name string
	// Module is the wasm binary. It is not kept.
	Module []byte
	// Config is the configuration as a JSON object; nil stands for {}.
	Config json.RawMessage
	// Limits must be set, all but TimePerBatch greater than 0.
	Limits Limits
	// CacheDir keeps compiled code between starts; it must be writable by the daemon only, since what lies in it
	// is run. With "" compiled code lives in memory only.
	CacheDir string
	// NewSession makes what each instance carries for its caller, see [Instance.Session]; may be nil.
	NewSession func(*abi.Manifest) any
}

// Plugin is a loaded module. All methods are safe for concurrent use.
type Plugin struct {
	settings Settings
	manifest *abi.Manifest
	runtime  wazero.Runtime
	cache    wazero.CompilationCache
	module   wazero.CompiledModule
	idle     chan *Instance
	slots    chan struct{}
}

// Load checks, compiles and configures a module, and keeps the instance that it did so with.
// ctx bounds the load; it may end afterwards.
//
// # Errors
//
// Every error is an [*Error] of Func "load" or "configure": of kind refused for a module that is no plugin, whose
// manifest is wrong or that does not accept its configuration; of kind trap, timeout or memory if it fails meanwhile.
func Load(ctx context.Context, s Settings) (*Plugin, error) {
	p := &Plugin{settings: s}
	if err := p.load(ctx); err != nil {
		_ = p.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return p, nil
}

func (p *Plugin) load(ctx context.Context) error {
	if err := p.compile(ctx); err != nil {
		return err
	}
	ctx, cancel := p.loadDeadline(ctx)
	defer cancel()
	inst, err := p.instantiate(ctx)
	if err != nil {
		return err
	}
	if p.manifest, err = inst.readManifest(ctx); err != nil {
		return errors.Join(err, inst.close(ctx))
	}
	if err := checkConfig(p.manifest, p.settings.Config); err != nil {
		_ = inst.close(ctx)
		return p.refuse("configure", err)
	}
	if err := inst.configure(ctx, p.settings.Config); err != nil {
		_ = inst.close(ctx)
		return err
	}
	if p.manifest, err = inst.readManifest(ctx); err != nil {
		return errors.Join(err, inst.close(ctx))
	}
	instances := p.settings.Limits.Instances
	if p.manifest.Stateful {
		instances = 1
	}
	p.idle = make(chan *Instance, instances)
	p.slots = make(chan struct{}, instances)
	for range instances - 1 {
		p.slots <- struct{}{}
	}
	p.attachSession(inst)
	p.idle <- inst
	return nil
}

// loadDeadline bounds what a guest does at its start. Compiling is the host's own work and is not bounded.
func (p *Plugin) loadDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if p.settings.Limits.TimePerBatch > 0 {
		return context.WithTimeout(ctx, loadTimeout)
	}
	return ctx, noCancel
}

func (p *Plugin) compile(ctx context.Context) error {
	if err := checkBinary(p.settings.Module); err != nil {
		return p.refuse("load", err)
	}
	var err error
	if p.cache, err = newCache(p.settings.CacheDir); err != nil {
		return p.refuse("load", err)
	}
	cfg := wazero.NewRuntimeConfig().
		WithCompilationCache(p.cache).
		WithMemoryLimitPages(uint32(min(p.settings.Limits.Memory/pageSize, 65536))).
		WithCloseOnContextDone(p.settings.Limits.TimePerBatch > 0)
	p.runtime = wazero.NewRuntimeWithConfig(ctx, cfg)
	if p.module, err = p.runtime.CompileModule(ctx, p.settings.Module); err != nil {
		if strings.Contains(err.Error(), "over limit of") {
			err = fmt.Errorf("%w: raise limits.memory", err)
		}
		return p.refuse("load", fmt.Errorf("compile: %w", err))
	}
	p.settings.Module = nil
	if err := checkModule(p.module); err != nil {
		return p.refuse("load", err)
	}
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, p.runtime); err != nil {
		return p.refuse("load", fmt.Errorf("wasi: %w", err))
	}
	return nil
}

func newCache(dir string) (wazero.CompilationCache, error) {
	if dir == "" {
		return wazero.NewCompilationCache(), nil
	}
	c, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return nil, fmt.Errorf("compile cache: %w", err)
	}
	return c, nil
}

// Manifest is the manifest as it stands after configuration. It must not be changed.
func (p *Plugin) Manifest() *abi.Manifest { return p.manifest }

// Compiled says whether guest code runs compiled; it is interpreted, some 50 times slower, on other
// architectures than amd64 and arm64.
func (p *Plugin) Compiled() bool {
	return runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64"
}

// Acquire waits for an instance and gives it to the caller alone, until [Plugin.Release].
// It ends with the context's error, or with an [*Error] if a new instance is due and cannot be made.
func (p *Plugin) Acquire(ctx context.Context) (*Instance, error) {
	select {
	case inst := <-p.idle:
		return inst, nil
	default:
	}
	select {
	case inst := <-p.idle:
		return inst, nil
	case <-p.slots:
	case <-ctx.Done():
		return nil, &Error{Plugin: p.settings.Name, Func: "acquire", Kind: KindCanceled, Err: ctx.Err()}
	}
	inst, err := p.newInstance(ctx)
	if err != nil {
		p.slots <- struct{}{}
		return nil, err
	}
	return inst, nil
}

// newInstance is for instances after the first: instantiate and configure, no second look at the manifest.
func (p *Plugin) newInstance(ctx context.Context) (*Instance, error) {
	ctx, cancel := p.loadDeadline(ctx)
	defer cancel()
	inst, err := p.instantiate(ctx)
	if err != nil {
		return nil, err
	}
	if err := inst.configure(ctx, p.settings.Config); err != nil {
		_ = inst.close(ctx)
		return nil, err
	}
	p.attachSession(inst)
	return inst, nil
}

func (p *Plugin) attachSession(inst *Instance) {
	if p.settings.NewSession != nil {
		inst.session = p.settings.NewSession(p.manifest)
	}
}

// Release gives an instance back. One whose call failed is in an unknown state: it is closed, and the pool makes
// another when one is wanted.
func (p *Plugin) Release(ctx context.Context, inst *Instance) {
	if !inst.broken {
		p.idle <- inst
		return
	}
	_ = inst.close(context.WithoutCancel(ctx))
	p.slots <- struct{}{}
}

// Close ends all instances. No instance may be out.
func (p *Plugin) Close(ctx context.Context) error {
	var errs []error
	if p.runtime != nil {
		errs = append(errs, p.runtime.Close(ctx))
	}
	if p.cache != nil {
		errs = append(errs, p.cache.Close(ctx))
	}
	return errors.Join(errs...)
}

func (p *Plugin) refuse(fn string, err error) error {
	return &Error{Plugin: p.settings.Name, Func: fn, Kind: KindRefused, Err: err}
}

// instantiate runs the module's start function under WASI with nothing in it: no arguments, environment, files or
// sockets; wazero's default clocks, which stand still but for one step a reading, and its seeded randomness.
// The time a plugin may need comes with each batch.
func (p *Plugin) instantiate(ctx context.Context) (*Instance, error) {
	inst := &Instance{plugin: p}
	cfg := wazero.NewModuleConfig().WithName("").WithStartFunctions(abi.ExportInitialize).
		WithStdout(&inst.output).WithStderr(&inst.output)
	mod, err := p.runtime.InstantiateModule(ctx, p.module, cfg)
	if err != nil {
		return nil, inst.fail(ctx, "load", err)
	}
	inst.module = mod
	inst.memory = mod.Memory()
	for name, fn := range map[string]*api.Function{
		abi.ExportManifest: &inst.manifest, abi.ExportConfigure: &inst.configureFn,
		abi.ExportAlloc: &inst.alloc, abi.ExportProcess: &inst.process,
	} {
		*fn = mod.ExportedFunction(name)
	}
	return inst, nil
}
