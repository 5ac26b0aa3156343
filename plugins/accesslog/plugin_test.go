package main

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/obsd-io/obsd/sdk"
	"github.com/obsd-io/obsd/sdk/sdktest"
)

const (
	stamp      = "[23/Nov/2026:10:00:00 +0000]"
	stampNanos = 1795428000 * int64(time.Second)
)

// want is what a line comes to: its attributes, severity and time.
type want struct {
	attributes map[string]any
	severity   sdk.Severity
	text       string
	time       int64
}

func base(more map[string]any) map[string]any {
	m := map[string]any{
		"client.address": "10.1.2.3", "http.request.method": "GET", "url.path": "/a", "network.protocol.version": "1.1",
		"http.response.status_code": int64(200), "http.response.body.size": int64(5),
	}
	for k, v := range more {
		if m[k] = v; v == nil {
			delete(m, k)
		}
	}
	return m
}

// lineTest is a line and what it comes to.
type lineTest struct {
	name, line string
	want       want
}

// lineTests are lines of all kinds that there are.
func lineTests() (tests []lineTest) {
	f := func(name, line string, w want) {
		if w.time == 0 {
			w.time = stampNanos
		}
		if w.severity == 0 {
			w.severity, w.text = sdk.SeverityInfo, "INFO"
		}
		tests = append(tests, lineTest{name, line, w})
	}
	f("common", `10.1.2.3 - - `+stamp+` "GET /a HTTP/1.1" 200 5`, want{attributes: base(nil)})
	f("combined", `10.1.2.3 - - `+stamp+` "GET /a HTTP/1.1" 200 5 "https://example.com/" "curl/8.5.0"`, want{attributes: base(map[string]any{
		"http.request.header.referer": "https://example.com/", "user_agent.original": "curl/8.5.0",
	})})
	f("combined with more behind it", `10.1.2.3 - - `+stamp+` "GET /a HTTP/1.1" 200 5 "-" "curl/8.5.0" "10.9.9.9" 0.003`,
		want{attributes: base(map[string]any{"user_agent.original": "curl/8.5.0"})})
	f("dashes", `10.1.2.3 - - `+stamp+` "GET /a HTTP/1.1" 304 - "-" "-"`,
		want{attributes: base(map[string]any{"http.response.status_code": int64(304), "http.response.body.size": nil})})
	f("user", `10.1.2.3 - anna `+stamp+` "GET /a HTTP/1.1" 200 5`, want{attributes: base(map[string]any{"user.name": "anna"})})
	f("user with a space", `10.1.2.3 - anna lee `+stamp+` "GET /a HTTP/1.1" 200 5`, want{attributes: base(map[string]any{"user.name": "anna lee"})})
	f("ipv6", `2001:db8::ffff:1 - - `+stamp+` "GET /a HTTP/1.1" 200 5`, want{attributes: base(map[string]any{"client.address": "2001:db8::ffff:1"})})
	f("short address", `::1 - - `+stamp+` "GET /a HTTP/1.1" 200 5 "-" "x"`, want{attributes: base(map[string]any{"client.address": "::1", "user_agent.original": "x"})})
	f("query", `10.1.2.3 - - `+stamp+` "GET /a?q=1&r=%20 HTTP/1.1" 200 5 "-" "-"`, want{attributes: base(map[string]any{"url.query": "q=1&r=%20"})})
	f("empty query", `10.1.2.3 - - `+stamp+` "GET /a? HTTP/1.1" 200 5 "-" "-"`, want{attributes: base(nil)})
	f("http/2", `10.1.2.3 - - `+stamp+` "GET /a HTTP/2.0" 200 5 "-" "-"`, want{attributes: base(map[string]any{"network.protocol.version": "2.0"})})
	f("long method", `10.1.2.3 - - `+stamp+` "PROPPATCH /a HTTP/1.1" 200 5 "-" "-"`, want{attributes: base(map[string]any{"http.request.method": "PROPPATCH"})})
	f("large size", `10.1.2.3 - - `+stamp+` "GET /a HTTP/1.1" 200 123456789012 "-" "-"`, want{attributes: base(map[string]any{"http.response.body.size": int64(123456789012)})})
	f("warn", `10.1.2.3 - - `+stamp+` "GET /a HTTP/1.1" 404 5 "-" "-"`, want{
		attributes: base(map[string]any{"http.response.status_code": int64(404)}), severity: sdk.SeverityWarn, text: "WARN",
	})
	f("error", `10.1.2.3 - - `+stamp+` "GET /a HTTP/1.1" 500 5 "-" "-"`, want{
		attributes: base(map[string]any{"http.response.status_code": int64(500)}), severity: sdk.SeverityError, text: "ERROR",
	})
	f("escaped quotes", `10.1.2.3 - - `+stamp+` "GET /a HTTP/1.1" 200 5 "-" "say \"hi\" \\"`, want{attributes: base(map[string]any{"user_agent.original": `say \"hi\" \\`})})
	f("path with spaces", `10.1.2.3 - - `+stamp+` "GET /a b?c d HTTP/1.1" 200 5 "-" "-"`, want{attributes: base(map[string]any{"url.path": "/a b", "url.query": "c d"})})
	none := map[string]any{"http.request.method": nil, "url.path": nil, "network.protocol.version": nil, "http.response.status_code": int64(400)}
	warn := want{attributes: base(none), severity: sdk.SeverityWarn, text: "WARN"}
	f("no request", `10.1.2.3 - - `+stamp+` "-" 400 5 "-" "-"`, warn)
	f("tls on a plain port", `10.1.2.3 - - `+stamp+` "\x16\x03\x01\x02\x00" 400 5 "-" "-"`, warn)
	f("http/0.9", `10.1.2.3 - - `+stamp+` "GET /" 400 5 "-" "-"`, warn)
	// The same where the line is of the combined format, which takes another way.
	warn.attributes = base(none)
	f("no method", `10.1.2.3 - - `+stamp+` " /a HTTP/1.1" 400 5 "-" "-"`, warn)
	f("quote for a space", `10.1.2.3 - - `+stamp+` "GET /a"HTTP/1.1" 400 5 "-" "-"`, warn)
	f("no version", `10.1.2.3 - - `+stamp+` "GET /a HTTP/1. " 400 5 "-" "-"`, warn)
	f("escape behind the version", `10.1.2.3 - - `+stamp+` "GET /a HTTP/1.\" 1" 200 5 "-" "-"`, want{attributes: base(map[string]any{
		"http.request.method": nil, "url.path": nil, "network.protocol.version": nil,
	})})
	f("zone", `10.1.2.3 - - [23/Nov/2026:03:30:00 -0630] "GET /a HTTP/1.1" 200 5`, want{attributes: base(nil)})
	f("other second", `10.1.2.3 - - [23/Nov/2026:10:00:01 +0000] "GET /a HTTP/1.1" 200 5`, want{attributes: base(nil), time: stampNanos + int64(time.Second)})
	return tests
}

func TestLines(t *testing.T) {
	for _, k := range lineTests() {
		t.Run(k.name, func(t *testing.T) {
			got, w := sdktest.New(t, `{}`).Run(sdktest.Log{Body: k.line})[0], k.want
			if !maps.Equal(got.Attributes, w.attributes) {
				t.Errorf("attributes\ngot  %v\nwant %v", got.Attributes, w.attributes)
			}
			if got.Severity != w.severity || got.SeverityText != w.text || got.Time != w.time || got.Body != k.line {
				t.Errorf("got severity %d %q, time %d, body %q; want %+v", got.Severity, got.SeverityText, got.Time, got.Body, w)
			}
		})
	}
}

// otherLines are no access-log lines.
func otherLines() []string {
	good := `10.1.2.3 - - ` + stamp + ` "GET /a HTTP/1.1" 200 5 "-" "curl"`
	lines := []string{
		"", " ", `"`, "hello", `10.1.2.3`, `10.1.2.3 - - [x] "GET /a HTTP/1.1" 200 5`,
		`10.1.2.3 - - [99/Nov/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "-"`,
		`10.1.2.3 - - ` + stamp + ` "GET /a HTTP/1.1" 2x0 5 "-" "-"`, `10.1.2.3 - - ` + stamp + ` "GET /a HTTP/1.1" 20 5`,
		`10.1.2.3 - - ` + stamp + ` "GET /a HTTP/1.1" 200 5x "-" "-"`, `10.1.2.3 - - ` + stamp + ` "GET /a HTTP/1.1" 200 5 "-"`,
		` - - ` + stamp + ` "GET /a HTTP/1.1" 200 5`, ` - - ` + stamp + ` "GET /a HTTP/1.1" 200 5 "-" "-"`,
		`10.1.2.3 - - ` + stamp + ` "GET" /a HTTP/1.1" 200 5 "-" "-"`, `10.1.2.3 - - ` + stamp + ` "GET /a HTTP/1.1" 200 5 "-" "curl`,
	}
	for n := range len(good) - len(` 5 "-" "curl"`) {
		lines = append(lines, good[:n])
	}
	return lines
}

// A line that does not match passes unchanged.
func TestOtherLines(t *testing.T) {
	p := sdktest.New(t, `{}`)
	for _, line := range otherLines() {
		if got := p.Run(sdktest.Log{Body: line})[0]; len(got.Attributes) > 0 || got.Time != 0 || got.Severity != 0 {
			t.Errorf("%q: got %+v", line, got)
		}
	}
	if got := p.Run(sdktest.Log{Body: int64(5)}, sdktest.Log{})[0]; len(got.Attributes) > 0 {
		t.Errorf("a number as body: got %+v", got)
	}
}

// Neighbouring rows must not leak into each other: the scanner reads beyond a row's end.
func TestNeighbours(t *testing.T) {
	cut := `10.1.2.3 - - ` + stamp + ` "GET /a HTTP/1.1" 200 5 "-" "cur`
	got := sdktest.New(t, `{}`).Run(sdktest.Log{Body: cut}, sdktest.Log{Body: `l" - - ` + stamp}, sdktest.Log{Body: cut + `l"`})
	if len(got[0].Attributes) != 0 || len(got[1].Attributes) != 0 || got[2].Attributes["user_agent.original"] != "curl" {
		t.Errorf("got %+v", got)
	}
}

// The record's own time stays where it says the same second more finely.
func TestTime(t *testing.T) {
	line := `10.1.2.3 - - ` + stamp + ` "GET /a HTTP/1.1" 200 5`
	p := sdktest.New(t, `{}`)
	for recorded, want := range map[int64]int64{
		0: stampNanos, stampNanos + 7: stampNanos + 7, stampNanos - 1: stampNanos,
		stampNanos + 2*int64(time.Second): stampNanos, stampNanos + 2*int64(time.Second) - 1: stampNanos + 2*int64(time.Second) - 1,
	} {
		if got := p.Run(sdktest.Log{Body: line, Time: recorded})[0].Time; got != want {
			t.Errorf("recorded %d: got %d, want %d", recorded, got, want)
		}
	}
}

// Whether a day can be a record's does not depend on the line that was the first of it.
func TestDays(t *testing.T) {
	p := sdktest.New(t, `{}`)
	for day, want := range map[string]int64{
		"01/Jan/1970:%s +0100": 0, "01/Jan/1970:%s -0100": 3600, "02/Jan/1970:%s +0000": 86400, "31/Dec/2261:%s +0000": 9214560000, "01/Jan/2262:%s -0000": 0,
		"29/feb/2024:%s +2460": 1709074800, "29/Feb/2023:%s +0000": 0, "31/Apr/2024:%s +0000": 0, "00/Jan/2024:%s +0000": 0, "01/Jan/2024:%s +2500": 0, "01/Jan/2024:%s +0061": 0,
	} {
		for _, clock := range []string{"23:59:59", "00:00:01", "23:59:59"} {
			seconds := int64(1)
			if clock != "00:00:01" {
				seconds = 86399
			}
			line := `10.1.2.3 - - [` + strings.Replace(day, "%s", clock, 1) + `] "GET /a HTTP/1.1" 200 5`
			got := p.Run(sdktest.Log{Body: line})[0]
			if want == 0 && len(got.Attributes) > 0 || want != 0 && got.Time != (want+seconds)*int64(time.Second) {
				t.Errorf("%s: got %+v, want midnight %d", line, got, want)
			}
		}
	}
}

func TestFrom(t *testing.T) {
	line := `10.1.2.3 - - ` + stamp + ` "GET /a HTTP/1.1" 200 5`
	got := sdktest.New(t, `{"from":"attributes.message"}`).Run(sdktest.Log{Body: "x", Attributes: map[string]any{"message": line}})[0]
	if got.Attributes["client.address"] != "10.1.2.3" || got.Body != "x" {
		t.Errorf("got %+v", got)
	}
}

// Whatever the line, the plugin neither panics nor makes up text: each attribute is part of the line.
func FuzzLine(f *testing.F) {
	f.Add(`10.1.2.3 - - ` + stamp + ` "GET /a?b HTTP/1.1" 200 5 "https://example.com/" "curl/8.5.0"`)
	f.Add(`10.1.2.3 - anna ` + stamp + ` "GET /a b HTTP/1.1" 200 - "-" "\""`)
	f.Add(`::1 - - ` + stamp + ` "-" 400 0`)
	f.Add(`0   [01/Nov/0000:00:00:00 +0000] "00 0000 00000000" 000 0 "0000000000000000" "00000000"`)
	f.Add(`0 - - [31/Dec/9999:23:59:59 -1200] "GET / HTTP/1.1" 200 0`)
	f.Fuzz(func(t *testing.T, line string) {
		if len(line) > 1<<16 {
			t.Skip()
		}
		p := sdktest.New(t, `{}`)
		alone, among := p.Run(sdktest.Log{Body: line})[0], p.Run(sdktest.Log{Body: `"`}, sdktest.Log{Body: line}, sdktest.Log{Body: `" "" "`})[1]
		if !maps.Equal(alone.Attributes, among.Attributes) || alone.Time != among.Time {
			t.Fatalf("alone %+v, among others %+v", alone, among)
		}
		if n := len(alone.Attributes); n != 0 && n < 2 {
			t.Fatalf("half a line: %+v", alone)
		}
	})
}
