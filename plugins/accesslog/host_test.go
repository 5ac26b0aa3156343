package main

import (
	"reflect"
	"testing"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/obsd-io/obsd/internal/guest/enginetest"
	"github.com/obsd-io/obsd/sdk/sdktest"
)

// The module does in the daemon what its source does in the other tests.
func TestHost(t *testing.T) {
	lines := []string{
		`10.1.2.3 - anna ` + stamp + ` "GET /a?b=c HTTP/1.1" 404 5 "https://example.com/" "-curl \"8\""`,
		`10.1.2.3 - - ` + stamp + ` "GET /a?b=c HTTP/1.1" 404 5 "https://example.com/" "curl`,
		"plain",
	}
	ld, records := enginetest.Bodies(lines...)
	enginetest.Run(t, enginetest.Load(t, ".", nil), ld)
	want := base(map[string]any{
		"user.name": "anna", "url.query": "b=c", "http.response.status_code": int64(404),
		"http.request.header.referer": "https://example.com/", "user_agent.original": `-curl \"8\"`,
	})
	r := records.At(0)
	if got := r.Attributes().AsRaw(); !reflect.DeepEqual(got, want) {
		t.Errorf("attributes\ngot  %v\nwant %v", got, want)
	}
	if r.Body().Str() != lines[0] || int64(r.Timestamp()) != stampNanos || r.SeverityNumber() != plog.SeverityNumberWarn || r.SeverityText() != "WARN" {
		t.Errorf("got body %q, time %d, severity %d %q", r.Body().AsString(), r.Timestamp(), r.SeverityNumber(), r.SeverityText())
	}
	for i := 1; i < len(lines); i++ {
		if r := records.At(i); r.Body().Str() != lines[i] || r.Attributes().Len() != 0 || r.Timestamp() != 0 || r.SeverityNumber() != 0 {
			t.Errorf("row %d was changed", i)
		}
	}
}

func TestHostRefusesConfig(t *testing.T) {
	_, err := enginetest.Try(t, ".", map[string]any{"form": "body"})
	if want := `plugin "wasm/test": configure: config: additional properties 'form' not allowed`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestNoAllocations(t *testing.T) {
	logs := make([]sdktest.Log, 1000)
	for i := range logs {
		logs[i].Body = benchLine(i)
	}
	// Two columns a batch may move to the heap, and a time is parsed once a second.
	if n := testing.AllocsPerRun(20, sdktest.New(t, `{}`).Loop(logs...)); n > 8 {
		t.Errorf("%v allocations for %d rows", n, len(logs))
	}
}

// A text that only begins with a dash is no absent one.
func TestDashes(t *testing.T) {
	for _, text := range []string{"--", "-x", "-abc", "(abc", "-12345678"} {
		line := `10.1.2.3 - ` + text + ` ` + stamp + ` "GET /a HTTP/1.1" 200 5 "` + text + `" "` + text + `"`
		got := sdktest.New(t, `{}`).Run(sdktest.Log{Body: line})[0].Attributes
		want := base(map[string]any{"user.name": text, "http.request.header.referer": text, "user_agent.original": text})
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ngot  %v\nwant %v", line, got, want)
		}
	}
}
