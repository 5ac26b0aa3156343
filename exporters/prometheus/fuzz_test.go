package prometheus

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/otlptranslator"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// FuzzExposition feeds any metrics that OTLP can carry and reads the outcome
// with Prometheus's parsers, in each format and with each kind of names.
func FuzzExposition(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "golden", "*.json"))
	require.NoError(f, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(text)
		require.NoError(f, err)
		bin, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
		require.NoError(f, err)
		f.Add(bin, "name", "key", "value")
	}
	f.Add([]byte{}, "a.b\n\"", "le", "x\xff\n\"\\")
	f.Fuzz(func(t *testing.T, bin []byte, name, key, value string) {
		if len(bin)+len(name)+len(key)+len(value) > 64<<10 {
			t.Skip("larger than the fuzzer needs")
		}
		md, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(bin)
		if err != nil {
			md = pmetric.NewMetrics()
		}
		for _, strategy := range strategies() {
			r := newRig(t, func(c *Config) {
				c.TranslationStrategy = strategy
				c.ResourceToTelemetry.Enabled = strategy != otlptranslator.NoTranslation
			})
			r.push(t, newBuild(key, value, "service.name", name).gauge(name, 1, 1, key, value, name, key).histogram(delta, []float64{1}, []uint64{1, 2}, 1, 0, 1).md)
			r.push(t, md)
			r.push(t, md)
			for _, accept := range []string{acceptText, acceptOpenMetrics, acceptUTF8, acceptProto} {
				body, contentType := r.scrape(t, accept)
				if body != "" {
					parse(t, body, contentType)
				}
			}
		}
	})
}
