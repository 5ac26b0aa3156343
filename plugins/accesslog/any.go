package main

import (
	"strings"

	"github.com/obsd-io/obsd/sdk"
)

// combined is Apache's combined log format; the common format is the same without the last two fields.
// (Apache 2.4 mod_log_config, "Common Log Format"; nginx ngx_http_log_module, "combined".)
var combined = sdk.NewPattern(`{} {} {} [{}] "{}" {} {} "{}" "{}"`)

// Fields of combined.
const (
	fieldAddress = iota
	fieldIdent
	fieldUser
	fieldTime
	fieldRequest
	fieldStatus
	fieldSize
	fieldReferer
	fieldAgent
	fields
)

// any reads any access-log line; false says that the line is none.
func (l *line) any(t sdk.Text) bool {
	f := &l.fields
	switch combined.Split(t, f[:]) {
	case fields: // more may follow the closing quote
	case fieldSize: // the common format ends with the size
		f[fieldReferer], f[fieldAgent] = 0, 0
	default:
		return false
	}
	l.texts[clientAddress], l.texts[userName] = f[fieldAddress], unlessDash(t, f[fieldUser])
	l.texts[referer], l.texts[userAgent] = unlessDash(t, f[fieldReferer]), unlessDash(t, f[fieldAgent])
	l.request(t, f[fieldRequest])
	var ok bool
	if l.status, ok = t.Uint(f[fieldStatus]); !ok || f[fieldStatus].Len() != 3 || f[fieldAddress].Len() == 0 {
		return false
	}
	if l.size, ok = t.Uint(f[fieldSize]); !ok {
		if l.size = -1; t.Cut(f[fieldSize]) != "-" {
			return false
		}
	}
	l.time, ok = lastDay.read(t, f[fieldTime])
	return ok
}

// request cuts a request line into method, target and protocol: at its first and last space, since servers log a
// target as it came. What is no request line (a handshake of another protocol, HTTP/0.9, "-") leaves them absent.
func (l *line) request(t sdk.Text, s sdk.Span) {
	l.texts[requestMethod], l.texts[urlPath], l.texts[urlQuery], l.texts[protocolVersion] = 0, 0, 0, 0
	text, at := t.Cut(s), s.Offset()
	first, last := strings.IndexByte(text, ' '), strings.LastIndexByte(text, ' ')
	if first <= 0 || first == last || !strings.HasPrefix(text[last+1:], "HTTP/") {
		return
	}
	l.texts[requestMethod] = sdk.SpanOf(at, first)
	l.texts[protocolVersion] = sdk.SpanOf(at+last+6, len(text)-last-6)
	l.target(t, at+first+1, at+last)
}

// target cuts a target at its query.
func (l *line) target(t sdk.Text, at, end int) {
	query := t.Find('?', at)
	l.texts[urlPath], l.texts[urlQuery] = sdk.SpanOf(at, min(query, end)-at), 0
	if query < end {
		l.texts[urlQuery] = sdk.SpanOf(query+1, end-query-1)
	}
}

// unlessDash turns a span that reads "-" into the absent one. (Without jumps, see sdk.Text.Find.)
func unlessDash(t sdk.Text, s sdk.Span) sdk.Span {
	other := (uint64(s)>>32 ^ 1) | (t.Word(s.Offset())&0xff ^ '-')
	return s * sdk.Span((other|-other)>>63)
}
