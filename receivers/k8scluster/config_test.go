package k8scluster

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"

	"github.com/obsd-io/obsd/internal/configtest"
)

func loadConfig(t *testing.T, path string) (*Config, error) {
	t.Helper()
	return configtest.Load[*Config](t, createDefaultConfig(), path)
}

func TestConfigFiles(t *testing.T) {
	configtest.Files(t, filepath.Join("testdata", "config"), func(t *testing.T, path string) error {
		_, err := loadConfig(t, path)
		return err
	})
}

func TestConfigValues(t *testing.T) {
	cfg, err := loadConfig(t, filepath.Join("testdata", "config", "empty.good.yaml"))
	require.NoError(t, err)
	require.Equal(t, 10*time.Second, cfg.CollectionInterval)
	require.Len(t, cfg.wanted(), len(resources()))

	cfg, err = loadConfig(t, filepath.Join("testdata", "config", "contrib.good.yaml"))
	require.NoError(t, err)
	require.Equal(t, "kubeConfig", cfg.API.AuthType)
	require.Equal(t, []string{"MemoryPressure"}, cfg.NodeConditionsToReport)
	require.Empty(t, cfg.PodConditionsToReport)
	require.Equal(t, "k8s_leader_elector/one", cfg.K8sLeaderElector.String())
	c := newCatalog(cfg)
	require.False(t, c.on[containerCPULimit])
	require.True(t, c.on[nodeCondition])
	require.True(t, c.on[containerCPURequest])
	require.False(t, c.attributes[attrContainerID])

	cfg, err = loadConfig(t, filepath.Join("testdata", "config", "namespaces.good.yaml"))
	require.NoError(t, err)
	require.Len(t, cfg.wanted(), 2)
}

func TestConfigStruct(t *testing.T) {
	require.NoError(t, componenttest.CheckConfigStruct(createDefaultConfig()))
}
