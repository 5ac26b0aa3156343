package sink_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/bench/sink"
)

func TestSink(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	tests := []struct {
		name, method, path, body string
		gzip                     bool
		wantStatus               int
		wantBody                 string
		wantRecords              int64
	}{
		{
			name: "bulk", method: http.MethodPost, path: "/_bulk", body: "{\"create\":{}}\n{\"a\":1}\n{\"create\":{}}\n{\"a\":2}\n",
			wantStatus: 200, wantRecords: 2,
			wantBody: `{"took":1,"errors":false,"items":[{"create":{"_index":"sink","status":201}},{"create":{"_index":"sink","status":201}}]}`,
		},
		{
			name: "bulk to an index, gzip, long lines", method: http.MethodPost, path: "/logs-a-b/_bulk?refresh=false", gzip: true,
			body: "{\"create\":{}}\n{\"a\":\"" + long + "\"}\n", wantStatus: 200, wantRecords: 1,
			wantBody: `{"took":1,"errors":false,"items":[{"create":{"_index":"sink","status":201}}]}`,
		},
		{name: "InfluxDB 1", method: http.MethodPost, path: "/write?db=x", body: "a b=1 1\n\na b=2 2", wantStatus: 204, wantRecords: 2},
		{name: "InfluxDB 2", method: http.MethodPost, path: "/api/v2/write?bucket=x", body: "a b=1 1\n", gzip: true, wantStatus: 204, wantRecords: 1},
		{name: "nothing", method: http.MethodPost, path: "/write", wantStatus: 204},
		{
			name: "root", method: http.MethodGet, path: "/", wantStatus: 200,
			wantBody: `{"name":"sink","cluster_name":"sink","version":{"number":"8.19.21"},"tagline":"You Know, for Search"}`,
		},
		{name: "elsewhere", method: http.MethodGet, path: "/_cat", wantStatus: 404, wantBody: "404 page not found\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := sink.Start()
			require.NoError(t, err)
			defer func() { _ = s.Close() }()

			body := bytes.NewBufferString(tt.body)
			if tt.gzip {
				body = new(bytes.Buffer)
				z := gzip.NewWriter(body)
				_, err := io.WriteString(z, tt.body)
				require.NoError(t, err)
				require.NoError(t, z.Close())
			}
			req, err := http.NewRequestWithContext(t.Context(), tt.method, s.URL+tt.path, body)
			require.NoError(t, err)
			if tt.gzip {
				req.Header.Set("Content-Encoding", "gzip")
			}
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer func() { _ = resp.Body.Close() }()
			got, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Equal(t, tt.wantStatus, resp.StatusCode)
			require.Equal(t, tt.wantBody, string(got))
			require.Equal(t, tt.wantRecords, s.Records())
		})
	}
}

func TestSinkRefusesBrokenGzip(t *testing.T) {
	s, err := sink.Start()
	require.NoError(t, err)
	defer func() { _ = s.Close() }()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/_bulk", strings.NewReader("not gzip at all"))
	require.NoError(t, err)
	req.Header.Set("Content-Encoding", "gzip")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	got, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "sink: gzip: gzip: invalid header\n", string(got))
}
