package influxdb

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
)

func testSettings() exporter.Settings {
	return exporter.Settings{
		ID:                component.MustNewID("influxdb"),
		TelemetrySettings: componenttest.NewNopTelemetrySettings(),
		BuildInfo:         component.NewDefaultBuildInfo(),
	}
}

// TestConcurrentBatches pushes batches of one series and one second from many
// goroutines: each record must get a time of its own.
func TestConcurrentBatches(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			for line := range strings.Lines(string(body)) {
				seen[line[strings.LastIndexByte(line, ' '):]]++
			}
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer srv.Close()
	c := testConfig(func(c *Config) {
		c.ClientConfig.Endpoint = srv.URL
		c.ClientConfig.Compression = ""
		c.Precision = PrecisionSeconds // for metrics only
	})
	exp, err := NewFactory().CreateLogs(t.Context(), testSettings(), c)
	require.NoError(t, err)
	require.NoError(t, exp.Start(t.Context(), componenttest.NewNopHost()))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				ld := plog.NewLogs()
				sl := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
				for i := range 50 {
					rec := sl.LogRecords().AppendEmpty()
					rec.SetTimestamp(pointStamp)
					rec.Body().SetStr(fmt.Sprint(i))
				}
				ld.MarkReadOnly()
				if err := exp.ConsumeLogs(context.Background(), ld); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	require.NoError(t, exp.Shutdown(context.Background()))
	require.Len(t, seen, 8*20*50)
}

func TestStartNamesTheFault(t *testing.T) {
	c := testConfig(func(c *Config) { c.ClientConfig.TLS.CAFile = "/does/not/exist" })
	exp, err := NewFactory().CreateMetrics(t.Context(), testSettings(), c)
	require.NoError(t, err)
	err = exp.Start(t.Context(), componenttest.NewNopHost())
	require.ErrorContains(t, err, "influxdb: create HTTP client: ")
	require.ErrorContains(t, err, "/does/not/exist")
	require.NoError(t, exp.Shutdown(t.Context()))
	require.NoError(t, exp.Shutdown(t.Context()))
}
