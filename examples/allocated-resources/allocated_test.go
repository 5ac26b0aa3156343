// Package allocated holds the tests of this example.
package allocated

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/obsd-io/obsd/internal/e2e/backend"
	"github.com/obsd-io/obsd/internal/e2e/daemon"
	"github.com/obsd-io/obsd/internal/kubetest"
	"github.com/obsd-io/obsd/internal/porttest"
)

func list(cpu, memory string) v1.ResourceList {
	return v1.ResourceList{v1.ResourceCPU: resource.MustParse(cpu), v1.ResourceMemory: resource.MustParse(memory)}
}

func pod(name, node string, phase v1.PodPhase, init, main v1.ResourceRequirements) *v1.Pod {
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec: v1.PodSpec{
			NodeName: node, InitContainers: []v1.Container{{Name: "init", Resources: init}}, Containers: []v1.Container{{Name: "main", Resources: main}},
		},
		Status: v1.PodStatus{Phase: phase},
	}
}

// cluster is a node of 4 CPUs and 8 GiB with four pods, of which one has ended, an empty node, and a pod that waits for one.
func cluster(t *testing.T) *kubetest.API {
	t.Helper()
	api := kubetest.NewAPI(t)
	allocatable := list("4", "8Gi")
	allocatable[v1.ResourcePods] = resource.MustParse("110")
	for _, name := range []string{"node1", "node2"} {
		api.Set(&v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: v1.NodeStatus{Allocatable: allocatable}})
	}
	none := v1.ResourceRequirements{}
	web := v1.ResourceRequirements{Requests: list("250m", "1Gi"), Limits: list("1", "6Gi")}
	api.Set(
		pod("cart", "node1", v1.PodRunning, none, web),
		pod("till", "node1", v1.PodRunning, v1.ResourceRequirements{Requests: list("1750m", "64Mi")}, web),
		pod("logs", "node1", v1.PodPending, none, none),
		pod("done", "node1", v1.PodSucceeded, none, web),
		pod("big", "", v1.PodPending, none, v1.ResourceRequirements{Requests: list("64", "1Gi")}),
	)
	return api
}

// TestExample runs: KUBE_AUTH=kubeConfig obsd --config obsd.yaml; and has a Prometheus scrape it, with the rules.
func TestExample(t *testing.T) {
	backend.Need(t)
	prom := backend.StartPrometheus(t, backend.PrometheusOptions{Rules: "rules.yaml"})
	api := cluster(t)
	scrape, err := porttest.Reserve()
	require.NoError(t, err)
	daemon.StartFor(t, "obsd.yaml",
		"KUBE_AUTH=kubeConfig", "KUBECONFIG="+api.Kubeconfig(), "INTERVAL=1s", "SCRAPE="+scrape)
	require.NoError(t, prom.AddTarget(scrape, nil))
	for name, want := range map[string][2]float64{ // of node1 and node2
		"node:k8s_cpu_request:sum":          {2, 0},
		"node:k8s_cpu_limit:sum":            {2, 0},
		"node:k8s_memory_request_bytes:sum": {2 << 30, 0},
		"node:k8s_memory_limit_bytes:sum":   {12 << 30, 0},
		"node:k8s_pods:count":               {3, 0},
	} {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			samples, err := prom.Query(t.Context(), name)
			require.NoError(c, err)
			got := [2]float64{-1, -1}
			for _, s := range samples {
				got[map[string]int{"node1": 0, "node2": 1}[s.Metric["k8s_node_name"]]] = s.Value
			}
			require.Equal(c, want, got, name)
		}, 2*time.Minute, 100*time.Millisecond)
	}
}

func TestRules(t *testing.T) { backend.CheckRules(t) }
