package k8sleaderelector

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"

	"github.com/obsd-io/obsd/internal/configtest"
)

func TestConfigFiles(t *testing.T) {
	configtest.Files(t, filepath.Join("testdata", "config"), func(t *testing.T, path string) error {
		_, err := configtest.Load[*Config](t, createDefaultConfig(), path)
		return err
	})
}

func TestConfigValues(t *testing.T) {
	c, err := configtest.Load[*Config](t, createDefaultConfig(), filepath.Join("testdata", "config", "contrib.good.yaml"))
	require.NoError(t, err)
	require.Equal(t, "kubeConfig", c.API.AuthType)
	require.Equal(t, []time.Duration{20 * time.Second, 12 * time.Second, 3 * time.Second}, []time.Duration{c.LeaseDuration, c.RenewDeadline, c.RetryPeriod})
}

func TestConfigStruct(t *testing.T) {
	require.NoError(t, componenttest.CheckConfigStruct(createDefaultConfig()))
}
