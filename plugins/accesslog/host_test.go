package main

import (
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/obsd-io/obsd/internal/guest"
	"github.com/obsd-io/obsd/runtime/hosttest"
	"github.com/obsd-io/obsd/sdk/sdktest"
)

// guests are the same plugin in each language that has an SDK.
var guests = map[string]string{"Go": ".", "C": "../../sdk/c/examples/accesslog", "Rust": "../../sdk/rust/examples/accesslog"}

// Each guest does in the daemon what the Go source does in the other tests.
func TestConformance(t *testing.T) {
	for name, dir := range guests {
		t.Run(name, func(t *testing.T) {
			suite(t, dir).Run(t)
		})
	}
}

func suite(t testing.TB, dir string) hosttest.Suite {
	t.Helper()
	s := hosttest.Suite{Path: guest.Build(t, dir), Cases: cases(), Refused: []hosttest.Refusal{
		{Config: map[string]any{"from": "attributes.*"}, Want: `configure: config::from: 'attributes.*' does not match pattern '^(body|attributes\\.[^*].*|attributes\\.\\*.+)$'`},
	}}
	for i := range 30 {
		s.Rows = append(s.Rows, hosttest.Row{"body": mutant(i)})
	}
	return s
}

// cases are the lines of the other tests, in one batch.
func cases() []hosttest.Case {
	lines, other := hosttest.Case{Name: "lines"}, hosttest.Case{Name: "other lines"}
	for _, k := range lineTests() {
		want := hosttest.Row{"body": k.line, "time": k.want.time, "severity_number": int(k.want.severity), "severity_text": k.want.text}
		for key, v := range k.want.attributes {
			want["attributes."+key] = v
		}
		lines.Rows, lines.Want = append(lines.Rows, hosttest.Row{"body": k.line}), append(lines.Want, want)
	}
	for _, line := range otherLines() {
		other.Rows = append(other.Rows, hosttest.Row{"body": line})
	}
	other.Want = other.Rows
	recorded := hosttest.Case{Name: "recorded time"}
	for _, d := range []int64{7, -1, 2*int64(time.Second) - 1, 2 * int64(time.Second)} {
		row := hosttest.Row{"body": lineTests()[0].line, "time": stampNanos + d}
		want := maps.Clone(lines.Want[0])
		if d >= 0 && d < 2*int64(time.Second) {
			want["time"] = stampNanos + d
		}
		recorded.Rows, recorded.Want = append(recorded.Rows, row), append(recorded.Want, want)
	}
	return []hosttest.Case{lines, other, recorded}
}

// The guests agree on lines that nobody thought of.
func TestGuestsAgree(t *testing.T) {
	const n = 5000
	rows := make([]hosttest.Row, n)
	for i := range rows {
		rows[i] = hosttest.Row{"body": mutant(i)}
	}
	want := suite(t, guests["Go"]).Apply(t, "logs", rows...)
	for name, dir := range guests {
		t.Run(name, func(t *testing.T) {
			for i, got := range suite(t, dir).Apply(t, "logs", rows...) {
				if !reflect.DeepEqual(got, want[i]) {
					t.Fatalf("%q\n%s %v\nGo %v", rows[i]["body"], name, got, want[i])
				}
			}
		})
	}
}

// mutant is a line with a few bytes changed, the same for the same number.
func mutant(i int) string {
	const odd = ` "\[]-/?:+.09aGHTP1` + "\x00\xff"
	r := rand.New(rand.NewPCG(uint64(i), 1))
	b := []byte([]string{
		benchLine(i), `10.1.2.3 - - ` + stamp + ` "GET /a?b=c HTTP/1.1" 200 5`, `::1 - - [31/jan/2024:00:00:00 -2460] "-" 500 0 "" ""`,
		`10.1.2.3 - anna ` + stamp + ` "GET /a b?c d HTTP/1.1" 404 - "-" "say \"hi\" \\"`, `1 - - [01/Jan/1970:00:30:00 +0000] "G /? HTTP/2.0" 200 5 "-" "x"`,
	}[i%5])
	for n := r.IntN(4); n > 0 && len(b) > 0; n-- {
		at := r.IntN(len(b))
		switch c := odd[r.IntN(len(odd))]; r.IntN(4) {
		case 0:
			b[at] = c
		case 1:
			b = slices.Delete(b, at, at+1)
		case 2:
			b = slices.Insert(b, at, c)
		case 3:
			b = slices.Delete(b, at, at+r.IntN(len(b)-at))
		}
	}
	return string(b)
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
