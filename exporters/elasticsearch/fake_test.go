package elasticsearch

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/obsd-io/obsd/internal/porttest"
)

// sent is one document as a server sees it.
type sent struct {
	op, index, id, text string
	raw                 string
}

// fake is an Elasticsearch whose results a test writes.
type fake struct {
	*httptest.Server
	mu       sync.Mutex
	requests [][]sent
	headers  []http.Header
	urls     []string
	sizes    []int

	// answer writes the whole answer and returns true, or returns false for the
	// usual one.
	answer func(w http.ResponseWriter, n int, docs []sent) bool
	// result is the result of one document: JSON below its operation; "" is 201.
	result func(d sent) string
}

func newFake(t *testing.T) *fake {
	f := &fake{}
	f.Server = porttest.NewUnstartedServer(f)
	f.Start()
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		zr, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = zr
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	docs := parseBulk(raw)
	f.mu.Lock()
	n := len(f.requests)
	f.requests, f.headers, f.urls, f.sizes = append(f.requests, docs), append(f.headers, r.Header), append(f.urls, r.URL.String()), append(f.sizes, len(raw))
	answer, result := f.answer, f.result
	f.mu.Unlock()
	if answer != nil && answer(w, n, docs) {
		return
	}
	writeResults(w, docs, result)
}

// writeResults answers as Elasticsearch does with our filter_path.
func writeResults(w io.Writer, docs []sent, result func(d sent) string) {
	items, failed := make([]string, 0, len(docs)), false
	for _, d := range docs {
		one := `"status":201`
		if result != nil {
			if r := result(d); r != "" {
				one, failed = r, true
			}
		}
		if d.id != "" {
			id, _ := json.Marshal(d.id)
			one = `"_id":` + string(id) + `,` + one
		}
		items = append(items, `{"`+d.op+`":{`+one+`}}`)
	}
	_, _ = fmt.Fprintf(w, `{"errors":%t,"items":[%s]}`, failed, strings.Join(items, ","))
}

func parseBulk(raw []byte) []sent {
	var docs []sent
	rows := strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
	for i := 0; i+1 < len(rows); i += 2 {
		var action map[string]struct {
			Index string `json:"_index"`
			ID    string `json:"_id"`
		}
		var doc struct{ Body struct{ Text string } }
		if json.Unmarshal([]byte(rows[i]), &action) != nil || json.Unmarshal([]byte(rows[i+1]), &doc) != nil {
			continue
		}
		for op, target := range action {
			docs = append(docs, sent{op: op, index: target.Index, id: target.ID, text: doc.Body.Text, raw: rows[i+1]})
		}
	}
	return docs
}

// texts are the bodies of all documents, request by request.
func (f *fake) texts() [][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out [][]string
	for _, docs := range f.requests {
		var texts []string
		for _, d := range docs {
			texts = append(texts, d.text)
		}
		out = append(out, texts)
	}
	return out
}

func refuse(status int, kind, reason string) string {
	return fmt.Sprintf(`"status":%d,"error":{"type":%q,"reason":%q}`, status, kind, reason)
}

// bench is an exporter without queue and retry, and what it says.
type bench struct {
	exporter.Logs
	logs *observer.ObservedLogs
	tel  *componenttest.Telemetry
}

func start(t *testing.T, conf map[string]any) *bench {
	t.Helper()
	cfg := createDefaultConfig()
	all := map[string]any{"sending_queue": map[string]any{"enabled": false}, "retry": map[string]any{"enabled": false}}
	maps.Copy(all, conf)
	require.NoError(t, confmap.NewFromStringMap(all).Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
	core, logs := observer.New(zap.DebugLevel)
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.WithoutCancel(t.Context()))) })
	set := exporter.Settings{ID: component.MustNewID("elasticsearch"), TelemetrySettings: tel.NewTelemetrySettings(), BuildInfo: component.BuildInfo{Command: "obsd", Version: "1.2.3"}}
	set.Logger = zap.New(core)
	exp, err := NewFactory().CreateLogs(t.Context(), set, cfg)
	require.NoError(t, err)
	require.NoError(t, exp.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, exp.Shutdown(context.WithoutCancel(t.Context()))) })
	return &bench{Logs: exp, logs: logs, tel: tel}
}

// outcomes are the counts of obsd_elasticsearch_documents, "outcome reason".
func (b *bench) outcomes(t *testing.T) map[string]int64 {
	t.Helper()
	got := map[string]int64{}
	m, err := b.tel.GetMetric("obsd_elasticsearch_documents")
	if err != nil {
		return got
	}
	for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
		outcome, _ := p.Attributes.Value("outcome")
		reason, _ := p.Attributes.Value("reason")
		id, _ := p.Attributes.Value("exporter")
		require.Equal(t, "elasticsearch", id.AsString())
		got[strings.TrimSpace(outcome.AsString()+" "+reason.AsString())] = p.Value
	}
	return got
}

// texts makes records whose bodies are the texts. "id:" in front gives the
// document an id.
func texts(all ...string) plog.Logs {
	ld := plog.NewLogs()
	for i, text := range all {
		if i%3 == 0 { // A resource for every three.
			ld.ResourceLogs().AppendEmpty().Resource().Attributes().PutInt("resource", int64(i/3))
			ld.ResourceLogs().At(i / 3).ScopeLogs().AppendEmpty().Scope().SetName("scope")
		}
		lr := ld.ResourceLogs().At(i / 3).ScopeLogs().At(0).LogRecords().AppendEmpty()
		lr.SetTimestamp(at)
		lr.Body().SetStr(text)
		if id, ok := strings.CutPrefix(text, "id:"); ok {
			lr.Attributes().PutStr("elasticsearch.document_id", id)
		}
	}
	return ld
}

// bodies are the bodies of records.
func bodies(ld plog.Logs) []string {
	var out []string
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				out = append(out, lr.Body().Str())
			}
		}
	}
	return out
}

// failedPart is what an error asks to send again; all is true if it is the whole
// batch.
func failedPart(err error) (part []string, all bool) {
	if partial, ok := errors.AsType[consumererror.Logs](err); ok {
		return bodies(partial.Data()), false
	}
	return nil, err != nil
}

// results gives each document the result that its text names.
func results(d sent) string {
	switch {
	case strings.Contains(d.text, "busy"):
		return refuse(429, "es_rejected_execution_exception", "queue is full")
	case strings.Contains(d.text, "mapping"):
		return refuse(400, "document_parsing_exception", "failed to parse field [n] of type [long]")
	case strings.Contains(d.text, "there"):
		return refuse(409, "version_conflict_engine_exception", "document already exists")
	case strings.Contains(d.text, "pipeline"):
		return refuse(500, "fail_processor_exception", "no")
	case strings.Contains(d.text, "shard"):
		return refuse(503, "unavailable_shards_exception", "primary shard is not active")
	case strings.Contains(d.text, "blocked"):
		return refuse(403, "cluster_block_exception", "index [a] blocked by: [FORBIDDEN/8/index write (api)]")
	case strings.Contains(d.text, "odd"):
		return `"status":418`
	}
	return ""
}

// numbered are n bodies, "0" and so on.
func numbered(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(i)
	}
	return out
}
