// Package nginx holds the test of this example.
package nginx

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/e2e/backend"
	"github.com/obsd-io/obsd/internal/e2e/daemon"
)

// TestExample runs: NGINX_LOG=access.log obsd --config obsd.yaml
func TestExample(t *testing.T) {
	backend.Need(t)
	es := backend.StartElasticsearch(t, backend.ElasticsearchOptions{})
	sample, err := filepath.Abs("access.log")
	require.NoError(t, err)

	daemon.StartFor(t, "obsd.yaml", "NGINX_LOG="+sample, "ELASTICSEARCH_ENDPOINT="+es.URL)

	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, es.Refresh(t.Context(), "logs-nginx-default"))
		n, err := es.Count(t.Context(), "logs-nginx-default", "*")
		require.NoError(c, err)
		require.Equal(c, 4, n)
	}, 2*time.Minute, 100*time.Millisecond)
	docs, err := es.Documents(t.Context(), "logs-nginx-default", "attributes.http.response.status_code:502")
	require.NoError(t, err)
	require.Len(t, docs, 1)
	assert.Equal(t, "ERROR", docs[0]["severity_text"])
	attributes, _ := docs[0]["attributes"].(map[string]any)
	assert.Equal(t, "alice", attributes["user.name"])
	assert.Equal(t, "POST", attributes["http.request.method"])
	assert.Equal(t, "/api/orders", attributes["url.path"])
}
