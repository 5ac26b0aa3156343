package model

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"
	metrics "k8s.io/metrics/pkg/client/clientset/versioned"
)

// client is the one that kubectl top is built on.
func client(t *testing.T, m *Model) metrics.Interface {
	t.Helper()
	c, err := metrics.NewForConfig(&rest.Config{Host: "http://" + m.listening})
	require.NoError(t, err)
	return c
}

// TestDiscovery asks what kubectl and the aggregator of an API server ask first.
func TestDiscovery(t *testing.T) {
	m := start(t, nil)
	d, err := discovery.NewDiscoveryClientForConfig(&rest.Config{Host: "http://" + m.listening})
	require.NoError(t, err)
	groups, err := d.ServerGroups()
	require.NoError(t, err)
	require.Len(t, groups.Groups, 1)
	require.Equal(t, "metrics.k8s.io", groups.Groups[0].Name)
	require.Equal(t, "metrics.k8s.io/v1beta1", groups.Groups[0].PreferredVersion.GroupVersion)
	resources, err := d.ServerResourcesForGroupVersion("metrics.k8s.io/v1beta1")
	require.NoError(t, err)
	require.Len(t, resources.APIResources, 2)
	require.Equal(t, metav1.APIResource{Name: "nodes", Kind: "NodeMetrics", Verbs: metav1.Verbs{"get", "list"}}, resources.APIResources[0])
	require.Equal(t, metav1.APIResource{Name: "pods", Kind: "PodMetrics", Namespaced: true, Verbs: metav1.Verbs{"get", "list"}}, resources.APIResources[1])
	_, body := get(t, m, "/apis/metrics.k8s.io")
	require.Contains(t, body, `"kind":"APIGroup"`)
}

func TestTopNodes(t *testing.T) {
	m := start(t, nil)
	feed(t, m)
	c := client(t, m).MetricsV1beta1()
	list, err := c.NodeMetricses().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	n := list.Items[0]
	require.Equal(t, "n1", n.Name)
	require.Equal(t, "3500m", n.Usage.Cpu().String())
	require.Equal(t, "1Gi", n.Usage.Memory().String())
	require.Equal(t, 30*time.Second, n.Window.Duration)
	require.True(t, begin.Add(time.Minute).Equal(n.Timestamp.Time))

	one, err := c.NodeMetricses().Get(t.Context(), "n1", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, n.Usage.Cpu().String(), one.Usage.Cpu().String())
	_, err = c.NodeMetricses().Get(t.Context(), "n2", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), "%v", err)
	require.EqualError(t, err, `nodes.metrics.k8s.io "n2" not found`)
}

func TestTopPods(t *testing.T) {
	m := start(t, nil)
	feed(t, m)
	c := client(t, m).MetricsV1beta1()
	f := func(namespace string, options metav1.ListOptions, want ...string) []v1beta1.PodMetrics {
		t.Helper()
		list, err := c.PodMetricses(namespace).List(t.Context(), options)
		require.NoError(t, err)
		var names []string
		for _, p := range list.Items {
			names = append(names, p.Namespace+"/"+p.Name)
		}
		require.Equal(t, want, names)
		return list.Items
	}
	f("", metav1.ListOptions{}, "bank/ledger", "shop/cart", "shop/till")
	f("none", metav1.ListOptions{})
	f("", metav1.ListOptions{LabelSelector: "app=cart"}, "shop/cart")
	f("", metav1.ListOptions{LabelSelector: "app"}, "shop/cart", "shop/till")
	f("shop", metav1.ListOptions{LabelSelector: "app notin (cart)"}, "shop/till")
	f("", metav1.ListOptions{FieldSelector: "metadata.name=ledger"}, "bank/ledger")
	f("", metav1.ListOptions{FieldSelector: "metadata.namespace!=shop"}, "bank/ledger")
	pods := f("shop", metav1.ListOptions{}, "shop/cart", "shop/till")

	cart := pods[0]
	require.Equal(t, map[string]string{"app": "cart"}, cart.Labels)
	require.Len(t, cart.Containers, 2)
	require.Equal(t, "proxy", cart.Containers[0].Name)
	require.Equal(t, "123456700n", cart.Containers[1].Usage.Cpu().String(), "not rounded to millicores")
	require.Equal(t, "1Mi", cart.Containers[1].Usage.Memory().String())
	till := pods[1]
	require.NotContains(t, till.Containers[0].Usage, corev1.ResourceCPU, "a value that is not known is left out, not the pod")
	require.Equal(t, "3Mi", till.Containers[0].Usage.Memory().String())

	one, err := c.PodMetricses("shop").Get(t.Context(), "cart", metav1.GetOptions{})
	require.NoError(t, err)
	require.Len(t, one.Containers, 2)
	_, err = c.PodMetricses("shop").Get(t.Context(), "none", metav1.GetOptions{})
	require.EqualError(t, err, `pods.metrics.k8s.io "shop/none" not found`)
	_, err = c.PodMetricses("shop").List(t.Context(), metav1.ListOptions{LabelSelector: "a=="})
	require.NoError(t, err)
	_, err = c.PodMetricses("shop").List(t.Context(), metav1.ListOptions{LabelSelector: "a in"})
	require.True(t, apierrors.IsBadRequest(err), "%v", err)
	_, err = c.PodMetricses("shop").List(t.Context(), metav1.ListOptions{FieldSelector: "a"})
	require.True(t, apierrors.IsBadRequest(err), "%v", err)
	_, err = c.PodMetricses("shop").Watch(t.Context(), metav1.ListOptions{})
	require.True(t, apierrors.IsMethodNotSupported(err), "%v", err)
}
