package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/obsd-io/obsd/runtime/abi"
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
	abi.ExportManifest:  {nil, []api.ValueType{api.ValueTypeI64}},
	abi.ExportConfigure: {[]api.ValueType{api.ValueTypeI32, api.ValueTypeI32}, []api.ValueType{api.ValueTypeI64}},
	abi.ExportAlloc:     {[]api.ValueType{api.ValueTypeI32}, []api.ValueType{api.ValueTypeI32}},
	abi.ExportProcess:   {[]api.ValueType{api.ValueTypeI32, api.ValueTypeI32}, []api.ValueType{api.ValueTypeI64}},
}

// checkModule holds a module's imports and exports against the contract.
func checkModule(m wazero.CompiledModule) error {
	for _, f := range m.ImportedFunctions() {
		if module, name, _ := f.Import(); module != wasi_snapshot_preview1.ModuleName {
			return fmt.Errorf("imports %s.%s, which obsd does not offer; a plugin may import %s only", module, name, wasi_snapshot_preview1.ModuleName)
		}
	}
	have := m.ExportedFunctions()
	if _, ok := have[abi.ExportMarker]; !ok {
		return checkMarker(have)
	}
	var errs []error
	for _, name := range sortedKeys(exports) {
		want := exports[name]
		f, ok := have[name]
		if !ok {
			errs = append(errs, fmt.Errorf("does not export %s %s", name, want))
			continue
		}
		if got := (signature{f.ParamTypes(), f.ResultTypes()}); !slices.Equal(got.params, want.params) || !slices.Equal(got.results, want.results) {
			errs = append(errs, fmt.Errorf("exports %s as %s, want %s", name, got, want))
		}
	}
	if _, ok := m.ExportedMemories()[abi.ExportMemory]; !ok {
		errs = append(errs, errors.New("does not export its memory as \"memory\""))
	}
	return errors.Join(errs...)
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

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// parseManifest reads a manifest and checks all but its columns, which belong to the signal's table.
func parseManifest(text []byte) (*abi.Manifest, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	m := &abi.Manifest{}
	if err := dec.Decode(m); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf("manifest: "+format, args...)) }
	if m.Name == "" {
		refuse("name: empty")
	}
	if !slices.Equal(m.Signals, []string{"logs"}) {
		refuse("signals: %q; this obsd runs plugins for [\"logs\"]", m.Signals)
	}
	if len(m.Reads) > abi.MaxColumns {
		refuse("reads: %d columns, at most %d", len(m.Reads), abi.MaxColumns)
	}
	if len(m.Routes) > abi.MaxRoutes {
		refuse("routes: %d, at most %d", len(m.Routes), abi.MaxRoutes)
	}
	if len(m.Capabilities) > 0 {
		refuse("capabilities: %q; this obsd offers none", m.Capabilities)
	}
	for _, list := range [][]string{m.Reads, m.Writes, m.Routes} {
		if name, twice := duplicate(list); twice {
			refuse("%q is listed twice", name)
		}
	}
	return m, errors.Join(errs...)
}

func duplicate(list []string) (string, bool) {
	seen := make(map[string]bool, len(list))
	for _, s := range list {
		if seen[s] {
			return s, true
		}
		seen[s] = true
	}
	return "", false
}

// schemaURL is what a manifest's schema is called in errors.
const schemaURL = "plugin:config"

// noLoader keeps a schema from having the daemon read files or fetch addresses by "$ref".
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s: a plugin's schema may not refer to anything outside itself", url)
}

// checkConfig holds a configuration against the manifest's JSON schema. Without a schema only an empty one passes.
func checkConfig(m *abi.Manifest, config json.RawMessage) error {
	if m.Config == nil {
		m.Config = map[string]any{"additionalProperties": false}
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	if err := c.AddResource(schemaURL, m.Config); err != nil {
		return fmt.Errorf("manifest: config: not a JSON schema: %w", err)
	}
	schema, err := c.Compile(schemaURL)
	if err != nil {
		return fmt.Errorf("manifest: config: not a JSON schema: %w", err)
	}
	if config == nil {
		config = json.RawMessage("{}")
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(config))
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	var invalid *jsonschema.ValidationError
	if err := schema.Validate(value); errors.As(err, &invalid) {
		return configErrors(invalid)
	} else if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	return nil
}

// configErrors turns a tree of schema violations into one line for each leaf, with the key's path.
func configErrors(v *jsonschema.ValidationError) error {
	if len(v.Causes) > 0 {
		var errs []error
		for _, c := range v.Causes {
			errs = append(errs, configErrors(c))
		}
		return errors.Join(errs...)
	}
	path := strings.Join(append([]string{"config"}, v.InstanceLocation...), "::")
	return fmt.Errorf("%s: %s", path, v.ErrorKind.LocalizedString(printer))
}

// printer words schema violations in English.
var printer = message.NewPrinter(language.English)
