package prometheus

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"

	"github.com/obsd-io/obsd/internal/configtest"
)

func load(t *testing.T, path string) (*Config, error) {
	t.Helper()
	return configtest.Load[*Config](t, createDefaultConfig(), path)
}

func TestConfigFiles(t *testing.T) {
	configtest.Files(t, filepath.Join("testdata", "config"), func(t *testing.T, path string) error {
		_, err := load(t, path)
		return err
	})
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
