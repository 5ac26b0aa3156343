package elasticsearch

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

func TestECSLayout(t *testing.T) {
	for _, tc := range []struct {
		name string
		fill func(r, s pcommon.Map, lr plog.LogRecord)
		want string
	}{
		{"everything", func(r, s pcommon.Map, lr plog.LogRecord) {
			r.PutStr("service.name", "shop")
			r.PutStr("service.instance.id", "i-1")
			r.PutStr("deployment.environment.name", "prod")
			r.PutStr("host.name", "node-1")
			r.PutStr("os.type", "darwin")
			r.PutStr("k8s.namespace.name", "ns")
			r.PutStr("k8s.pod.name", "pod-0")
			r.PutStr("k8s.cluster.name", "c1")
			r.PutStr("telemetry.sdk.name", "opentelemetry")
			r.PutStr("telemetry.sdk.language", "go")
			r.PutStr("telemetry.sdk.version", "1.40")
			s.PutStr("lib", "l")
			lr.SetSeverityNumber(plog.SeverityNumberWarn)
			lr.SetSeverityText("WARN")
			lr.SetEventName("login")
			lr.SetTraceID(pcommon.TraceID{15: 1})
			lr.SetSpanID(pcommon.SpanID{7: 2})
			lr.Attributes().PutStr("exception.type", "IOException")
			lr.Attributes().PutStr("exception.message", "gone")
			lr.Attributes().PutEmptyMap("http").PutEmptyMap("request").PutStr("method", "GET")
			lr.Body().SetStr("hello")
		}, `{
			"@timestamp": "2025-06-15T15:06:40.123456789Z", "message": "hello", "log.level": "WARN", "event.severity": 13, "event.action": "login",
			"trace.id": "00000000000000000000000000000001", "span.id": "0000000000000002",
			"data_stream.type": "logs", "data_stream.dataset": "generic", "data_stream.namespace": "default",
			"service.name": "shop", "service.node.name": "i-1", "service.environment": "prod",
			"host.name": "node-1", "host.hostname": "node-1", "host.os.platform": "darwin", "host.os.type": "macos",
			"kubernetes.namespace": "ns", "kubernetes.pod.name": "pod-0", "orchestrator.cluster.name": "c1",
			"agent.name": "opentelemetry/go", "agent.version": "1.40", "lib": "l",
			"error.type": "IOException", "error.message": "gone", "http.request.method": "GET"}`},
		{"record wins over resource, special over record", func(r, _ pcommon.Map, lr plog.LogRecord) {
			r.PutStr("env", "resource")
			r.PutStr("message", "resource")
			lr.Attributes().PutStr("env", "record")
			lr.Attributes().PutStr("log.level", "record")
			lr.SetSeverityText("INFO")
		}, `{
			"@timestamp": "2025-06-15T15:06:40.123456789Z", "env": "record", "message": "resource", "log.level": "INFO", "agent.name": "otlp",
			"data_stream.type": "logs", "data_stream.dataset": "generic", "data_stream.namespace": "default"}`},
		{"value and object of one name", func(r, _ pcommon.Map, lr plog.LogRecord) {
			r.PutStr("app", "shop")
			r.PutStr("app.kubernetes.io/name", "shop-0")
			lr.Attributes().PutStr("log", "x")
			lr.Attributes().PutStr("a", "1")
			lr.Attributes().PutStr("a.value", "2")
			lr.Attributes().PutStr("a.b", "3")
			lr.SetSeverityText("INFO")
		}, `{
			"@timestamp": "2025-06-15T15:06:40.123456789Z", "agent.name": "otlp",
			"app.value": "shop", "app.kubernetes.io/name": "shop-0", "log.value": "x", "log.level": "INFO",
			"a.value_": "1", "a.value": "2", "a.b": "3",
			"data_stream.type": "logs", "data_stream.dataset": "generic", "data_stream.namespace": "default"}`},
		{"names without a letter", func(_, _ pcommon.Map, lr plog.LogRecord) {
			lr.Attributes().PutStr("", "1")
			lr.Attributes().PutStr(" ", "2")
			lr.Attributes().PutStr(".a", "3")
		}, `{
			"@timestamp": "2025-06-15T15:06:40.123456789Z", "_.value": "1", "__": "2", "_.a": "3", "agent.name": "otlp",
			"data_stream.type": "logs", "data_stream.dataset": "generic", "data_stream.namespace": "default"}`},
		{"map body is JSON text", func(_, _ pcommon.Map, lr plog.LogRecord) {
			lr.Body().SetEmptyMap().PutDouble("x", math.Inf(1))
		}, `{
			"@timestamp": "2025-06-15T15:06:40.123456789Z", "message": "{\"x\":null}", "agent.name": "otlp",
			"data_stream.type": "logs", "data_stream.dataset": "generic", "data_stream.namespace": "default"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ld := one(func(r pcommon.Resource, s pcommon.InstrumentationScope, lr plog.LogRecord) {
				tc.fill(r.Attributes(), s.Attributes(), lr)
			})
			assert.JSONEq(t, tc.want, lines(t, encoding{ecs: true}, ld)[1])
		})
	}
}

// TestECSRecordsAreApart looks for what one record leaves behind for the next.
func TestECSRecordsAreApart(t *testing.T) {
	ld := one(func(r pcommon.Resource, _ pcommon.InstrumentationScope, lr plog.LogRecord) {
		r.Attributes().PutStr("env", "resource")
		lr.Attributes().PutStr("env", "first")
		lr.Attributes().PutStr("agent.name.x", "makes a stem")
	})
	ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().AppendEmpty().SetTimestamp(at)
	got := lines(t, encoding{ecs: true}, ld)
	assert.Contains(t, got[1], `"env":"first"`)
	assert.Contains(t, got[1], `"agent.name.value":"otlp"`)
	assert.JSONEq(t, `{"@timestamp": "2025-06-15T15:06:40.123456789Z", "env": "resource", "agent.name": "otlp",
		"data_stream.type": "logs", "data_stream.dataset": "generic", "data_stream.namespace": "default"}`, got[3])
}

// TestLongPathsAreNotRepeated: else a few bytes of input make a lot of output.
func TestLongPathsAreNotRepeated(t *testing.T) {
	ld := one(func(_ pcommon.Resource, _ pcommon.InstrumentationScope, lr plog.LogRecord) {
		wide := lr.Attributes().PutEmptyMap(strings.Repeat("p", 10_000))
		for i := range 1000 {
			wide.PutInt(fmt.Sprint(i), 1)
		}
	})
	got := lines(t, encoding{ecs: true}, ld)[1]
	requireDocument(t, got)
	assert.Less(t, len(got), 30_000)
}
