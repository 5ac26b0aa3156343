package filelog

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestClock(t *testing.T) {
	for _, text := range []string{
		"2026-11-23T10:00:00Z", "2026-11-23T10:00:00.1Z", "2026-11-23T10:00:00.123456789Z", "2024-02-29T23:59:59.999999999Z",
		"2026-11-23T10:00:00.000000000+00:00", "2026-11-23T10:00:00.5-05:30", "1970-01-01T00:00:00Z", "2261-12-31T23:59:59Z",
		"2000-02-29T00:00:00Z", "2100-02-28T00:00:00Z", "2026-11-23T10:00:00+23:59",
	} {
		t.Run(text, func(t *testing.T) {
			want, err := time.Parse(time.RFC3339Nano, text)
			require.NoError(t, err)
			var c clock
			for range 2 { // the second time from memory
				at, ok := c.parse([]byte(text))
				require.True(t, ok)
				assert.Equal(t, want.UnixNano(), at)
			}
		})
	}
	for _, text := range []string{
		"", "2026-11-23", "2026-11-23T10:00:00", "2026-11-23 10:00:00Z", "2026-13-23T10:00:00Z", "2026-02-29T10:00:00Z", "2026-11-00T10:00:00Z",
		"2026-11-31T10:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T10:60:00Z", "2026-11-23T10:00:60Z", "2026-11-23T10:00:00.Z",
		"2026-11-23T10:00:00.1234567890Z", "2026-11-23T10:00:00z", "2026-11-23T10:00:00+24:00", "2026-11-23T10:00:00+0000",
		"1969-12-31T23:59:59Z", "2262-01-01T00:00:00Z", "2026-11-23T10:00:00.1 Z", "202a-11-23T10:00:00Z",
	} {
		t.Run("refuses "+text, func(t *testing.T) {
			var c clock
			_, ok := c.parse([]byte(text))
			assert.False(t, ok)
		})
	}
}

func TestParseCRI(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 1, time.UTC).UnixNano()
	for _, test := range []struct {
		name, line string
		want       entry
		ok         bool
	}{
		{"full", "2026-11-23T10:00:00.000000001Z stdout F hello there", entry{body: []byte("hello there"), time: at, stream: streamStdout}, true},
		{"partial", "2026-11-23T10:00:00.000000001Z stderr P hello", entry{body: []byte("hello"), time: at, stream: streamStderr, partial: true}, true},
		{"cri-o zone", "2026-11-23T11:00:00.000000001+01:00 stdout F x", entry{body: []byte("x"), time: at, stream: streamStdout}, true},
		{"empty message", "2026-11-23T10:00:00.000000001Z stdout F ", entry{body: []byte{}, time: at, stream: streamStdout}, true},
		{"no space after tag", "2026-11-23T10:00:00.000000001Z stdout F", entry{body: []byte{}, time: at, stream: streamStdout}, true},
		{"more tags", "2026-11-23T10:00:00.000000001Z stdout P:x:y hello", entry{body: []byte("hello"), time: at, stream: streamStdout, partial: true}, true},
		{"leading blanks kept", "2026-11-23T10:00:00.000000001Z stdout F   at x", entry{body: []byte("  at x"), time: at, stream: streamStdout}, true},
		{"other stream", "2026-11-23T10:00:00.000000001Z stdlog F x", entry{}, false},
		{"other tag", "2026-11-23T10:00:00.000000001Z stdout X x", entry{}, false},
		{"tag runs on", "2026-11-23T10:00:00.000000001Z stdout Full x", entry{}, false},
		{"no tag", "2026-11-23T10:00:00.000000001Z stdout ", entry{}, false},
		{"no time", "hello stdout F x", entry{}, false},
		{"nothing", "", entry{}, false},
		{"text", "a plain line that is long enough to hold a time stamp", entry{}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var e entry
			ok := parseCRI([]byte(test.line), &clock{}, &e)
			require.Equal(t, test.ok, ok)
			if ok {
				if len(e.body) == 0 {
					e.body = []byte{}
				}
				assert.Equal(t, test.want, e)
			}
		})
	}
}

func TestParseDocker(t *testing.T) {
	const tail = `,"stream":"stdout","time":"2026-11-23T10:00:00.000000001Z"}`
	for _, test := range []struct {
		name, line, body string
		partial, ok      bool
	}{
		{"full", `{"log":"hello\n"` + tail, "hello", false, true},
		{"partial", `{"log":"hello"` + tail, "hello", true, true},
		{"empty", `{"log":"\n"` + tail, "", false, true},
		{"ends with backslash and n", `{"log":"c:\\n"` + tail, `c:\n`, true, true},
		{"ends with backslash", `{"log":"c:\\\n"` + tail, `c:\`, false, true},
		{"quotes", `{"log":"say \"hi\" \\ \/ \t\b\f\r!\n"` + tail, "say \"hi\" \\ / \t\b\f\r!", false, true},
		{"unicode", `{"log":"\u00e4\u4e16 \ud83d\ude00\n"` + tail, "ä世 😀", false, true},
		{"lone surrogates", `{"log":"\ud83d \ude00 \ud83dx\n"` + tail, "\uFFFD \uFFFD \uFFFDx", false, true},
		{"other order and blanks", `{ "time" : "2026-11-23T10:00:00.000000001Z" , "stream" : "stdout" , "log" : "x\n" } `, "x", false, true},
		{"unknown keys", `{"log":"x\n","n":1,"o":{"a":[1,"}"]},"t":true,"s":"q","stream":"stdout","time":"2026-11-23T10:00:00.000000001Z","z":null}`, "x", false, true},
		{"attrs", `{"log":"x\n","stream":"stdout","attrs":{"tag":"web"},"time":"2026-11-23T10:00:00.000000001Z"}`, "x", false, true},
		{"bad escape", `{"log":"\q\n"` + tail, "", false, false},
		{"short unicode", `{"log":"\u12"` + tail, "", false, false},
		{"open string", `{"log":"hello\n`, "", false, false},
		{"cut", `{"log":"hello\n","stream":"stdout"`, "", false, false},
		{"trailing text", `{"log":"hello\n"` + tail + "x", "", false, false},
		{"no log", `{"stream":"stdout","time":"2026-11-23T10:00:00.000000001Z"}`, "", false, false},
		{"no time", `{"log":"x\n","stream":"stdout"}`, "", false, false},
		{"no stream", `{"log":"x\n","time":"2026-11-23T10:00:00.000000001Z"}`, "", false, false},
		{"other stream", `{"log":"x\n","stream":"x","time":"2026-11-23T10:00:00.000000001Z"}`, "", false, false},
		{"bad time", `{"log":"x\n","stream":"stdout","time":"yesterday"}`, "", false, false},
		{"log is a number", `{"log":1,"stream":"stdout","time":"2026-11-23T10:00:00.000000001Z"}`, "", false, false},
		{"empty value", `{"log":"x\n","n":,"stream":"stdout","time":"2026-11-23T10:00:00.000000001Z"}`, "", false, false},
		{"array", `["log"]`, "", false, false},
		{"empty object", `{}`, "", false, false},
		{"nothing", ``, "", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var e entry
			ok := parseDocker([]byte(test.line), &clock{}, &e, new([]byte))
			require.Equal(t, test.ok, ok)
			if !ok {
				return
			}
			assert.Equal(t, test.body, string(e.body))
			assert.Equal(t, test.partial, e.partial)
			assert.Equal(t, streamStdout, e.stream)
			assert.Equal(t, time.Date(2026, 11, 23, 10, 0, 0, 1, time.UTC).UnixNano(), e.time)
		})
	}
}

func TestContainerOf(t *testing.T) {
	want := container{namespace: "shop", pod: "web-1", uid: "11111111-2222-3333-4444-555555555555", name: "nginx", restarts: "3"}
	for _, test := range []struct {
		path string
		want container
		ok   bool
	}{
		{"/var/log/pods/shop_web-1_11111111-2222-3333-4444-555555555555/nginx/3.log", want, true},
		{"/some/where/else/shop_web-1_11111111-2222-3333-4444-555555555555/nginx/3.log", want, true},
		{"/p/shop_web-1_11111111-2222-3333-4444-555555555555/nginx/3.log.20260101-000000", want, true},
		{"/p/kube-system_etcd_49cc7c1fd3702c40b2686ea7486091d6/etcd/1.log", container{"kube-system", "etcd", "49cc7c1fd3702c40b2686ea7486091d6", "etcd", "1"}, true},
		{"/p/shop_web-1_11111111-2222-3333-4444-555555555555/nginx/current.log", container{}, false},
		{"/p/shop_web-1_11111111-2222-3333-4444-555555555555/nginx/3.txt", container{}, false},
		{"/p/shop_web-1_11111111-2222-3333-4444-555555555555/3.log", container{}, false},
		{"/p/shop_web-1/nginx/3.log", container{}, false},
		{"/p/a_b_c_d/nginx/3.log", container{}, false},
		{"/p/shop_web-1_notahash/nginx/3.log", container{}, false},
		{"/p/__11/nginx/3.log", container{}, false},
		{"/var/log/syslog", container{}, false},
		{"0.log", container{}, false},
		{"", container{}, false},
	} {
		t.Run(test.path, func(t *testing.T) {
			c, ok := containerOf(test.path)
			assert.Equal(t, test.ok, ok)
			if ok {
				assert.Equal(t, test.want, c)
			}
		})
	}
}

func TestRotatedFrom(t *testing.T) {
	for name, want := range map[string]string{
		"app.log.1": "app.log", "app.log.20260101-000000": "app.log", "app.log-20260101": "app.log", "0.log.20260101-000000": "0.log",
		"app.log.2026-01-01T10:00:00": "app.log", "app.log.old": "app.log", "app.log": "", "app.log.json": "", "1": "", "app1": "", "": "",
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, want, rotatedFrom(name)) })
	}
}

// run turns text into records with one batch for each chunk.
func run(b *batch, a *assembly, chunks ...string) []string {
	bodies := []string{}
	var offset int64
	for _, chunk := range chunks {
		for data := []byte(chunk); len(data) > 0; {
			b.begin(pcommon.NewMap(), data, time.Now())
			n := b.addChunk(a, data, offset)
			for _, record := range b.records.All() {
				bodies = append(bodies, record.Body().Str())
			}
			data = data[n:]
			offset += int64(n)
		}
	}
	return bodies
}

func TestBatch(t *testing.T) {
	out := func(n int, message string) string { return criLine(n, "stdout", "F", message) }
	part := func(n int, message string) string { return criLine(n, "stdout", "P", message) }
	for _, test := range []struct {
		name     string
		max      int
		truncate bool
		chunks   []string
		want     []string
		odd      oddities
	}{
		{name: "plain", chunks: []string{"a\nb\r\n\n  c \n"}, want: []string{"a", "b", "  c "}},
		{name: "cri", chunks: []string{out(1, "a") + out(2, "") + out(3, "b\r")}, want: []string{"a", "", "b"}},
		{name: "cri after a torn line", chunks: []string{"out F torn\n" + out(1, "a")}, want: []string{"out F torn", "a"}},
		{name: "line of no format in a cri file", chunks: []string{out(1, "a") + "what?\n" + out(2, "b")}, want: []string{"a", "what?", "b"}, odd: oddities{unparsed: 1}},
		{name: "joined", chunks: []string{part(1, "a") + part(2, "b") + out(3, "c") + out(4, "d")}, want: []string{"abc", "d"}},
		{name: "joined over chunks", chunks: []string{part(1, "a"), part(2, "b"), out(3, "c")}, want: []string{"abc"}},
		{
			name: "streams apart", chunks: []string{part(1, "a") + criLine(2, "stderr", "P", "x") + part(3, "b") + criLine(4, "stderr", "F", "y"), out(5, "c")},
			want: []string{"xy", "abc"},
		},
		{name: "rune torn by the runtime", chunks: []string{part(1, "\xe4\xb8") + out(2, "\x96!")}, want: []string{"世!"}},
		{name: "not UTF-8", chunks: []string{"a\xff\xfeb\nc\n"}, want: []string{"a\uFFFDb", "c"}},
		{name: "zeros", chunks: []string{"\x00\x00\x00a\n\x00\x00\nb\n"}, want: []string{"a", "b"}},
		{name: "split", max: 64, chunks: []string{strings.Repeat("x", 130) + "\ny\n"}, want: []string{strings.Repeat("x", 64), strings.Repeat("x", 64), "xx", "y"}, odd: oddities{split: 1}},
		{name: "truncated", max: 64, truncate: true, chunks: []string{strings.Repeat("x", 130) + "\ny\n"}, want: []string{strings.Repeat("x", 64), "y"}, odd: oddities{truncated: 1}},
		{name: "split at a rune", max: 64, chunks: []string{strings.Repeat("x", 63) + "世y\n"}, want: []string{strings.Repeat("x", 63), "世y"}, odd: oddities{split: 1}},
		{
			name: "joined and split", max: 64, chunks: []string{part(1, strings.Repeat("a", 50)), part(2, strings.Repeat("b", 50)), out(3, strings.Repeat("c", 50)) + out(4, "d")},
			want: []string{strings.Repeat("a", 50) + strings.Repeat("b", 14), strings.Repeat("b", 36) + strings.Repeat("c", 28), strings.Repeat("c", 22), "d"}, odd: oddities{split: 1},
		},
		{
			name: "joined and truncated", max: 64, truncate: true,
			chunks: []string{part(1, strings.Repeat("a", 50)) + part(2, strings.Repeat("b", 50)) + out(3, strings.Repeat("c", 50)) + out(4, "d")},
			want:   []string{strings.Repeat("a", 50) + strings.Repeat("b", 14), "d"}, odd: oddities{truncated: 1},
		},
		{
			name: "docker", chunks: []string{`{"log":"a","stream":"stdout","time":"2026-11-23T10:00:00Z"}` + "\n" + `{"log":"b \"c\"\n","stream":"stdout","time":"2026-11-23T10:00:01Z"}` + "\n"},
			want: []string{`ab "c"`},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := &batch{maxLogSize: 1 << 20, truncate: test.truncate}
			if test.max > 0 {
				b.maxLogSize = test.max
			}
			assert.Equal(t, test.want, run(b, &assembly{}, test.chunks...))
			if len(test.chunks) == 1 {
				assert.Equal(t, test.odd, b.counts)
			}
		})
	}
}

func TestBatchSettlesOnPlain(t *testing.T) {
	text := strings.Repeat("text\n", plainAfter)
	cri1 := criLine(1, "stdout", "F", "message")
	for _, test := range []struct {
		name      string
		container bool
		want      string
	}{
		{"after many lines of text", false, strings.TrimSpace(cri1)},
		{"never for a container", true, "message"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bodies := run(&batch{maxLogSize: 1 << 20, container: test.container}, &assembly{}, text+cri1)
			assert.Equal(t, test.want, bodies[plainAfter])
		})
	}
}

func TestBatchIsBounded(t *testing.T) {
	b := &batch{maxLogSize: 1 << 20}
	b.begin(pcommon.NewMap(), nil, time.Now())
	text := []byte(strings.Repeat("x\n", maxRecords+5))
	assert.Equal(t, 2*maxRecords, b.addChunk(&assembly{}, text, 0))
	assert.Equal(t, maxRecords, b.records.Len())
}

func TestRefusedBatchLeavesNoTrace(t *testing.T) {
	b := &batch{maxLogSize: 1 << 20}
	var a assembly
	run(b, &a, criLine(1, "stdout", "P", "a"))
	before := a
	more := criLine(2, "stdout", "P", "b") + criLine(3, "stdout", "F", "c") + criLine(4, "stdout", "P", "d")
	first := run(b, &a, more)
	a = before
	assert.Equal(t, first, run(b, &a, more))
	assert.Equal(t, []string{"abc"}, first)
}

func FuzzClock(f *testing.F) {
	for _, s := range []string{"2026-11-23T10:00:00.123456789Z", "2024-02-29T10:00:00+01:00", "2026-11-23T10:00:00.Z", "1970-01-01T00:00:00-23:59"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c := clock{}
		at, ok := c.parse(b)
		again, okAgain := c.parse(b)
		if ok != okAgain || at != again {
			t.Fatalf("%q: %d %v, then %d %v", b, at, ok, again, okAgain)
		}
		want, err := time.Parse(time.RFC3339Nano, string(b))
		if ok && (err != nil || want.UnixNano() != at) {
			t.Fatalf("%q: %d, time.Parse: %v %v", b, at, want.UnixNano(), err)
		}
		if err == nil && !ok && want.Format(time.RFC3339Nano) == string(b) && want.Year() >= 1970 && want.Year() <= 2261 && want.UTC().Year() == want.Year() {
			if _, offset := want.Zone(); offset%60 == 0 && offset > -86400 && offset < 86400 {
				t.Fatalf("%q: refused", b)
			}
		}
	})
}

func FuzzCRI(f *testing.F) {
	f.Add([]byte("2026-11-23T10:00:00.000000001Z stdout F hello"))
	f.Add([]byte("2026-11-23T10:00:00.000000001Z stderr P:x "))
	f.Fuzz(func(t *testing.T, line []byte) {
		if len(line) > 1<<16 {
			return
		}
		var e entry
		if !parseCRI(line, &clock{}, &e) {
			return
		}
		parts := strings.SplitN(string(line), " ", 4)
		if len(parts) < 3 || e.stream.String() != parts[1] || e.partial != (parts[2][0] == 'P') {
			t.Fatalf("%q: %+v", line, e)
		}
		message := ""
		if len(parts) == 4 {
			message = parts[3]
		}
		if string(e.body) != message {
			t.Fatalf("%q: body %q", line, e.body)
		}
	})
}

func FuzzDocker(f *testing.F) {
	f.Add([]byte(`{"log":"hello\n","stream":"stdout","time":"2026-11-23T10:00:00Z"}`))
	f.Add([]byte(`{"log":"\ud83d\ude00\\","stream":"stderr","attrs":{"a":["}"]},"time":"2026-11-23T10:00:00Z"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if len(line) > 1<<16 {
			return
		}
		var e entry
		if !parseDocker(line, &clock{}, &e, new([]byte)) {
			return
		}
		body := string(e.body)
		if !e.partial {
			body += "\n"
		}
		var object map[string]json.RawMessage
		if !utf8.Valid(line) || json.Unmarshal(line, &object) != nil {
			return // encoding/json is stricter
		}
		var text string
		if json.Unmarshal(object["log"], &text) == nil && text != body {
			t.Fatalf("%q: %q, encoding/json: %q", line, body, text)
		}
	})
}

// FuzzDockerRoundTrip feeds what encoding/json writes.
func FuzzDockerRoundTrip(f *testing.F) {
	f.Add("hello \"there\" \\ \x01 ä😀", true)
	f.Fuzz(func(t *testing.T, text string, full bool) {
		text = strings.ToValidUTF8(text, "?")
		whole := text
		if full {
			whole += "\n"
		} else if strings.HasSuffix(text, "\n") {
			return
		}
		line, err := json.Marshal(map[string]string{"log": whole, "stream": "stdout", "time": "2026-11-23T10:00:00Z"})
		if err != nil {
			t.Fatal(err)
		}
		var e entry
		if !parseDocker(line, &clock{}, &e, new([]byte)) {
			t.Fatalf("%s: refused", line)
		}
		if body := string(e.body); body != text || e.partial == full {
			t.Fatalf("%s: %q partial %v", line, body, e.partial)
		}
	})
}

// FuzzBatch feeds any bytes in any chunks: nothing may panic, and every body must be valid UTF-8 within the bound.
func FuzzBatch(f *testing.F) {
	f.Add([]byte("2026-11-23T10:00:00Z stdout P a\n2026-11-23T10:00:00Z stdout F b\n"), false)
	f.Add([]byte(`{"log":"a","stream":"stdout","time":"2026-11-23T10:00:00Z"}`+"\n"), true)
	f.Fuzz(func(t *testing.T, data []byte, truncate bool) {
		if len(data) > 1<<16 {
			return
		}
		b := &batch{maxLogSize: minLogSize, truncate: truncate}
		for _, body := range run(b, &assembly{}, string(data)+"\n", string(data)+"\n") {
			if !utf8.ValidString(body) {
				t.Fatalf("%q is not UTF-8", body)
			}
		}
	})
}
