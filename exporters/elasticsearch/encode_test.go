package elasticsearch

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

const at = pcommon.Timestamp(1_750_000_000_123_456_789) // 2025-06-15T15:06:40.123456789Z

// one makes a batch of one record.
func one(fill func(r pcommon.Resource, s pcommon.InstrumentationScope, lr plog.LogRecord)) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	sl := rl.ScopeLogs().AppendEmpty()
	lr := sl.LogRecords().AppendEmpty()
	lr.SetTimestamp(at)
	fill(rl.Resource(), sl.Scope(), lr)
	return ld
}

// lines encodes a batch and returns its lines.
func lines(t testing.TB, enc encoding, ld plog.Logs) []string {
	t.Helper()
	e := newEncoder(enc)
	e.now = func() time.Time { return at.AsTime() }
	encodeAll(e, ld)
	body := string(e.body)
	require.Equal(t, 2*len(e.docs), strings.Count(body, "\n"))
	return strings.Split(strings.TrimSuffix(body, "\n"), "\n")
}

func TestOTelLayout(t *testing.T) {
	full := one(func(r pcommon.Resource, s pcommon.InstrumentationScope, lr plog.LogRecord) {
		r.Attributes().PutStr("service.name", "shop")
		r.SetDroppedAttributesCount(1)
		s.SetName("lib")
		s.SetVersion("2")
		s.Attributes().PutBool("short", true)
		lr.SetObservedTimestamp(at + 1)
		lr.SetSeverityNumber(plog.SeverityNumberError)
		lr.SetSeverityText("ERROR")
		lr.SetEventName("checkout")
		lr.SetTraceID(pcommon.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0xff})
		lr.SetSpanID(pcommon.SpanID{1, 2, 3, 4, 5, 6, 7, 0xfe})
		lr.SetDroppedAttributesCount(3)
		lr.Attributes().PutInt("http.response.status_code", 500)
		lr.Attributes().PutStr("data_stream.namespace", "Prod")
		lr.Body().SetStr("paid")
	})
	full.ResourceLogs().At(0).SetSchemaUrl("https://r")
	full.ResourceLogs().At(0).ScopeLogs().At(0).SetSchemaUrl("https://s")
	for _, tc := range []struct {
		name string
		logs plog.Logs
		want string
	}{
		{"everything", full, `{
			"@timestamp": "2025-06-15T15:06:40.123456789Z", "observed_timestamp": "2025-06-15T15:06:40.123456790Z",
			"body": {"text": "paid"},
			"data_stream": {"type": "logs", "dataset": "generic.otel", "namespace": "prod"},
			"severity_text": "ERROR", "severity_number": 17, "event_name": "checkout",
			"trace_id": "0102030405060708090a0b0c0d0e0fff", "span_id": "01020304050607fe",
			"attributes": {"http.response.status_code": 500}, "dropped_attributes_count": 3,
			"resource": {"attributes": {"service.name": "shop"}, "schema_url": "https://r", "dropped_attributes_count": 1},
			"scope": {"attributes": {"short": true}, "name": "lib", "version": "2", "schema_url": "https://s"}}`},
		{"nothing but observed", one(func(_ pcommon.Resource, _ pcommon.InstrumentationScope, lr plog.LogRecord) {
			lr.SetTimestamp(0)
			lr.SetObservedTimestamp(5)
		}), `{
			"@timestamp": "1970-01-01T00:00:00.000000005Z", "observed_timestamp": "1970-01-01T00:00:00.000000005Z",
			"data_stream": {"type": "logs", "dataset": "generic.otel", "namespace": "default"},
			"resource": {"attributes": {}}, "scope": {"attributes": {}}}`},
		{"no time at all is now", one(func(_ pcommon.Resource, _ pcommon.InstrumentationScope, lr plog.LogRecord) {
			lr.SetTimestamp(0)
		}), `{
			"@timestamp": "2025-06-15T15:06:40.123456789Z",
			"data_stream": {"type": "logs", "dataset": "generic.otel", "namespace": "default"},
			"resource": {"attributes": {}}, "scope": {"attributes": {}}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			assert.JSONEq(t, tc.want, lines(t, encoding{}, tc.logs)[1])
		})
	}
}

func TestOTelBody(t *testing.T) {
	for _, tc := range []struct {
		name string
		fill func(v pcommon.Value)
		want string
	}{
		{"text", func(v pcommon.Value) { v.SetStr("a\n") }, `{"text":"a\n"}`},
		{"empty text", func(v pcommon.Value) { v.SetStr("") }, `{"text":""}`},
		{"int", func(v pcommon.Value) { v.SetInt(math.MinInt64) }, `{"text":"-9223372036854775808"}`},
		{"double", func(v pcommon.Value) { v.SetDouble(0.5) }, `{"text":"0.5"}`},
		{"NaN", func(v pcommon.Value) { v.SetDouble(math.NaN()) }, `{"text":"NaN"}`},
		{"bool", func(v pcommon.Value) { v.SetBool(true) }, `{"text":"true"}`},
		{"bytes", func(v pcommon.Value) { v.SetEmptyBytes().FromRaw([]byte{1, 2, 3, 4}) }, `{"text":"AQIDBA=="}`},
		{"map", func(v pcommon.Value) { v.SetEmptyMap().PutStr("msg", "x") }, `{"structured":{"msg":"x"}}`},
		{"slice of maps", func(v pcommon.Value) { v.SetEmptySlice().AppendEmpty().SetEmptyMap().PutInt("n", 1) }, `{"structured":[{"n":1}]}`},
		{"slice of others", func(v pcommon.Value) { v.SetEmptySlice().AppendEmpty().SetInt(1) }, `{"structured":{"value":[1]}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := lines(t, encoding{}, one(func(_ pcommon.Resource, _ pcommon.InstrumentationScope, lr plog.LogRecord) { tc.fill(lr.Body()) }))
			var doc struct{ Body json.RawMessage }
			require.NoError(t, json.Unmarshal([]byte(got[1]), &doc))
			assert.JSONEq(t, tc.want, string(doc.Body))
		})
	}
}

func TestAction(t *testing.T) {
	long := strings.Repeat("x", 600)
	for _, tc := range []struct {
		name             string
		enc              encoding
		resource, scope  map[string]any
		record           map[string]any
		want, wantStream string
	}{
		{"defaults", encoding{}, nil, nil, nil, `{"create":{"_index":"logs-generic.otel-default"}}`, "generic.otel"},
		{"defaults of ecs", encoding{ecs: true}, nil, nil, nil, `{"create":{"_index":"logs-generic-default"}}`, "generic"},
		{
			"record before scope before resource",
			encoding{},
			map[string]any{"data_stream.dataset": "r", "data_stream.namespace": "r", "data_stream.type": "metrics"},
			map[string]any{"data_stream.dataset": "s", "data_stream.namespace": "s"},
			map[string]any{"data_stream.dataset": "l"},
			`{"create":{"_index":"logs-l.otel-s"}}`, "l.otel",
		},
		{
			"names are made legal",
			encoding{},
			map[string]any{"data_stream.dataset": "My-App/\xff\"1", "data_stream.namespace": "Pre-Prod ÄÖ"},
			nil, nil,
			`{"create":{"_index":"logs-my_app___1.otel-pre-prod_äö"}}`, "my_app___1.otel",
		},
		{
			"suffix once",
			encoding{},
			map[string]any{"data_stream.dataset": "nginx.otel"},
			nil, nil,
			`{"create":{"_index":"logs-nginx.otel-default"}}`, "nginx.otel",
		},
		{
			"numbers are names too",
			encoding{},
			nil, nil,
			map[string]any{"data_stream.dataset": 7},
			`{"create":{"_index":"logs-7.otel-default"}}`, "7.otel",
		},
		{"dynamic index", encoding{dynamicIndex: true}, map[string]any{"elasticsearch.index": "r"}, nil, map[string]any{"elasticsearch.index": "a\"b"}, `{"create":{"_index":"a\"b"}}`, ""},
		{"dynamic index of the resource", encoding{dynamicIndex: true, writeIndex: true}, map[string]any{"elasticsearch.index": "r"}, nil, nil, `{"index":{"_index":"r"}}`, ""},
		{"dynamic index turned off", encoding{}, nil, nil, map[string]any{"elasticsearch.index": "a"}, `{"create":{"_index":"logs-generic.otel-default"}}`, "generic.otel"},
		{"static index before all", encoding{index: "i", dynamicIndex: true}, nil, nil, map[string]any{"elasticsearch.index": "a", "data_stream.dataset": "d"}, `{"create":{"_index":"i"}}`, ""},
		{"streams are never overwritten", encoding{writeIndex: true}, nil, nil, nil, `{"create":{"_index":"logs-generic.otel-default"}}`, "generic.otel"},
		{"id", encoding{dynamicID: true}, map[string]any{"elasticsearch.document_id": "no"}, nil, map[string]any{"elasticsearch.document_id": "a\n1"}, `{"create":{"_index":"logs-generic.otel-default","_id":"a\n1"}}`, "generic.otel"},
		{"id turned off", encoding{}, nil, nil, map[string]any{"elasticsearch.document_id": "a1"}, `{"create":{"_index":"logs-generic.otel-default"}}`, "generic.otel"},
		{"id that is too long", encoding{dynamicID: true}, nil, nil, map[string]any{"elasticsearch.document_id": long}, `{"create":{"_index":"logs-generic.otel-default"}}`, "generic.otel"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := lines(t, tc.enc, one(func(r pcommon.Resource, s pcommon.InstrumentationScope, lr plog.LogRecord) {
				require.NoError(t, r.Attributes().FromRaw(tc.resource))
				require.NoError(t, s.Attributes().FromRaw(tc.scope))
				require.NoError(t, lr.Attributes().FromRaw(tc.record))
			}))
			assert.Equal(t, tc.want, got[0])
			assert.NotContains(t, got[1], "elasticsearch.", "routing attributes are no part of the document")
			switch {
			case tc.wantStream == "":
				assert.NotContains(t, got[1], "data_stream")
			case tc.enc.ecs:
				assert.Contains(t, got[1], `"data_stream.dataset":"`+tc.wantStream+`"`)
			default:
				assert.Contains(t, got[1], `"dataset":"`+tc.wantStream+`"`)
			}
		})
	}
}

func TestSanitizeCutsAtRunes(t *testing.T) {
	got := dataset(strings.Repeat("ä", 60), otelSuffix)
	assert.Equal(t, strings.Repeat("ä", 47), got, "95 bytes are left beside .otel")
	assert.Equal(t, strings.Repeat("a", 100), namespace(strings.Repeat("A", 101)))
	assert.Equal(t, "generic", dataset("", otelSuffix))
	assert.Equal(t, "generic", dataset(".otel", otelSuffix))
}

func TestDropMovesTheRest(t *testing.T) {
	e := newEncoder(encoding{dynamicID: true})
	ld := accessLogs(5)
	for i, lr := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
		lr.Attributes().PutInt("elasticsearch.document_id", int64(i))
	}
	encodeAll(e, ld)
	d := e.docs[3]
	source, name := string(e.body[d.source:d.end]), string(e.body[d.nameStart:d.nameEnd])
	e.drop(3)
	require.Len(t, e.docs, 2)
	d = e.docs[0]
	assert.Equal(t, source, string(e.body[d.source:d.end]))
	assert.Equal(t, name, string(e.body[d.nameStart:d.nameEnd]))
	assert.Equal(t, "logs-generic.otel-default", name)
	assert.Equal(t, 3, d.seq)
	assert.Equal(t, "3", string(d.id))
	assert.Equal(t, 0, d.start)
	assert.Equal(t, len(e.body), e.docs[1].end)
}

// TestEncodeAllocatesNothing keeps the hot path as it is.
func TestEncodeAllocatesNothing(t *testing.T) {
	ld := accessLogs(100)
	e := newEncoder(encoding{dynamicIndex: true})
	encodeAll(e, ld)
	assert.Zero(t, testing.AllocsPerRun(10, func() { encodeAll(e, ld) }))
}

// FuzzEncode makes batches from bytes as OTLP does, and decodes the result.
func FuzzEncode(f *testing.F) {
	for _, ld := range []plog.Logs{accessLogs(2), one(func(r pcommon.Resource, _ pcommon.InstrumentationScope, lr plog.LogRecord) {
		r.Attributes().PutStr("data_stream.dataset", "\xff")
		lr.Attributes().PutStr("elasticsearch.index", "\"")
		lr.Attributes().PutStr("elasticsearch.document_id", "\n")
		lr.Attributes().PutEmptyMap("a").PutStr("b", "c")
		lr.Attributes().PutStr("a.b", "d")
		lr.Body().SetEmptySlice().AppendEmpty().SetDouble(math.NaN())
	})} {
		raw, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 1<<16 {
			return
		}
		ld, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(raw)
		if err != nil {
			// Not OTLP: the bytes are the text, the key and the route.
			s := string(raw)
			ld = one(func(r pcommon.Resource, _ pcommon.InstrumentationScope, lr plog.LogRecord) {
				r.Attributes().PutStr(s, s)
				r.Attributes().PutStr("data_stream.dataset", s)
				lr.Attributes().PutStr("data_stream.namespace", s)
				lr.Attributes().PutStr("elasticsearch.document_id", s)
				lr.Body().SetStr(s)
				lr.SetSeverityText(s)
			})
		}
		for _, enc := range []encoding{
			{dynamicIndex: true, dynamicID: true},
			{ecs: true, dynamicIndex: true, dynamicID: true},
		} {
			e := newEncoder(enc)
			encodeAll(e, ld)
			if got := bytes.Count(e.body, []byte("\n")); got != 2*ld.LogRecordCount() {
				t.Fatalf("%d lines for %d records", got, ld.LogRecordCount())
			}
			for line := range bytes.Lines(e.body) {
				if !json.Valid(line) {
					t.Fatalf("not JSON: %s", line)
				}
			}
		}
	})
}
