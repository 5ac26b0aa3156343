package kubelet

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/obsd-io/obsd/internal/golden"
	"github.com/obsd-io/obsd/internal/kubeapi"
	"github.com/obsd-io/obsd/internal/kubetest"
)

// apiWith is an API server with nodes whose kubelets say little.
func apiWith(t *testing.T, nodes ...string) *kubetest.API {
	t.Helper()
	a := kubetest.NewAPI(t)
	for _, name := range nodes {
		a.Set(apiNode(name, "https://10.0.0.1:10250"))
		a.Proxy(name, says(fmt.Sprintf(`{"node":{"nodeName":%q,"memory":{"usageBytes":1}}}`, name)))
	}
	return a
}

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

// apiNode is a Node object whose kubelet is at a URL.
func apiNode(name, at string) *v1.Node {
	u, _ := url.Parse(at)
	port, _ := strconv.Atoi(u.Port())
	n := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	n.Status.Addresses = []v1.NodeAddress{{Type: v1.NodeHostName, Address: name}, {Type: v1.NodeInternalIP, Address: u.Hostname()}}
	n.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(port)
	n.Status.Capacity = v1.ResourceList{v1.ResourceCPU: resource.MustParse("4"), v1.ResourceMemory: resource.MustParse("16Gi"), v1.ResourcePods: resource.MustParse("110")}
	n.Status.Allocatable = v1.ResourceList{
		v1.ResourceCPU: resource.MustParse("3920m"), v1.ResourceMemory: resource.MustParse("15Gi"), v1.ResourcePods: resource.MustParse("110"),
	}
	return n
}

func apiConfig(a *kubetest.API, change func(*Config)) *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.AuthType, cfg.KubeConfig, cfg.Context = authKubeConfig, a.Kubeconfig(), "test"
	change(cfg)
	return cfg
}

// until waits for something that another goroutine brings about.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, time.Minute, 5*time.Millisecond, what)
}

func (h *harness) nodeNames() (out []string) {
	h.each(func(tg *target) { out = append(out, tg.node) })
	return out
}

func TestKubeConfigProxiesToOneNode(t *testing.T) {
	a := apiWith(t, "node1")
	h := newHarness(t, apiConfig(a, func(c *Config) { c.Endpoint = "node1" }))
	v, ok := value(t, h.once(t), "k8s.node.memory.usage", attrNode, "node1")
	require.True(t, ok)
	require.EqualValues(t, 1, v.IntValue())
}

func TestAllNodes(t *testing.T) {
	a := apiWith(t, "node1", "node2")
	h := newHarness(t, apiConfig(a, func(c *Config) { c.Nodes = nodesAll }))
	until(t, "both nodes are known", func() bool { return len(h.nodeNames()) == 2 })
	md := h.once(t)
	for _, name := range []string{"node1", "node2"} {
		_, ok := value(t, md, "k8s.node.memory.usage", attrNode, name)
		require.True(t, ok, name)
		v, ok := value(t, md, "k8s.node.allocatable_cpu", attrNode, name)
		require.True(t, ok, name)
		require.InDelta(t, 3.92, v.DoubleValue(), 1e-9)
	}
	require.Len(t, h.got, 2, "a batch for each node")

	a.Set(apiNode("node3", "https://10.0.0.3:10250"))
	until(t, "the new node is known", func() bool { return len(h.nodeNames()) == 3 })
	a.Delete(apiNode("node1", ""))
	until(t, "the old node is gone", func() bool { return len(h.nodeNames()) == 2 })
	require.NotContains(t, h.nodeNames(), "node1")
}

// TestAllNodesWithOneThatHangs delivers the others while it hangs, each with a slot of its own.
func TestAllNodesWithOneThatHangs(t *testing.T) {
	names := make([]string, 12)
	for i := range names {
		names[i] = fmt.Sprintf("node%d", i)
	}
	a := apiWith(t, names...)
	asked, ended := make(chan struct{}), make(chan struct{})
	a.Proxy("node3", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
		close(ended)
	}))
	cfg := apiConfig(a, func(c *Config) {
		c.Nodes, c.Parallel, c.Controller.Timeout, c.Controller.CollectionInterval = nodesAll, 3, time.Hour, 400*time.Millisecond
	})
	h := newHarness(t, cfg)
	until(t, "all nodes are known", func() bool { return len(h.nodeNames()) == len(names) })
	var mu sync.Mutex
	came := 0
	h.next = sinkFunc(func() { mu.Lock(); defer mu.Unlock(); came++ })
	h.cycle()
	<-asked
	until(t, "all but one have come", func() bool { mu.Lock(); defer mu.Unlock(); return came == len(names)-1 })
	require.NoError(t, h.Shutdown(t.Context()))
	<-ended
}

// TestDirectAccess reaches the kubelet by the address of the Node object.
func TestDirectAccess(t *testing.T) {
	u, err := cutNode(apiNode("node1", "https://10.0.0.1:10251")).url(createDefaultConfig().(*Config))
	require.NoError(t, err)
	require.Equal(t, "https://10.0.0.1:10251", u.String())
	require.Equal(t, "node2:10250", cutNode(&v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node2"}}).endpoint)
}

func apiPod(uid, node string, restarts int32) *v1.Pod {
	p := &v1.Pod{}
	p.Name, p.Namespace, p.UID = "p", "ns", types.UID(uid)
	p.Labels = map[string]string{"app": "web", "pod-template-hash": "5d"}
	controller := true
	p.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web-5d", Controller: &controller}}
	p.Spec.NodeName = node
	p.Spec.Volumes = []v1.Volume{{Name: "tmp", VolumeSource: v1.VolumeSource{EmptyDir: &v1.EmptyDirVolumeSource{}}}}
	p.Spec.Containers = []v1.Container{{Name: "c", Image: "repo/c:1", Resources: v1.ResourceRequirements{
		Requests: v1.ResourceList{v1.ResourceCPU: resource.MustParse("250m"), v1.ResourceMemory: resource.MustParse("64Mi")},
	}}}
	p.Status.Phase, p.Status.QOSClass = v1.PodRunning, v1.PodQOSBurstable
	p.Status.ContainerStatuses = []v1.ContainerStatus{{Name: "c", ContainerID: "containerd://abc", RestartCount: restarts, Ready: true}}
	return p
}

// TestMetadataFromTheAPI follows pods: a change shows in the next scrape, a list that has expired is fetched anew.
func TestMetadataFromTheAPI(t *testing.T) {
	a := apiWith(t, "node1")
	other := apiPod("other", "node2", 0)
	other.Name = "other"
	a.Set(apiPod("u", "node1", 2), other)
	a.Proxy("node1", says(`{"node":{"nodeName":"node1","memory":{"usageBytes":1}},"pods":[{"podRef":{"name":"p","namespace":"ns","uid":"u"},"volume":[{"name":"tmp","usedBytes":1}],
"containers":[{"name":"c","memory":{"usageBytes":7}}]}]}`))
	h := newHarness(t, apiConfig(a, func(c *Config) {
		c.Endpoint, c.Metadata = "node1", MetadataConfig{Source: sourceAPI, Labels: []string{"app"}}
		c.Metrics = map[string]Toggle{"k8s.container.memory_request_utilization": {Enabled: true}, "k8s.container.memory.node.utilization": {Enabled: true}}
	}))
	until(t, "pods and node are known", func() bool {
		m := h.api.metadata("node1")
		return len(m.pods) == 1 && m.node != nil
	})
	golden.Require(t, "api.want", render(h.once(t)))
	require.Empty(t, h.warnings())

	a.Compact()
	a.CloseWatches()
	a.Set(apiPod("u", "node1", 3))
	until(t, "the restart is known", func() bool {
		v, ok := value(t, h.once(t), "k8s.container.restarts")
		return ok && v.IntValue() == 3
	})
	a.Delete(apiPod("u", "node1", 3))
	until(t, "the pod is gone", func() bool { return len(h.api.metadata("node1").pods) == 0 })
}

// TestAPIForbidden says once what is missing, and scrapes without.
func TestAPIForbidden(t *testing.T) {
	a := apiWith(t, "node1")
	a.Refuse("pods", http.StatusForbidden)
	h := newHarness(t, apiConfig(a, func(c *Config) { c.Endpoint, c.Metadata.Source = "node1", sourceAPI }))
	until(t, "it is said", func() bool { return h.logs.FilterMessageSnippet("the API server does not answer").Len() == 1 })
	_, ok := value(t, h.once(t), "k8s.node.memory.usage")
	require.True(t, ok)
	require.Positive(t, h.counted(t, "obsd_kubelet_failed_scrapes", "endpoint", "api_pods", "reason", "forbidden"))
}

// TestBothSourcesSayTheSame cuts the captured pods by way of the kubelet's list and of the API's types.
func TestBothSourcesSayTheSame(t *testing.T) {
	cfg := &MetadataConfig{Labels: []string{"*"}, Annotations: []string{"team"}}
	list := podList{cfg: cfg, names: newNames()}
	b := captured(t, "pods.json")
	ours, err := list.decode(b)
	require.NoError(t, err)
	var pods v1.PodList
	require.NoError(t, json.Unmarshal(b, &pods))
	require.Len(t, ours.order, len(pods.Items))
	for i := range pods.Items {
		require.Equal(t, cutPod(&pods.Items[i], cfg), ours.pods[string(pods.Items[i].UID)])
	}
}

func TestMirrorPodsGoByTheKubeletsUID(t *testing.T) {
	p := apiPod("mirror", "node1", 0)
	p.Annotations = map[string]string{kubeapi.MirrorUID: "static"}
	require.Equal(t, "static", cutPod(p, &MetadataConfig{}).uid)
}
