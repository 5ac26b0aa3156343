package toolchain_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/obsd-io/obsd/internal/guest"
	"github.com/obsd-io/obsd/runtime/hosttest"
)

// The plugins in the READMEs of the SDKs for C and Rust are whole, the commands that stand there build them, and they do
// what they say.
func TestReadmes(t *testing.T) {
	for language, file := range map[string]string{"c": "health.c", "rust": "src/lib.rs"} {
		t.Run(language, func(t *testing.T) {
			guest.Build(t, filepath.Join("../../../sdk", language, "examples/accesslog")) // skips where there is no compiler
			text, err := os.ReadFile(filepath.Join("../../../sdk", language, "README.md"))
			if err != nil {
				t.Fatal(err)
			}
			code, commands := fences(string(text), language), fences(string(text), "text")
			dir := t.TempDir()
			write(t, filepath.Join(dir, file), code[0])
			checkout, err := filepath.Abs("../../..")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(checkout, filepath.Join(dir, "obsd")); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", commands[len(commands)-1])
			cmd.Dir = dir
			// Debian's compiler, where a rustup without the target stands in front of it.
			cmd.Env = append(os.Environ(), "PATH=/usr/bin:"+os.Getenv("PATH"))
			if output, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			health(t, filepath.Join(dir, "health.wasm"))
		})
	}
}

func health(t *testing.T, module string) {
	t.Helper()
	got := hosttest.Suite{Path: module}.Apply(t, "logs",
		hosttest.Row{"attributes.url.path": "/healthz"},
		hosttest.Row{"attributes.url.path": "/", "attributes.duration_ms": 1500},
		hosttest.Row{"attributes.url.path": "/", "attributes.duration_ms": 15},
	)
	if len(got) != 2 || got[0]["attributes.slow"] != true || got[0]["severity_text"] != "WARN" || len(got[1]) != 2 {
		t.Errorf("got %v", got)
	}
}

// fences are the fenced blocks of a language.
func fences(text, language string) (blocks []string) {
	parts := strings.Split(text, "```")
	for i := 1; i < len(parts); i += 2 {
		if block, ok := strings.CutPrefix(parts[i], language+"\n"); ok {
			blocks = append(blocks, block)
		}
	}
	return blocks
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
