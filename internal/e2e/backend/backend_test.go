package backend

import (
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDecide(t *testing.T) {
	tests := []struct {
		value, reason string
		wanted        bool
	}{
		{value: "run", wanted: true},
		{value: "skip", reason: "e2e: skipped, E2E=skip"},
		{value: "", reason: "e2e: skipped, it needs real servers: run `make test`, or set E2E=run (the first run builds them, about 15 minutes)"},
		{value: "yes"},
	}
	for _, tt := range tests {
		t.Run("E2E="+tt.value, func(t *testing.T) {
			wanted, reason := decide(tt.value)
			assert.Equal(t, tt.wanted, wanted)
			assert.Equal(t, tt.reason, reason)
		})
	}
}

func TestMissingPackages(t *testing.T) {
	have := func(programs ...string) func(string) (string, error) {
		return func(name string) (string, error) {
			for _, p := range programs {
				if p == name {
					return "/bin/" + p, nil
				}
			}
			return "", exec.ErrNotFound
		}
	}
	assert.Empty(t, missingPackages(have("javac", "mvn")))
	assert.Equal(t, []string{"maven"}, missingPackages(have("javac")))
	assert.Equal(t, []string{"default-jdk-headless", "maven"}, missingPackages(have()))
}

func TestPrometheus(t *testing.T) {
	Need(t)
	t.Parallel()
	prom := StartPrometheus(t, PrometheusOptions{})
	require.NoError(t, prom.AddTarget(prom.URL[len("http://"):], map[string]string{"job": "itself"}))
	require.Eventually(t, func() bool {
		samples, err := prom.Query(t.Context(), `up{job="itself"}`)
		return err == nil && len(samples) == 1 && samples[0].Value == 1
	}, time.Minute, 100*time.Millisecond)
	_, err := prom.Query(t.Context(), "up{")
	require.ErrorContains(t, err, `e2e: Prometheus: query "up{": GET `)
}

func TestInfluxDB(t *testing.T) {
	Need(t)
	t.Parallel()
	db := StartInfluxDB(t, InfluxDBOptions{Databases: []string{"one", "two"}})
	require.NoError(t, call(t.Context(), http.MethodPost, db.URL+"/write?db=one", "", []byte("cpu,host=a usage=1.5 1000\n"), nil))
	series, err := db.Query(t.Context(), "one", "SELECT usage FROM cpu GROUP BY host")
	require.NoError(t, err)
	require.Equal(t, []Series{{
		Name: "cpu", Tags: map[string]string{"host": "a"}, Columns: []string{"time", "usage"}, Values: [][]any{{"1970-01-01T00:00:00.000001Z", 1.5}},
	}}, series)
	_, err = db.Query(t.Context(), "none", "SELECT * FROM cpu")
	require.EqualError(t, err, `e2e: InfluxDB: query "SELECT * FROM cpu": database not found: none`)
}

func TestElasticsearch(t *testing.T) {
	Need(t)
	t.Parallel()
	es := StartElasticsearch(t, ElasticsearchOptions{Settings: map[string]string{"http.max_content_length": "64kb"}})
	n, err := es.Count(t.Context(), "logs-none-default", "")
	require.NoError(t, err)
	require.Zero(t, n, "an index that is not there")

	const bulk = "{\"create\":{}}\n{\"@timestamp\":\"2026-01-01T00:00:00Z\",\"n\":1,\"host\":{\"name\":\"a\"}}\n{\"create\":{}}\n{\"@timestamp\":\"2026-01-01T00:00:00Z\",\"n\":2}\n"
	require.NoError(t, call(t.Context(), http.MethodPost, es.URL+"/logs-x-default/_bulk", "application/x-ndjson", []byte(bulk), nil))
	err = call(t.Context(), http.MethodPost, es.URL+"/logs-x-default/_bulk", "application/x-ndjson", make([]byte, 100<<10), nil)
	require.ErrorContains(t, err, "413 Request Entity Too Large", "the settings are used")

	require.NoError(t, es.Kill())
	_, err = es.Count(t.Context(), "logs-x-default", "")
	require.ErrorContains(t, err, "connection refused")
	require.NoError(t, es.Restart(t.Context()))

	docs, err := es.Documents(t.Context(), "logs-x-default", "host.name:a")
	require.NoError(t, err)
	require.Equal(t, []map[string]any{{"@timestamp": "2026-01-01T00:00:00Z", "n": 1.0, "host": map[string]any{"name": "a"}}}, docs)
	n, err = es.Count(t.Context(), "logs-x-default", "")
	require.NoError(t, err)
	require.Equal(t, 2, n)
}
