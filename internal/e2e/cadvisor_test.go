package e2e_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// testCadvisor compares what the receiver reads of the containers with what the kubelet reads of them.
func testCadvisor(t *testing.T, c *cluster) {
	_, out := c.start(t, c.binary, "cadvisor.yaml", nil)
	const web, busy = "default/web/http", "default/busy/main"
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		all := collected(collect, out, "k8s.namespace.name", "k8s.pod.name", "k8s.container.name")
		require.Contains(collect, all, web)
		require.Contains(collect, all, busy)
		require.NotEmpty(collect, all[web]["container.memory.working_set"]["{}"])
		require.Positive(collect, all[web]["container.memory.available"]["{}"][0].value)
		require.Positive(collect, all[web]["container.process.count"]["{}"][0].value)
		require.Contains(collect, all[web], "container.filesystem.usage")
		require.Contains(collect, all[busy], "container.cpu.throttling_data.throttled_time")
		usage := all[busy]["container.cpu.usage"]["{}"]
		require.NotEmpty(collect, usage)
		require.InDelta(collect, 0.1, usage[len(usage)-1].value, 0.1, "CPUs of a container that may use a tenth of one")

		received := all["default/web/"]["k8s.pod.network.io"][`{"direction":"receive","interface":"eth0"}`]
		require.NotEmpty(collect, received, "the network of a pod")
		require.NotContains(collect, all["default/busy/"], "k8s.pod.network.io", "a pod in the node's network has none of its own")
		require.Contains(collect, all["default/busy/"], "k8s.pod.cpu.time")
		require.Contains(collect, all["//"], "k8s.node.cpu.time", "the node")

		summary, err := c.Kubectl(t.Context(), "get", "--raw", "/api/v1/nodes/node1/proxy/stats/summary")
		require.NoError(collect, err)
		theirs, ok := cpuOfSummary(collect, summary, "busy", "main")
		require.True(collect, ok, summary)
		before, after, ok := around(all[busy]["container.cpu.time"]["{}"], theirs.at)
		require.True(collect, ok, "no readings around the kubelet's at %v", theirs.at)
		require.GreaterOrEqual(collect, theirs.value, before.value, "the kubelet's CPU time lies between the two of ours that are around it")
		require.LessOrEqual(collect, theirs.value, after.value, "the kubelet's CPU time lies between the two of ours that are around it")
	}, clusterPatience, pollEvery)

	ids := collected(t, out, "k8s.pod.name", "container.id", "container.image.name", "container.image.tags", "container.runtime.name")
	id, err := c.Kubectl(t.Context(), "get", "pod", "web", "-o", "jsonpath={.status.containerStatuses[0].containerID}")
	require.NoError(t, err)
	require.Contains(t, slices.Collect(maps.Keys(ids)), "web/"+strings.TrimPrefix(id, "containerd://")+`/e2e.local/busybox/["1"]/containerd`)
}

// testCadvisorAsNobody runs obsd as a user without rights: it reads what it can, and says what it cannot.
func testCadvisorAsNobody(t *testing.T, c *cluster) {
	binary := filepath.Join(publicDir(t), "obsd") // where nobody may read it
	content, err := os.ReadFile(c.outside)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(binary, content, 0o755))
	const nobody = "65534"
	d, out := c.start(t, c.Inside(t, binary, "setpriv", "--reuid", nobody, "--regid", nobody, "--clear-groups", "--pdeathsig", "KILL", "--"), "cadvisor.yaml", nil)
	uid, err := c.Kubectl(t.Context(), "get", "pod", "web", "-o", "jsonpath={.metadata.uid}")
	require.NoError(t, err)
	id, err := c.Kubectl(t.Context(), "get", "pod", "web", "-o", "jsonpath={.status.containerStatuses[0].containerID}")
	require.NoError(t, err)
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		all := collected(collect, out, "k8s.pod.uid", "container.id")
		require.Contains(collect, all, uid+"/"+strings.TrimPrefix(id, "containerd://"), "what the path of the cgroup tells")
		require.Contains(collect, all[uid+"/"], "k8s.pod.memory.working_set")
		require.NotContains(collect, all[uid+"/"], "k8s.pod.network.io")
	}, clusterPatience, pollEvery)
	require.Contains(t, d.Log(), "cadvisor does not run as root")
	require.Contains(t, d.Log(), "container runtime does not answer")
	require.Contains(t, d.Log(), "run obsd as root, or as a member of the group that the socket belongs to")
}

// testCadvisorPrometheus compares the names and labels with those of the kubelet's own page.
func testCadvisorPrometheus(t *testing.T, c *cluster) {
	_, out := c.start(t, c.binary, "cadvisor-prometheus.yaml", nil)
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		page, err := c.Kubectl(t.Context(), "get", "--raw", "/api/v1/nodes/node1/proxy/metrics/cadvisor")
		require.NoError(collect, err)
		ours := collected(collect, out)[""]
		for _, name := range []string{"container_cpu_usage_seconds_total", "container_memory_working_set_bytes", "container_spec_memory_limit_bytes", "container_start_time_seconds"} {
			require.Contains(collect, page, name+`{container="http"`)
			found := false
			for key := range ours[name] {
				found = found || strings.Contains(key, `"container":"http"`) && strings.Contains(key, `"namespace":"default","pod":"web"`)
			}
			require.True(collect, found, "%s of the container in %v", name, ours[name])
		}
		require.Contains(collect, ours, "machine_memory_bytes")
	}, clusterPatience, pollEvery)
}
