package host

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/capability"
)

// buildHint is the mend for a module of the wrong kind.
const buildHint = "build a core module: Go with GOOS=wasip1 GOARCH=wasm -buildmode=c-shared, Rust for wasm32-wasip1 or wasm32-unknown-unknown as a cdylib, C as a reactor"

// checkBinary looks at the preamble: magic number and version or layer (core spec 2.0 §5.5.16; component model binary format).
func checkBinary(b []byte) error {
	switch {
	case len(b) == 0:
		return errors.New("the module is empty")
	case !bytes.HasPrefix(b, []byte("\x00asm")):
		return fmt.Errorf("not a WebAssembly module: it starts with %q, not with \"\\x00asm\"; %s", b[:min(len(b), 8)], buildHint)
	case len(b) < 8:
		return errors.New("the module ends within its first 8 bytes")
	case bytes.Equal(b[4:8], []byte{1, 0, 0, 0}):
		return nil
	case b[6] == 1:
		return errors.New("a component-model binary (wasm32-wasip2 or later), which obsd does not run; " + buildHint)
	default:
		return fmt.Errorf("WebAssembly version %x is not known; %s", b[4:8], buildHint)
	}
}

// signature is a function type as the contract wants it.
type signature struct{ params, results []api.ValueType }

var exports = map[string]signature{
	abi.ExportMarker:    {},
	abi.ExportManifest:  {nil, []api.ValueType{i64}},
	abi.ExportConfigure: {[]api.ValueType{i32, i32}, []api.ValueType{i64}},
	abi.ExportAlloc:     {[]api.ValueType{i32}, []api.ValueType{i32}},
	abi.ExportProcess:   {[]api.ValueType{i32, i32}, []api.ValueType{i64}},
	abi.ExportFlush:     {[]api.ValueType{i64}, []api.ValueType{i64}},
}

// checkModule holds a module's imports and exports against the contract.
func checkModule(m wazero.CompiledModule, granted *capability.Set) error {
	if err := checkImports(m, granted); err != nil {
		return err
	}
	have := m.ExportedFunctions()
	if _, ok := have[abi.ExportMarker]; !ok {
		return checkMarker(have)
	}
	var errs []error
	for _, name := range sortedKeys(exports) {
		want := exports[name]
		f, ok := have[name]
		if !ok && name == abi.ExportFlush {
			continue
		}
		if !ok {
			errs = append(errs, fmt.Errorf("does not export %s %s", name, want))
			continue
		}
		if got := signatureOf(f); !got.equal(want) {
			errs = append(errs, fmt.Errorf("exports %s as %s, want %s", name, got, want))
		}
	}
	if _, ok := m.ExportedMemories()[abi.ExportMemory]; !ok {
		errs = append(errs, errors.New("does not export its memory as \"memory\""))
	}
	return errors.Join(errs...)
}

// checkImports refuses what obsd does not offer or the configuration does not grant.
func checkImports(m wazero.CompiledModule, granted *capability.Set) error {
	var errs []error
	for _, f := range m.ImportedFunctions() {
		module, name, _ := f.Import()
		if module == wasi_snapshot_preview1.ModuleName {
			continue
		}
		want, ok := hostFunctions[name]
		if module != abi.HostModule || !ok {
			errs = append(errs, fmt.Errorf("imports %s.%s, which obsd does not offer; a plugin may import %s, and of %s: %s", module, name,
				wasi_snapshot_preview1.ModuleName, abi.HostModule, strings.Join(sortedKeys(hostFunctions), ", ")))
			continue
		}
		if got := signatureOf(f); !got.equal(want.signature) {
			errs = append(errs, fmt.Errorf("imports %s.%s as %s; it is %s", module, name, got, want.signature))
		}
		if c := abi.HostFunctions[name]; !granted.Grants(c) {
			errs = append(errs, fmt.Errorf("imports %s.%s, which needs the capability %s: grant it with %s", module, name, c, grantHint[c]))
		}
	}
	return errors.Join(errs...)
}

// grantHint has the shortest configuration that grants a capability.
var grantHint = map[abi.Capability]string{
	abi.CapabilityLog: "grants: {log: true}", abi.CapabilityMetrics: "grants: {metrics: true}", abi.CapabilityKV: "grants: {kv: true}",
	abi.CapabilityLookup: "grants: {lookup: {<table>: {file: <path>, key: <column>}}}",
}

// checkMarker says why a module without the marker of version 1 is refused.
func checkMarker(have map[string]api.FunctionDefinition) error {
	for name := range have {
		if v, ok := strings.CutPrefix(name, abi.ExportMarkerPrefix); ok {
			return fmt.Errorf("speaks version %s of the plugin contract; this obsd speaks version %d: build the plugin with the SDK of this release", v, abi.Version)
		}
	}
	if _, ok := have[abi.ExportStart]; ok {
		return errors.New("a WASI command (it exports _start), not a plugin; " + buildHint)
	}
	return fmt.Errorf("not an obsd plugin: it does not export %s; %s, with the obsd SDK", abi.ExportMarker, buildHint)
}

func signatureOf(f api.FunctionDefinition) signature {
	return signature{f.ParamTypes(), f.ResultTypes()}
}

func (s signature) equal(other signature) bool {
	return slices.Equal(s.params, other.params) && slices.Equal(s.results, other.results)
}

// String writes a signature as the spec's text format orders it.
func (s signature) String() string {
	names := func(types []api.ValueType) string {
		var out []string
		for _, t := range types {
			out = append(out, api.ValueTypeName(t))
		}
		return strings.Join(out, " ")
	}
	return "(" + names(s.params) + ") -> (" + names(s.results) + ")"
}

func sortedKeys[K ~string, V any](m map[K]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, string(k))
	}
	slices.Sort(keys)
	return keys
}
