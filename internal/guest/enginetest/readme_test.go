package enginetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The plugin and the test in the SDK's README are whole: they pass, and the build command that stands there builds a
// module.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../../sdk/README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```")
	dir := t.TempDir()
	var files []string
	build := ""
	for i := 1; i < len(blocks); i += 2 {
		if code, ok := strings.CutPrefix(blocks[i], "go\n"); ok {
			name := filepath.Join(dir, []string{"plugin.go", "plugin_test.go"}[len(files)])
			if err := os.WriteFile(name, []byte(code), 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, name)
		}
		if command, ok := strings.CutPrefix(blocks[i], "text\nGOOS="); ok {
			build = "GOOS=" + strings.TrimSpace(command)
		}
	}
	if len(files) != 2 || !strings.Contains(build, "-buildmode=c-shared -o health.wasm") {
		t.Fatalf("found %q and the command %q", files, build)
	}
	// The files lie outside the module, so they are named, and what they import is this module's.
	for _, command := range []string{"CGO_ENABLED=0 go test " + strings.Join(files, " "), strings.Replace(build, "health.wasm", dir+"/health.wasm "+files[0], 1)} {
		if output, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, output)
		}
	}
	if module, err := os.ReadFile(filepath.Join(dir, "health.wasm")); err != nil || !strings.HasPrefix(string(module), "\x00asm") {
		t.Errorf("no module: %v", err)
	}
}
