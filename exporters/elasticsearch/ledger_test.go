package elasticsearch

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestLossLines(t *testing.T) {
	f := newFake(t)
	f.result = results
	b := start(t, map[string]any{"endpoint": f.URL})
	text := "mapping \x00" + strings.Repeat("z", 5000)
	require.NoError(t, b.ConsumeLogs(t.Context(), texts(text, "mapping", "mapping")))
	found := b.logs.FilterMessage("documents lost: Elasticsearch does not take them").All()
	require.Len(t, found, 1, "not one for each")
	line := found[0].ContextMap()
	assert.Equal(t, "logs-generic.otel-default", line["index"])
	assert.Equal(t, "document_parsing_exception", line["reason"])
	assert.Equal(t, "failed to parse field [n] of type [long]", line["detail"])
	assert.Equal(t, int64(400), line["status"])
	assert.Equal(t, int64(1), line["lost_since_last_line"])
	assert.Equal(t, "change the index template or the record, so that each field has one type; see detail", line["mend"])
	assert.Contains(t, line["document"], `{"@timestamp":"2025-06-15T15:06:40.123456789Z","body":{"text":"mapping \u0000zzz`)
	assert.Less(t, len(line["document"].(string)), excerptLength+10)

	require.NoError(t, b.Shutdown(t.Context()))
	found = b.logs.FilterMessage("documents lost: Elasticsearch does not take them").All()
	require.Len(t, found, 2, "the rest is told at the end")
	assert.Equal(t, map[string]any{"lost_since_last_line": int64(2)}, found[1].ContextMap())
}

func TestLedgerBounds(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	tel := componenttest.NewTelemetry()
	defer func() { require.NoError(t, tel.Shutdown(context.WithoutCancel(t.Context()))) }()
	set := tel.NewTelemetrySettings()
	set.Logger = zap.New(core)
	l, err := newLedger(set, component.MustNewID("elasticsearch"))
	require.NoError(t, err)
	now := time.Unix(0, 0)
	l.now = func() time.Time { return now }
	for i := range 1000 {
		l.lose(t.Context(), loss{reason: fmt.Sprint("r", i), status: 400})
		now = now.Add(time.Second)
	}
	l.lose(t.Context(), loss{reason: "Not a Label\n", status: 400})
	b := &bench{tel: tel}
	outcomes := b.outcomes(t)
	assert.LessOrEqual(t, len(outcomes), maxReasons+1)
	total := int64(0)
	for _, n := range outcomes {
		total += n
	}
	assert.Equal(t, int64(1001), total)
	assert.Positive(t, outcomes["lost other"])
	lines := logs.All()
	assert.Len(t, lines, 101)
	assert.Equal(t, int64(10), lines[1].ContextMap()["lost_since_last_line"])
}
