package kubelet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"k8s.io/kubelet/pkg/apis/stats/v1alpha1"
)

// busyNode is the summary of 110 pods of two containers each: those captured, again and again.
func busyNode(b *testing.B) []byte {
	b.Helper()
	var s v1alpha1.Summary
	require.NoError(b, json.Unmarshal(captured(b, "summary.json"), &s))
	pods := s.Pods
	s.Pods = nil
	for i := range 110 {
		p := pods[i%len(pods)]
		p.PodRef.UID = fmt.Sprintf("uid-%d", i)
		p.PodRef.Name = fmt.Sprintf("pod-%d", i)
		c := p.Containers[0]
		c.Name = "second"
		p.Containers = append(p.Containers[:1:1], c)
		s.Pods = append(s.Pods, p)
	}
	text, err := json.MarshalIndent(s, "", " ")
	require.NoError(b, err)
	return text
}

// BenchmarkSummary is the whole of a scrape but the request.
func BenchmarkSummary(b *testing.B) {
	text := busyNode(b)
	b.Run("decode", func(b *testing.B) {
		s := &summary{names: newNames()}
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			require.NoError(b, s.decode(text))
		}
	})
	b.Run("decode and write", func(b *testing.B) {
		cfg := createDefaultConfig().(*Config).lists()
		s, w := &summary{names: newNames(), noPSI: true}, newWriter(cfg, newCatalog(nil), "")
		points := 0
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			require.NoError(b, s.decode(text))
			_, points = w.write(s, nil, "n", time.Now())
		}
		b.ReportMetric(float64(points), "points/op")
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			var s v1alpha1.Summary
			require.NoError(b, json.Unmarshal(text, &s))
		}
	})
}

// BenchmarkExposition is the same for /metrics/cadvisor.
func BenchmarkExposition(b *testing.B) {
	text := append(bytes.Clone(captured(b, "cadvisor.txt")), '\n')
	text = text[:len(text)-1]
	for name, cfg := range map[string]*PrometheusConfig{
		"all": {}, "cpu only": {IncludeMetrics: []string{"container_cpu_*"}},
	} {
		b.Run(name, func(b *testing.B) {
			x := newExposition(cfg, newNames(), "")
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				_, _, _, err := x.read(text, "n", pcommon.NewTimestampFromTime(time.Now()))
				require.NoError(b, err)
			}
		})
	}
}
