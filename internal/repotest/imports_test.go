package repotest

import (
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// layers says for each folder what its packages may import of this module; the first pattern that fits decides. A
// package may always import what is below its own folder's internal.
var layers = []struct {
	folder  string
	imports []string
	// tests lists what its tests may import besides.
	tests []string
}{
	{"cmd/obsd", []string{"cmd/obsd/internal/*", "receivers/*", "processors/*", "extensions/*", "exporters/*", "runtime/wasmprocessor", "runtime/wasmconnector", "runtime/wasmpages"}, nil},
	{"cmd/obsd/internal/*", nil, nil},
	{"receivers/*", []string{"internal/kubeapi", "internal/podtable", "internal/quiet", "internal/resume"}, []string{"internal/certtest", "internal/configtest", "internal/golden", "internal/kubetest", "internal/metertest", "internal/porttest", "extensions/k8sleaderelector"}},
	{"processors/*", []string{"internal/heapster", "internal/kubeapi", "internal/podtable", "internal/quiet"}, []string{"internal/configtest", "internal/golden", "internal/kubetest", "internal/metertest"}},
	{"extensions/*", []string{"internal/heapster", "internal/kubeapi", "internal/podtable", "internal/quiet"}, []string{"internal/certtest", "internal/configtest", "internal/kubetest"}},
	{"exporters/exportertest", []string{"internal/porttest"}, nil},
	{"exporters/*", []string{"internal/quiet"}, []string{"exporters/exportertest", "internal/configtest", "internal/golden", "internal/porttest"}},
	{"runtime/wasmprocessor", []string{"runtime/engine", "runtime/table", "runtime/host", "runtime/abi"}, []string{"internal/*", "runtime/capability"}},
	{"runtime/wasmconnector", []string{"runtime/engine", "runtime/table", "runtime/host", "runtime/abi"}, []string{"internal/*"}},
	{"runtime/engine", []string{"runtime/table", "runtime/host", "runtime/capability", "runtime/bytesize", "runtime/source", "runtime/abi"}, []string{"internal/*", "plugins/builtin"}},
	{"runtime/source", []string{"plugins/builtin"}, []string{"internal/*"}},
	{"runtime/wasmpages", []string{"runtime/engine"}, []string{"runtime/abi", "internal/*"}},
	{"runtime/table", []string{"runtime/abi", "runtime/condition", "internal/attrs"}, []string{"internal/*", "sdk", "sdk/*"}},
	{"runtime/capability", []string{"runtime/abi", "runtime/bytesize"}, []string{"internal/*"}},
	{"runtime/bytesize", nil, nil},
	{"runtime/host", []string{"runtime/abi", "runtime/wasmbin", "runtime/capability"}, []string{"internal/*", "runtime/hosttest"}},
	{"runtime/hosttest", []string{"runtime/host", "runtime/table", "runtime/abi"}, []string{"internal/*"}},
	{"runtime/wasmbin", nil, []string{"runtime/abi", "runtime/table", "plugins/builtin", "internal/cputime"}},
	{"runtime/condition", []string{"runtime/abi"}, nil},
	{"runtime/abi", nil, nil},
	{"sdk", []string{"runtime/abi"}, []string{"sdk/*"}},
	{"sdk/pgo", nil, nil},
	{"sdk/*", []string{"sdk", "sdk/*", "runtime/abi", "runtime/condition"}, nil},
	{"plugins/builtin", nil, nil},
	{"plugins/*", []string{"sdk", "sdk/*", "runtime/abi"}, []string{"runtime/*", "plugins/builtin", "internal/*", "internal/*/*"}},
	{"examples/*", []string{"sdk", "sdk/*", "runtime/abi"}, []string{"internal/*", "internal/*/*"}},
	{"bench", []string{"bench/*", "internal/*", "internal/e2e/*"}, []string{"*", "*/*"}},
	{"bench/*", []string{"bench/*", "internal/*", "internal/e2e/*"}, nil},
	{"bench/cmd/*", []string{"bench/*", "internal/*", "internal/e2e/*"}, nil},
	{"internal/heapster", nil, []string{"internal/kubetest"}},
	{"internal/chart", []string{"internal/image"}, nil},
	{"internal/chart/cmd/*", []string{"internal/chart"}, nil},
	{"internal/image", nil, nil},
	{"internal/image/cmd/*", []string{"internal/image"}, nil},
	{"internal/quiet", nil, nil},
	{"internal/resume", nil, nil},
	{"internal/kubeapi", []string{"internal/quiet"}, []string{"internal/kubetest"}},
	{"internal/podtable", []string{"internal/kubeapi"}, nil},
	{"internal/kubetest", nil, nil},
	{"internal/certtest", nil, nil},
	{"internal/golden", nil, nil},
	{"internal/cputime", nil, nil},
	{"internal/race", nil, nil},
	{"internal/metertest", nil, nil},
	{"internal/porttest", nil, nil},
	{"internal/guest", []string{"internal/guest/*"}, nil},
	{"internal/guest/cmd/*", []string{"internal/guest/*"}, nil},
	{"internal/*", []string{"runtime/*", "sdk", "sdk/sdktest", "plugins/builtin", "internal/*"}, []string{"internal/e2e/*"}},
	{"internal/e2e/*", []string{"internal/*", "internal/e2e/*"}, nil},
	{"internal/*/*", []string{"runtime/*", "sdk", "sdk/*", "plugins/builtin", "internal/*", "internal/*/*"}, nil},
	{"internal/e2e/cmd/*", []string{"internal/*", "internal/e2e/*", "internal/guest/*"}, nil},
}

// TestLayers checks that imports go one way: cmd → receivers | processors | extensions | exporters | runtime/wasm… → runtime/… → runtime/abi ← sdk
// ← plugins, examples; and that siblings do not import each other.
func TestLayers(t *testing.T) {
	for _, env := range [][]string{nil, {"GOOS=wasip1", "GOARCH=wasm"}} {
		for _, p := range packages(t, env...) {
			imports, tests, ok := layer(p.folder())
			if !assert.True(t, ok, "%s is in no layer: is it in the right folder? If so, add it to layers", p.folder()) {
				continue
			}
			for _, i := range p.Imports {
				assert.True(t, allowed(p.folder(), i, imports), "%s imports %s, against the layering", p.folder(), i)
			}
			for _, i := range append(p.TestImports, p.XTestImports...) {
				assert.True(t, allowed(p.folder(), i, append(imports, tests...)), "the tests of %s import %s, against the layering", p.folder(), i)
			}
		}
	}
}

// TestWazeroHasOneImporter checks that only runtime/host knows the WebAssembly runtime, and the tests of runtime/wasmbin,
// whose work it runs.
func TestWazeroHasOneImporter(t *testing.T) {
	for _, p := range packages(t) {
		imports := append(append(p.Imports, p.TestImports...), p.XTestImports...)
		if p.folder() == "runtime/wasmbin" {
			imports = p.Imports
		}
		for _, i := range imports {
			if strings.HasPrefix(i, "github.com/tetratelabs/wazero") {
				assert.Equal(t, "runtime/host", p.folder(), "only runtime/host may import %s", i)
			}
		}
	}
}

// TestLeavesImportTheStandardLibraryOnly checks that a plugin author gets no dependencies, and that the rewriter, on
// whose word foreign code is run, has none.
func TestLeavesImportTheStandardLibraryOnly(t *testing.T) {
	for _, env := range [][]string{nil, {"GOOS=wasip1", "GOARCH=wasm"}} {
		for _, p := range packages(t, env...) {
			f := p.folder()
			leaf := f == "runtime/abi" || f == "runtime/condition" || f == "runtime/wasmbin" || f == "sdk" || strings.HasPrefix(f, "sdk/")
			if !leaf || f == "sdk/pgo" { // which is a command, and in no plugin
				continue
			}
			for _, i := range p.Imports {
				first, _, _ := strings.Cut(i, "/")
				assert.True(t, !strings.Contains(first, ".") || strings.HasPrefix(i, modulePath), "%s imports %s, but may import the standard library only", p.folder(), i)
			}
		}
	}
}

func layer(folder string) (imports, tests []string, ok bool) {
	for _, l := range layers {
		if match, _ := path.Match(l.folder, folder); match {
			return l.imports, l.tests, true
		}
	}
	return nil, nil, false
}

func allowed(folder, imported string, patterns []string) bool {
	to, ours := strings.CutPrefix(imported, modulePath)
	if !ours || to == folder || strings.HasPrefix(to, folder+"/internal/") {
		return true
	}
	for _, p := range patterns {
		if match, _ := path.Match(p, to); match {
			return true
		}
	}
	return false
}
