package influxdb

import (
	"testing"
	"time"

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
		c, err := load(t, path)
		if err != nil {
			return err
		}
		_, err = NewFactory().CreateMetrics(t.Context(), testSettings(), c)
		require.NoError(t, err)
		_, err = NewFactory().CreateLogs(t.Context(), testSettings(), c)
		return err
	})
}

func TestDefaultConfig(t *testing.T) {
	c := NewFactory().CreateDefaultConfig().(*Config)
	require.NoError(t, componenttest.CheckConfigStruct(c))
	require.Equal(t, 5*time.Second, c.ClientConfig.Timeout)
	require.Equal(t, configcompression.TypeGzip, c.ClientConfig.Compression)
	require.Equal(t, 10_000, c.PayloadMaxLines)
	require.Equal(t, 10_000_000, c.PayloadMaxBytes)
	require.True(t, c.QueueConfig.HasValue())
	require.True(t, c.RetryConfig.Enabled)
}

func TestKeysOfConfig(t *testing.T) {
	c, err := load(t, "testdata/full.good.yaml")
	require.NoError(t, err)
	require.Equal(t, "https://influxdb:8086/api/v2/write", c.ClientConfig.Endpoint)
	require.Equal(t, 10*time.Second, c.ClientConfig.Timeout)
	require.Equal(t, ResourceTags{Include: []string{"k8s.*", "service.name"}, Exclude: []string{"k8s.*.uid"}}, c.ResourceTags)
	require.Equal(t, []string{"service.name", "severity_text"}, c.LogRecordDimensions)
	require.Equal(t, 2, c.QueueConfig.Get().NumConsumers)
	require.Equal(t, "[REDACTED]", c.Token.String())
}

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"a", "a", true},
		{"a", "ab", false},
		{"", "", true},
		{"*", "", true},
		{"*", "anything", true},
		{"k8s.*", "k8s.pod.label.app.kubernetes.io/name", true},
		{"k8s.*", "k8s", false},
		{"k8s.*.uid", "k8s.pod.uid", true},
		{"k8s.*.uid", "k8s.uid", false},
		{"k8s.*.uid", "k8s.pod.uid.x", false},
		{"*.name", "host.name", true},
		{"a*b*c", "a-b-b-c", true},
		{"a*b*c", "a-c", false},
		{"a**b", "ab", true},
		{"ab*b", "ab", false},
	} {
		t.Run(tt.pattern+" "+tt.s, func(t *testing.T) {
			require.Equal(t, tt.want, matches(tt.pattern, tt.s))
		})
	}
}
