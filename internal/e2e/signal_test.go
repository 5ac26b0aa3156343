package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/e2e/fault"
	"github.com/obsd-io/obsd/internal/porttest"
)

// testDrain sends records to an obsd whose server is slow, and then SIGTERM: what obsd has taken it delivers before it
// ends with code 0.
func testDrain(t *testing.T, s *suite) {
	const records = 200
	proxy := fault.New(t, s.elasticsearch.URL)
	proxy.Set(fault.Slow(500 * time.Millisecond))
	obsd, at := s.startOTLP(t, proxy.URL, "logs-drain-default")

	sendLogs(t, at.grpc, "drain", records)
	begin := time.Now()
	require.NoError(t, obsd.Stop(patience))
	t.Logf("drained in %v", time.Since(begin))
	requireEachOnce(t, s.elasticsearch, "logs-drain-default", records, 0)
}

// testAnswerLost has answers of Elasticsearch lost on their way, and obsd killed while it waits for one. The records have ids of
// their own, so what is sent again is stored once.
func testAnswerLost(t *testing.T, s *suite) {
	const records, index = 200, "logs-lost-default"
	proxy := fault.New(t, s.elasticsearch.URL)
	proxy.Set(fault.LostAnswer(proxy))
	grpc, err := porttest.Reserve()
	require.NoError(t, err)
	obsd := s.start(t, "ids.yaml", t.TempDir(), env{"GRPC": grpc, "ELASTICSEARCH": proxy.URL, "INDEX": index})
	sendLogs(t, grpc, "lost", records)
	require.Eventually(t, func() bool { return proxy.Hits() >= 3 }, patience, pollEvery)
	require.NoError(t, obsd.Kill())
	n, err := s.elasticsearch.Count(t.Context(), index, "")
	require.NoError(t, err)
	require.Positive(t, n, "nothing was stored before the kill")

	var again atomic.Int32
	proxy.Set(func(http.ResponseWriter, *http.Request, []byte) bool {
		again.Add(1)
		return false
	})
	require.NoError(t, obsd.Restart(t.Context()))
	require.Eventually(t, func() bool { return again.Load() > 0 }, patience, pollEvery)
	require.NoError(t, obsd.Stop(patience))
	requireEachOnce(t, s.elasticsearch, index, records, 0)
}

// testReload changes the configuration and sends SIGHUP: lines written before go to the old index, lines written after
// to the new one, and none is lost or doubled between.
func testReload(t *testing.T, s *suite) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.log")
	obsd := s.start(t, "reload.yaml", dir, nil)
	appendTo(t, path, lines("before", 100))
	s.waitForDocuments(t, "logs-before-default", 100)

	old, err := os.ReadFile(filepath.Join("testdata", "reload.yaml"))
	require.NoError(t, err)
	require.NoError(t, obsd.Reload(t.Context(), strings.ReplaceAll(string(old), "logs-before-default", "logs-after-default")))
	appendTo(t, path, lines("after", 100))
	requireEachOnce(t, s.elasticsearch, "logs-after-default", 100, 0)
	requireEachOnce(t, s.elasticsearch, "logs-before-default", 100, 0)
	require.NoError(t, obsd.Stop(patience))
}

// lines returns n numbered lines of an application.
func lines(word string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s seq=%07d\n", word, i)
	}
	return b.String()
}
