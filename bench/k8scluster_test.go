package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"
	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/obsd-io/obsd/internal/kubeapi"
	"github.com/obsd-io/obsd/internal/kubetest"
	"github.com/obsd-io/obsd/receivers/k8scluster"
)

const (
	clusterPods        = 5000
	clusterNodes       = 500
	clusterDeployments = 500
	// serveAPI makes the test binary the API server of another one, so that its objects are not in the memory that is measured.
	serveAPI = "OBSD_BENCH_SERVE_API"
)

// What serveAPI may be: how first lists are answered.
const (
	streaming = "streaming" // object by object, as Kubernetes 1.34 does and later
	paging    = "paging"    // in pages
)

// TestServeAPI is the API server of TestK8sClusterMemory, in a process of its own. It writes the path of a kubeconfig and ends
// with its input.
func TestServeAPI(t *testing.T) {
	how := os.Getenv(serveAPI)
	if how == "" {
		t.Skip("it is run by TestK8sClusterMemory")
	}
	api := kubetest.NewAPI(t)
	if how == paging {
		api.ListsOnly()
	}
	for i := range clusterNodes {
		api.Set(realNode(i))
	}
	for i := range clusterDeployments {
		api.Set(realDeployment(i), realReplicaSet(i))
	}
	for i := range clusterPods {
		api.Set(realPod(i))
	}
	_, err := fmt.Printf("\nkubeconfig %s\n", api.Kubeconfig())
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the other one ends
}

// clusterAPI starts the API server, which is streaming or paging, and returns the path of its kubeconfig.
func clusterAPI(t *testing.T, how string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestServeAPI$", "-test.timeout=30m")
	cmd.Env, cmd.Stderr = append(os.Environ(), serveAPI+"="+how), os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // the context may have ended it
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if path, ok := strings.CutPrefix(lines.Text(), "kubeconfig "); ok {
			return path
		}
	}
	t.Fatal("the API server ended")
	return ""
}

// counting is a consumer that counts points and keeps nothing.
type counting struct{ points, batches atomic.Int64 }

func (*counting) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (c *counting) ConsumeMetrics(_ context.Context, md pmetric.Metrics) error {
	c.batches.Add(1)
	c.points.Add(int64(md.DataPointCount()))
	return nil
}

// TestK8sClusterMemory holds k8s_cluster on 5,000 pods of two containers, 500 nodes and 500 Deployments to 100 MB, and to 115 MB
// where first lists come in pages: all that the runtime holds from the first list on, over some intervals, with the daemon's setting of
// the collector. 68 to 73 MB were measured, and 88 to 89.
func TestK8sClusterMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	t.Run(streaming, func(t *testing.T) { k8sClusterMemory(t, clusterAPI(t, streaming), 100<<20) })
	t.Run(paging, func(t *testing.T) { k8sClusterMemory(t, clusterAPI(t, paging), 115<<20) })
}

func k8sClusterMemory(t *testing.T, kubeconfig string, most uint64) {
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	debug.FreeOSMemory()
	before, _ := memory(false)
	f := k8scluster.NewFactory()
	cfg := f.CreateDefaultConfig().(*k8scluster.Config)
	cfg.API = kubeapi.Config{AuthType: kubeapi.KubeConfig, KubeConfig: kubeconfig}
	cfg.CollectionInterval = time.Second
	sink := &counting{}
	r, err := f.CreateMetrics(t.Context(), receivertest.NewNopSettings(f.Type()), cfg, sink)
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	var peak uint64
	points := int64(clusterPods) * 20
	for deadline := time.Now().Add(10 * time.Minute); sink.points.Load() < 5*points; time.Sleep(20 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "%d points after 10 minutes", sink.points.Load())
		held, _ := memory(false)
		peak = max(peak, held)
	}
	_, live := memory(true)
	require.NoError(t, r.Shutdown(context.Background()))
	t.Logf("held from the system at most %d MB, of which %d MB before; in use after a collection %d MB", peak>>20, before>>20, live>>20)
	require.LessOrEqual(t, peak, most)
}

// managed is what the API server keeps of who set which field, about as much as it is of a pod.
func managed(of string) (list []metav1.ManagedFieldsEntry) {
	container := `"k:{\"name\":\"` + of + `\"}":{".":{},"f:image":{},"f:name":{},"f:resources":{}},`
	fields := metav1.NewFieldsV1(`{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:containers":{` + strings.Repeat(container, 15) + `"f:x":{}}}}`)
	for _, manager := range []string{"kube-controller-manager", "kubelet"} {
		list = append(list, metav1.ManagedFieldsEntry{Manager: manager, Operation: "Update", APIVersion: "v1", FieldsType: "FieldsV1", FieldsV1: fields})
	}
	return list
}

func quantities(cpu, memory string) v1.ResourceList {
	return v1.ResourceList{v1.ResourceCPU: resource.MustParse(cpu), v1.ResourceMemory: resource.MustParse(memory)}
}

func realContainer(name string) v1.Container {
	c := v1.Container{
		Name: name, Image: "registry.example.com/shop/" + name + ":2026-11-23.1",
		Resources:      v1.ResourceRequirements{Requests: quantities("250m", "128Mi"), Limits: quantities("1", "512Mi")},
		ReadinessProbe: &v1.Probe{PeriodSeconds: 10, ProbeHandler: v1.ProbeHandler{HTTPGet: &v1.HTTPGetAction{Path: "/ready", Port: intstr.FromInt32(8080)}}},
		LivenessProbe:  &v1.Probe{PeriodSeconds: 10, ProbeHandler: v1.ProbeHandler{HTTPGet: &v1.HTTPGetAction{Path: "/live", Port: intstr.FromInt32(8080)}}},
		VolumeMounts:   []v1.VolumeMount{{Name: "kube-api-access", ReadOnly: true, MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"}, {Name: "config", MountPath: "/etc/shop"}},
		Ports:          []v1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: v1.ProtocolTCP}},
	}
	for i := range 20 {
		c.Env = append(c.Env, v1.EnvVar{Name: fmt.Sprintf("SHOP_SETTING_%02d", i), Value: "a value of a usual length, " + name})
	}
	return c
}

// realPod is a pod of about 10 kB in JSON, as they are in clusters.
func realPod(i int) *v1.Pod {
	set := fmt.Sprintf("shop-%d-6c9f7d5b8", i%clusterDeployments)
	yes := true
	p := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: fmt.Sprintf("team-%d", i%10), Name: fmt.Sprintf("%s-%05d", set, i), ManagedFields: managed("web"),
			Labels:          map[string]string{"app": "shop", "tier": "web", "pod-template-hash": "6c9f7d5b8", "app.kubernetes.io/part-of": "shop"},
			Annotations:     map[string]string{"checksum/config": strings.Repeat("0123456789abcdef", 4), "prometheus.io/scrape": "true"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: set, UID: "8f6c3a52-5f0e-4d0c-9d43-6f2f6f5d2a11", Controller: &yes}},
		},
		Spec: v1.PodSpec{
			NodeName: fmt.Sprintf("node-%03d.example.com", i%clusterNodes), ServiceAccountName: "default", Containers: []v1.Container{realContainer("web"), realContainer("proxy")},
			Volumes: []v1.Volume{{Name: "kube-api-access"}, {Name: "config", VolumeSource: v1.VolumeSource{ConfigMap: &v1.ConfigMapVolumeSource{}}}},
			Tolerations: []v1.Toleration{
				{Key: "node.kubernetes.io/not-ready", Operator: v1.TolerationOpExists, Effect: v1.TaintEffectNoExecute},
				{Key: "node.kubernetes.io/unreachable", Operator: v1.TolerationOpExists, Effect: v1.TaintEffectNoExecute},
			},
		},
		Status: v1.PodStatus{Phase: v1.PodRunning, QOSClass: v1.PodQOSBurstable, HostIP: "10.0.0.1", PodIP: "10.244.1.2", PodIPs: []v1.PodIP{{IP: "10.244.1.2"}}},
	}
	for _, c := range []v1.PodConditionType{"PodReadyToStartContainers", v1.PodInitialized, v1.PodReady, v1.ContainersReady, v1.PodScheduled} {
		p.Status.Conditions = append(p.Status.Conditions, v1.PodCondition{Type: c, Status: v1.ConditionTrue, LastTransitionTime: metav1.Now()})
	}
	for n, c := range p.Spec.Containers {
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, v1.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: c.Image + "@sha256:" + strings.Repeat("0123456789abcdef", 4), ContainerID: fmt.Sprintf("containerd://%064x", i*2+n),
			Ready: true, Started: &yes, State: v1.ContainerState{Running: &v1.ContainerStateRunning{StartedAt: metav1.Now()}},
		})
	}
	return p
}

// realNode is a node with as many images as the kubelet reports.
func realNode(i int) *v1.Node {
	n := &v1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("node-%03d.example.com", i), ManagedFields: managed("node"), Labels: map[string]string{"kubernetes.io/os": "linux"}},
		Status:     v1.NodeStatus{Allocatable: quantities("16", "64Gi"), Capacity: quantities("16", "64Gi"), NodeInfo: v1.NodeSystemInfo{KubeletVersion: "v1.37.2"}},
	}
	for _, c := range []v1.NodeConditionType{v1.NodeMemoryPressure, v1.NodeDiskPressure, v1.NodePIDPressure, v1.NodeReady} {
		n.Status.Conditions = append(n.Status.Conditions, v1.NodeCondition{Type: c, Status: v1.ConditionFalse, Message: "kubelet has sufficient of it", LastHeartbeatTime: metav1.Now()})
	}
	for image := range 50 {
		n.Status.Images = append(n.Status.Images, v1.ContainerImage{Names: []string{fmt.Sprintf("registry.example.com/shop/image-%d:2026-11-23.1", image)}, SizeBytes: 1 << 27})
	}
	return n
}

func realTemplate() v1.PodTemplateSpec {
	return v1.PodTemplateSpec{Spec: v1.PodSpec{Containers: []v1.Container{realContainer("web"), realContainer("proxy")}}}
}

func realDeployment(i int) *appsv1.Deployment {
	ten := int32(clusterPods / clusterDeployments)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: fmt.Sprintf("team-%d", i%10), Name: fmt.Sprintf("shop-%d", i), ManagedFields: managed("web")},
		Spec:       appsv1.DeploymentSpec{Replicas: &ten, Template: realTemplate()},
		Status:     appsv1.DeploymentStatus{Replicas: ten, ReadyReplicas: ten, AvailableReplicas: ten, UpdatedReplicas: ten},
	}
}

func realReplicaSet(i int) *appsv1.ReplicaSet {
	d := realDeployment(i)
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: d.Name + "-6c9f7d5b8", ManagedFields: managed("web")},
		Spec:       appsv1.ReplicaSetSpec{Replicas: d.Spec.Replicas, Template: d.Spec.Template},
		Status:     appsv1.ReplicaSetStatus{Replicas: 10, ReadyReplicas: 10, AvailableReplicas: 10},
	}
}
