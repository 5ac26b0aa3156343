// Package node holds the tests of this example.
package node

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/e2e/backend"
	"github.com/obsd-io/obsd/internal/e2e/daemon"
	"github.com/obsd-io/obsd/internal/kubetest"
	"github.com/obsd-io/obsd/internal/porttest"
)

// TestExample runs: KUBELET_AUTH=none KUBELET_METADATA=kubelet obsd --config obsd.yaml; and has a Prometheus scrape it.
func TestExample(t *testing.T) {
	backend.Need(t)
	prom := backend.StartPrometheus(t, backend.PrometheusOptions{})
	kubelet := httptest.NewServer(kubetest.Kubelet())
	defer kubelet.Close()
	scrape, err := porttest.Reserve()
	require.NoError(t, err)

	daemon.StartFor(t, "obsd.yaml",
		"KUBELET_AUTH=none", "KUBELET_METADATA=kubelet", "KUBELET_ENDPOINT="+kubelet.URL, "INTERVAL=1s", "SCRAPE="+scrape)
	require.NoError(t, prom.AddTarget(scrape, nil))
	for query, want := range map[string]float64{
		`k8s_node_memory_working_set_bytes{k8s_node_name="node1"}`:                  393441280,
		`k8s_pod_cpu_request{k8s_pod_name="logger",k8s_node_name="node1"}`:          0.05,
		`k8s_node_memory_limit_bytes`:                                               32 << 20,
		`k8s_namespace_memory_request_bytes{k8s_namespace_name="default"}`:          16 << 20,
		`container_memory_working_set_bytes{k8s_container_name="partial"}`:          544768,
		`round(k8s_pod_cpu_usage{k8s_pod_name="web"} / 0.25)`:                       1,
		`sum by (k8s_namespace_name) (k8s_pod_memory_working_set_bytes) > bool 1e6`: 1,
	} {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			samples, err := prom.Query(t.Context(), query)
			require.NoError(c, err)
			require.Len(c, samples, 1, query)
			require.InDelta(c, want, samples[0].Value, 1e-9, query)
		}, 2*time.Minute, 100*time.Millisecond)
	}
}

func TestRules(t *testing.T) { backend.CheckRules(t) }
