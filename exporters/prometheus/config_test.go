package prometheus

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

func load(t *testing.T, file string) (*Config, error) {
	t.Helper()
	conf, err := confmaptest.LoadConf(file)
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	if err := conf.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

// TestConfigFiles accepts every good file, and refuses every bad one with the
// problems that its first line names, parted by " | ".
func TestConfigFiles(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "config", "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, err := load(t, file)
			if strings.HasSuffix(file, ".good.yaml") {
				require.NoError(t, err)
				return
			}
			text, readErr := os.ReadFile(file)
			require.NoError(t, readErr)
			first, _, _ := strings.Cut(string(text), "\n")
			want := strings.ReplaceAll(strings.TrimPrefix(first, "# "), " | ", "\n")
			require.EqualError(t, err, want)
		})
	}
}

func TestConfigValues(t *testing.T) {
	got, err := load(t, filepath.Join("testdata", "config", "empty.good.yaml"))
	require.NoError(t, err)
	require.Equal(t, createDefaultConfig(), got)
	require.Equal(t, "127.0.0.1:9464", got.HTTP.NetAddr.Endpoint)
	require.True(t, got.EnableOpenMetrics)
	require.Contains(t, got.PromoteResourceAttributes, "k8s.pod.name")

	got, err = load(t, filepath.Join("testdata", "config", "ours.good.yaml"))
	require.NoError(t, err)
	require.Empty(t, got.PromoteResourceAttributes)
	require.Zero(t, got.MaxSeries)
	require.Equal(t, "[::1]:9464", got.HTTP.NetAddr.Endpoint)
}

func TestConfigStruct(t *testing.T) {
	require.NoError(t, componenttest.CheckConfigStruct(createDefaultConfig()))
}
