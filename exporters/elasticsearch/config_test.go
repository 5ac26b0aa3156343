package elasticsearch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configcompression"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

// load reads a configuration over the defaults, as the service does.
func load(t *testing.T, path string) (*Config, error) {
	t.Helper()
	conf, err := confmaptest.LoadConf(path)
	require.NoError(t, err)
	cfg := createDefaultConfig()
	if err := conf.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestGoodConfigs(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.good.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, err := load(t, path)
			assert.NoError(t, err)
		})
	}
}

// TestBadConfigs holds every *.bad.yaml to the errors in its first comment.
func TestBadConfigs(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.bad.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			_, err = load(t, path)
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "hunter2")
			for line := range strings.Lines(string(text)) {
				if want, ok := strings.CutPrefix(line, "# "); ok {
					assert.Contains(t, err.Error(), strings.TrimSpace(want))
				}
			}
		})
	}
}

func TestEveryProblemIsReported(t *testing.T) {
	_, err := load(t, "testdata/endpoints.bad.yaml")
	require.Error(t, err)
	assert.Len(t, strings.Split(err.Error(), "\n"), 7)
}

func TestDefaults(t *testing.T) {
	require.NoError(t, componenttest.CheckConfigStruct(createDefaultConfig()))
	cfg, err := load(t, "testdata/minimal.good.yaml")
	require.NoError(t, err)
	assert.Equal(t, 90*time.Second, cfg.ClientConfig.Timeout)
	assert.Equal(t, configcompression.TypeGzip, cfg.ClientConfig.Compression)
	assert.Equal(t, 1, int(cfg.ClientConfig.CompressionParams.Level))
	assert.Equal(t, modeOTel, cfg.Mapping.Mode)
	assert.Equal(t, []int{429, 500, 502, 503, 504}, cfg.Retry.RetryOnStatus)
	assert.Zero(t, cfg.Retry.BackOffConfig.MaxElapsedTime, "never give up")
	queue := cfg.QueueConfig.Get()
	assert.True(t, queue.BlockOnOverflow, "wait instead of losing")
	assert.Equal(t, int64(32<<20), queue.QueueSize)
	assert.Equal(t, int64(5_000_000), queue.Batch.Get().MaxSize)
	assert.Equal(t, 10, queue.NumConsumers)
}

func TestFull(t *testing.T) {
	cfg, err := load(t, "testdata/full.good.yaml")
	require.NoError(t, err)
	assert.Equal(t, []string{"https://es-1:9200", "https://es-2:9200/prefix"}, cfg.urls())
	assert.Equal(t, []int{403, 429}, cfg.Retry.RetryOnStatus)
	assert.Equal(t, 10*time.Minute, cfg.Retry.BackOffConfig.MaxElapsedTime)
	assert.Equal(t, "[REDACTED]", cfg.APIKey.String())
	assert.Equal(t, "pipeline=geoip", strings.Split(bulkQuery(cfg), "&")[1])
}
