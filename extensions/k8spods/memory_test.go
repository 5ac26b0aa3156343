package k8spods

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/obsd-io/obsd/internal/kubetest"
)

// large is a pod as a Deployment of a service mesh makes it: two containers, ten labels, and the much else that is not kept.
func large(i int) *v1.Pod {
	name, hash := fmt.Sprint("service-", i/10), fmt.Sprintf("%010x", i/10*7919)
	yes := true
	p := pod("team-"+fmt.Sprint(i%50), fmt.Sprintf("%s-%s-%05x", name, hash, i), fmt.Sprint("ip-10-0-", i%500/250, "-", i%250, ".internal"))
	p.UID = types.UID(fmt.Sprintf("%08x-1111-2222-3333-%012x", i, i))
	p.CreationTimestamp = metav1.NewTime(time.Unix(1_790_000_000, 0))
	p.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "apps/v1", Kind: "ReplicaSet", Name: name + "-" + hash, UID: types.UID(fmt.Sprintf("%036x", i/10)), Controller: &yes,
	}}
	p.Labels = map[string]string{
		"app.kubernetes.io/name": name, "app.kubernetes.io/instance": name + "-prod", "app.kubernetes.io/version": "1.4." + fmt.Sprint(i%20),
		"app.kubernetes.io/component": "backend", "app.kubernetes.io/part-of": "shop", "app.kubernetes.io/managed-by": "Helm",
		"pod-template-hash": hash, "security.istio.io/tlsMode": "istio", "team": "team-" + fmt.Sprint(i%50), "cost-center": fmt.Sprint(i % 50),
	}
	p.Annotations = map[string]string{
		"checksum/config": strings.Repeat("c", 64), "sidecar.istio.io/status": strings.Repeat("s", 300), "prometheus.io/scrape": "true",
	}
	status := metav1.NewFieldsV1(`{"f:status":{"` + strings.Repeat("f", 800) + `":{}}}`)
	p.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubelet", FieldsType: "FieldsV1", FieldsV1: status}}
	config := &v1.ConfigMapVolumeSource{LocalObjectReference: v1.LocalObjectReference{Name: name}}
	p.Spec.Volumes = []v1.Volume{{Name: "config", VolumeSource: v1.VolumeSource{ConfigMap: config}}}
	p.Spec.Containers, p.Status.ContainerStatuses = nil, nil
	for n, c := range []string{"main", "istio-proxy"} {
		image := "registry.example.com/team/" + c + "-" + name + ":1.4." + fmt.Sprint(i%20)
		p.Spec.Containers = append(p.Spec.Containers, v1.Container{
			Name: c, Image: image, Env: []v1.EnvVar{{Name: "OPTIONS", Value: strings.Repeat("o", 200)}},
			Resources: v1.ResourceRequirements{Requests: v1.ResourceList{v1.ResourceCPU: resource.MustParse("100m")}},
		})
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, v1.ContainerStatus{
			Name: c, Image: image, ContainerID: fmt.Sprintf("containerd://%064x", i*2+n), ImageID: image + "@sha256:" + strings.Repeat("a", 64),
		})
	}
	p.Status.PodIP = fmt.Sprintf("10.%d.%d.%d", 1+i/65536, i/256%256, i%256)
	p.Status.Phase, p.Status.HostIP = v1.PodRunning, "10.0.0.1"
	p.Status.PodIPs = []v1.PodIP{{IP: p.Status.PodIP}}
	return p
}

// heap is what lives in memory, in bytes.
func heap() uint64 {
	for range 3 { // what is interned is let go by one collection and gone after the next
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// largeSet is the ReplicaSet of a pod and nine others.
func largeSet(i int) *appsv1.ReplicaSet {
	p := large(i)
	yes := true
	deployment := metav1.OwnerReference{APIVersion: "apps/v1", Kind: "Deployment", Name: p.Labels["app.kubernetes.io/name"], UID: types.UID(fmt.Sprintf("%036x", 1<<20+i)), Controller: &yes}
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.OwnerReferences[0].Name, UID: p.OwnerReferences[0].UID, OwnerReferences: []metav1.OwnerReference{deployment}},
		Spec:       appsv1.ReplicaSetSpec{Template: v1.PodTemplateSpec{Spec: p.Spec}},
	}
}

// TestMemory holds the table of 5,000 pods, all their labels kept, the uids of their Deployments and the digests of their images, to its
// bound.
func TestMemory(t *testing.T) {
	const pods, most = 5000, 40 << 20
	api := kubetest.NewAPI(t)
	for i := range pods {
		api.Set(large(i))
		if i%10 == 0 {
			api.Set(largeSet(i))
		}
	}
	before := heap()
	h := start(t, api, func(c *Config) {
		c.Labels, c.Metadata = []string{"*"}, []string{"k8s.deployment.uid", "container.image.repo_digests"}
	})
	h.ready(t)
	used := int64(heap()) - int64(before)
	t.Logf("%d pods: %.1f MB of heap, %d bytes a pod", pods, float64(used)/1e6, used/pods)
	require.Positive(t, used)
	require.Less(t, used, int64(most))
	require.EqualValues(t, pods, h.value(t, "obsd_k8s_pods_known", "state", "live"))
	require.Equal(t, "team-7", h.text(t, string(large(57).UID), "k8s.pod.label.team"))
	require.Equal(t, fmt.Sprintf("%036x", 1<<20+50), h.text(t, string(large(57).UID), "k8s.deployment.uid"))
	runtime.KeepAlive(api)
}
