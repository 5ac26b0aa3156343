// Package routing holds the test of this example.
package routing

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/e2e/backend"
	"github.com/obsd-io/obsd/internal/e2e/daemon"
)

// TestExample runs: POD_LOGS=pods obsd --config obsd.yaml
func TestExample(t *testing.T) {
	backend.Need(t)
	es := backend.StartElasticsearch(t, backend.ElasticsearchOptions{})
	influx := backend.StartInfluxDB(t, backend.InfluxDBOptions{Databases: []string{"logs"}})
	pods, err := filepath.Abs("pods")
	require.NoError(t, err)

	daemon.StartFor(t, "obsd.yaml", "POD_LOGS="+pods, "ELASTICSEARCH_ENDPOINT="+es.URL, "INFLUXDB_ENDPOINT="+influx.URL)

	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, es.Refresh(t.Context(), "logs-errors-default"))
		errors, err := es.Documents(t.Context(), "logs-errors-default", "*")
		require.NoError(c, err)
		require.Len(c, errors, 2, "the failed request and the refused payment")
		for _, doc := range errors {
			require.Equal(c, 17.0, doc["severity_number"], fmt.Sprint(doc))
		}
	}, 2*time.Minute, 100*time.Millisecond)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		rest, err := influx.Query(t.Context(), "logs", `SELECT * FROM logs WHERE "k8s.pod.name" = 'web-6d4b7c9f5-x2x7k'`)
		require.NoError(c, err)
		require.Len(c, rest, 1)
		require.Len(c, rest[0].Values, 3, "the good request, the order and the line that is neither")
	}, 2*time.Minute, 100*time.Millisecond)
}
