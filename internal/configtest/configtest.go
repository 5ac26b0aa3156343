// Package configtest holds a component to its configuration files: those in testdata that are accepted, and those that
// are refused with a text that says where and how to mend it.
package configtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

// Load reads a file as a component's section of a configuration over its defaults, as the service does.
func Load[C any](t testing.TB, defaults component.Config, path string) (C, error) {
	t.Helper()
	conf, err := confmaptest.LoadConf(path)
	require.NoError(t, err)
	var none C
	if err := conf.Unmarshal(defaults); err != nil {
		return none, err
	}
	return defaults.(C), confmap.Validate(defaults)
}

// Files accepts every *.good.yaml in a folder, and refuses every *.bad.yaml with the whole error that the comment at
// its top is, a line each. Lines without text do not count.
func Files(t *testing.T, folder string, load func(t *testing.T, path string) error) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			err := load(t, path)
			if strings.HasSuffix(path, ".good.yaml") {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			require.Equal(t, comment(t, path), lines(err.Error()))
		})
	}
}

// comment is the text of the comment at the top of a file.
func comment(t *testing.T, path string) (text []string) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		line, ok := strings.CutPrefix(line, "# ")
		if !ok {
			break
		}
		text = append(text, strings.TrimSpace(line))
	}
	return text
}

func lines(s string) (out []string) {
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}
