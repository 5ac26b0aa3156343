package influxdb

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// numbered is a gauge with n points, m0 to m<n-1>.
func numbered(n int) pmetric.Metrics {
	md := pmetric.NewMetrics()
	ms := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	for i := range n {
		m := ms.AppendEmpty()
		m.SetName(fmt.Sprintf("m%d", i))
		p := m.SetEmptyGauge().DataPoints().AppendEmpty()
		p.SetDoubleValue(1)
		p.SetTimestamp(pointStamp)
	}
	return md
}

// refusing answers 400 with text to a request that holds a line of one of bad,
// as InfluxDB 2 does: not one line of it is stored.
func refusing(text string, bad ...string) answer {
	return func(lines []string) (int, string) {
		for _, line := range lines {
			name, _, _ := strings.Cut(line, " ")
			if slices.Contains(bad, name) {
				return http.StatusBadRequest, text
			}
		}
		return stored(lines)
	}
}

func TestOneBadLineAmong5000(t *testing.T) {
	e := newTestExporter(t, nil, refusing(`{"code":"invalid","message":"unable to parse 'm4711 gauge=1 1700000000000000000': bad luck"}`, "m4711"))
	require.NoError(t, e.pushMetrics(t.Context(), numbered(5000)))
	require.Len(t, e.sink.kept, 4999)
	require.Equal(t, map[string]int64{"delivered": 4999, "lost invalid_line": 1}, e.counts(t, "obsd_influxdb_points"))
	require.LessOrEqual(t, len(e.sink.requests), 30)
}

func TestRefusedLines(t *testing.T) {
	many := make([]string, 100)
	for i := range many {
		many[i] = fmt.Sprintf("m%d", i)
	}
	for _, tt := range []struct {
		name     string
		answer   answer
		points   int
		want     map[string]int64
		wantErr  string
		requests int
	}{
		{
			name: "partial write", points: 10, requests: 1,
			answer: func([]string) (int, string) {
				return 400, `{"error":"partial write: field type conflict: input field \"gauge\" on measurement \"m1\" is type float, already exists as type integer dropped=3"}`
			},
			want: map[string]int64{"delivered": 7, "lost field_type_conflict": 3},
		},
		{
			name: "first and last bad", points: 16, requests: 15,
			answer: refusing("unable to parse 'x': y", "m0", "m15"),
			want:   map[string]int64{"delivered": 14, "lost invalid_line": 2},
		},
		{
			name: "bad for a reason that nobody knows", points: 16, requests: 9,
			answer: refusing("because", "m5"),
			want:   map[string]int64{"delivered": 15, "lost refused": 1},
		},
		{
			name: "every line bad, told so", points: 3, requests: 1,
			answer:  func(lines []string) (int, string) { return 400, strings.Repeat("unable to parse 'x': y\n", len(lines)) },
			want:    map[string]int64{"lost invalid_line": 3},
			wantErr: "Permanent error: influxdb: write to http://influx.test:8086/api/v2/write: none of 3 points stored: see obsd_influxdb_points and the warnings for the reasons",
		},
		{
			name: "every line refused without a word about lines", points: 100, requests: 20,
			answer:  refusing(`{"error":"database is required"}`, many...),
			want:    map[string]int64{},
			wantErr: "influxdb: write to http://influx.test:8086/api/v2/write: status 400: database is required: the server refuses every line: check endpoint, org and bucket",
		},
		{
			name: "the same, fewer lines", points: 2, requests: 3,
			answer:  refusing(`{"error":"database is required"}`, many...),
			want:    map[string]int64{},
			wantErr: "influxdb: write to http://influx.test:8086/api/v2/write: status 400: database is required: the server refuses every line: check endpoint, org and bucket",
		},
		{
			name: "a line too large alone", points: 4, requests: 5,
			answer: func(lines []string) (int, string) {
				if slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "m2 ") }) {
					return 413, ""
				}
				return stored(lines)
			},
			want: map[string]int64{"delivered": 3, "lost too_large": 1},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newTestExporter(t, nil, tt.answer)
			err := e.pushMetrics(t.Context(), numbered(tt.points))
			if tt.wantErr == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, tt.wantErr)
			}
			require.Equal(t, tt.want, e.counts(t, "obsd_influxdb_points"))
			require.Len(t, e.sink.requests, tt.requests)
		})
	}
}

// TestRestIsRetried lets the third payload fail: the first two are not sent
// again, and what was lost in the third is counted only when it is settled.
func TestRestIsRetried(t *testing.T) {
	down := true
	a := func(lines []string) (int, string) {
		if down && slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "m25 ") }) {
			return 500, "try later"
		}
		return stored(lines)
	}
	e := newTestExporter(t, func(c *Config) { c.PayloadMaxLines = 10 }, a)
	md := numbered(35)
	ms := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
	ms.At(3).SetName("")
	ms.At(27).SetName("")
	err := e.pushMetrics(t.Context(), md)
	require.EqualError(t, err, "influxdb: write to http://influx.test:8086/api/v2/write: status 500: try later")
	rest, ok := errors.AsType[consumererror.Metrics](err)
	require.True(t, ok)
	require.Equal(t, 14, rest.Data().DataPointCount()) // m21 on: m3 took no line of the first payload
	require.Equal(t, map[string]int64{"delivered": 20, "lost no_name": 1}, e.counts(t, "obsd_influxdb_points"))
	down = false
	require.NoError(t, e.pushMetrics(t.Context(), rest.Data()))
	require.Equal(t, map[string]int64{"delivered": 33, "lost no_name": 2}, e.counts(t, "obsd_influxdb_points"))
	require.Len(t, e.sink.kept, 33)
	slices.Sort(e.sink.kept)
	require.Len(t, slices.Compact(e.sink.kept), 33)
}

func TestRestOfLogsIsRetried(t *testing.T) {
	e := newTestExporter(t, func(c *Config) { c.PayloadMaxBytes = 300 }, func(lines []string) (int, string) {
		if slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "line 7") }) {
			return 503, ""
		}
		return stored(lines)
	})
	ld := plog.NewLogs()
	for r := range 2 {
		sl := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
		for i := range 5 {
			rec := sl.LogRecords().AppendEmpty()
			rec.SetTimestamp(pointStamp)
			rec.Body().SetStr(fmt.Sprintf("line %d", 5*r+i))
		}
	}
	err := e.pushLogs(t.Context(), ld)
	rest, ok := errors.AsType[consumererror.Logs](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, 10, rest.Data().LogRecordCount()+len(e.sink.kept))
	first := rest.Data().ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	require.Equal(t, fmt.Sprintf("line %d", len(e.sink.kept)), first.Body().Str())
	require.Equal(t, 10, ld.LogRecordCount(), "the request itself stays whole")
}

func TestMetricsAfter(t *testing.T) {
	all := sampleMetrics()
	total := all.DataPointCount()
	for n := range total + 1 {
		require.Equal(t, total-n, metricsAfter(all, n).DataPointCount())
	}
	require.Equal(t, "collision", metricsAfter(all, total-1).ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Name())
}

func TestPayloadLimits(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   []int // lines of each request
	}{
		{"one request", nil, []int{10}},
		{"lines", func(c *Config) { c.PayloadMaxLines = 4 }, []int{4, 4, 2}},
		{"bytes", func(c *Config) { c.PayloadMaxBytes = 100 }, []int{3, 3, 3, 1}},
		{"a line larger than the limit", func(c *Config) { c.PayloadMaxBytes = 1 }, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newTestExporter(t, tt.change, stored)
			require.NoError(t, e.pushMetrics(t.Context(), numbered(10)))
			var got []int
			for _, body := range e.sink.bodies {
				got = append(got, strings.Count(body, "\n"))
			}
			require.Equal(t, tt.want, got)
		})
	}
}

func TestSeriesKeyTooLong(t *testing.T) {
	e := newTestExporter(t, nil, stored)
	md := numbered(2)
	attributes := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints().At(0).Attributes()
	for i := range 30 {
		attributes.PutStr(fmt.Sprintf("k%d", i), strings.Repeat("é", maxTagValue))
	}
	require.NoError(t, e.pushMetrics(t.Context(), md))
	require.Equal(t, map[string]int64{"delivered": 1, "lost series_key_too_long": 1}, e.counts(t, "obsd_influxdb_points"))
	require.Equal(t, map[string]int64{"truncated": 30}, e.counts(t, "obsd_influxdb_values_changed"))
}

func TestLossIsLoggedOnceAMinute(t *testing.T) {
	e := newTestExporter(t, nil, stored)
	now := testTime
	e.now = func() time.Time { return now }
	md := numbered(2)
	md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(1).SetName("")
	for range 5 {
		require.NoError(t, e.pushMetrics(t.Context(), md))
	}
	now = now.Add(time.Minute)
	require.NoError(t, e.pushMetrics(t.Context(), md))
	require.Equal(t, 2, e.logs.Len())
	require.Equal(t, map[string]any{
		"reason": "no_name", "points": int64(5), "example": "a metric without a name", "mend": "give the metric a name where it is made",
		"endpoint": "http://influx.test:8086/api/v2/write", "place": `bucket "b" of org "o"`,
	}, e.logs.All()[1].ContextMap())
}

func TestRequest(t *testing.T) {
	for _, tt := range []struct {
		name                string
		change              func(*Config)
		wantURL, wantHeader string
	}{
		{"v2", nil, "http://influx.test:8086/api/v2/write?bucket=b&org=o&precision=ns", "Token hunter2"},
		{
			"v2 behind a path, no token",
			func(c *Config) {
				c.ClientConfig.Endpoint, c.Token, c.Precision = "https://proxy/influx/", "", PrecisionMicroseconds
			},
			"https://proxy/influx/api/v2/write?bucket=b&org=o&precision=us", "",
		},
		{
			"full URL with a parameter", func(c *Config) { c.ClientConfig.Endpoint = "http://vm:8428/insert/0/influx/write?extra=1" },
			"http://vm:8428/insert/0/influx/write?bucket=b&extra=1&org=o&precision=ns", "Token hunter2",
		},
		{
			"v1", func(c *Config) {
				c.Org, c.Bucket, c.Token, c.Precision = "", "", "", PrecisionSeconds
				c.V1Compatibility = V1Compatibility{Enabled: true, DB: "k8s", RetentionPolicy: "week", Username: "root", Password: "root"}
			},
			"http://influx.test:8086/write?db=k8s&precision=s&rp=week", "Basic cm9vdDpyb290",
		},
		{
			"v1, open", func(c *Config) {
				c.Org, c.Bucket, c.Token = "", "", ""
				c.V1Compatibility = V1Compatibility{Enabled: true, DB: "k8s"}
			},
			"http://influx.test:8086/write?db=k8s&precision=n", "",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newTestExporter(t, tt.change, stored)
			require.NoError(t, e.pushMetrics(t.Context(), numbered(1)))
			req := e.sink.requests[0]
			require.Equal(t, tt.wantURL, req.URL.String())
			require.Equal(t, tt.wantHeader, req.Header.Get("Authorization"))
			require.Equal(t, "text/plain; charset=utf-8", req.Header.Get("Content-Type"))
		})
	}
}

func TestSecretIsNotRepeated(t *testing.T) {
	e := newTestExporter(t, nil, func([]string) (int, string) { return 401, `{"message":"no token hunter2"}` })
	require.EqualError(t, e.pushMetrics(t.Context(), numbered(1)),
		"influxdb: write to http://influx.test:8086/api/v2/write: status 401: no token [secret]: check token")
}

func TestLongDelayIsBounded(t *testing.T) {
	e := newTestExporter(t, func(c *Config) { c.RetryConfig.MaxElapsedTime = time.Minute }, stored)
	e.client.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {"86400"}}, Body: http.NoBody, Request: req}, nil
	})
	require.EqualError(t, e.pushMetrics(t.Context(), numbered(1)),
		"Throttle (30s), error: influxdb: write to http://influx.test:8086/api/v2/write: status 429")
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// TestRedirect: a redirect that turns a POST into a GET must not look like
// success.
func TestRedirect(t *testing.T) {
	var gets, posts atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { gets.Add(1); w.WriteHeader(204) })
	mux.HandleFunc("POST /ok/write", func(w http.ResponseWriter, _ *http.Request) { posts.Add(1); w.WriteHeader(204) })
	mux.Handle("POST /moved/write", http.RedirectHandler("/ok/write", http.StatusMovedPermanently))
	mux.Handle("POST /kept/write", http.RedirectHandler("/ok/write", http.StatusPermanentRedirect))
	srv := httptest.NewServer(mux)
	defer srv.Close()
	push := func(path string) error {
		e := newTestExporter(t, func(c *Config) { c.ClientConfig.Endpoint = srv.URL + path }, stored)
		require.NoError(t, e.start(t.Context(), componenttest.NewNopHost()))
		defer func() { require.NoError(t, e.shutdown(context.Background())) }()
		return e.pushMetrics(t.Context(), numbered(1))
	}
	require.EqualError(t, push("/moved/write"), "influxdb: write to "+srv.URL+"/moved/write: status 301: check endpoint: it leads elsewhere")
	require.NoError(t, push("/kept/write"))
	require.Equal(t, int64(0), gets.Load())
	require.Equal(t, int64(1), posts.Load())
}

func TestTimeOfMetrics(t *testing.T) {
	e := newTestExporter(t, nil, stored)
	md := numbered(2)
	ms := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
	ms.At(0).Gauge().DataPoints().At(0).SetTimestamp(0)
	ms.At(1).Gauge().DataPoints().At(0).SetTimestamp(pcommon.Timestamp(1<<63 - 1))
	require.NoError(t, e.pushMetrics(t.Context(), md))
	require.Equal(t, []string{"m0 gauge=1 1700000000123456789"}, e.sink.kept)
	require.Equal(t, map[string]int64{"delivered": 1, "lost time_out_of_range": 1}, e.counts(t, "obsd_influxdb_points"))
}
