package repotest

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/e2e/daemon"
)

// TestReadmeConfigs checks that every fenced yaml block in a README is a whole configuration that obsd accepts. The
// command runs in the README's folder, so that relative paths mean what they mean to its reader.
func TestReadmeConfigs(t *testing.T) {
	bin := obsd(t)
	blocks := 0
	for _, name := range tracked(t) {
		if path.Base(name) != "README.md" {
			continue
		}
		for line, block := range fences(read(t, name), "yaml") {
			blocks++
			t.Run(fmt.Sprintf("%s:%d", name, line), func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "readme.yaml")
				require.NoError(t, os.WriteFile(file, []byte(block), 0o644))
				validate(t, bin, filepath.Join(root, path.Dir(name)), file)
			})
		}
	}
	assert.NotZero(t, blocks)
}

// TestExampleConfigs checks the configurations of the examples and that each example has a README and a test.
func TestExampleConfigs(t *testing.T) {
	bin := obsd(t)
	configs, err := filepath.Glob(filepath.Join(root, "examples", "*", "obsd.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, configs)
	for _, config := range configs {
		folder := filepath.Dir(config)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			validate(t, bin, folder, "obsd.yaml")
			assert.FileExists(t, filepath.Join(folder, "README.md"))
			tests, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
			require.NoError(t, err)
			assert.NotEmpty(t, tests, "no test runs this example")
		})
	}
}

// TestDeployConfigs checks the configurations that deploy/kubernetes ships.
func TestDeployConfigs(t *testing.T) {
	bin := obsd(t)
	configs, err := filepath.Glob(filepath.Join(root, "deploy", "kubernetes", "*", "obsd.yaml"))
	require.NoError(t, err)
	require.Len(t, configs, 2)
	for name, value := range map[string]string{
		"K8S_NODE_NAME": "n", "K8S_NODE_IP": "127.0.0.1", "POD_NAMESPACE": "obsd", "ELASTICSEARCH": "http://127.0.0.1:9200", "GATEWAY": "127.0.0.1:4317",
	} {
		t.Setenv(name, value)
	}
	for _, config := range configs {
		validate(t, bin, filepath.Dir(config), "obsd.yaml")
	}
	validate(t, bin, filepath.Join(root, "deploy", "kubernetes"), "node/obsd.yaml", "components/cadvisor/cadvisor.yaml")
}

// TestSystemdUnit has systemd itself check the unit, where there is one.
func TestSystemdUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("skipped: this machine has no systemd-analyze")
	}
	unit := strings.ReplaceAll(read(t, "deploy/systemd/obsd.service"), "/usr/local/bin/obsd", obsd(t))
	file := filepath.Join(t.TempDir(), "obsd.service")
	require.NoError(t, os.WriteFile(file, []byte(unit), 0o600))
	out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotContains(t, string(out), "obsd.service", "a warning")
}

// obsd is the path of the binary, built if `make test` did not.
func obsd(t *testing.T) string {
	t.Helper()
	bin, err := daemon.Binary(t.Context(), t.TempDir())
	require.NoError(t, err)
	bin, err = filepath.Abs(bin)
	require.NoError(t, err)
	return bin
}

func validate(t *testing.T, bin, dir string, files ...string) {
	t.Helper()
	args := []string{"validate"}
	for _, file := range files {
		args = append(args, "--config", file)
	}
	cmd := exec.CommandContext(t.Context(), bin, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err, "%s", out)
}

// fences gives the fenced code blocks of one language, by the line that they begin on.
func fences(text, language string) map[int]string {
	blocks := make(map[int]string)
	var block []string
	begin, in := 0, false
	for i, line := range strings.Split(text, "\n") {
		switch trimmed := strings.TrimSpace(line); {
		case !in && strings.HasPrefix(trimmed, "```"):
			in, block = true, nil
			if begin = 0; strings.TrimPrefix(trimmed, "```") == language {
				begin = i + 2
			}
		case in && trimmed == "```":
			if in = false; begin > 0 {
				blocks[begin] = strings.Join(block, "\n")
			}
		case in:
			block = append(block, line)
		}
	}
	return blocks
}

func TestFences(t *testing.T) {
	text := "text\n```yaml\na: 1\nb: 2\n```\n```text\nno: 1\n```\n  ```yaml\n  c: 3\n  ```\n"
	assert.Equal(t, map[int]string{3: "a: 1\nb: 2", 10: "  c: 3"}, fences(text, "yaml"))
}
