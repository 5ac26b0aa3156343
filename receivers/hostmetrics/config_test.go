package hostmetrics

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.uber.org/zap"

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

// scraperNames lists what a configuration runs.
func scraperNames(c *Config) (out []string) {
	for _, s := range c.scrapers("", zap.NewNop()) {
		out = append(out, s.name)
	}
	return out
}

func TestConfigValues(t *testing.T) {
	all := []string{"cpu", "memory", "load", "disk", "filesystem", "network"}
	for _, file := range []string{"empty.good.yaml", "none.good.yaml"} {
		cfg, err := loadConfig(t, file)
		require.NoError(t, err)
		require.Equal(t, all, scraperNames(cfg), file)
		require.Equal(t, time.Minute, cfg.Controller.CollectionInterval)
		require.True(t, cfg.ResourceAttributes.HostName.Enabled)
	}
	cfg, err := loadConfig(t, "one.good.yaml")
	require.NoError(t, err)
	require.Equal(t, []string{"cpu"}, scraperNames(cfg))
	require.False(t, cfg.ResourceAttributes.HostName.Enabled)
	require.True(t, cfg.ResourceAttributes.OSType.Enabled)

	cfg, err = loadConfig(t, "contrib.good.yaml")
	require.NoError(t, err)
	require.Equal(t, all, scraperNames(cfg))
	require.True(t, cfg.Scrapers.Load.Get().CPUAverage)
	require.Equal(t, []string{"nvme.*", "sda"}, cfg.Scrapers.Disk.Get().Include.Devices)
}

func TestConfigStruct(t *testing.T) {
	require.NoError(t, componenttest.CheckConfigStruct(createDefaultConfig()))
}
