// Package monitor holds the tests of this example.
package monitor

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/config"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/obsd-io/obsd/internal/e2e/backend"
	"github.com/obsd-io/obsd/internal/e2e/daemon"
	"github.com/obsd-io/obsd/internal/kubetest"
	"github.com/obsd-io/obsd/internal/porttest"
)

// deployment is one of two replicas.
func deployment(available int32) *appsv1.Deployment {
	two := int32(2)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart"},
		Spec:       appsv1.DeploymentSpec{Replicas: &two}, Status: appsv1.DeploymentStatus{Replicas: 2, AvailableReplicas: available, ReadyReplicas: available},
	}
}

// pod is one at the address of a server, which it wants to be checked.
func pod(t *testing.T, address string, restarts int32) *v1.Pod {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	port, err := strconv.Atoi(u.Port())
	require.NoError(t, err)
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart-0", Annotations: map[string]string{"obsd.io/probe": "true", "obsd.io/probe-path": "/healthz"}},
		Spec:       v1.PodSpec{NodeName: "node1", Containers: []v1.Container{{Name: "main", Ports: []v1.ContainerPort{{ContainerPort: int32(port)}}}}},
		Status: v1.PodStatus{
			Phase: v1.PodRunning, PodIP: u.Hostname(), PodIPs: []v1.PodIP{{IP: u.Hostname()}},
			Conditions: []v1.PodCondition{{Type: v1.PodReady, Status: v1.ConditionTrue}},
			ContainerStatuses: []v1.ContainerStatus{{
				Name: "main", Ready: true, RestartCount: restarts, ContainerID: "containerd://abc", State: v1.ContainerState{Running: &v1.ContainerStateRunning{}},
			}},
		},
	}
}

// TestExample runs: KUBE_AUTH=kubeConfig obsd --config obsd.yaml; has a Prometheus scrape it, lets a container restart, and sees the
// alert, the replica that is missing, the check, and the event.
func TestExample(t *testing.T) {
	backend.Need(t)
	prom := backend.StartPrometheus(t, backend.PrometheusOptions{Rules: "rules.yaml"})
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(target.Close)
	api := kubetest.NewAPI(t)
	api.Set(deployment(2), pod(t, target.URL, 0))
	scrape, err := porttest.Reserve()
	require.NoError(t, err)
	events := filepath.Join(t.TempDir(), "events.json")
	daemon.StartFor(t, "obsd.yaml",
		"KUBE_AUTH=kubeConfig", "KUBECONFIG="+api.Kubeconfig(), "INTERVAL=1s", "SCRAPE="+scrape, "EVENTS="+events)
	require.NoError(t, prom.AddTarget(scrape, nil))
	answers := func(queries ...string) {
		t.Helper()
		for _, query := range queries {
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				samples, err := prom.Query(t.Context(), query)
				require.NoError(c, err)
				require.NotEmpty(c, samples, query)
			}, 2*time.Minute, 100*time.Millisecond)
		}
	}
	answers(
		`k8s_deployment_available{k8s_namespace_name="shop", k8s_deployment_name="cart"} == 2`,
		`k8s_container_restarts{k8s_namespace_name="shop", k8s_pod_name="cart-0", k8s_container_name="main"} == 0`,
		`probe_up{k8s_namespace_name="shop", k8s_pod_name="cart-0"} == 1`,
	)

	require.Eventually(t, func() bool { // what happened before it watches is not told
		return slices.ContainsFunc(api.Asked("events"), func(u *url.URL) bool { return u.Query().Get("watch") != "" })
	}, 2*time.Minute, 100*time.Millisecond)
	api.Set(deployment(1), pod(t, target.URL, 1), &v1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart-0.1"}, Type: v1.EventTypeWarning, Reason: "BackOff", Message: "Back-off restarting failed container",
		InvolvedObject: v1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "cart-0"}, Count: 1, FirstTimestamp: metav1.Now(), LastTimestamp: metav1.Now(),
	})
	answers(
		`k8s_deployment_available{k8s_namespace_name="shop", k8s_deployment_name="cart"} == 1`,
		`ALERTS{alertname="ContainerRestarted", alertstate="firing", k8s_pod_name="cart-0"}`,
	)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		b, err := os.ReadFile(events)
		require.NoError(c, err)
		require.Contains(c, string(b), "Back-off restarting failed container")
	}, 2*time.Minute, 100*time.Millisecond)
}

func TestRules(t *testing.T) { backend.CheckRules(t) }

// TestAlertmanager has Alertmanager's own code read its configuration.
func TestAlertmanager(t *testing.T) {
	c, err := config.LoadFile("alertmanager.yaml")
	require.NoError(t, err)
	require.Len(t, c.Receivers, 3)
}
