package enginetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The plugins and their tests in the SDK's README are whole: they pass, and the build command that stands there builds
// a module of each. A test stands right behind its plugin.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../../sdk/README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```")
	var code []string
	build := ""
	for i := 1; i < len(blocks); i += 2 {
		if block, ok := strings.CutPrefix(blocks[i], "go\n"); ok {
			code = append(code, block)
		}
		if command, ok := strings.CutPrefix(blocks[i], "text\nGOOS="); ok {
			build = "GOOS=" + strings.TrimSpace(command)
		}
	}
	if len(code) != 4 || !strings.Contains(build, "-buildmode=c-shared -o health.wasm") {
		t.Fatalf("found %d blocks of Go and the command %q", len(code), build)
	}
	for i := 0; i < len(code); i += 2 {
		// The files lie outside the module, so they are named, and what they import is this module's.
		dir := t.TempDir()
		plugin, test, module := filepath.Join(dir, "plugin.go"), filepath.Join(dir, "plugin_test.go"), filepath.Join(dir, "plugin.wasm")
		for name, block := range map[string]string{plugin: code[i], test: code[i+1]} {
			if err := os.WriteFile(name, []byte(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, command := range []string{"CGO_ENABLED=0 go test " + plugin + " " + test, strings.Replace(build, "health.wasm", module+" "+plugin, 1)} {
			if output, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", command, err, output)
			}
		}
		if b, err := os.ReadFile(module); err != nil || !strings.HasPrefix(string(b), "\x00asm") {
			t.Errorf("no module: %v", err)
		}
	}
}
