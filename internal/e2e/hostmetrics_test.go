package e2e_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/porttest"
)

// testHostMetrics asks Prometheus for this machine's metrics, once as scraped from obsd and once as obsd wrote them.
func testHostMetrics(t *testing.T, s *suite) {
	scrape, err := porttest.Reserve()
	require.NoError(t, err)
	require.NoError(t, s.prometheus.AddTarget(scrape, map[string]string{"via": "scrape"}))
	s.start(t, "hostmetrics.yaml", t.TempDir(), env{"SCRAPE": scrape})
	for _, via := range []string{"scrape", "remote_write"} {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			memory, err := s.prometheus.Query(t.Context(), `sum(system_memory_usage_bytes{via="`+via+`"})`)
			require.NoError(c, err)
			require.Len(c, memory, 1, "%s: memory", via)
			require.Greater(c, memory[0].Value, 1e8, "%s: bytes of memory", via)

			busy, err := s.prometheus.Query(t.Context(), `sum(rate(system_cpu_time_seconds_total{via="`+via+`"}[30s]))`)
			require.NoError(c, err)
			require.Len(c, busy, 1, "%s: CPU time", via)
			require.Greater(c, busy[0].Value, 0.5, "%s: all states of all CPUs together pass at least half a second a second", via)
		}, patience, pollEvery)
	}
}
