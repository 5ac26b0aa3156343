package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// testKubectlTop registers the model extension with the API server and asks it as everybody does.
func testKubectlTop(t *testing.T, c *cluster) {
	token, err := c.Token(t.Context(), "model", kubeletAgent)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(token), 0o600))
	cert, key := c.ServerCertificate()
	c.start(t, c.binary, "model.yaml", env{"TOKEN": file, "CA": c.CA, "CERT": cert, "KEY": key})
	ca, err := os.ReadFile(c.CA)
	require.NoError(t, err)
	require.NoError(t, c.Apply(t.Context(), fmt.Sprintf(modelService, base64.StdEncoding.EncodeToString(ca))))
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		nodes, err := c.Kubectl(t.Context(), "top", "nodes", "--no-headers")
		require.NoError(collect, err)
		require.Regexp(collect, `^node1 +\d+m +\d+% +\d+Mi +\d+% *\n$`, nodes)
		pods, err := c.Kubectl(t.Context(), "top", "pods", "--containers", "--no-headers")
		require.NoError(collect, err)
		require.Regexp(collect, `(?m)^busy +main +[1-9]\d*m +\d+Mi *$`, pods)
		require.Regexp(collect, `(?m)^web +http +\d+m +\d+Mi *$`, pods)
	}, clusterPatience, pollEvery)
}

// modelService leads the API server to obsd, which is a process of the node here and no pod.
const modelService = `
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata: {name: obsd, namespace: default}
  spec: {ports: [{name: https, port: 8443, targetPort: 8443}]}
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  metadata: {name: obsd, namespace: default, labels: {kubernetes.io/service-name: obsd}}
  addressType: IPv4
  ports: [{name: https, port: 8443, protocol: TCP}]
  endpoints: [{addresses: [10.123.0.1], conditions: {ready: true}}]
- apiVersion: apiregistration.k8s.io/v1
  kind: APIService
  metadata: {name: v1beta1.metrics.k8s.io}
  spec:
    group: metrics.k8s.io
    version: v1beta1
    groupPriorityMinimum: 100
    versionPriority: 100
    service: {namespace: default, name: obsd, port: 8443}
    caBundle: %s
`

// testCadvisorProcesses asks the model extension for the processes of a container.
func testCadvisorProcesses(t *testing.T, c *cluster) {
	c.start(t, c.binary, "cadvisor-model.yaml", nil)
	client, err := c.Client("")
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		answer, err := client.Get("http://127.0.0.1:8082/api/v1/cadvisor/ps/default/web/http")
		require.NoError(collect, err)
		defer func() { _ = answer.Body.Close() }()
		require.Equal(collect, http.StatusOK, answer.StatusCode)
		var processes []struct {
			Cmd, User string
			RSS       uint64
		}
		require.NoError(collect, json.NewDecoder(answer.Body).Decode(&processes))
		require.Len(collect, processes, 1)
		require.Equal(collect, "httpd -f -p 8080 -h /www", processes[0].Cmd)
		require.Equal(collect, "root", processes[0].User)
		require.Positive(collect, processes[0].RSS)
	}, clusterPatience, pollEvery)
}
