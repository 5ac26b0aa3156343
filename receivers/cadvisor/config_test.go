package cadvisor

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"

	"github.com/obsd-io/obsd/internal/configtest"
)

func loadConfig(t *testing.T, file string) (*Config, error) {
	t.Helper()
	return configtest.Load[*Config](t, createDefaultConfig(), filepath.Join("testdata", "config", file))
}

func TestConfigFiles(t *testing.T) {
	configtest.Files(t, filepath.Join("testdata", "config"), func(t *testing.T, path string) error {
		_, err := loadConfig(t, filepath.Base(path))
		return err
	})
}

func TestConfigValues(t *testing.T) {
	cfg, err := loadConfig(t, "empty.good.yaml")
	require.NoError(t, err)
	require.NotContains(t, cfg.MetricGroups, "disk", "cheap by default")
	require.NotContains(t, cfg.MetricGroups, "process", "cheap by default")
	require.False(t, cfg.Scrape.HasValue())

	cfg, err = loadConfig(t, "local.good.yaml")
	require.NoError(t, err)
	require.Equal(t, []string{"cpu", "memory", "network", "diskIO", "disk", "process"}, cfg.MetricGroups, "a list takes the default's place")
	require.Equal(t, []string{"unix:///run/containerd/containerd.sock"}, cfg.RuntimeEndpoints)
	require.Equal(t, []string{"/"}, cfg.RawCgroups)

	cfg, err = loadConfig(t, "none.good.yaml")
	require.NoError(t, err)
	require.Empty(t, cfg.RawCgroups)
	require.Empty(t, cfg.RuntimeEndpoints)

	cfg, err = loadConfig(t, "api.good.yaml")
	require.NoError(t, err)
	require.Equal(t, apiV21, cfg.Scrape.Get().API)
	require.Equal(t, 3*time.Second, cfg.Scrape.Get().ClientConfig.Timeout)
	require.EqualValues(t, 64<<20, cfg.Scrape.Get().MaxAnswerSize)
}

func TestConfigStruct(t *testing.T) {
	require.NoError(t, componenttest.CheckConfigStruct(createDefaultConfig()))
}
