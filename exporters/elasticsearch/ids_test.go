package elasticsearch

import (
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
)

// idsOf are the ids of the documents that a batch becomes, with the first 24 digits as bytes.
func idsOf(t *testing.T, ld plog.Logs) []string {
	t.Helper()
	e := newEncoder(encoding{dynamicIndex: true, dynamicID: true, generatedID: true})
	encodeAll(e, ld)
	var out []string
	for _, d := range e.docs {
		id := string(d.id)
		if raw, err := idText.DecodeString(id[:min(24, len(id))]); err == nil && len(raw) == 15 {
			id = hex.EncodeToString(raw) + " " + id[24:]
		}
		out = append(out, id)
		require.Equal(t, id != "", strings.Contains(string(e.body[d.start:d.source]), `,"_id":"`+string(d.id)+`"`))
	}
	return out
}

func TestGeneratedIDs(t *testing.T) {
	g := newIDGenerator()
	at := time.UnixMilli(0x0123456789ab)
	g.now = func() time.Time { return at }
	g.process = [5]byte{1, 2, 3, 4, 5}
	ld := texts("a", "b", "id:mine", "d") // three of them in the first scope
	ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(1).SetFlags(0xffffff01)
	g.stamp(ld)
	want := []string{"0123456789ab" + "0102030405" + "00000001 00000", "0123456789ab" + "0102030405" + "00000001 00001", "mine", "0123456789ab" + "0102030405" + "00000002 00000"}
	require.Equal(t, want, idsOf(t, ld))
	require.Equal(t, want[1:2], idsOf(t, pick(ld, []int{1})), "it stays the same in another batch")
	require.EqualValues(t, 1<<numberShift|1, ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(1).Flags(), "the trace's flags stay")

	at = at.Add(time.Millisecond)
	g.scopes.Store(1<<32 - 1)
	later := texts("a")
	g.stamp(later)
	require.Equal(t, []string{"0123456789ac" + "0102030405" + "00000000 00000"}, idsOf(t, later))
	require.Equal(t, "0VVVV", string(appendID(nil, "", plog.LogRecordFlags((1<<20-1)<<numberShift))))
	require.Equal(t, "FVVVV", string(appendID(nil, "", plog.LogRecordFlags((maxNumbered-1)<<numberShift))))
	require.Equal(t, []string{""}, idsOf(t, texts("a")), "what was in the queue before")
}

// TestGeneratedIDsStay sends a batch until it is taken: its documents have the same ids each time.
func TestGeneratedIDsStay(t *testing.T) {
	f := newFake(t)
	f.answer = func(w http.ResponseWriter, n int, _ []sent) bool {
		if n < 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return n < 2
	}
	f.result = results
	b := start(t, map[string]any{
		"endpoint": f.URL, "logs_generated_id": map[string]any{"enabled": true}, "retry": map[string]any{"enabled": true, "initial_interval": "1ms"},
	})
	require.True(t, b.Capabilities().MutatesData)
	require.NoError(t, b.ConsumeLogs(t.Context(), texts("a", "b", "there")))
	require.Len(t, f.requests, 3)
	for _, docs := range f.requests[1:] {
		require.Equal(t, f.requests[0], docs)
	}
	assert.Len(t, f.requests[0][0].id, 29)
	assert.NotContains(t, f.requests[0][0].raw, attrIDs)
	assert.Contains(t, f.urls[0], "_id")
	assert.Equal(t, map[string]int64{"delivered": 2, "already_there": 1}, b.outcomes(t))
}

func BenchmarkGenerateIDs(b *testing.B) {
	const docs = 1000
	g, e := newIDGenerator(), newEncoder(encoding{dynamicIndex: true, generatedID: true})
	ld := accessLogs(docs)
	b.ReportAllocs()
	for b.Loop() {
		g.stamp(ld)
		encodeAll(e, ld)
	}
	report(b, docs, len(e.body))
}
