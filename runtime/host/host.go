// Package host loads a plugin's module, holds it to its limits and calls it. It is the only importer of wazero.
//
// A [Plugin] is one module with one configuration: a wazero runtime of its own and a capped pool of instances.
// What a batch means is not known here: a caller acquires an [Instance], writes into the block that it gives,
// calls it, and reads the result from the instance's memory.
//
// Time is bounded by fuel: see [Plugin.Fuel]. A guest that runs cannot be preempted, and the garbage collector waits for it,
// so no call should get more than [Plugin.MaxCallFuel].
package host

import (
	"context"
	"encoding/json"

	"github.com/tetratelabs/wazero"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/capability"
)

// pageSize is the size of a WebAssembly memory page in bytes (core spec 2.0, §4.2.8).
const pageSize = 65536

// Limits bound what a plugin may use.
type Limits struct {
	// Memory is the most memory of one instance, in bytes, rounded down to whole pages of 64 KiB.
	Memory int64
	// Instances is the most instances that exist at once.
	Instances int
}

// Settings are what [Load] needs.
type Settings struct {
	// Name is what errors call the plugin, for example "wasm/accesslog".
	Name string
	// Module is the wasm binary. It is not kept.
	Module []byte
	// Digest is the module's, sha256:<64 hex digits>, for a caller that has it; Load takes its word for it.
	Digest string
	// Config is the configuration as a JSON object; nil stands for {}.
	Config json.RawMessage
	// Limits must be set, all greater than 0.
	Limits Limits
	// CacheDir keeps compiled code between starts; it must be writable by the daemon only, since what lies in it
	// is run. With "" compiled code lives in memory only.
	CacheDir string
	// NewSession makes what each instance carries for its caller, see [Instance.Session]; may be nil.
	NewSession func(*abi.Manifest) any
	// Capabilities are what the configuration grants; nil grants none. They are the caller's to start and close, and may
	// serve several plugins one after another.
	Capabilities *capability.Set
}

// Plugin is a loaded module. All methods are safe for concurrent use.
type Plugin struct {
	settings Settings
	digest   string
	manifest *abi.Manifest
	runtime  wazero.Runtime
	cache    wazero.CompilationCache
	module   wazero.CompiledModule
	pool     pool
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
	inst, err := p.load(ctx)
	if err != nil {
		_ = p.closeRuntime(context.WithoutCancel(ctx))
		return nil, err
	}
	instances := s.Limits.Instances
	if p.manifest.Stateful {
		instances = 1
	}
	p.attachSession(inst)
	p.pool.start(instances, inst)
	return p, nil
}

// load gives the first instance, configured.
func (p *Plugin) load(ctx context.Context) (*Instance, error) {
	if err := p.compile(ctx); err != nil {
		return nil, err
	}
	inst, err := p.instantiate(ctx)
	if err != nil {
		return nil, err
	}
	if p.manifest, err = inst.readManifest(ctx); err != nil {
		return nil, err
	}
	if err := checkCapabilities(p.manifest, p.module, p.settings.Capabilities); err != nil {
		return nil, p.refuse("load", err)
	}
	if err := checkConfig(p.manifest, p.settings.Config); err != nil {
		return nil, p.refuse("configure", err)
	}
	if err := inst.configure(ctx, p.settings.Config); err != nil {
		return nil, err
	}
	p.manifest, err = inst.readManifest(ctx)
	return inst, err
}

// Manifest is the manifest as it stands after configuration. It must not be changed.
func (p *Plugin) Manifest() *abi.Manifest { return p.manifest }

// Digest is the module's digest, sha256:<64 hex digits>.
func (p *Plugin) Digest() string { return p.digest }

// newInstance is for instances after the first: instantiate and configure, no second look at the manifest.
func (p *Plugin) newInstance(ctx context.Context) (*Instance, error) {
	inst, err := p.instantiate(ctx)
	if err != nil {
		return nil, err
	}
	if err := inst.configure(ctx, p.settings.Config); err != nil {
		_ = inst.module.Close(context.WithoutCancel(ctx))
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

func (p *Plugin) refuse(fn string, err error) error {
	return &Error{Plugin: p.settings.Name, Func: fn, Kind: KindRefused, Err: err}
}
