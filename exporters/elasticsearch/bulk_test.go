package elasticsearch

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
)

func TestResultsOfDocuments(t *testing.T) {
	for _, tc := range []struct {
		name     string
		conf     map[string]any
		in       []string
		outcomes map[string]int64
		again    []string
		wantErr  string
	}{
		{"all stored", nil, []string{"a", "b"}, map[string]int64{"delivered": 2}, nil, ""},
		{
			"only what is refused for now is sent again", nil,
			[]string{"a", "busy 1", "b", "c", "shard", "d", "e", "busy 2"},
			map[string]int64{"delivered": 5, "retried es_rejected_execution_exception": 2, "retried unavailable_shards_exception": 1},
			[]string{"busy 1", "shard", "busy 2"},
			"3 of 8 documents are sent again: status 429: es_rejected_execution_exception: queue is full: the server is busy, it is sent again; lower sending_queue::num_consumers if that goes on",
		},
		{
			"what is refused for good is lost and counted", nil,
			[]string{"a", "mapping", "pipeline", "blocked", "odd", "mapping"},
			map[string]int64{
				"delivered": 1, "lost document_parsing_exception": 2, "lost fail_processor_exception": 1,
				"lost cluster_block_exception": 1, "lost status_418": 1,
			},
			nil, "",
		},
		{
			"both at once", nil,
			[]string{"mapping", "busy", "a"},
			map[string]int64{"delivered": 1, "lost document_parsing_exception": 1, "retried es_rejected_execution_exception": 1},
			[]string{"busy"},
			"1 of 3 documents are sent again",
		},
		{
			"409 with our id is there already",
			map[string]any{"logs_dynamic_id": map[string]any{"enabled": true}},
			[]string{"id:there", "id:new", "there"},
			map[string]int64{"delivered": 1, "already_there": 1, "lost version_conflict_engine_exception": 1},
			nil, "",
		},
		{
			"statuses to send again are set",
			map[string]any{"retry": map[string]any{"enabled": false, "retry_on_status": []any{403}}},
			[]string{"blocked", "busy", "a"},
			map[string]int64{"delivered": 1, "lost es_rejected_execution_exception": 1, "retried cluster_block_exception": 1},
			[]string{"blocked"},
			"status 403: cluster_block_exception",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t)
			f.result = results
			conf := map[string]any{"endpoint": f.URL}
			maps.Copy(conf, tc.conf)
			b := start(t, conf)
			err := b.ConsumeLogs(t.Context(), texts(tc.in...))
			if tc.wantErr == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, "elasticsearch: bulk to "+f.URL+": ")
				require.ErrorContains(t, err, tc.wantErr)
				require.False(t, consumererror.IsPermanent(err))
			}
			again, _ := failedPart(err)
			assert.Equal(t, tc.again, again)
			assert.Equal(t, tc.outcomes, b.outcomes(t))
		})
	}
}

// TestOutOfOrder: OpenSearch mixes the results of documents that pass a pipeline.
func TestOutOfOrder(t *testing.T) {
	for _, tc := range []struct {
		name  string
		in    []string
		again []string
		all   bool
	}{
		{"ids tell which", []string{"id:1 busy", "id:2", "id:3", "id:4 busy"}, []string{"id:1 busy", "id:4 busy"}, false},
		{"the same id twice", []string{"id:1", "id:1", "id:2 busy"}, []string{"id:2 busy"}, false},
		{"without ids all is sent again", []string{"id:1 busy", "2", "id:3"}, nil, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t)
			f.answer = func(w http.ResponseWriter, _ int, docs []sent) bool {
				slices.Reverse(docs)
				writeResults(w, docs, results)
				return true
			}
			b := start(t, map[string]any{"endpoint": f.URL, "logs_dynamic_id": map[string]any{"enabled": true}})
			err := b.ConsumeLogs(t.Context(), texts(tc.in...))
			again, all := failedPart(err)
			assert.Equal(t, tc.again, again)
			assert.Equal(t, tc.all, all)
			if tc.all {
				require.EqualError(t, err, "elasticsearch: bulk to "+f.URL+": the answer does not say which of 3 documents failed: all are sent again")
			}
		})
	}
}

// malformedIf refuses a whole request with 400 if bad says so of any document.
func malformedIf(bad func(d sent) bool, stored *[]string) func(w http.ResponseWriter, _ int, docs []sent) bool {
	return func(w http.ResponseWriter, _ int, docs []sent) bool {
		if slices.ContainsFunc(docs, bad) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":{"type":"illegal_argument_exception","reason":"Malformed action/metadata line [1]"},"status":400}`)
			return true
		}
		for _, d := range docs {
			*stored = append(*stored, d.text)
		}
		return false
	}
}

func TestOneBadDocumentTakesNoOther(t *testing.T) {
	f := newFake(t)
	var stored []string
	f.answer = malformedIf(func(d sent) bool { return d.text == "4711" || d.text == "0" || d.text == "1" }, &stored)
	b := start(t, map[string]any{"endpoint": f.URL})
	require.NoError(t, b.ConsumeLogs(t.Context(), texts(numbered(5000)...)))
	assert.Len(t, stored, 4997)
	assert.Equal(t, map[string]int64{"delivered": 4997, "lost request_refused": 3}, b.outcomes(t))
	assert.Less(t, len(f.texts()), 80, "requests")
	line := b.logs.FilterMessage("documents lost: Elasticsearch does not take them").All()[0].ContextMap()
	assert.Equal(t, "request_refused", line["reason"])
	assert.Contains(t, line["detail"], "400 Bad Request: illegal_argument_exception: Malformed action/metadata line [1]")
}

// TestWrongRequestLosesNothing: if no part of a batch is read, it is not the
// documents that are wrong.
func TestWrongRequestLosesNothing(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			f := newFake(t)
			var stored []string
			f.answer = malformedIf(func(sent) bool { return true }, &stored)
			b := start(t, map[string]any{"endpoint": f.URL})
			err := b.ConsumeLogs(t.Context(), texts(numbered(n)...))
			require.ErrorContains(t, err, "400 Bad Request: illegal_argument_exception: Malformed action/metadata line [1]: check endpoint and pipeline, and that the server is Elasticsearch 7.17 or later")
			_, all := failedPart(err)
			assert.True(t, all)
			assert.Empty(t, b.outcomes(t))
			assert.LessOrEqual(t, len(f.texts()), maxBlind)
		})
	}
}

// TestLoneBadDocument is lost if the server is known to read our requests.
func TestLoneBadDocument(t *testing.T) {
	f := newFake(t)
	var stored []string
	f.answer = malformedIf(func(d sent) bool { return d.text == "bad" }, &stored)
	b := start(t, map[string]any{"endpoint": f.URL})
	require.NoError(t, b.ConsumeLogs(t.Context(), texts("good")))
	require.NoError(t, b.ConsumeLogs(t.Context(), texts("bad")))
	assert.Equal(t, map[string]int64{"delivered": 1, "lost request_refused": 1}, b.outcomes(t))
}

// TestTooLarge also looks at what is learnt from it.
func TestTooLarge(t *testing.T) {
	f := newFake(t)
	f.answer = func(w http.ResponseWriter, n int, _ []sent) bool {
		if f.sizes[n] > 40_000 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return true
		}
		return false
	}
	b := start(t, map[string]any{"endpoint": f.URL})
	in := numbered(1000)
	in[500] = strings.Repeat("x", 50_000)
	require.NoError(t, b.ConsumeLogs(t.Context(), texts(in...)))
	assert.Equal(t, map[string]int64{"delivered": 999, "lost too_large": 1}, b.outcomes(t))
	assert.NotEmpty(t, b.logs.FilterMessageSnippet("request too large for the server: requests are smaller from now on").All())

	before := len(f.texts())
	require.NoError(t, b.ConsumeLogs(t.Context(), texts(numbered(1000)...)))
	for _, size := range f.sizes[before:] {
		assert.LessOrEqual(t, size, 40_000, "the limit is known by now")
	}
	assert.Equal(t, int64(1999), b.outcomes(t)["delivered"])
}

func TestRequestsAreBounded(t *testing.T) {
	f := newFake(t)
	b := start(t, map[string]any{"endpoint": f.URL, "flush": map[string]any{"bytes": 10_000}})
	in := numbered(300)
	in[7] = strings.Repeat("y", 30_000)
	require.NoError(t, b.ConsumeLogs(t.Context(), texts(in...)))
	var got []string
	for i, docs := range f.texts() {
		got = append(got, docs...)
		if len(docs) > 1 {
			assert.LessOrEqual(t, f.sizes[i], 10_000)
		}
	}
	assert.Equal(t, in, got, "all, once, in order")
	assert.Greater(t, len(f.texts()), 5)
}

// TestDownInTheMiddle: what is stored is not sent again, and a server that is
// down is not asked again.
func TestDownInTheMiddle(t *testing.T) {
	f := newFake(t)
	f.answer = func(w http.ResponseWriter, n int, _ []sent) bool {
		if n == 2 {
			w.Header().Set("Retry-After", "3")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return n == 2
	}
	b := start(t, map[string]any{"endpoint": f.URL, "flush": map[string]any{"bytes": 2000}})
	in := numbered(100)
	err := b.ConsumeLogs(t.Context(), texts(in...))
	require.ErrorContains(t, err, "Throttle (3s), error: elasticsearch: bulk to "+f.URL+": 503 Service Unavailable")
	again, all := failedPart(err)
	require.False(t, all)
	sent := f.texts()
	require.Len(t, sent, 3)
	stored := append(slices.Clone(sent[0]), sent[1]...)
	assert.Equal(t, in, append(stored, again...))
	assert.Equal(t, map[string]int64{"delivered": int64(len(stored))}, b.outcomes(t))
}

func TestMissingPipelineIsWaitedFor(t *testing.T) {
	f := newFake(t)
	f.result = func(sent) string {
		return refuse(400, "illegal_argument_exception", "pipeline with id [geo ip] does not exist")
	}
	b := start(t, map[string]any{"endpoint": f.URL, "pipeline": "geo ip"})
	err := b.ConsumeLogs(t.Context(), texts("a"))
	require.ErrorContains(t, err, "pipeline with id [geo ip] does not exist: check endpoint and pipeline")
	assert.Equal(t, map[string]int64{"retried illegal_argument_exception": 1}, b.outcomes(t))
	assert.Contains(t, f.urls[0], "&pipeline=geo+ip")
}
