// Package otlp holds the test of this example.
package otlp

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/e2e/backend"
	"github.com/obsd-io/obsd/internal/e2e/daemon"
	"github.com/obsd-io/obsd/internal/porttest"
)

// TestExample runs: obsd --config obsd.yaml; curl -d @metrics.json …/v1/metrics; and has a Prometheus scrape it.
func TestExample(t *testing.T) {
	backend.Need(t)
	prom := backend.StartPrometheus(t, backend.PrometheusOptions{})
	grpc, otlp, scrape := freeAddr(t), freeAddr(t), freeAddr(t)

	daemon.StartFor(t, "obsd.yaml", "OTLP_GRPC="+grpc, "OTLP_HTTP="+otlp, "SCRAPE="+scrape)
	require.NoError(t, prom.AddTarget(scrape, nil))
	send(t, "http://"+otlp+"/v1/metrics", "metrics.json")

	for query, want := range map[string]float64{
		`orders_total{kind="book"}`:                             42,
		`target_info{deployment_environment_name="production"}`: 1,
	} {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			samples, err := prom.Query(t.Context(), query)
			require.NoError(c, err)
			require.Len(c, samples, 1, query)
			require.Equal(c, want, samples[0].Value, query)
		}, 2*time.Minute, 100*time.Millisecond)
	}
}

// send posts a file as OTLP-JSON.
func send(t *testing.T, url, file string) {
	t.Helper()
	body, err := os.ReadFile(file)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }() // it was read
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(answer))
}

func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := porttest.Reserve()
	require.NoError(t, err)
	return addr
}
