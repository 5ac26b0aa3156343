package cadvisor

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/cgroups"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.uber.org/zap"

	"github.com/obsd-io/obsd/internal/golden"
)

// The ids of the pod's sandbox and its container on the captured node.
const (
	capturedSandbox   = "29d192cf99de1190e8646f2437afbca516c4d7fd02ce949b9ea71118617cbe5d"
	capturedContainer = "795915554209adfa5d6b67a23d24c02dcc8330b64f501c7d66d062064a4ecaa6"
)

// captured is a source that reads the cgroups (v1) of a real node in testdata, which runs one pod with one container.
func captured(t testing.TB, edit ...func(*Config)) *local {
	t.Helper()
	if cgroups.IsCgroup2UnifiedMode() {
		t.Skip("the captured node has cgroup v1, and the library reads what this machine has")
	}
	cgroups.TestMode = true
	t.Cleanup(func() { cgroups.TestMode = false })
	cfg := createDefaultConfig().(*Config)
	cfg.RuntimeEndpoints = nil
	for _, f := range edit {
		f(cfg)
	}
	tel, err := newTelemetry(componenttest.NewNopTelemetrySettings().MeterProvider.Meter(scope), "cadvisor")
	require.NoError(t, err)
	s, err := newLocal(cfg, zap.NewNop(), tel, nil)
	require.NoError(t, err)
	l := s.(*local)
	root := t.TempDir()
	archive, err := txtar.ParseFile(filepath.Join("testdata", "cgroup-v1.txtar"))
	require.NoError(t, err)
	for _, f := range archive.Files {
		path := filepath.Join(root, f.Name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, f.Data, 0o644))
	}
	l.mounts = map[string]string{}
	for _, controller := range []string{"cpu", "cpuacct", "memory", "blkio", "pids"} {
		l.mounts[controller] = filepath.Join(root, controller)
	}
	l.network.proc = t.TempDir() // the processes of a captured node are gone
	l.names.runtimes = []runtimeAPI{&inventoryOf{inventory{
		containers: map[string]identity{
			capturedSandbox:   {podUID: uid, podName: "web", namespace: "default", sandbox: true},
			capturedContainer: {podUID: uid, podName: "web", namespace: "default", container: "main", image: "e2e.local/busybox", imageTag: "1"},
		},
		pods: map[string]identity{uid: {podUID: uid, podName: "web", namespace: "default"}},
	}}}
	return l
}

// inventoryOf is a runtime that runs always the same.
type inventoryOf struct{ inventory }

func (*inventoryOf) endpoint() string { return "unix:///captured" }

func (r *inventoryOf) list(context.Context) (inventory, error) { return r.inventory, nil }

func (*inventoryOf) layers(context.Context) (map[string]layer, error) {
	return map[string]layer{capturedContainer: {mountpoint: "/var/lib/containerd", bytes: 8192, inodes: 3, hasInodes: true}}, nil
}

func (*inventoryOf) close() error { return nil }

// samplesOf reads a captured node, at a time of its own.
func samplesOf(t testing.TB, l *local) []sample {
	t.Helper()
	samples, err := l.read(t.Context())
	require.NoError(t, err)
	for i := range samples {
		samples[i].stats.Timestamp = time.Unix(1000, 0)
		samples[i].created = time.Unix(900, 0)
		if samples[i].kind == rootKind {
			samples[i].spec.Memory.Limit = 64 << 20 // not of the machine that the test runs on
		}
	}
	return samples
}

func TestCapturedNode(t *testing.T) {
	l := captured(t, func(c *Config) { c.MetricGroups = []string{"cpu", "memory", "diskIO", "disk", "oom_event"} })
	golden.Require(t, "want-otel.txt", render(newOTelWriter("node1", "").write(samplesOf(t, l))))
	require.NoError(t, l.close())
}

func TestCapturedNodePrometheusNames(t *testing.T) {
	l := captured(t)
	w, err := newPrometheusWriter("node1", "", []string{"memory"}, false)
	require.NoError(t, err)
	got, err := w.write(samplesOf(t, l), nil)
	require.NoError(t, err)
	text := render(got)
	require.Contains(t, text, "container_memory_rss gauge {container=main,id=/kubepods/burstable/pod"+uid+"/"+capturedContainer+",image=e2e.local/busybox:1,name="+capturedContainer+",namespace=default,pod=web} 98304 at ")
	require.Contains(t, text, "container_memory_rss gauge {id=/kubepods/burstable/pod"+uid+",namespace=default,pod=web}", "the pod")
	require.NotContains(t, text, capturedSandbox)
	require.NotContains(t, text, "container_pressure_", "cgroup v1 has none")
	require.NotContains(t, text, " at 00:00:00.0\n", "each point has a time")
}

// TestUnreadableController: what a controller does not tell leaves its own figures out, and no others.
func TestUnreadableController(t *testing.T) {
	l := captured(t)
	stat := filepath.Join(l.mounts["memory"], "kubepods", "burstable", "pod"+uid, capturedContainer, "memory.stat")
	require.NoError(t, os.WriteFile(stat, []byte("cache much\n"), 0o644))
	found := false
	for _, s := range samplesOf(t, l) {
		if s.containerID == capturedContainer {
			found = true
			require.Positive(t, s.stats.Cpu.Usage.Total)
			require.Zero(t, s.stats.Memory.Usage)
			require.NotContains(t, l.cgroups[s.path].paths, "memory")
			require.False(t, s.spec.HasMemory, "so that no zeros are sent")
		}
	}
	require.True(t, found)
}

// TestContainersComeAndGo: a container that is gone leaves nothing behind.
func TestContainersComeAndGo(t *testing.T) {
	l := captured(t)
	require.Len(t, samplesOf(t, l), 4, "the machine, the pod, its sandbox, its container")
	for _, mount := range l.mounts {
		require.NoError(t, os.RemoveAll(filepath.Join(mount, "kubepods", "burstable", "pod"+uid, capturedContainer)))
	}
	require.Len(t, samplesOf(t, l), 3)
	require.Len(t, l.cgroups, 3)
}

func TestTimeout(t *testing.T) {
	l := captured(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	samples, err := l.read(ctx)
	require.Empty(t, samples)
	require.EqualError(t, err, "cadvisor: 0 of 4 cgroups read: context canceled: raise timeout, or leave out metric_groups")
}

func BenchmarkRead(b *testing.B) {
	l := captured(b)
	w := newOTelWriter("node1", "")
	b.ReportAllocs()
	for b.Loop() {
		samples, err := l.read(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		w.write(samples)
	}
}
