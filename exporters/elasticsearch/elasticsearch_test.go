package elasticsearch

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
)

func TestPickKeepsResourceAndScope(t *testing.T) {
	ld := texts(numbered(9)...)
	ld.ResourceLogs().At(2).SetSchemaUrl("r")
	ld.ResourceLogs().At(2).ScopeLogs().At(0).SetSchemaUrl("s")
	got := pick(ld, []int{0, 2, 7})
	require.Equal(t, 2, got.ResourceLogs().Len())
	assert.Equal(t, []string{"0", "2", "7"}, bodies(got))
	last := got.ResourceLogs().At(1)
	number, _ := last.Resource().Attributes().Get("resource")
	assert.Equal(t, int64(2), number.Int())
	assert.Equal(t, "scope", last.ScopeLogs().At(0).Scope().Name())
	assert.Equal(t, "r", last.SchemaUrl())
	assert.Equal(t, "s", last.ScopeLogs().At(0).SchemaUrl())
	assert.Equal(t, numbered(9), bodies(ld), "the batch itself is as before")
}

// TestRecordsOfOneBatchAreSharedSafely runs many batches at once under -race.
func TestHammer(t *testing.T) {
	f := newFake(t)
	f.result = func(d sent) string {
		if d.text == "3" {
			return refuse(429, "busy", "")
		}
		return ""
	}
	b := start(t, map[string]any{"endpoint": f.URL, "flush": map[string]any{"bytes": 4000}})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				again, all := failedPart(b.ConsumeLogs(context.WithoutCancel(t.Context()), texts(numbered(50)...)))
				assert.Equal(t, []string{"3"}, again)
				assert.False(t, all)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, map[string]int64{"delivered": 8 * 20 * 49, "retried busy": 8 * 20}, b.outcomes(t))
}

func TestBatchingIsTold(t *testing.T) {
	f := newFake(t)
	batching := func(l exporter.Logs) bool {
		return l.(interface{ ExporterHelperBatchingEnabled() bool }).ExporterHelperBatchingEnabled()
	}
	assert.False(t, batching(start(t, map[string]any{"endpoint": f.URL}).Logs))
	assert.True(t, batching(start(t, map[string]any{"endpoint": f.URL, "sending_queue": map[string]any{"queue_size": 10_000_000}}).Logs))
}

func TestStartFails(t *testing.T) {
	cfg := createDefaultConfig()
	cfg.ClientConfig.Endpoint = "http://127.0.0.1:1"
	cfg.ClientConfig.TLS.CAFile = "testdata/none.pem"
	set := exporter.Settings{ID: component.MustNewID("elasticsearch"), TelemetrySettings: componenttest.NewNopTelemetrySettings()}
	exp, err := NewFactory().CreateLogs(t.Context(), set, cfg)
	require.NoError(t, err)
	require.ErrorContains(t, exp.Start(t.Context(), componenttest.NewNopHost()), "elasticsearch: make http client: ")
	require.NoError(t, exp.Shutdown(t.Context()))
}

// TestScopesAndEmptyParts: nothing is sent for what has no records.
func TestScopesAndEmptyParts(t *testing.T) {
	f := newFake(t)
	b := start(t, map[string]any{"endpoint": f.URL})
	ld := texts("a")
	ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
	ld.ResourceLogs().AppendEmpty()
	require.NoError(t, b.ConsumeLogs(t.Context(), ld))
	require.NoError(t, b.ConsumeLogs(t.Context(), plog.NewLogs()))
	assert.Equal(t, [][]string{{"a"}}, f.texts())
}
