package kubelet

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/obsd-io/obsd/internal/golden"
)

func expose(t testing.TB, text string, cfg *PrometheusConfig) (md pmetric.Metrics, bad int) {
	t.Helper()
	md, points, bad, err := newExposition(cfg, newNames(), "test").read([]byte(text), "node1", pcommon.NewTimestampFromTime(testTime))
	require.NoError(t, err)
	require.Equal(t, md.DataPointCount(), points)
	return md, bad
}

func TestGoldenExposition(t *testing.T) {
	for _, name := range []string{"resource", "probes"} {
		md, bad := expose(t, string(captured(t, name+".txt")), &PrometheusConfig{})
		require.Zero(t, bad)
		golden.Require(t, name+".want", render(md))
	}
	md, bad := expose(t, string(captured(t, "cadvisor.txt")), &PrometheusConfig{
		IncludeMetrics: []string{"container_cpu_*", "container_memory_failures_total", "container_network_receive_bytes_total", "machine_*"},
		ExcludeMetrics: []string{"*_burst_*"},
		ExcludeLabels:  []string{"id", "name"},
		ExcludeSeries:  []LabelMatch{{Label: "pod"}, {Label: "failure_type", Value: "pgmaj*"}},
	})
	require.Zero(t, bad)
	golden.Require(t, "cadvisor.want", render(md))
}

// TestEverySample counts the lines of the largest answer.
func TestEverySample(t *testing.T) {
	text := string(captured(t, "cadvisor.txt"))
	samples := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			samples++
		}
	}
	md, bad := expose(t, text, &PrometheusConfig{})
	require.Zero(t, bad)
	require.Equal(t, samples, md.DataPointCount())
}

func TestExpositionSamples(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		md, bad := expose(t, text, &PrometheusConfig{})
		require.Zero(t, bad)
		require.Equal(t, "{k8s.node.name=node1, service.instance.id=node1, service.name=kubelet}\n"+want, render(md))
	}
	f("a 1\n", "  a {} 1f gauge\n")
	f("a{} 1", "  a {} 1f gauge\n")
	f("# TYPE a counter\na{x=\"1\", y=\"\",z=\"2\",} 1 1000\n", "  a {x=1, z=2} 1f counter\n")
	f(`a{x="q\"b\\s\nl"} NaN`+"\n", "  a {x=q\"b\\s l} NaNf gauge\n")
	f("# TYPE h histogram\nh_bucket{le=\"+Inf\",p=\"x\"} 5\nh_bucket{le=\"1\",p=\"x\"} 3\nh_bucket{le=\"0.5\",p=\"x\"} 1\nh_sum{p=\"x\"} 4\nh_count{p=\"x\"} 5\n",
		"  h {p=x} count=5 sum=4 bounds=[0.5 1] counts=[1 2 2] histogram\n")
	f("# TYPE s summary\ns{quantile=\"0.5\"} 2\ns{quantile=\"0.9\"} 3\ns_sum 4\ns_count 2\n", "  s {} count=2 sum=4 0.5=2 0.9=3 summary\n")
	f("# TYPE g gauge\ng_count 5\n", "  g_count {} 5f gauge\n")
}

func TestExpositionTimes(t *testing.T) {
	md, _ := expose(t, "a 1 1795443624400\nb 2\n", &PrometheusConfig{})
	v, ok := value(t, md, "a")
	require.True(t, ok)
	require.EqualValues(t, 1795443624400_000_000, v.Timestamp())
	v, ok = value(t, md, "b")
	require.True(t, ok)
	require.Equal(t, pcommon.NewTimestampFromTime(testTime), v.Timestamp())
}

func TestBadSamples(t *testing.T) {
	f := func(text string, want int) {
		t.Helper()
		_, bad := expose(t, text, &PrometheusConfig{})
		require.Equal(t, want, bad, text)
	}
	f("{\"odd name\",a=\"b\"} 1\nx 1\n", 1)
	f("x{\"odd.label\"=\"b\"} 1\n", 1)
	f("# TYPE h histogram\nh_bucket{le=\"x\"} 1\nh_count 1\n", 1)
	f("# TYPE h histogram\nh_bucket{le=\"1\"} 5\nh_bucket{le=\"2\"} 3\nh_bucket{le=\"+Inf\"} 5\n", 4)
	f("# TYPE h histogram\nh 5\n", 2)
	_, _, _, err := newExposition(&PrometheusConfig{}, newNames(), "").read([]byte("a{x=\"1\" 2\n"), "n", 0)
	require.ErrorContains(t, err, "not in Prometheus's text format: ")
}

func FuzzExposition(f *testing.F) {
	f.Add(captured(f, "cadvisor.txt")[:4096])
	f.Add(captured(f, "resource.txt"))
	f.Add([]byte("# TYPE h histogram\nh_bucket{le=\"1\",a=\"\\\"\"} 5\nh_sum 1\n{\"a b\",c=\"d\"} 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		md, points, _, err := newExposition(&PrometheusConfig{ExcludeLabels: []string{"a"}}, newNames(), "").read(b, "n", 1)
		if err == nil && md.DataPointCount() != points {
			t.Fatalf("%d points, but %d are counted", md.DataPointCount(), points)
		}
	})
}
