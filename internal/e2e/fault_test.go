package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/e2e/fault"
)

// testFaults lets the server misbehave in one way, sees that obsd has met it, ends the trouble, and finds every line.
func testFaults(t *testing.T, s *suite) {
	const total = 500
	const busy = `{"error":{"type":"es_rejected_execution_exception","reason":"busy"},"status":429}`
	tests := []struct {
		name  string
		fault fault.Fault
		// stays: the fault stays in force, and obsd has to find a way.
		stays bool
	}{
		{name: "401", fault: fault.Answer(http.StatusUnauthorized, `{"error":{"type":"security_exception"},"status":401}`)},
		{name: "429", fault: fault.Answer(http.StatusTooManyRequests, busy)},
		{name: "429 of every document", fault: fault.RejectDocuments(http.StatusTooManyRequests)},
		{name: "500", fault: fault.Answer(http.StatusInternalServerError, "internal error")},
		{name: "502 with a page of a load balancer", fault: fault.Answer(http.StatusBadGateway, "<html>bad gateway</html>")},
		{name: "200 with garbage", fault: fault.Answer(http.StatusOK, "\x00\x01 not JSON")},
		{name: "200 with an empty body", fault: fault.Answer(http.StatusOK, "")},
		{name: "hang up", fault: fault.HangUp()},
		{name: "413 above 8 KiB", fault: fault.TooLarge(8 << 10), stays: true},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			proxy := fault.New(t, s.elasticsearch.URL)
			proxy.Set(tt.fault)
			index := fmt.Sprintf("logs-fault%d-default", i)
			dir := t.TempDir()
			appendTo(t, filepath.Join(dir, "app.log"), lines("a line that meets trouble on its way", total))
			obsd := s.start(t, "fault.yaml", dir, env{"ELASTICSEARCH": proxy.URL, "INDEX": index})

			if tt.stays {
				require.Eventually(t, func() bool { return proxy.Hits() >= 1 }, patience, pollEvery)
			} else {
				require.Eventually(t, func() bool { return proxy.Hits() >= 5 }, patience, pollEvery)
				n, err := s.elasticsearch.Count(t.Context(), index, "")
				require.NoError(t, err)
				require.Zero(t, n, "nothing can have arrived")
				proxy.Set(nil)
			}
			requireEachOnce(t, s.elasticsearch, index, total, 0)
			require.NoError(t, obsd.Stop(patience))
		})
	}
}

// testTLS speaks TLS to a server that wants a password, with the certificate and the password of the configuration.
func testTLS(t *testing.T, s *suite) {
	proxy := fault.NewTLS(t, s.elasticsearch.URL)
	proxy.Set(fault.Password("obsd", "secret"))
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	require.NoError(t, os.WriteFile(ca, proxy.Certificate, 0o600))
	appendTo(t, filepath.Join(dir, "app.log"), lines("over TLS", 50))
	s.start(t, "fault.yaml", dir, env{
		"ELASTICSEARCH": proxy.URL, "INDEX": "logs-tls-default", "CA_FILE": ca, "USERNAME": "obsd", "PASSWORD": "secret",
	})
	requireEachOnce(t, s.elasticsearch, "logs-tls-default", 50, 0)
	require.Zero(t, proxy.Hits(), "a request without the password")
}
