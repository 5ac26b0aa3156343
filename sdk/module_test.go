package sdk_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/obsd-io/obsd/runtime/abi"
)

// A module imports the functions of the capabilities that its code uses, and no other, since the host refuses what is not
// granted. It exports the whole contract.
func TestModule(t *testing.T) {
	f := func(name, code string, want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			imports, exports := build(t, code)
			if !slices.Equal(imports, want) {
				t.Errorf("imports %q, want %q", imports, want)
			}
			for _, e := range []string{
				abi.ExportMarker, abi.ExportMemory, abi.ExportManifest, abi.ExportConfigure, abi.ExportAlloc, abi.ExportProcess, abi.ExportFlush, abi.ExportInitialize,
			} {
				if !slices.Contains(exports, e) {
					t.Errorf("exports %q, and not %s", exports, e)
				}
			}
		})
	}
	f("none", `b.Drop(0)`)
	f("all", `sdk.Log(9, ""); series.Record(1); kv.Get(""); kv.Set("", ""); kv.Add("", 1); kv.Delete(""); lookup.Get("")`,
		abi.HostKVAdd, abi.HostKVDelete, abi.HostKVGet, abi.HostKVSet, abi.HostLog, abi.HostLookup, abi.HostLookupGet, abi.HostMetric, abi.HostMetricRecord)
}

// build builds a plugin with that code and lists what it imports of the host, and its exports.
func build(t *testing.T, code string) (imports, exports []string) {
	t.Helper()
	file, module := filepath.Join(t.TempDir(), "plugin.go"), filepath.Join(t.TempDir(), "plugin.wasm")
	source := `package main

import "github.com/obsd-io/obsd/sdk"

var (
	series = sdk.Counter("n", "", "")
	lookup = sdk.NewLookup("t", "c")
	kv     sdk.KV
)

func init() { sdk.Logs(sdk.Plugin{Name: "p"}, func(b *sdk.Batch) { ` + code + ` }) }

func main() {}
`
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-buildmode=c-shared", "-o", module, file)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	b, err := os.ReadFile(module)
	if err != nil {
		t.Fatal(err)
	}
	return names(b)
}

// names reads import and export section of a module (WebAssembly core 1.0, "Modules" of the binary format).
func names(module []byte) (imports, exports []string) {
	r := bytes.NewReader(module[8:])
	number := func() int {
		n, _ := binary.ReadUvarint(r)
		return int(n)
	}
	text := func() string {
		b := make([]byte, number())
		_, _ = r.Read(b)
		return string(b)
	}
	entries := func(wanted bool) int {
		if !wanted {
			return 0
		}
		return number()
	}
	const importSection, exportSection = 2, 7
	for r.Len() > 0 {
		section, _ := r.ReadByte()
		size := number()
		end := r.Len() - size
		for range entries(section == importSection) {
			from, name := text(), text()
			_, _ = r.ReadByte() // all are functions
			number()            // their type
			if from == abi.HostModule {
				imports = append(imports, name)
			} else if !strings.HasPrefix(from, "wasi_") {
				imports = append(imports, from+"."+name)
			}
		}
		for range entries(section == exportSection) {
			exports = append(exports, text())
			_, _ = r.ReadByte() // its kind
			number()            // and number
		}
		_, _ = r.Seek(r.Size()-int64(end), 0)
	}
	slices.Sort(imports)
	return imports, exports
}
