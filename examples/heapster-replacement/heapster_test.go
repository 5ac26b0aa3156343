// Package heapster holds the test of this example.
package heapster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/e2e/backend"
	"github.com/obsd-io/obsd/internal/e2e/daemon"
	"github.com/obsd-io/obsd/internal/kubetest"
	"github.com/obsd-io/obsd/internal/porttest"
)

// TestExample runs: KUBELET_NODES=self KUBELET_AUTH=none KUBELET_METADATA=kubelet obsd --config obsd.yaml
func TestExample(t *testing.T) {
	backend.Need(t)
	influx := backend.StartInfluxDB(t, backend.InfluxDBOptions{Databases: []string{"k8s"}})
	kubelet := httptest.NewServer(kubetest.Kubelet())
	defer kubelet.Close()
	model, err := porttest.Reserve()
	require.NoError(t, err)

	daemon.StartFor(t, "obsd.yaml",
		"KUBELET_NODES=self", "KUBELET_AUTH=none", "KUBELET_METADATA=kubelet", "KUBELET_ENDPOINT="+kubelet.URL, "INTERVAL=1s",
		"CLUSTER_NAME=blue", "INFLUXDB_ENDPOINT="+influx.URL, "MODEL="+model)
	series(t, influx)
	api(t, "http://"+model)
}

// series asks for what dashboards made for Heapster ask for.
func series(t *testing.T, influx *backend.InfluxDB) {
	for _, want := range []struct {
		measurement, where string
		value              float64
		within             float64
	}{
		{"cpu/usage_rate", `"type" = 'node' AND "nodename" = 'node1' AND "cluster_name" = 'blue'`, 250, 150},
		{"cpu/usage_rate", `"type" = 'sys_container' AND "container_name" = 'kubelet'`, 250, 150},
		{"cpu/usage_rate", `"type" = 'pod_container' AND "pod_name" = 'web' AND "container_name" = 'http' AND "labels" = 'app:web'`, 250, 150},
		{"cpu/usage_rate", `"type" = 'cluster'`, 750, 450}, // of three pods
		{"memory/working_set", `"type" = 'pod' AND "namespace_name" = 'default' AND "pod_name" = 'logger'`, 2785280, 0},
		{"memory/usage", `"type" = 'ns' AND "namespace_name" = 'default'`, 7741440, 8e6},
		{"cpu/request", `"type" = 'pod' AND "pod_name" = 'logger'`, 50, 0},
		{"memory/limit", `"type" = 'cluster' AND "cluster_name" = 'blue'`, 32 << 20, 0},
		{"network/rx_rate", `"type" = 'pod' AND "pod_name" = 'web'`, 1000, 900},
		{"filesystem/usage", `"type" = 'pod_container' AND "resource_id" = 'logs' AND "pod_name" = 'web'`, 4096, 0},
	} {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			query := fmt.Sprintf(`SELECT last("value") FROM %q WHERE %s`, want.measurement, want.where)
			rows, err := influx.Query(t.Context(), "k8s", query)
			require.NoError(c, err)
			require.Len(c, rows, 1, query)
			got, ok := rows[0].Values[0][1].(float64)
			require.True(c, ok)
			require.InDelta(c, want.value, got, want.within+0.5, query)
		}, 2*time.Minute, 100*time.Millisecond)
	}
	fields, err := influx.Query(t.Context(), "k8s", `SHOW FIELD KEYS FROM "memory/usage", "network/rx_rate"`)
	require.NoError(t, err)
	require.Len(t, fields, 2)
	require.Equal(t, []any{"value", "integer"}, fields[0].Values[0])
	require.Equal(t, []any{"value", "float"}, fields[1].Values[0])
	require.Len(t, fields[0].Values, 1)
}

// api asks what clients of Heapster and kubectl top ask.
func api(t *testing.T, url string) {
	var names []string
	require.NoError(t, get(t.Context(), url+"/api/v1/model/namespaces/default/pods/", &names))
	require.Subset(t, names, []string{"incluster", "logger", "web"})
	var values struct{ Metrics []struct{ Value uint64 } }
	require.NoError(t, get(t.Context(), url+"/api/v1/model/namespaces/default/pods/logger/metrics/memory/working_set", &values))
	require.NotEmpty(t, values.Metrics)
	require.Equal(t, uint64(2785280), values.Metrics[0].Value)
	var nodes struct {
		Items []struct {
			Metadata struct{ Name string }
			Usage    struct{ Memory string }
		}
	}
	require.NoError(t, get(t.Context(), url+"/apis/metrics.k8s.io/v1beta1/nodes", &nodes))
	require.Len(t, nodes.Items, 1)
	require.Equal(t, "node1", nodes.Items[0].Metadata.Name)
	require.NotEmpty(t, nodes.Items[0].Usage.Memory)
}

func get(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = r.Body.Close() }() // it was read
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, r.Status)
	}
	return json.NewDecoder(r.Body).Decode(into)
}
