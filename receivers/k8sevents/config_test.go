package k8sevents

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/obsd-io/obsd/internal/configtest"
	"github.com/obsd-io/obsd/internal/resume"
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
	want := createDefaultConfig().(*Config)
	want.API.AuthType, want.API.KubeConfig, want.API.Context = "kubeConfig", "/etc/kubeconfig", "prod"
	want.Namespaces, want.StartAt = []string{"shop", "bank"}, startAtBeginning
	want.LeaderElector, want.CheckpointLease = &electorID, "monitoring/obsd-events"
	want.RetryOnFailure = resume.RetryConfig{Enabled: true, InitialInterval: 2 * time.Second, MaxInterval: time.Minute, MaxElapsedTime: time.Hour}
	require.Equal(t, want, cfg)
	require.Equal(t, []string{""}, createDefaultConfig().(*Config).scopes())
}

func TestFactory(t *testing.T) {
	f := NewFactory()
	cfg := f.CreateDefaultConfig()
	require.NoError(t, componenttest.CheckConfigStruct(cfg))
	_, err := f.CreateLogs(t.Context(), receivertest.NewNopSettings(f.Type()), cfg, consumertest.NewNop())
	require.NoError(t, err)
}
