package elasticsearch

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAnswersThatAreNone(t *testing.T) {
	for _, tc := range []struct{ name, answer, want string }{
		{"too few items", `{"errors":true,"items":[{"create":{"status":429}}]}`, "it has 1 items for 2 documents"},
		{"too few items, no errors", `{"errors":false,"items":[{"create":{"status":201}}]}`, "it has 1 items for 2 documents"},
		{"too many items", `{"errors":false,"items":[{"create":{"status":201}},{"create":{"status":201}},{"create":{"status":201}}]}`, "it has 3 items for 2 documents"},
		{"no items", `{"errors":false}`, "it has 0 items for 2 documents"},
		{"another object", `{"ok":true}`, "it has no items"},
		{"items of another kind", `{"errors":true,"items":[{"delete":{"status":200}},{"create":{}}]}`, "an item has no status"},
		{"empty", ``, "unexpected end of JSON input"},
		{"cut", `{"errors":false,"items":[{"create":{"status":201}},{"cre`, "unexpected end of JSON input"},
		{"page", "<html>\x00\xff" + strings.Repeat("x", 5000), `answer: "<html>\x00\xffxxx`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t)
			f.answer = func(w http.ResponseWriter, _ int, _ []sent) bool {
				_, _ = io.WriteString(w, tc.answer)
				return true
			}
			b := start(t, map[string]any{"endpoint": f.URL})
			err := b.ConsumeLogs(t.Context(), texts("a", "b"))
			require.ErrorContains(t, err, "elasticsearch: bulk to "+f.URL+": answer with status 200 is not of the bulk API: ")
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, "check that endpoint is Elasticsearch itself")
			assert.Less(t, len(err.Error()), 800)
			_, all := failedPart(err)
			assert.True(t, all)
			assert.Empty(t, b.outcomes(t))
		})
	}
}

func TestRefusedRequests(t *testing.T) {
	security := `{"error":{"root_cause":[],"type":"security_exception","reason":"missing authentication credentials"},"status":401}`
	for _, tc := range []struct {
		name   string
		status int
		header string
		body   string
		want   string
	}{
		{"401", 401, "", security, "401 Unauthorized: security_exception: missing authentication credentials: check user, password, api_key or auth"},
		{"403", 403, "", security, "403 Forbidden: security_exception: missing authentication credentials: give the user or API key the privileges create_doc and auto_configure on the target, or check user, password, api_key or auth"},
		{"404", 404, "", "404 page not found\n", `404 Not Found: "404 page not found\n": check that endpoint is Elasticsearch itself, with the path of any proxy`},
		{"302", 302, "", "", "302 Found: no explanation: set endpoint to the address it redirects to"},
		{"500", 500, "", `{"error":"bare text"}`, "500 Internal Server Error: bare text: it is sent again; look at the log of the server"},
		{"429", 429, "", "", "429 Too Many Requests: no explanation: the server is busy, it is sent again; lower sending_queue::num_consumers if that goes on"},
		{"503 with Retry-After", 503, "30", "", "Throttle (30s), error: elasticsearch: bulk to "},
		{"429 with a long wait", 429, "999999", "", "Throttle (10m0s), error: elasticsearch: bulk to "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t)
			f.answer = func(w http.ResponseWriter, _ int, _ []sent) bool {
				if tc.header != "" {
					w.Header().Set("Retry-After", tc.header)
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
				return true
			}
			b := start(t, map[string]any{"endpoint": f.URL})
			err := b.ConsumeLogs(t.Context(), texts("a", "b"))
			require.ErrorContains(t, err, "elasticsearch: bulk to "+f.URL+": ")
			require.ErrorContains(t, err, tc.want)
			_, all := failedPart(err)
			assert.True(t, all)
			assert.Empty(t, b.outcomes(t), "nothing is lost")
			assert.Len(t, f.texts(), 1)
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2025, 6, 15, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "soon": 0, "99999999999999999999": 0, "Sun, 15 Jun 2025 12:00:30 GMT": 30 * time.Second,
		"Sun, 15 Jun 2025 11:00:00 GMT": 0, "Sun, 15 Jun 2035 12:00:00 GMT": maxDelay,
	} {
		assert.Equal(t, want, retryAfter(header, now), header)
	}
}

func TestRequest(t *testing.T) {
	for _, tc := range []struct {
		name string
		conf map[string]any
		want map[string]string
	}{
		{"defaults", nil, map[string]string{
			"Content-Encoding": "gzip", "Content-Type": "application/x-ndjson", "Accept": "application/json", "Authorization": "", "User-Agent": "obsd/1.2.3",
		}},
		{"no compression", map[string]any{"compression": "none"}, map[string]string{"Content-Encoding": ""}},
		{"basic", map[string]any{"user": "elastic", "password": "secret"}, map[string]string{"Authorization": "Basic ZWxhc3RpYzpzZWNyZXQ="}},
		{"api key", map[string]any{"api_key": "VnVh=="}, map[string]string{"Authorization": "ApiKey VnVh=="}},
		{"own header", map[string]any{"headers": map[string]any{"X-Tenant": "a", "User-Agent": "mine"}}, map[string]string{"X-Tenant": "a", "User-Agent": "mine"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t)
			conf := map[string]any{"endpoint": f.URL + "/prefix/"}
			maps.Copy(conf, tc.conf)
			b := start(t, conf)
			require.NoError(t, b.ConsumeLogs(t.Context(), texts("a", "b")))
			for name, want := range tc.want {
				assert.Equal(t, want, f.headers[0].Get(name), name)
			}
			assert.Equal(t, "/prefix/_bulk?filter_path=errors%2Citems.%2A.status%2Citems.%2A.error.type%2Citems.%2A.error.reason", f.urls[0])
			assert.Equal(t, [][]string{{"a", "b"}}, f.texts())
		})
	}
}

func TestNodesInTurnAndDeadOnesLeftOut(t *testing.T) {
	one, two, dead := newFake(t), newFake(t), newFake(t)
	dead.Close()
	b := start(t, map[string]any{"endpoints": []any{one.URL, dead.URL, two.URL}})
	for range 20 {
		require.NoError(t, b.ConsumeLogs(t.Context(), texts("a")))
	}
	assert.GreaterOrEqual(t, len(one.texts()), 9)
	assert.GreaterOrEqual(t, len(two.texts()), 9)
	assert.Equal(t, map[string]int64{"delivered": 20}, b.outcomes(t))
}

func TestAllNodesDead(t *testing.T) {
	one, two := newFake(t), newFake(t)
	one.Close()
	two.Close()
	b := start(t, map[string]any{"endpoints": []any{one.URL, two.URL}})
	for range 3 {
		err := b.ConsumeLogs(t.Context(), texts("a"))
		require.ErrorContains(t, err, "connection refused: check endpoint, tls and proxy_url, and that the server runs")
		assert.NotContains(t, err.Error(), "filter_path")
	}
}

// TestPayloadOutlivesItsReader: a transport reads on after it has answered.
func TestPayloadOutlivesItsReader(t *testing.T) {
	p := newPacker(false, 1)
	payload, err := p.pack([]byte("first"))
	require.NoError(t, err)
	req := httptest.NewRequest(http.MethodPost, "/", nil)
	payload.attach(req)
	again, err := req.GetBody()
	require.NoError(t, err)
	payload.release()

	other, err := p.pack([]byte("other"))
	require.NoError(t, err)
	got, err := io.ReadAll(again)
	require.NoError(t, err)
	assert.Equal(t, "first", string(got), "the buffer is not used for another request")
	require.NoError(t, again.Close())
	require.NoError(t, again.Close(), "closing twice releases once")
	require.NoError(t, req.Body.Close())
	assert.Equal(t, int32(0), payload.refs.Load())
	_, err = again.Read(make([]byte, 1))
	require.ErrorIs(t, err, http.ErrBodyReadAfterClose)
	other.release()
}

// FuzzParseReply: whatever a server says is an error or n results.
func FuzzParseReply(f *testing.F) {
	f.Add([]byte(`{"errors":false,"items":[{"create":{"status":201}},{"create":{"status":201}}]}`), uint8(2))
	f.Add([]byte(`{"errors":true,"items":[{"create":{"_id":"1","status":409,"error":{"type":"a","reason":"b"}}}]}`), uint8(1))
	f.Add([]byte(`{"errors":true,"items":[{"index":{"status":400,"error":"text"}},null,{}]}`), uint8(3))
	f.Add([]byte(`{"error":{"type":"x","reason":{}},"status":400}`), uint8(1))
	f.Add([]byte("\xff\x00"), uint8(0))
	f.Fuzz(func(t *testing.T, body []byte, n uint8) {
		if len(body) > 1<<16 {
			return
		}
		items, err := parseReply(body, int(n))
		if err == nil && items != nil && len(items) != int(n) {
			t.Fatalf("%d items for %d documents", len(items), n)
		}
		if text := parseError(body); len(text) > 1200 || strings.ContainsAny(text, "\n\x00") {
			t.Fatalf("error text %q", text)
		}
		docs := make([]document, len(items))
		for i := range items {
			_ = items[i].kind() + items[i].reason()
			docs[i].id = []byte(items[len(items)-1-i].ID)
		}
		if results, ok := match(docs, items); ok && len(results) != len(docs) {
			t.Fatal("not one result for each document")
		}
	})
}
