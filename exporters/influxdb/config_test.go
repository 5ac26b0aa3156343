package influxdb

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configcompression"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

// load reads a file as the exporter's section of a config.
func load(t *testing.T, file string) (*Config, error) {
	t.Helper()
	conf, err := confmaptest.LoadConf(file)
	require.NoError(t, err)
	c := createDefaultConfig().(*Config)
	if err := conf.Unmarshal(c); err != nil {
		return nil, err
	}
	return c, confmap.Validate(c)
}

func TestGoodConfigs(t *testing.T) {
	files, err := filepath.Glob("testdata/*.good.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, err := load(t, file)
			require.NoError(t, err)
			_, err = NewFactory().CreateMetrics(t.Context(), testSettings(), c)
			require.NoError(t, err)
			_, err = NewFactory().CreateLogs(t.Context(), testSettings(), c)
			require.NoError(t, err)
		})
	}
}

// TestBadConfigs expects the error that the first line of each file tells, its
// lines joined by "; ".
func TestBadConfigs(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			want, _, _ := strings.Cut(strings.TrimPrefix(string(text), "# "), "\n")
			_, err = load(t, file)
			require.Error(t, err)
			require.Equal(t, want, strings.ReplaceAll(err.Error(), "\n", "; "))
		})
	}
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
