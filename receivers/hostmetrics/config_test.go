package hostmetrics

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.uber.org/zap"
)

func loadConfig(t *testing.T, file string) (*Config, error) {
	t.Helper()
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "config", file))
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
			_, err := loadConfig(t, filepath.Base(file))
			if strings.HasSuffix(file, ".good.yaml") {
				require.NoError(t, err)
				return
			}
			text, readErr := os.ReadFile(file)
			require.NoError(t, readErr)
			first, _, _ := strings.Cut(string(text), "\n")
			require.EqualError(t, err, strings.ReplaceAll(strings.TrimPrefix(first, "# "), " | ", "\n"))
		})
	}
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
