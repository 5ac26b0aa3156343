package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

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
