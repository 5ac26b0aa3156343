package influxdb

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// verdict is what a reply means for the lines that were sent.
type verdict int

const (
	// accepted: all lines are stored.
	accepted verdict = iota
	// partly: the good lines are stored, reply.lost are not and will not be.
	partly
	// badLine: at least one line is bad, and none may be stored.
	badLine
	// badRequest: refused for a reason that the server does not tell clearly.
	badRequest
	// tooLarge: the request is too large.
	tooLarge
	// failed: try again, all lines may be good.
	failed
)

// reply is an answer of the server, read.
type reply struct {
	verdict verdict
	lost    int
	reason  reason
	message string        // the server's words, short and printable
	mend    string        // what the user can do
	err     error         // the same in one sentence
	delay   time.Duration // the server's wish, for failed
}

// maxReply bounds what is read of a reply.
const maxReply = 1 << 20

// readReply judges a reply to a request of n lines.
func readReply(status int, header http.Header, body []byte, n int, t *target, now time.Time) reply {
	r := reply{verdict: failed, reason: reasonRefused, message: message(header, body)}
	switch {
	case status >= 200 && status < 300:
		if len(bytes.TrimSpace(body)) == 0 {
			r.verdict = accepted
			return r
		}
		r.mend = "this is not the answer of a write API: check endpoint"
	case status >= 300 && status < 400:
		r.mend = "check endpoint: it leads elsewhere"
	case status == http.StatusBadRequest, status == http.StatusUnprocessableEntity:
		r.refusal(body, n, t)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		r.mend = "check " + t.authKeys
	case status == http.StatusNotFound:
		r.mend = notFound(r.message, t)
	case status == http.StatusRequestEntityTooLarge:
		r.verdict, r.reason = tooLarge, reasonTooLarge
	case status == http.StatusMethodNotAllowed:
		r.mend = "this is not a write API: check endpoint"
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		r.delay = retryAfter(header.Get("Retry-After"), now)
	case status == http.StatusUnsupportedMediaType:
		r.mend = "set compression to none"
	case strings.Contains(r.message, "retention policy not found"): // 1.x, with 500
		r.mend = notFound(r.message, t)
	}
	return r
}

// refusal reads a 400 or 422.
func (r *reply) refusal(body []byte, n int, t *target) {
	full := serverText(body)
	r.reason = refusalReason(full)
	unparsed := strings.Count(full, "unable to parse '")
	switch {
	case strings.Contains(full, "partial write of line protocol"): // InfluxDB 3
		r.verdict, r.lost = partly, listed(body)
	case strings.Contains(full, "partial write"):
		// 1.x says dropped=0 of lines that it could not parse.
		r.verdict, r.lost = partly, max(dropped(full), unparsed)
	case unparsed >= n && n > 0:
		r.verdict, r.lost = partly, n
	case r.reason != reasonRefused:
		r.verdict = badLine
	default:
		r.verdict = badRequest
		r.mend = "the server refuses every line: check endpoint, " + t.placeKeys
	}
	if r.verdict == partly && (r.lost == 0 || len(body) >= maxReply) {
		r.verdict = badLine // it does not tell how many: find out
	}
	r.lost = min(r.lost, n)
}

// refusalReason finds the reason in the server's words, or reasonRefused.
func refusalReason(s string) reason {
	for _, known := range []struct {
		words  string
		reason reason
	}{
		{"field type conflict", reasonTypeConflict},
		{"beyond retention policy", reasonRetention},
		{"outside retention", reasonRetention},
		{"max-series-per-database", reasonSeriesLimit},
		{"max-values-per-tag", reasonSeriesLimit},
		{"max key length", reasonSeriesKey},
		{"unable to parse", reasonInvalidLine},
		{"line protocol", reasonInvalidLine},
		{"write_lp", reasonInvalidLine},
		{"invalid tag key", reasonInvalidLine},
		{"invalid field name", reasonInvalidLine},
		{"is too long", reasonTooLarge},
	} {
		if strings.Contains(s, known.words) {
			return known.reason
		}
	}
	return reasonRefused
}

// dropped reads the number behind dropped= in a partial write.
func dropped(s string) int {
	_, s, found := strings.Cut(s, "dropped=")
	if !found {
		return 0
	}
	end := 0
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(s[:end])
	if err != nil {
		return 0
	}
	return n
}

// listed counts the lines that InfluxDB 3 names in its answer.
func listed(body []byte) int {
	var answer struct {
		Data []json.RawMessage `json:"data"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return 0
	}
	return len(answer.Data)
}

// serverText returns the error text of a reply's body: that of 1.x stands in
// error, that of 2.x in message.
func serverText(body []byte) string {
	var answer struct {
		Error   any `json:"error"`
		Message any `json:"message"`
	}
	if json.Unmarshal(body, &answer) == nil {
		for _, v := range []any{answer.Error, answer.Message} {
			if s, ok := v.(string); ok && s != "" {
				return s
			}
		}
	}
	return string(body)
}

// message returns the server's words, fit for a log.
func message(header http.Header, body []byte) string {
	s := strings.TrimSpace(serverText(body))
	if s == "" {
		s = header.Get("X-Influxdb-Error")
	}
	if strings.HasPrefix(s, "<") {
		s = "a page of HTML"
	}
	const limit = 300
	if len(s) > limit {
		s = cut(s, limit) + "…"
	}
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

func notFound(message string, t *target) string {
	for _, word := range []string{"database", "bucket", "organization", "retention"} {
		if strings.Contains(message, word) {
			return fmt.Sprintf("create %s, or mend %s", t.place, t.placeKeys)
		}
	}
	return "no write API here: check endpoint"
}

// retryAfter reads seconds or a date.
func retryAfter(s string, now time.Time) time.Duration {
	if s == "" {
		return 0
	}
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return max(time.Duration(n)*time.Second, 0)
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
