package e2e_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// kubeletAgent is what the receiver's README asks a service account to have.
const kubeletAgent = `[{apiGroups: [""], resources: [nodes/stats, nodes/metrics, nodes/pods, nodes/proxy], verbs: [get]}]`

// startKubelet runs obsd on kubelet.yaml with the token of a service account of its own.
func startKubelet(t *testing.T, c *cluster, account string) (out string) {
	t.Helper()
	token, err := c.Token(t.Context(), account, kubeletAgent)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(token), 0o600))
	_, out = c.start(t, c.binary, "kubelet.yaml", env{"TOKEN": file, "CA": c.CA})
	return out
}

// testKubelet compares what the receiver makes of each endpoint with the endpoint's own answer: a reading of the kubelet lies
// between the two of ours that are around it.
func testKubelet(t *testing.T, c *cluster) {
	out := startKubelet(t, c, "kubelet-values")
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		all := collected(collect, out, "k8s.namespace.name", "k8s.pod.name", "k8s.container.name")
		require.Contains(collect, all, "default/busy/main")
		require.Contains(collect, all, "default/web/")
		require.Contains(collect, all["default/web/"], "k8s.pod.network.io")
		require.Contains(collect, all["//"], "k8s.node.cpu.time")

		theirs, ok := cpuOfSummary(collect, raw(t.Context(), collect, c, "stats/summary"), "busy", "main")
		require.True(collect, ok)
		requireAround(collect, "summary", all["default/busy/main"]["container.cpu.time"]["{}"], theirs)
	}, clusterPatience, pollEvery)
	for _, endpoint := range []string{"resource", "cadvisor"} {
		// A reading of now, which ours come around later.
		theirs := busyCPU(t, raw(t.Context(), t, c, "metrics/"+endpoint))
		require.EventuallyWithT(t, func(collect *assert.CollectT) {
			ours := series{}
			for _, metrics := range collected(collect, out) {
				for key, readings := range metrics["container_cpu_usage_seconds_total"] {
					if strings.Contains(key, `"container":"main"`) && strings.Contains(key, `"pod":"busy"`) && strings.Contains(key, `"cpu":`) == (endpoint == "cadvisor") {
						ours[key] = readings
					}
				}
			}
			require.Len(collect, ours, 1)
			for _, readings := range ours {
				requireAround(collect, endpoint, readings, theirs)
			}
		}, clusterPatience, pollEvery)
	}
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		found := false
		for _, metrics := range collected(collect, out) {
			for key := range metrics["prober_probe_total"] {
				found = found || strings.Contains(key, `"pod":"web"`)
			}
		}
		require.True(collect, found, "the probe of a pod")
	}, clusterPatience, pollEvery)
}

// testKubeletRestarts kills a container and sees the kubelet's count of its restarts go up.
func testKubeletRestarts(t *testing.T, c *cluster) {
	out := startKubelet(t, c, "kubelet-restarts")
	last := func(collect *assert.CollectT) float64 {
		restarts := collected(collect, out, "k8s.pod.name", "k8s.container.name")["fragile/main"]["k8s.container.restarts"]["{}"]
		require.NotEmpty(collect, restarts)
		return restarts[len(restarts)-1].value
	}
	require.EventuallyWithT(t, func(collect *assert.CollectT) { require.Zero(collect, last(collect)) }, clusterPatience, pollEvery)
	id, err := c.Kubectl(t.Context(), "get", "pod", "fragile", "-o", "jsonpath={.status.containerStatuses[0].containerID}")
	require.NoError(t, err)
	_, err = c.Run(t.Context(), "", "ctr", "task", "kill", "--signal", "KILL", strings.TrimPrefix(id, "containerd://"))
	require.NoError(t, err)
	require.EventuallyWithT(t, func(collect *assert.CollectT) { require.EqualValues(collect, 1, last(collect)) }, clusterPatience, pollEvery)
}

// raw asks the kubelet through the API server.
func raw(ctx context.Context, t require.TestingT, c *cluster, path string) string {
	answer, err := c.Kubectl(ctx, "get", "--raw", "/api/v1/nodes/node1/proxy/"+path)
	require.NoError(t, err)
	return answer
}

// requireAround holds a reading of the kubelet against ours of a counter: the last one before it is not higher, and one
// within the kubelet's own interval after it is not lower. Points of the summary carry the time of the scrape, and the kubelet
// answers with what it read up to that interval ago.
func requireAround(collect *assert.CollectT, what string, ours []reading, theirs reading) {
	const interval = 20 * time.Second // the kubelet reads a container every 10 to 15 s
	before, after := false, false
	for _, r := range ours {
		switch {
		case !r.at.After(theirs.at):
			before = true
			require.LessOrEqual(collect, r.value, theirs.value, what)
		case r.at.Before(theirs.at.Add(interval)) && r.value >= theirs.value:
			after = true
		}
	}
	require.True(collect, before && after, "%s: of %d readings none is before, or none after, the kubelet's %v at %v", what, len(ours), theirs.value, theirs.at)
}

// busyCPU finds the CPU time of the container that is busy on a page of the kubelet.
func busyCPU(t require.TestingT, page string) reading {
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "container_cpu_usage_seconds_total{") || !strings.Contains(line, `container="main"`) || !strings.Contains(line, `pod="busy"`) {
			continue
		}
		fields := strings.Fields(line[strings.LastIndexByte(line, '}')+1:])
		require.Len(t, fields, 2, line)
		value, err := strconv.ParseFloat(fields[0], 64)
		require.NoError(t, err)
		ms, err := strconv.ParseInt(fields[1], 10, 64)
		require.NoError(t, err)
		return reading{time.UnixMilli(ms), value}
	}
	require.Fail(t, "no CPU time of the container")
	return reading{}
}
