package fault_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/e2e/fault"
)

// server counts what reaches it and answers "real".
func server(t *testing.T) (url string, reached *atomic.Int32) {
	reached = new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached.Add(1)
		_, _ = io.WriteString(w, "real")
	}))
	t.Cleanup(s.Close)
	return s.URL, reached
}

func gzipped(t *testing.T, body []byte) []byte {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	_, err := z.Write(body)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return buf.Bytes()
}

func TestFaults(t *testing.T) {
	small, large := []byte("12345"), []byte("123456")
	tests := []struct {
		name        string
		fault       func(p *fault.Proxy) fault.Fault
		header      map[string]string
		path        string
		body        []byte
		wantStatus  int
		wantErr     string
		wantBody    string
		wantReached int32
		wantHits    int
	}{
		{name: "none", fault: func(*fault.Proxy) fault.Fault { return nil }, wantStatus: 200, wantBody: "real", wantReached: 1},
		{name: "answer", fault: func(*fault.Proxy) fault.Fault { return fault.Answer(500, "no") }, wantStatus: 500, wantBody: "no", wantHits: 1},
		{name: "hang up", fault: func(*fault.Proxy) fault.Fault { return fault.HangUp() }, wantErr: "EOF", wantHits: 1},
		{name: "lost answer", fault: fault.LostAnswer, wantErr: "EOF", wantReached: 1, wantHits: 1},
		{name: "fits", fault: func(*fault.Proxy) fault.Fault { return fault.TooLarge(5) }, body: small, wantStatus: 200, wantBody: "real", wantReached: 1},
		{name: "too large", fault: func(*fault.Proxy) fault.Fault { return fault.TooLarge(5) }, body: large, wantStatus: 413, wantHits: 1},
		{
			name: "fits, gzip", fault: func(*fault.Proxy) fault.Fault { return fault.TooLarge(5) }, body: gzipped(t, small),
			header: map[string]string{"Content-Encoding": "gzip"}, wantStatus: 200, wantBody: "real", wantReached: 1,
		},
		{name: "slow", fault: func(*fault.Proxy) fault.Fault { return fault.Slow(1) }, wantStatus: 200, wantBody: "real", wantReached: 1},
		{
			name: "reject documents", fault: func(*fault.Proxy) fault.Fault { return fault.RejectDocuments(429) }, path: "/_bulk",
			body: []byte("{\"create\":{}}\n{}\n"), wantStatus: 200, wantHits: 1,
			wantBody: `{"took":1,"errors":true,"items":[{"create":{"_index":"x","status":429,"error":{"type":"refused","reason":"by the test"}}}]}`,
		},
		{
			name: "reject documents, another request", fault: func(*fault.Proxy) fault.Fault { return fault.RejectDocuments(429) },
			wantStatus: 200, wantBody: "real", wantReached: 1,
		},
		{
			name: "no password", fault: func(*fault.Proxy) fault.Fault { return fault.Password("u", "p") }, wantStatus: 401, wantHits: 1,
			wantBody: `{"error":{"type":"security_exception","reason":"unable to authenticate"},"status":401}`,
		},
		{
			name: "password", fault: func(*fault.Proxy) fault.Fault { return fault.Password("u", "p") },
			header: map[string]string{"Authorization": "Basic dTpw"}, wantStatus: 200, wantBody: "real", wantReached: 1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			target, reached := server(t)
			p := fault.New(t, target)
			p.Set(tt.fault(p))
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, p.URL+tt.path, bytes.NewReader(tt.body))
			require.NoError(t, err)
			for k, v := range tt.header {
				req.Header.Set(k, v)
			}
			resp, err := http.DefaultClient.Do(req)
			if tt.wantErr != "" {
				require.ErrorContains(t, err, tt.wantErr)
			} else {
				require.NoError(t, err)
				defer func() { _ = resp.Body.Close() }()
				got, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				require.Equal(t, tt.wantStatus, resp.StatusCode)
				require.Equal(t, tt.wantBody, string(got))
			}
			require.Equal(t, tt.wantReached, reached.Load())
			require.Equal(t, tt.wantHits, p.Hits())
		})
	}
}

func TestTLS(t *testing.T) {
	target, _ := server(t)
	p := fault.NewTLS(t, target)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(p.Certificate))
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL, nil)
	require.NoError(t, err)
	resp, err := client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
}
