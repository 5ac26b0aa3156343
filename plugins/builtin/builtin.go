// Package builtin holds the plugins that come with obsd, embedded as modules. `make plugins` builds them.
package builtin

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed all:wasm
var modules embed.FS

const suffix = ".wasm"

// Module returns the wasm binary of a bundled plugin. Its error lists the plugins that there are.
func Module(name string) ([]byte, error) {
	b, err := fs.ReadFile(modules, "wasm/"+name+suffix)
	if err == nil {
		return b, nil
	}
	names := Names()
	if len(names) == 0 {
		return nil, fmt.Errorf("builtin:%s: this binary was built without the bundled plugins: run `make plugins`, then build again", name)
	}
	return nil, fmt.Errorf("builtin:%s: there is no such bundled plugin; there are %s", name, strings.Join(names, ", "))
}

// Names lists the bundled plugins.
func Names() []string {
	entries, _ := fs.ReadDir(modules, "wasm")
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), suffix); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
