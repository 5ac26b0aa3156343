package k8scluster

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/obsd-io/obsd/internal/golden"
)

// load reads an object of testdata.
func load(t testing.TB, name string) runtime.Object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "objects", name+".json"))
	require.NoError(t, err)
	o, _, err := scheme.Codecs.UniversalDeserializer().Decode(text, nil, nil)
	require.NoError(t, err)
	return o
}

// objects is the names of all objects in testdata.
func objects(t testing.TB) (names []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "objects", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		names = append(names, filepath.Base(path[:len(path)-len(".json")]))
	}
	return names
}

// cut makes of an object what the receiver keeps.
func cut(t testing.TB, c *catalog, o runtime.Object) (list []*entity) {
	t.Helper()
	switch o := o.(type) {
	case *v1.Node:
		list = c.node(o)
	case *v1.Namespace:
		list = c.namespace(o)
	case *v1.Pod:
		list = c.pod(o)
	case *v1.ReplicationController:
		list = c.controller(o)
	case *v1.ResourceQuota:
		list = c.quota(o)
	case *appsv1.Deployment:
		list = c.deployment(o)
	case *appsv1.ReplicaSet:
		list = c.replicaSet(o)
	case *appsv1.StatefulSet:
		list = c.statefulSet(o)
	case *appsv1.DaemonSet:
		list = c.daemonSet(o)
	case *batchv1.Job:
		list = c.job(o)
	case *batchv1.CronJob:
		list = c.cronJob(o)
	case *autoscalingv2.HorizontalPodAutoscaler:
		list = c.hpa(o)
	default:
		require.Fail(t, "an object of another kind", "%T", o)
	}
	return list
}

func config(change func(*Config)) *Config {
	cfg := createDefaultConfig().(*Config)
	if change != nil {
		change(cfg)
	}
	return cfg
}

// everything switches on all there is.
func everything(cfg *Config) {
	cfg.Metrics, cfg.ResourceAttributes = map[string]Toggle{}, map[string]Toggle{}
	for _, name := range metricNames() {
		cfg.Metrics[name] = Toggle{Enabled: true}
	}
	for name := range attributes() {
		cfg.ResourceAttributes[name] = Toggle{Enabled: true}
	}
	cfg.NodeConditionsToReport = []string{"Ready", "MemoryPressure", "PIDPressure", "DiskPressure"}
	cfg.PodConditionsToReport = []string{"Initialized", "Ready", "PodScheduled"}
	cfg.AllocatableTypesToReport = []string{"cpu", "memory", "ephemeral-storage", "pods", "hugepages-2Mi", "nvidia.com/gpu"}
}

func write(t *testing.T, cfg *Config) string {
	t.Helper()
	c := newCatalog(cfg)
	p := newPage(c, "test")
	p.begin(time.Unix(0, 0))
	for _, name := range objects(t) {
		p.object(telling{now: cut(t, c, load(t, name))}, true)
	}
	n := p.points
	md := p.done()
	require.Equal(t, n, md.DataPointCount())
	return render(md)
}

func TestGoldenDefault(t *testing.T) { golden.Require(t, "default.want", write(t, config(nil))) }

func TestGoldenEverything(t *testing.T) {
	golden.Require(t, "everything.want", write(t, config(everything)))
}

// TestResourcesOfPods counts as the scheduler does: the containers and sidecars, or an init container if it needs more.
func TestResourcesOfPods(t *testing.T) {
	c := newCatalog(config(everything))
	f := func(name string, s stat, want float64) {
		t.Helper()
		pod := cut(t, c, load(t, name))[0]
		for _, p := range pod.points {
			if p.stat == s {
				require.Equal(t, want, p.value)
				return
			}
		}
		require.Zero(t, want, "there is no such point")
	}
	f("pod", podCPURequest, 2) // of migrate, which runs before the others
	f("pod", podMemoryRequest, 160<<20)
	f("pod", podCPULimit, 1)
	f("pod", podStorageLimit, 2<<30)
	f("pod-pending", podCPURequest, 64)
	f("pod-evicted", podCPURequest, 0)
	f("pod-static", podCPURequest, 0.5) // of the pod as a whole
	f("pod-static", podMemoryLimit, 2<<30)
}

func TestSnake(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		require.Equal(t, want, snake(name))
	}
	f("Ready", "ready")
	f("MemoryPressure", "memory_pressure")
	f("PIDPressure", "pid_pressure")
	f("ephemeral-storage", "ephemeral_storage")
	f("hugepages-2Mi", "hugepages_2_mi")
	f("nvidia.com/gpu", "nvidia_com_gpu")
	f("", "")
}

func TestSplitImage(t *testing.T) {
	f := func(image, name, tag string) {
		t.Helper()
		n, tg := splitImage(image)
		require.Equal(t, [2]string{name, tag}, [2]string{n, tg})
	}
	f("nginx", "nginx", "latest")
	f("nginx:1.29", "nginx", "1.29")
	f("host:5000/nginx", "host:5000/nginx", "latest")
	f("host:5000/nginx:1@sha256:aa", "host:5000/nginx", "1")
	f("nginx@sha256:aa", "nginx", "")
	f("", "", "")
}

func TestReason(t *testing.T) {
	f := func(reason, want string) {
		t.Helper()
		require.Equal(t, want, cleanReason(reason))
	}
	f("OOMKilled", "OOMKilled")
	f("", "Unknown")
	f("exit status 3", "Other")
	f("Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "Other")
}
