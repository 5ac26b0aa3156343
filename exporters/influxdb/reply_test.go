package influxdb

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

var testTarget = target{authKeys: "token", placeKeys: "org and bucket", place: `bucket "b" of org "o"`}

func TestReadReply(t *testing.T) {
	const html = "<html><body>Sign in</body></html>"
	for _, tt := range []struct {
		name   string
		status int
		header http.Header
		body   string
		n      int
		want   reply
	}{
		{"stored", 204, nil, "", 5, reply{verdict: accepted}},
		{"stored, 200", 200, nil, " \n", 5, reply{verdict: accepted}},
		{"a page", 200, nil, html, 5, reply{verdict: failed, message: "a page of HTML", mend: "this is not the answer of a write API: check endpoint"}},
		{"redirect", 302, nil, "", 5, reply{verdict: failed, mend: "check endpoint: it leads elsewhere"}},
		{
			"1.x type conflict", 400, nil,
			`{"error":"partial write: field type conflict: input field \"usage\" on measurement \"cpu\" is type string, already exists as type float dropped=2"}`, 5,
			reply{verdict: partly, lost: 2, reason: reasonTypeConflict, message: `partial write: field type conflict: input field "usage" on measurement "cpu" is type string, already exists as type float dropped=2`},
		},
		{
			"2.x type conflict", 422, nil,
			`{"code":"unprocessable entity","message":"failure writing points to database: partial write: field type conflict: input field \"a\" on measurement \"m\" is type integer, already exists as type float dropped=1"}`, 5,
			reply{verdict: partly, lost: 1, reason: reasonTypeConflict, message: `failure writing points to database: partial write: field type conflict: input field "a" on measurement "m" is type integer, already exists as type float dropped=1`},
		},
		{
			"more dropped than sent", 400, nil, `{"error":"partial write: points beyond retention policy dropped=99"}`, 5,
			reply{verdict: partly, lost: 5, reason: reasonRetention, message: "partial write: points beyond retention policy dropped=99"},
		},
		{
			"1.x some lines bad", 400, nil, `{"error":"partial write: unable to parse 'a': missing fields\nunable to parse 'b': missing fields dropped=0"}`, 5,
			reply{verdict: partly, lost: 2, reason: reasonInvalidLine, message: "partial write: unable to parse 'a': missing fields unable to parse 'b': missing fields dropped=0"},
		},
		{
			"all lines bad", 400, nil, `{"error":"unable to parse 'cpu nonsense': invalid field format"}`, 1,
			reply{verdict: partly, lost: 1, reason: reasonInvalidLine, message: "unable to parse 'cpu nonsense': invalid field format"},
		},
		{
			"2.x one line bad of many", 400, nil, `{"code":"invalid","message":"unable to parse 'x': missing fields"}`, 5,
			reply{verdict: badLine, reason: reasonInvalidLine, message: "unable to parse 'x': missing fields"},
		},
		{
			"partial write that does not say how much", 400, nil, `{"error":"partial write: dropped=-1"}`, 5,
			reply{verdict: badLine, reason: reasonRefused, message: "partial write: dropped=-1"},
		},
		{
			"series limit", 400, nil, `{"error":"partial write: max-values-per-tag limit exceeded (100000/100000): measurement=\"m\" tag=\"t\" value=\"v\" dropped=3"}`, 5,
			reply{verdict: partly, lost: 3, reason: reasonSeriesLimit, message: `partial write: max-values-per-tag limit exceeded (100000/100000): measurement="m" tag="t" value="v" dropped=3`},
		},
		{
			"3.x", 400, nil, `{"error":"partial write of line protocol occurred","data":[{"line_number":2},{"line_number":3}]}`, 5,
			reply{verdict: partly, lost: 2, reason: reasonInvalidLine, message: "partial write of line protocol occurred"},
		},
		{"400 without a word", 400, nil, "", 5, reply{verdict: badRequest, reason: reasonRefused, mend: "the server refuses every line: check endpoint, org and bucket"}},
		{
			"400 of 1.x about the request", 400,
			http.Header{"X-Influxdb-Error": {"database is required"}},
			"", 5,
			reply{verdict: badRequest, reason: reasonRefused, message: "database is required", mend: "the server refuses every line: check endpoint, org and bucket"},
		},
		{"401", 401, nil, `{"code":"unauthorized","message":"unauthorized access"}`, 5, reply{verdict: failed, message: "unauthorized access", mend: "check token"}},
		{"403", 403, nil, `{"error":"\"u\" user is not authorized to write to database \"d\""}`, 5, reply{verdict: failed, message: `"u" user is not authorized to write to database "d"`, mend: "check token"}},
		{"404 database", 404, nil, `{"error":"database not found: \"d\""}`, 5, reply{verdict: failed, message: `database not found: "d"`, mend: `create bucket "b" of org "o", or mend org and bucket`}},
		{"404 page", 404, nil, "404 page not found", 5, reply{verdict: failed, message: "404 page not found", mend: "no write API here: check endpoint"}},
		{"405", 405, nil, "", 5, reply{verdict: failed, mend: "this is not a write API: check endpoint"}},
		{"413", 413, nil, `{"error":"Request Entity Too Large"}`, 5, reply{verdict: tooLarge, reason: reasonTooLarge, message: "Request Entity Too Large"}},
		{"415", 415, nil, "", 5, reply{verdict: failed, mend: "set compression to none"}},
		{"429 in seconds", 429, http.Header{"Retry-After": {"30"}}, "", 5, reply{verdict: failed, delay: 30 * time.Second}},
		{"503 until", 503, http.Header{"Retry-After": {"Tue, 14 Nov 2023 22:14:20 GMT"}}, "", 5, reply{verdict: failed, delay: 59*time.Second + 876_543_211}},
		{"503 in the past", 503, http.Header{"Retry-After": {"Tue, 14 Nov 2000 22:14:20 GMT"}}, "", 5, reply{verdict: failed}},
		{"503 odd", 503, http.Header{"Retry-After": {"soon"}}, "", 5, reply{verdict: failed}},
		{
			"500 of 1.x for a policy", 500, nil, `{"error":"retention policy not found: norp"}`, 5,
			reply{verdict: failed, message: "retention policy not found: norp", mend: `create bucket "b" of org "o", or mend org and bucket`},
		},
		{"500", 500, nil, "timeout\x00\xff", 5, reply{verdict: failed, message: "timeout  "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want.reason == reasonNone {
				tt.want.reason = reasonRefused
			}
			got := readReply(tt.status, tt.header, []byte(tt.body), tt.n, &testTarget, testTime)
			require.Equal(t, tt.want, got)
		})
	}
}

func FuzzReadReply(f *testing.F) {
	f.Add(400, `{"error":"partial write: field type conflict dropped=3"}`, "1", 5)
	f.Add(422, `{"error":{"a":[]},"message":7,"data":5}`, "Tue, 14 Nov 2023 22:14:20 GMT", 1)
	f.Add(204, "", "-1", 10_000)
	f.Add(400, "partial write of line protocol dropped=99999999999999999999", "9999999999999999999", 2)
	f.Fuzz(func(t *testing.T, status int, body, after string, n int) {
		n = max(n, 1)
		r := readReply(status, http.Header{"Retry-After": {after}}, []byte(body), n, &testTarget, testTime)
		require.True(t, r.lost >= 0 && r.lost <= n, "lost %d of %d", r.lost, n)
		require.GreaterOrEqual(t, r.delay, time.Duration(0))
		require.LessOrEqual(t, len(r.message), 2*300+len("…"))
		require.True(t, utf8.ValidString(r.message))
		require.False(t, strings.ContainsAny(r.message, "\x00\n\r\x7f"), r.message)
		if r.verdict == accepted {
			require.Empty(t, strings.TrimSpace(body))
			require.True(t, status >= 200 && status < 300)
		}
		if r.verdict == partly {
			require.Positive(t, r.lost)
		}
	})
}
