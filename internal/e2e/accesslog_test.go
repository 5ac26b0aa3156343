package e2e_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The second request was cut in two by containerd, as lines above 16 KiB are.
const containerLog = `2026-11-23T10:00:00.000000001Z stdout F 10.0.0.1 - - [23/Nov/2026:10:00:00 +0000] "GET /a?q=1 HTTP/1.1" 200 12 "-" "curl/8.5.0"
2026-11-23T10:00:01.000000002Z stdout P 10.0.0.2 - bob [23/Nov/2026:10:00:01 +0000] "POST /b HTTP/1.1" 
2026-11-23T10:00:01.000000003Z stdout F 503 345 "https://example.com/" "curl/8.5.0"
2026-11-23T10:00:02.000000004Z stderr F this line is no access log
`

// testAccessLog follows three lines of a container from the kubelet's folder to a search and to a query.
func testAccessLog(t *testing.T, s *suite) {
	dir := t.TempDir()
	appendTo(t, podLog(t, dir), containerLog)
	s.start(t, "accesslog.yaml", dir, nil)

	docs := s.waitForDocuments(t, "logs-accesslog-default", 3)
	require.Len(t, docs, 3)
	for _, doc := range docs {
		requireField(t, doc, "k8s.namespace.name", "demo")
		requireField(t, doc, "k8s.pod.name", "web-1")
		requireField(t, doc, "k8s.container.name", "nginx")
	}
	failed := s.find(t, "logs-accesslog-default", `attributes.http.response.status_code:503`)
	require.Len(t, failed, 1)
	requireField(t, failed[0], "http.request.method", "POST")
	requireField(t, failed[0], "http.response.status_code", 503.0)
	requireField(t, failed[0], "url.path", "/b")
	requireField(t, failed[0], "user.name", "bob")
	requireField(t, failed[0], "log.iostream", "stdout")

	require.EventuallyWithT(t, func(c *assert.CollectT) {
		series, err := s.influxdb.Query(t.Context(), "accesslog", `SELECT * FROM logs WHERE "http.response.status_code" = 503`)
		require.NoError(c, err)
		require.Len(c, series, 1)
		require.Len(c, series[0].Values, 1)
		row := map[string]any{}
		for i, column := range series[0].Columns {
			row[column] = series[0].Values[0][i]
		}
		require.Equal(c, "POST", row["http.request.method"], fmt.Sprint(row))
		require.Equal(c, "web-1", row["k8s.pod.name"], fmt.Sprint(row))
	}, patience, pollEvery)
}

// find searches with a query string.
func (s *suite) find(t *testing.T, index, query string) []map[string]any {
	t.Helper()
	docs, err := s.elasticsearch.Documents(t.Context(), index, query)
	require.NoError(t, err)
	return docs
}
