package k8spods

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/obsd-io/obsd/internal/configtest"
	"github.com/obsd-io/obsd/internal/kubetest"
)

func TestConfigFiles(t *testing.T) {
	configtest.Files(t, "testdata", func(t *testing.T, path string) error {
		_, err := configtest.Load[*Config](t, createDefaultConfig(), path)
		return err
	})
}

func TestConfigStruct(t *testing.T) {
	require.NoError(t, componenttest.CheckConfigStruct(createDefaultConfig()))
	require.NoError(t, createDefaultConfig().(*Config).Validate())
}

// TestOutsideOfACluster is refused at the start, with what to do.
func TestOutsideOfACluster(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	f := NewFactory()
	e, err := f.Create(t.Context(), extensiontest.NewNopSettings(f.Type()), f.CreateDefaultConfig())
	require.NoError(t, err)
	err = e.Start(t.Context(), componenttest.NewNopHost())
	require.ErrorContains(t, err, "k8s_pods: find the API server: ")
	require.ErrorContains(t, err, "run in a pod with a service account, or use auth_type kubeConfig")
	require.NoError(t, e.Shutdown(t.Context()))
}

// TestChanges sees new pods, new labels, deletions, and what happened while it was away.
func TestChanges(t *testing.T) {
	api := kubetest.NewAPI(t)
	api.Set(pod("shop", "a", "n1"), pod("bank", "b", "n2"))
	h := start(t, api, func(c *Config) { c.Labels = []string{"app"} })
	h.ready(t)
	require.Equal(t, "shop", h.text(t, "uid-a", "k8s.namespace.name"))
	require.Equal(t, "a", h.text(t, "uid-b", "k8s.pod.label.app"))
	require.Equal(t, "absent", h.text(t, "uid-b", "k8s.pod.label.x"))

	changed := pod("shop", "a", "n1")
	changed.Labels["app"] = "other"
	api.Set(changed, pod("shop", "c", "n1"))
	h.becomes(t, "uid-a", "k8s.pod.label.app", "other")
	h.becomes(t, "uid-c", "k8s.pod.name", "c")

	api.Delete(pod("shop", "c", ""))
	require.Eventually(t, func() bool { return h.value(t, "obsd_k8s_pods_known", "state", "deleted") == 1 }, patience, often)
	require.EqualValues(t, 2, h.value(t, "obsd_k8s_pods_known", "state", "live"))
	require.Equal(t, "c", h.text(t, "uid-c", "k8s.pod.name"))

	api.Compact()
	api.CloseWatches()
	api.Delete(pod("bank", "b", ""))
	require.Eventually(t, func() bool { return h.value(t, "obsd_k8s_pods_known", "state", "deleted") == 2 }, patience, often)
	require.EqualValues(t, 1, h.value(t, "obsd_k8s_pods_ready"))
}

// TestShort learns of a pod that came and went between two looks.
func TestShort(t *testing.T) {
	api := kubetest.NewAPI(t)
	h := start(t, api, nil)
	h.ready(t)
	short := pod("shop", "short", "n1")
	short.Status = v1.PodStatus{}
	api.Set(short)
	short = pod("shop", "short", "n1")
	short.Status.Phase = v1.PodSucceeded
	api.Set(short)
	api.Delete(short)
	h.becomes(t, "uid-short", "container.id", "short")
	require.Eventually(t, func() bool { return h.value(t, "obsd_k8s_pods_known", "state", "deleted") == 1 }, patience, often)
}

// TestForgets ends what was deleted.
func TestForgets(t *testing.T) {
	api := kubetest.NewAPI(t)
	api.Set(pod("shop", "a", "n1"))
	h := start(t, api, func(c *Config) { c.KeepDeleted = time.Nanosecond })
	h.ready(t)
	api.Delete(pod("shop", "a", "n1"))
	h.becomes(t, "uid-a", "k8s.pod.name", "absent")
}

// TestNode follows the pods of a node, and that node, only.
func TestNode(t *testing.T) {
	api := kubetest.NewAPI(t)
	node := func(name string) *v1.Node {
		return &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"zone": "z-" + name}}}
	}
	api.Set(pod("shop", "a", "n1"), pod("shop", "b", "n2"), node("n1"), node("n2"))
	h := start(t, api, func(c *Config) { c.Node, c.NodeLabels = "n1", []string{"zone"} })
	h.ready(t)
	require.Equal(t, "z-n1", h.text(t, "uid-a", "k8s.node.label.zone"))
	require.Equal(t, "absent", h.text(t, "uid-b", "k8s.pod.name"))
	for _, asked := range api.Asked("pods") {
		require.Equal(t, "spec.nodeName=n1", asked.Query().Get("fieldSelector"))
	}
	for _, asked := range api.Asked("nodes") {
		require.Equal(t, "metadata.name=n1", asked.Query().Get("fieldSelector"))
	}
	require.Empty(t, api.Asked("namespaces"))
	relabelled := node("n1")
	relabelled.Labels["zone"] = "other"
	api.Set(relabelled)
	h.becomes(t, "uid-a", "k8s.node.label.zone", "other")
}

// TestNamespaces follows several namespaces, and waits for the list of each.
func TestNamespaces(t *testing.T) {
	api := kubetest.NewAPI(t)
	shop := &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"team": "red"}}}
	api.Set(pod("shop", "a", "n1"), pod("bank", "b", "n1"), pod("cafe", "c", "n1"), shop)
	h := start(t, api, func(c *Config) { c.Namespaces, c.NamespaceLabels = []string{"shop", "bank"}, []string{"*"} })
	h.ready(t)
	require.Equal(t, "red", h.text(t, "uid-a", "k8s.namespace.label.team"))
	require.Equal(t, "b", h.text(t, "uid-b", "k8s.pod.name"))
	require.Equal(t, "absent", h.text(t, "uid-c", "k8s.pod.name"))
	for _, asked := range api.Asked("pods") {
		require.Contains(t, []string{"/api/v1/namespaces/shop/pods", "/api/v1/namespaces/bank/pods"}, asked.Path)
	}
	api.Delete(shop)
	shop.Labels["team"] = "blue"
	api.Set(shop)
	h.becomes(t, "uid-a", "k8s.namespace.label.team", "blue")
}

// TestMetadata follows what the uids come from, and nothing of it that is not asked for.
func TestMetadata(t *testing.T) {
	api := kubetest.NewAPI(t)
	yes := true
	p := pod("shop", "a", "n1")
	p.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "a-1", UID: "set1", Controller: &yes}}
	set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "a-1", UID: "set1", OwnerReferences: []metav1.OwnerReference{{Kind: "Deployment", Name: "a", UID: "deployment1", Controller: &yes}},
	}}
	system := &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kube-system", UID: "system1"}}
	other := &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", UID: "other"}}
	api.Set(p, set, system, other, &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", UID: "node1"}})
	h := start(t, api, func(c *Config) { c.Metadata = []string{"k8s.node.uid", "k8s.deployment.uid", "k8s.cluster.uid"} })
	h.ready(t)
	require.Equal(t, "node1", h.text(t, "uid-a", "k8s.node.uid"))
	require.Equal(t, "deployment1", h.text(t, "uid-a", "k8s.deployment.uid"))
	require.Equal(t, "system1", h.text(t, "uid-a", "k8s.cluster.uid"))
	require.Empty(t, api.Asked("jobs"))
	for _, asked := range api.Asked("namespaces") {
		require.Equal(t, "metadata.name=kube-system", asked.Query().Get("fieldSelector"))
	}
	set.OwnerReferences[0].UID = "deployment2"
	api.Set(set)
	h.becomes(t, "uid-a", "k8s.deployment.uid", "deployment2")
}

// TestForbidden is counted and said with the mend, and over when the right is given.
func TestForbidden(t *testing.T) {
	api := kubetest.NewAPI(t)
	api.Set(pod("shop", "a", "n1"))
	api.Refuse("pods", http.StatusForbidden)
	h := start(t, api, nil)
	require.Eventually(t, func() bool {
		return h.value(t, "obsd_k8s_pods_api_failures", "resource", "pods", "reason", "forbidden") > 0
	}, patience, often)
	require.Eventually(t, func() bool { return h.logs.FilterMessageSnippet("does not answer").Len() == 1 }, patience, often)
	require.Equal(t, "give the service account list and watch on pods", h.logs.FilterMessageSnippet("does not answer").All()[0].ContextMap()["mend"])
	require.EqualValues(t, 0, h.value(t, "obsd_k8s_pods_ready"))
	api.Refuse("pods", 0)
	h.ready(t)
	require.EqualValues(t, 1, h.value(t, "obsd_k8s_pods_ready"))
}

func TestLookupBy(t *testing.T) {
	api := kubetest.NewAPI(t)
	api.Set(pod("shop", "a", "n1"))
	h := start(t, api, func(c *Config) { c.Labels = []string{"a*"} })
	column, get, ready, err := h.LookupBy("container.id")
	require.NoError(t, err)
	h.ready(t)
	<-ready
	require.True(t, column("k8s.pod.label.app"))
	require.False(t, column("k8s.pod.label.x"))
	text, ok := get("k8s.pod.uid", []byte("a"))
	require.True(t, ok)
	require.Equal(t, "uid-a", text)
	_, _, _, err = h.LookupBy("pod")
	require.EqualError(t, err, `pods are not found by "pod": use one of k8s.pod.uid, k8s.pod.ip, container.id, k8s.pod.name`)
}

func TestType(t *testing.T) {
	require.Equal(t, component.MustNewType("k8s_pods"), NewFactory().Type())
}
