package kubelet

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
	require.Equal(t, 10*time.Second, cfg.Controller.CollectionInterval)
	require.Equal(t, time.Second, cfg.Controller.InitialDelay)
	require.Equal(t, 10*time.Second, cfg.Controller.Timeout)
	require.Equal(t, []string{"summary"}, cfg.lists().Endpoints)
	require.Equal(t, []string{"container", "pod", "node"}, cfg.lists().MetricGroups)
	require.Equal(t, sourceNone, cfg.needsPods(newCatalog(nil)))
	require.False(t, cfg.lists().light(newCatalog(nil)))

	cfg, err = loadConfig(t, "contrib.good.yaml")
	require.NoError(t, err)
	require.Equal(t, []string{"node", "volume"}, cfg.lists().MetricGroups)
	require.Equal(t, sourceKubelet, cfg.needsPods(newCatalog(cfg.Metrics)))
	require.True(t, newCatalog(cfg.Metrics)[nodeEntity][uptime].on)
	require.False(t, newCatalog(cfg.Metrics)[nodeEntity][memoryRSS].on)
}

func TestConfigStruct(t *testing.T) {
	require.NoError(t, componenttest.CheckConfigStruct(createDefaultConfig()))
}

func TestEndpoints(t *testing.T) {
	f := func(endpoint, auth, want string) {
		t.Helper()
		u, err := parseEndpoint(endpoint, auth)
		if want == "" {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		require.Equal(t, want, u.String())
	}
	f("node1", authServiceAccount, "https://node1:10250")
	f("node1", authNone, "http://node1:10255")
	f("node1:1", authTLS, "https://node1:1")
	f("http://node1", authNone, "http://node1:10255")
	f("https://[::1]:10250/", authTLS, "https://[::1]:10250")
	f("10.0.0.1", authServiceAccount, "https://10.0.0.1:10250")
	f("https://node1/stats", authServiceAccount, "")
	f("ftp://node1", authServiceAccount, "")
	f("://", authServiceAccount, "")
}
