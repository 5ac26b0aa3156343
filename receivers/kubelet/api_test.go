package kubelet

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/obsd-io/obsd/internal/kubeapi"
)

// fakeAPI makes a fake kubelet an API server too: nodes and pods to list and watch, and the proxy to itself.
type fakeAPI struct {
	*fakeKubelet
	events map[string]chan watch.Event

	mu      sync.Mutex
	objects map[string][]any
	watched map[string]int
	expired bool // answer the next watch with 410
}

func newFakeAPI(t *testing.T, nodes ...string) *fakeAPI {
	t.Helper()
	a := &fakeAPI{
		fakeKubelet: newFakeKubelet(t), objects: map[string][]any{}, watched: map[string]int{},
		events: map[string]chan watch.Event{"nodes": make(chan watch.Event), "pods": make(chan watch.Event)},
	}
	for _, name := range nodes {
		a.objects["nodes"] = append(a.objects["nodes"], a.node(t, name))
		a.handle("/api/v1/nodes/"+name+"/proxy/stats/summary", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"node":{"nodeName":%q,"memory":{"usageBytes":1}}}`, name)
		})
	}
	for _, what := range []string{"nodes", "pods"} {
		a.handle("/api/v1/"+what, func(w http.ResponseWriter, r *http.Request) { a.list(w, r, what) })
	}
	return a
}

// node is a Node object whose kubelet is the fake.
func (a *fakeAPI) node(t *testing.T, name string) *v1.Node {
	t.Helper()
	u, err := url.Parse(a.URL)
	require.NoError(t, err)
	port, err := strconv.Atoi(u.Port())
	require.NoError(t, err)
	n := &v1.Node{TypeMeta: metav1.TypeMeta{Kind: "Node", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{Name: name, ResourceVersion: "1"}}
	n.Status.Addresses = []v1.NodeAddress{{Type: v1.NodeHostName, Address: name}, {Type: v1.NodeInternalIP, Address: u.Hostname()}}
	n.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(port)
	n.Status.Capacity = v1.ResourceList{v1.ResourceCPU: resource.MustParse("4"), v1.ResourceMemory: resource.MustParse("16Gi"), v1.ResourcePods: resource.MustParse("110")}
	n.Status.Allocatable = v1.ResourceList{
		v1.ResourceCPU: resource.MustParse("3920m"), v1.ResourceMemory: resource.MustParse("15Gi"), v1.ResourcePods: resource.MustParse("110"),
	}
	return n
}

func (a *fakeAPI) list(w http.ResponseWriter, r *http.Request, what string) {
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Query().Get("watch") == "" {
		a.mu.Lock()
		defer a.mu.Unlock()
		_ = json.NewEncoder(w).Encode(map[string]any{
			"kind": map[string]string{"nodes": "NodeList", "pods": "PodList"}[what], "apiVersion": "v1",
			"metadata": map[string]any{"resourceVersion": "1"}, "items": a.objects[what],
		})
		return
	}
	a.watch(w, r, what)
}

// watch streams what a test sends. A watch that asks for a list first is refused, as by an API server that cannot.
func (a *fakeAPI) watch(w http.ResponseWriter, r *http.Request, what string) {
	a.mu.Lock()
	a.watched[what]++
	expired := a.expired
	a.expired = false
	a.mu.Unlock()
	switch {
	case r.URL.Query().Get("sendInitialEvents") == "true":
		status(w, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid)
		return
	case expired:
		status(w, http.StatusGone, metav1.StatusReasonExpired)
		return
	}
	_ = http.NewResponseController(w).Flush()
	for {
		select {
		case e := <-a.events[what]:
			_ = json.NewEncoder(w).Encode(map[string]any{"type": e.Type, "object": e.Object})
			_ = http.NewResponseController(w).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func status(w http.ResponseWriter, code int, reason metav1.StatusReason) {
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(code), Reason: reason,
	})
}

// kubeconfig writes a kubeconfig for the fake.
func (a *fakeAPI) kubeconfig(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	a.ca.write(t, filepath.Join(dir, "ca.crt"))
	path := filepath.Join(dir, "config")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Config","current-context":"x",
"clusters":[{"name":"c","cluster":{"server":%q,"certificate-authority":"ca.crt"}}],
"users":[{"name":"u","user":{"token":"one"}}],
"contexts":[{"name":"test","context":{"cluster":"c","user":"u"}}]}`, a.URL), 0o600))
	return path
}

func (a *fakeAPI) config(t *testing.T, change func(*Config)) *Config {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.AuthType, cfg.KubeConfig, cfg.Context = authKubeConfig, a.kubeconfig(t), "test"
	change(cfg)
	return cfg
}

// until waits for something that another goroutine brings about.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, 20*time.Second, 5*time.Millisecond, what)
}

func (h *harness) nodeNames() (out []string) {
	h.each(func(tg *target) { out = append(out, tg.node) })
	return out
}

func TestKubeConfigProxiesToOneNode(t *testing.T) {
	a := newFakeAPI(t, "node1")
	h := newHarness(t, a.config(t, func(c *Config) { c.Endpoint = "node1" }))
	v, ok := value(t, h.once(t), "k8s.node.memory.usage", attrNode, "node1")
	require.True(t, ok)
	require.EqualValues(t, 1, v.IntValue())
}

func TestAllNodes(t *testing.T) {
	a := newFakeAPI(t, "node1", "node2")
	h := newHarness(t, a.config(t, func(c *Config) { c.Nodes = nodesAll }))
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

	a.handle("/api/v1/nodes/node3/proxy/stats/summary", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(rich)) })
	a.events["nodes"] <- watch.Event{Type: watch.Added, Object: a.node(t, "node3")}
	until(t, "the new node is known", func() bool { return len(h.nodeNames()) == 3 })
	a.events["nodes"] <- watch.Event{Type: watch.Deleted, Object: a.node(t, "node1")}
	until(t, "the old node is gone", func() bool { return len(h.nodeNames()) == 2 })
	require.NotContains(t, h.nodeNames(), "node1")
}

// TestAllNodesWithOneThatHangs delivers the others at once, each with a slot of its own.
func TestAllNodesWithOneThatHangs(t *testing.T) {
	names := make([]string, 12)
	for i := range names {
		names[i] = fmt.Sprintf("node%d", i)
	}
	a := newFakeAPI(t, names...)
	hung := make(chan struct{})
	a.handle("/api/v1/nodes/node3/proxy/stats/summary", func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(hung)
	})
	cfg := a.config(t, func(c *Config) {
		c.Nodes, c.Parallel, c.Controller.Timeout, c.Controller.CollectionInterval = nodesAll, 3, 500*time.Millisecond, 400*time.Millisecond
	})
	h := newHarness(t, cfg)
	until(t, "all nodes are known", func() bool { return len(h.nodeNames()) == len(names) })
	var mu sync.Mutex
	came := 0
	h.next = sinkFunc(func() { mu.Lock(); defer mu.Unlock(); came++ })
	h.cycle()
	<-hung
	until(t, "all but one have come", func() bool { mu.Lock(); defer mu.Unlock(); return came == len(names)-1 })
	until(t, "the hang is counted", func() bool { return h.counted(t, "obsd_kubelet_failed_scrapes", "reason", "timeout") == 1 })
}

// TestDirectAccess reaches the kubelet by the address of the Node object.
func TestDirectAccess(t *testing.T) {
	a := newFakeAPI(t, "node1")
	n := cutNode(a.node(t, "node1"))
	u, err := n.url(createDefaultConfig().(*Config))
	require.NoError(t, err)
	require.Equal(t, a.URL, u.String())
	require.Equal(t, "node2:10250", cutNode(&v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node2"}}).endpoint)
}

func apiPod(uid, node string, restarts int32) *v1.Pod {
	p := &v1.Pod{TypeMeta: metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"}}
	p.Name, p.Namespace, p.UID, p.ResourceVersion = "p", "ns", types.UID(uid), "2"
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
	a := newFakeAPI(t, "node1")
	a.objects["pods"] = []any{apiPod("u", "node1", 2), apiPod("other", "node2", 0)}
	a.handle("/api/v1/nodes/node1/proxy/stats/summary", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"node":{"nodeName":"node1","memory":{"usageBytes":1}},"pods":[{"podRef":{"name":"p","namespace":"ns","uid":"u"},"volume":[{"name":"tmp","usedBytes":1}],
"containers":[{"name":"c","memory":{"usageBytes":7}}]}]}`))
	})
	a.expired = true
	h := newHarness(t, a.config(t, func(c *Config) {
		c.Endpoint, c.Metadata = "node1", MetadataConfig{Source: sourceAPI, Labels: []string{"app"}}
		c.Metrics = map[string]Toggle{"k8s.container.memory_request_utilization": {Enabled: true}, "k8s.container.memory.node.utilization": {Enabled: true}}
	}))
	until(t, "pods and node are known", func() bool {
		m := h.api.metadata("node1")
		return len(m.pods) == 1 && m.node != nil
	})
	golden(t, "api.want", render(h.once(t)))
	require.Empty(t, h.warnings())

	a.mu.Lock()
	a.objects["pods"] = nil // what a new list would have
	a.mu.Unlock()
	a.events["pods"] <- watch.Event{Type: watch.Modified, Object: apiPod("u", "node1", 3)}
	until(t, "the restart is known", func() bool {
		v, ok := value(t, h.once(t), "k8s.container.restarts")
		return ok && v.IntValue() == 3
	})
	a.events["pods"] <- watch.Event{Type: watch.Deleted, Object: apiPod("u", "node1", 3)}
	until(t, "the pod is gone", func() bool { return len(h.api.metadata("node1").pods) == 0 })
}

// TestAPIForbidden says once what is missing, and scrapes without.
func TestAPIForbidden(t *testing.T) {
	a := newFakeAPI(t, "node1")
	a.handle("/api/v1/pods", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		status(w, http.StatusForbidden, metav1.StatusReasonForbidden)
	})
	h := newHarness(t, a.config(t, func(c *Config) { c.Endpoint, c.Metadata.Source = "node1", sourceAPI }))
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
