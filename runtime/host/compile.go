package host

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/wasmbin"
)

// features are core WebAssembly 2.0, with two later proposals that toolchains use.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst

func (p *Plugin) compile(ctx context.Context) error {
	if err := checkBinary(p.settings.Module); err != nil {
		return p.refuse("load", err)
	}
	if p.digest = p.settings.Digest; p.digest == "" {
		p.digest = digestOf(p.settings.Module)
	}
	var err error
	if p.cache, err = newCache(p.settings.CacheDir); err != nil {
		return p.refuse("load", err)
	}
	cfg := wazero.NewRuntimeConfig().WithCoreFeatures(features).
		WithCompilationCache(p.cache).
		WithMemoryLimitPages(uint32(min(p.settings.Limits.Memory/pageSize, 65536)))
	p.runtime = wazero.NewRuntimeWithConfig(ctx, cfg)
	if p.module, err = p.compileMetered(ctx); err != nil {
		if strings.Contains(err.Error(), "over limit of") {
			err = fmt.Errorf("%w: raise limits.memory", err)
		}
		return p.refuse("load", err)
	}
	p.settings.Module = nil
	if err := checkModule(p.module, p.settings.Capabilities); err != nil {
		return p.refuse("load", err)
	}
	if err := p.addWASI(ctx); err != nil {
		return p.refuse("load", fmt.Errorf("wasi: %w", err))
	}
	if err := p.addHost(ctx); err != nil {
		return p.refuse("load", fmt.Errorf("%s: %w", abi.HostModule, err))
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

// instantiate makes an instance and runs the module's start functions, under WASI with nothing in it: no arguments,
// environment, files or sockets; wazero's default clocks, which stand still but for one step a reading, and its seeded
// randomness. The time a plugin may need comes with each batch.
func (p *Plugin) instantiate(ctx context.Context) (*Instance, error) {
	inst := &Instance{plugin: p}
	cfg := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	mod, err := p.runtime.InstantiateModule(ctx, p.module, cfg)
	if err != nil {
		return nil, p.refuse("load", fmt.Errorf("instantiate: %w", err))
	}
	inst.module = mod
	inst.memory = mod.Memory()
	inst.context.fuel = mod.ExportedGlobal(wasmbin.FuelGlobal).(api.MutableGlobal)
	for name, fn := range map[string]*api.Function{
		abi.ExportManifest: &inst.manifest, abi.ExportConfigure: &inst.configureFn,
		abi.ExportAlloc: &inst.alloc, abi.ExportProcess: &inst.process, abi.ExportFlush: &inst.flush,
	} {
		*fn = mod.ExportedFunction(name)
	}
	for _, name := range []string{startExport, abi.ExportInitialize} {
		if fn := mod.ExportedFunction(name); fn != nil {
			if _, err := inst.call(ctx, "load", fn, loadFuel); err != nil {
				return nil, errors.Join(err, mod.Close(context.WithoutCancel(ctx)))
			}
		}
	}
	return inst, nil
}
