package model

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"

	"github.com/obsd-io/obsd/internal/configtest"
)

func TestConfigFiles(t *testing.T) {
	configtest.Files(t, "testdata", func(t *testing.T, path string) error {
		_, err := configtest.Load[*Config](t, createDefaultConfig(), path)
		return err
	})
}

func TestConfigStruct(t *testing.T) {
	require.NoError(t, componenttest.CheckConfigStruct(createDefaultConfig()))
	require.NoError(t, createDefaultConfig().(*Config).Validate())
}

func TestUnknownWindowMetric(t *testing.T) {
	c := createDefaultConfig().(*Config)
	c.WindowMetrics = []string{"cpu/usage_rate", "cpu"}
	require.ErrorContains(t, c.Validate(), `window_metrics[1]: "cpu" is no metric of Heapster's: use one of cpu/limit, cpu/node_allocatable, `)
}
