package ocb_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/e2e/backend"
	"github.com/obsd-io/obsd/internal/e2e/daemon"
	"github.com/obsd-io/obsd/internal/e2e/ocb"
	"github.com/obsd-io/obsd/internal/guest"
	"github.com/obsd-io/obsd/internal/porttest"
)

const config = `
receivers:
  otlp:
    protocols:
      http: {endpoint: "${env:ADDRESS}"}
processors:
  wasm/accesslog: {module: "${env:ACCESSLOG}"}
connectors:
  wasm/route:
    module: ${env:ROUTE}
    config:
      rules: [{when: 'severity_number >= 17', to: [errors]}]
    routes: {errors: [logs/errors], default: []}
exporters:
  debug: {verbosity: detailed}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    logs: {receivers: [otlp], processors: [wasm/accesslog], exporters: [wasm/route]}
    logs/errors: {receivers: [wasm/route], exporters: [debug]}
`

const line = `10.1.2.3 - - [23/Nov/2026:10:00:00 +0000] \"GET /a HTTP/1.1\" STATUS 5`

// A Collector that anyone builds from the README's manifest runs plugins, as processor and as connector.
func TestOwnCollector(t *testing.T) {
	backend.Need(t)
	builder, err := ocb.InstallBuilder(t.Context(), t.Output())
	require.NoError(t, err)
	binary, err := ocb.Build(t.Context(), builder, t.TempDir())
	require.NoError(t, err)
	address, err := porttest.Reserve()
	require.NoError(t, err)
	d, err := daemon.Start(t.Context(), daemon.Settings{Binary: binary, Config: config, Dir: t.TempDir(), Env: []string{
		"ADDRESS=" + address, "ACCESSLOG=" + guest.Build(t, "../../../plugins/accesslog"), "ROUTE=" + guest.Build(t, "../../../plugins/route"),
		"CACHE_DIRECTORY=" + filepath.Join(t.TempDir(), "cache"),
	}})
	t.Cleanup(func() {
		if d.Running() {
			require.NoError(t, d.Kill())
		}
	})
	require.NoError(t, err, "%s", d.Log())
	for _, status := range []string{"200", "503"} {
		body := `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"` + strings.Replace(line, "STATUS", status, 1) + `"}}]}]}]}`
		resp, err := http.Post("http://"+address+"/v1/logs", "application/json", strings.NewReader(body))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
	}
	require.Eventually(t, func() bool { return strings.Contains(d.Log(), "http.response.status_code: Int(503)") }, 60*time.Second, 50*time.Millisecond, "%s", d.Log())
	require.NotContains(t, d.Log(), "Int(200)", "the route drops what is no error")
}
