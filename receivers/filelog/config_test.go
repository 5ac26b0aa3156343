package filelog

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/obsd-io/obsd/internal/configtest"
	"github.com/obsd-io/obsd/internal/resume"
)

func TestFactory(t *testing.T) {
	f := NewFactory()
	assert.Equal(t, component.MustNewType("file_log"), f.Type())
	cfg := f.CreateDefaultConfig()
	require.NoError(t, componenttest.CheckConfigStruct(cfg))
	_, err := f.CreateLogs(t.Context(), receivertest.NewNopSettings(f.Type()), cfg, consumertest.NewNop())
	require.NoError(t, err)
}

func TestGoodConfig(t *testing.T) {
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "all.good.yaml"))
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, conf.Unmarshal(cfg))
	require.NoError(t, cfg.Validate())
	id := component.MustNewID("file_storage")
	assert.Equal(t, &Config{
		Include: []string{"/var/log/pods/*/*/*.log"}, Exclude: []string{"/var/log/pods/kube-system_*/**"},
		ExcludeOlderThan: 24 * time.Hour, StartAt: startAtBeginning, StorageID: &id, PollInterval: time.Second,
		MaxLogSize: 2 << 20, MaxLogSizeBehavior: behaviorTruncate, Format: formatCRI, IncludeFilePath: true,
		ForceFlushPeriod: time.Second, MaxConcurrentFiles: 64, Readers: 3, RotateWait: 10 * time.Second,
		MaxBatchSize: 128 << 10, MaxDeletedSize: 1e8,
		RetryOnFailure: resume.RetryConfig{Enabled: true, InitialInterval: 2 * time.Second, MaxInterval: time.Minute, MaxElapsedTime: time.Hour},
	}, cfg)
}

func TestConfigFiles(t *testing.T) {
	configtest.Files(t, "testdata", func(t *testing.T, path string) error {
		_, err := configtest.Load[*Config](t, createDefaultConfig(), path)
		return err
	})
}

func TestByteSize(t *testing.T) {
	for text, want := range map[string]ByteSize{
		"0": 0, "4096": 4096, "512KiB": 512 << 10, "1MiB": 1 << 20, "2 GiB": 2 << 30, "1.5MiB": 3 << 19, "100KB": 100_000, "1mb": 1_000_000, "7b": 7, "1gb": 1e9,
	} {
		t.Run(text, func(t *testing.T) {
			var s ByteSize
			require.NoError(t, s.UnmarshalText([]byte(text)))
			assert.Equal(t, want, s)
		})
	}
	for _, text := range []string{"", "MiB", "1TiB", "-1", "one", "1e300", "NaN"} {
		t.Run("refuses "+text, func(t *testing.T) {
			var s ByteSize
			require.EqualError(t, s.UnmarshalText([]byte(text)), `"`+text+`" is not a size: write a number of bytes, or a number with KiB, MiB or GiB`)
		})
	}
}
