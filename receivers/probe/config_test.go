package probe

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/obsd-io/obsd/internal/configtest"
)

func TestConfigFiles(t *testing.T) {
	configtest.Files(t, filepath.Join("testdata", "config"), func(t *testing.T, path string) error {
		_, err := configtest.Load[*Config](t, createDefaultConfig(), path)
		return err
	})
}

func TestConfigValues(t *testing.T) {
	cfg, err := configtest.Load[*Config](t, createDefaultConfig(), filepath.Join("testdata", "config", "all.good.yaml"))
	require.NoError(t, err)
	require.Equal(t, time.Minute, cfg.Controller.CollectionInterval)
	require.Equal(t, []string{"200-299", "401"}, cfg.HTTP[0].Status)
	require.Equal(t, "/etc/ca.crt", cfg.HTTP[0].TLS.CAFile)
	require.True(t, cfg.TCP[1].TLS.HasValue(), "an empty section is a section")
	require.False(t, cfg.TCP[0].TLS.HasValue())
	require.Equal(t, "10.96.0.10:53", cfg.DNS[0].server(cfg.DNS[0].Endpoints[0]))
	require.Equal(t, "[2001:db8::1]:853", cfg.DNS[1].server(cfg.DNS[1].Endpoints[0]))
	require.Equal(t, "serviceAccount", cfg.Kubernetes.Get().API.AuthType)
	require.Equal(t, []string{"services"}, cfg.Kubernetes.Get().discovers())

	require.False(t, createDefaultConfig().(*Config).Kubernetes.HasValue())
}

func TestFactory(t *testing.T) {
	f := NewFactory()
	cfg := f.CreateDefaultConfig()
	require.NoError(t, componenttest.CheckConfigStruct(cfg))
	_, err := f.CreateMetrics(t.Context(), receivertest.NewNopSettings(f.Type()), cfg, consumertest.NewNop())
	require.NoError(t, err)
}
