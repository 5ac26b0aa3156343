package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/wasmtest"
	"github.com/obsd-io/obsd/runtime/abi"
)

// mine is a plugin that gives lines a severity, one for each version.
func mine(version int64) []byte {
	return wasmtest.Stamp{Manifest: `{"name":"mine","signals":["logs"],"reads":["body"],"writes":["severity"]}`, Field: abi.FieldSeverity, Value: version}.Module()
}

// theirs is a plugin that says when lines were observed, in another second for each version.
func theirs(version int64) []byte {
	return wasmtest.Stamp{
		Manifest: `{"name":"theirs","signals":["logs"],"reads":["body"],"writes":["observed_time"]}`,
		Field:    abi.FieldObservedTime, Value: version * int64(time.Second),
	}.Module()
}

// configMapPlugin puts a module where deploy/kubernetes looks for the plugins of a cluster.
func (d *deployment) configMapPlugin(t *testing.T, module []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mine.wasm")
	require.NoError(t, os.WriteFile(file, module, 0o600))
	manifest := d.kubectl(t, "-n", "obsd", "create", "configmap", "obsd-plugins", "--from-file="+file, "--dry-run=client", "-o", "yaml")
	require.NoError(t, d.Apply(t.Context(), manifest))
}

// writer is a pod that writes a line a second.
const writer = `
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: default}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, image: "e2e.local/busybox:1", imagePullPolicy: Never, command: [/bin/sh, -c, 'while :; do echo note; sleep 1; done']}
`

// stamped waits until lines of a container have what both plugins give them.
func (d *deployment) stamped(t *testing.T, query string, mine, theirs int, meanwhile func()) {
	t.Helper()
	want := fmt.Sprintf("1970-01-01T00:00:%02d", theirs)
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		meanwhile()
		docs, err := d.elasticsearch.Documents(t.Context(), "logs-*", fmt.Sprintf("%s AND severity_number:%d", query, mine))
		require.NoError(collect, err)
		for _, doc := range docs {
			if observed, _ := doc["observed_timestamp"].(string); len(observed) >= len(want) && observed[:len(want)] == want {
				return
			}
		}
		require.Failf(collect, "no line of both plugins", "%d lines have the severity %d, none was observed at %s", len(docs), mine, want)
	}, clusterPatience, time.Second)
}

// testPlugins sees what a plugin from a ConfigMap and one from a registry do to lines, and that both are exchanged while obsd runs.
func testPlugins(t *testing.T, d *deployment) {
	d.stamped(t, `resource.attributes.k8s.deployment.name:shop`, 1, 1, func() {})
	agent := d.kubectl(t, "-n", "obsd", "get", "pods", "-l", "app.kubernetes.io/component=node", "-o", "name")
	require.NoError(t, d.Apply(t.Context(), fmt.Sprintf(writer, "writer")))
	d.configMapPlugin(t, mine(2))
	require.NoError(t, d.registry.Push(t.Context(), "plugins/theirs", "1", theirs(2)))
	// A kubelet looks at a ConfigMap when it looks at the pod: once a minute or so, and when the pod changes.
	touches := 0
	d.stamped(t, `resource.attributes.k8s.pod.name:writer`, 2, 2, func() {
		touches++
		d.kubectl(t, "-n", "obsd", "annotate", "--overwrite", "pods", "-l", "app.kubernetes.io/component=node", fmt.Sprintf("e2e.local/touched=%d", touches))
	})
	require.Equal(t, agent, d.kubectl(t, "-n", "obsd", "get", "pods", "-l", "app.kubernetes.io/component=node", "-o", "name"))
	restarts := d.kubectl(t, "-n", "obsd", "get", "pods", "-l", "app.kubernetes.io/component=node", "-o", "jsonpath={.items[*].status.containerStatuses[0].restartCount}")
	require.Equal(t, "0", restarts)
}

// testPluginsOffline sees that an agent which started while the registry was down has both plugins, as they were last.
func testPluginsOffline(t *testing.T, d *deployment) {
	require.NoError(t, d.Apply(t.Context(), fmt.Sprintf(writer, "late")))
	d.stamped(t, `resource.attributes.k8s.pod.name:late`, 2, 2, func() {})
}
