package elasticsearch

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configcompression"

	"github.com/obsd-io/obsd/internal/configtest"
)

func load(t *testing.T, path string) (*Config, error) {
	t.Helper()
	return configtest.Load[*Config](t, createDefaultConfig(), path)
}

func TestConfigFiles(t *testing.T) {
	configtest.Files(t, "testdata", func(t *testing.T, path string) error {
		_, err := load(t, path)
		return err
	})
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
