package e2e_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/e2e/backend"
	"github.com/obsd-io/obsd/internal/e2e/daemon"
)

// patience is how long a record may take from a file to a server; tests share two cores with other tests.
const patience = 2 * time.Minute

// pollEvery is how often a test looks whether something has arrived.
const pollEvery = 100 * time.Millisecond

// suite is what the tests share.
type suite struct {
	binary        string
	elasticsearch *backend.Elasticsearch
	influxdb      *backend.InfluxDB
	prometheus    *backend.Prometheus
}

func TestEndToEnd(t *testing.T) {
	backend.Need(t)
	binary, err := daemon.Binary(t.Context(), t.TempDir())
	require.NoError(t, err)
	s := &suite{
		binary:        binary,
		elasticsearch: backend.StartElasticsearch(t, backend.ElasticsearchOptions{}),
		influxdb:      backend.StartInfluxDB(t, backend.InfluxDBOptions{Databases: []string{"accesslog"}}),
		prometheus:    backend.StartPrometheus(t, backend.PrometheusOptions{}),
	}
	tests := map[string]func(*testing.T, *suite){
		"access log":       testAccessLog,
		"host metrics":     testHostMetrics,
		"OTLP":             testOTLP,
		"crash":            testCrash,
		"SIGTERM drains":   testDrain,
		"lost answers":     testAnswerLost,
		"SIGHUP reloads":   testReload,
		"faults":           testFaults,
		"TLS and password": testTLS,
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tests[name](t, s)
		})
	}
}

// env are variables that a configuration refers to as ${env:NAME}. DIR, ELASTICSEARCH, INFLUXDB and PROMETHEUS are
// always there.
type env map[string]string

// start runs obsd on a file of testdata. DIR is the folder of the logs it reads, and never its own, or it
// would read what it says about itself. It ends with the test, and a failed test shows its log.
func (s *suite) start(t *testing.T, config, dir string, more env) *daemon.Daemon {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", config))
	require.NoError(t, err)
	all := env{"DIR": dir, "ELASTICSEARCH": s.elasticsearch.URL, "INFLUXDB": s.influxdb.URL, "PROMETHEUS": s.prometheus.URL}
	maps.Copy(all, more)
	var vars []string
	for name, value := range all {
		vars = append(vars, name+"="+value)
	}
	d, err := daemon.Start(t.Context(), daemon.Settings{Binary: s.binary, Config: string(text), Env: vars, Dir: t.TempDir()})
	t.Cleanup(func() {
		if d.Running() {
			if err := d.Kill(); err != nil {
				t.Error(err)
			}
		}
		if t.Failed() {
			t.Logf("log of obsd:\n%s", d.Log())
		}
	})
	require.NoError(t, err)
	return d
}

// podLog makes the folder of a container's log as a kubelet would, and returns the path of the log.
func podLog(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "pods", "demo_web-1_11111111-2222-3333-4444-555555555555", "nginx", "0.log")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	return path
}

// appendTo appends text to a file, and makes the file if it is not there.
func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, errors.Join(err, f.Close()))
}

// waitForDocuments waits until the index has at least n documents, and returns all of them.
func (s *suite) waitForDocuments(t *testing.T, index string, n int) []map[string]any {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		got, err := s.elasticsearch.Count(t.Context(), index, "")
		require.NoError(c, err)
		require.GreaterOrEqual(c, got, n, "documents in %s", index)
	}, patience, pollEvery)
	docs, err := s.elasticsearch.Documents(t.Context(), index, "")
	require.NoError(t, err)
	return docs
}

// requireField compares an attribute of the record or of its resource.
func requireField(t *testing.T, doc map[string]any, name string, want any) {
	t.Helper()
	got, ok := field(doc, name)
	require.True(t, ok, "no field %q in %v", name, doc)
	require.Equal(t, want, got, "field %q", name)
}

// field finds a dotted name in a document.
func field(doc map[string]any, name string) (any, bool) {
	for _, place := range [][]string{{}, {"attributes"}, {"resource", "attributes"}} {
		at := doc
		for _, key := range place {
			at, _ = at[key].(map[string]any)
		}
		if value, ok := at[name]; ok {
			return value, true
		}
	}
	return nil, false
}
