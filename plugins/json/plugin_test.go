package main

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/obsd-io/obsd/sdk"
	"github.com/obsd-io/obsd/sdk/sdktest"
)

// stamp is 2026-11-23T10:00:00Z.
const stamp = 1795428000 * int64(time.Second)

func attributes(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

func run(t testing.TB, config string, log sdktest.Log) sdktest.Result {
	t.Helper()
	got := sdktest.New(t, config).Run(log)
	return got[0]
}

// check compares all of a record but what the plugin never changes.
func check(t *testing.T, got sdktest.Result, want sdktest.Log) {
	t.Helper()
	if want.Attributes == nil {
		want.Attributes = map[string]any{}
	}
	if got.Dropped || !reflect.DeepEqual(got.Log, want) {
		t.Errorf("\ngot  %#v\nwant %#v", got.Log, want)
	}
}

func TestAttributes(t *testing.T) {
	f := func(name, config, body string, want map[string]any) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			check(t, run(t, config, sdktest.Log{Body: body}), sdktest.Log{Body: body, Attributes: want})
		})
	}
	f("string", `{}`, `{"a":"x"}`, attributes("a", "x"))
	f("empty string", `{}`, `{"a":""}`, attributes("a", ""))
	f("empty key", `{}`, `{"":"x"}`, attributes("", "x"))
	f("int", `{}`, `{"a":7,"b":-7,"c":0,"d":12345678901234567}`, attributes("a", int64(7), "b", int64(-7), "c", int64(0), "d", int64(12345678901234567)))
	f("largest int", `{}`, `{"a":9223372036854775807,"b":-9223372036854775808}`, attributes("a", int64(math.MaxInt64), "b", int64(math.MinInt64)))
	f("beyond an int", `{}`, `{"a":9223372036854775808,"b":1e3,"c":1.0}`, attributes("a", float64(1<<63), "b", 1000.0, "c", 1.0))
	f("double", `{}`, `{"a":1.5,"b":-0.25,"c":0.1,"d":3.141592653589793,"e":1E-7}`, attributes("a", 1.5, "b", -0.25, "c", 0.1, "d", math.Pi, "e", 1e-7))
	f("beyond a double", `{}`, `{"a":1e999}`, attributes("a", "1e999"))
	f("bool", `{}`, `{"a":true,"b":false}`, attributes("a", true, "b", false))
	f("null", `{}`, `{"a":null,"b":1}`, attributes("b", int64(1)))
	f("map", `{}`, `{"a":{"b":{"c":1}},"d":{}}`, attributes("a", map[string]any{"b": map[string]any{"c": int64(1)}}, "d", map[string]any{}))
	f("array", `{}`, `{"a":[1,"x",null,[true]]}`, attributes("a", []any{int64(1), "x", nil, []any{true}}))
	f("white space", `{}`, " \t\r\n{ \"a\" : 1 ,\n\t\"b\" :\"x\" } \n", attributes("a", int64(1), "b", "x"))
	f("escapes", `{}`, `{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}`, attributes("a", "\"\\/\b\f\n\r\té😀"))
	f("half a surrogate pair", `{}`, `{"a":"\ud83dx","b":"\ude00"}`, attributes("a", "\uFFFDx", "b", "\uFFFD"))
	f("escaped key", `{}`, `{"a\u0062\n":1}`, attributes("ab\n", int64(1)))
	f("not utf-8", `{}`, "{\"a\":\"\xff\"}", attributes("a", "\xff"))
	f("duplicate keys", `{}`, `{"a":1,"a":"x"}`, attributes("a", "x"))
	f("long key", `{}`, `{"`+strings.Repeat("k", 300)+`":1}`, attributes(strings.Repeat("k", 300), int64(1)))
	f("keys of like beginning", `{}`, `{"request_id":1,"request_in":2,"request_":3,"request":4}`,
		attributes("request_id", int64(1), "request_in", int64(2), "request_", int64(3), "request", int64(4)))
	f("empty object", `{}`, `{}`, nil)
	f("deepest", `{}`, `{"a":`+strings.Repeat("[", 63)+strings.Repeat("]", 63)+`}`, attributes("a", nested(63)))
	f("prefix", `{"prefix":"app."}`, `{"a":1,"b":{"c":2}}`, attributes("app.a", int64(1), "app.b", map[string]any{"c": int64(2)}))
	f("flatten", `{"flatten":true}`, `{"a":{"b":{"c":1}},"d":{},"e":[{"f":1}],"g":"x"}`,
		attributes("a.b.c", int64(1), "d", map[string]any{}, "e", []any{map[string]any{"f": int64(1)}}, "g", "x"))
	f("flatten to a depth", `{"flatten":true,"max_depth":2}`, `{"a":{"b":{"c":1}}}`, attributes("a.b", map[string]any{"c": int64(1)}))
	f("flatten with prefix", `{"flatten":true,"prefix":"p_"}`, `{"a":{"b":1,"c":2},"b":3}`, attributes("p_a.b", int64(1), "p_a.c", int64(2), "p_b", int64(3)))
	f("flatten onto one name", `{"flatten":true}`, `{"a":{"b":1},"a.b":2}`, attributes("a.b", int64(2)))
	f("flatten a long key", `{"flatten":true}`, `{"`+strings.Repeat("k", 300)+`":{"a":{"b":1}}}`, attributes(strings.Repeat("k", 300)+".a.b", int64(1)))
}

func nested(depth int) any {
	if depth == 1 {
		return []any{}
	}
	return []any{nested(depth - 1)}
}

// What is not one JSON object passes unchanged, also if it begins as one.
func TestOtherLines(t *testing.T) {
	lines := []any{
		nil, int64(5), true, []byte(`{"a":1}`),
		[]any{"a"},
		"", " ", "hello", "null", `"x"`, "1", "[1]", "{", "}", `{"a"}`, `{"a":}`, `{"a":1`, `{"a":1,}`, `{,"a":1}`, `{"a":1}}`, `{"a":1} x`,
		`{"a":1}{"b":2}`, `{'a':1}`, `{a:1}`, `{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":+1}`, `{"a":-}`, `{"a":1e}`, `{"a":NaN}`, `{"a":tru}`,
		`{"a":nul}`, `{"a":falsy}`, `{"a":"x}`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"\u12g4"}`, "{\"a\":\"\n\"}", "{\"a\x01\":1}", `{"a":[1,]}`, `{"a":[1 2]}`, `{"a":{"b":1}`,
		`{"level":"error","time":"2026-11-23T10:00:00Z","message":"m","a":"x","b":`, `{"a":1 "b":2}`, `{"a" 1}`, `{"a":1;"b":2}`,
		`{"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`, strings.Repeat(`{"a":`, 100000),
	}
	for _, config := range []string{`{}`, `{"flatten":true}`} {
		p := sdktest.New(t, config)
		for _, line := range lines {
			check(t, p.Run(sdktest.Log{Body: line, Severity: 3, Time: 5})[0], sdktest.Log{Body: line, Severity: 3, Time: 5})
		}
	}
}

// A line that is cut off anywhere passes unchanged, whatever the next row's bytes behind it are.
func TestNeighbours(t *testing.T) {
	line := `{"level":"info","time":1795428000,"a":"0123456789012345678","b":12345678,"c":{"d":[true,null]},"message":"a\tb"}`
	p := sdktest.New(t, `{}`)
	for n := range len(line) {
		got := p.Run(sdktest.Log{Body: line[:n]}, sdktest.Log{Body: line[n:]}, sdktest.Log{Body: line})
		check(t, got[0], sdktest.Log{Body: line[:n]})
		if len(got[2].Attributes) != 3 || got[2].Body != "a\tb" {
			t.Fatalf("after %q: got %+v", line[:n], got[2])
		}
	}
}

func TestSeverity(t *testing.T) {
	f := func(config, member string, severity sdk.Severity, text string) {
		t.Helper()
		got := run(t, config, sdktest.Log{Body: "{" + member + "}"})
		if got.Severity != severity || got.SeverityText != text {
			t.Errorf("%s %s: got %d %q, want %d %q", config, member, got.Severity, got.SeverityText, severity, text)
		}
		if (len(got.Attributes) == 0) != (severity != 0) {
			t.Errorf("%s %s: got severity %d and attributes %v", config, member, got.Severity, got.Attributes)
		}
	}
	for name, want := range map[string]sdk.Severity{
		"trace": 1, "TRACE": 1, "verbose": 1, "finest": 1, "debug": 5, "Debug": 5, "dbg": 5, "fine": 5, "info": 9, "INFO": 9, "Information": 9,
		"informational": 9, "notice": 10, "warn": 13, "Warning": 13, "wrn": 13, "error": 17, "err": 17, "ERROR": 17, "severe": 17,
		"critical": 18, "crit": 18, "dpanic": 18, "alert": 19, "panic": 19, "fatal": 21, "emerg": 21, "emergency": 21, "E": 17, "w": 13,
		"INFO2": 10, "error4": 20, "INFO+2": 11, "DEBUG-3": 2, "TRACE-9": 1, "ERROR+90": 24,
	} {
		f(`{}`, `"level":"`+name+`"`, want, name)
	}
	for _, name := range []string{"", "5", "x", "inf o", "INFO5", "INFO1", "info+", "+2", "warning2x", "notice2", "critical\\n", "7777777777777777777777"} {
		f(`{}`, `"level":"`+name+`"`, 0, "")
	}
	for key := range map[string]bool{"level": true, "severity": true, "lvl": true, "loglevel": true, "log.level": true, "severity_text": true} {
		f(`{}`, `"`+key+`":"error"`, 17, "error")
	}
	for number, want := range map[string]sdk.Severity{"10": 1, "20": 5, "30": 9, "40": 13, "50": 17, "60": 21} {
		text := map[sdk.Severity]string{1: "TRACE", 5: "DEBUG", 9: "INFO", 13: "WARN", 17: "ERROR", 21: "FATAL"}[want]
		f(`{}`, `"level":`+number, want, text)
		f(`{}`, `"level":"`+number+`"`, want, number)
	}
	for _, number := range []string{"0", "3", "7", "35", "70", "-10", "30.5", "1e99", "null", "true", "[]", `{"a":1}`} {
		f(`{}`, `"x":1,"level":`+number, 0, "")
	}
	for number, want := range []sdk.Severity{21, 19, 18, 17, 13, 10, 9, 5} {
		text := []string{"FATAL", "ERROR3", "ERROR2", "ERROR", "WARN", "INFO2", "INFO", "DEBUG"}[number]
		f(`{"level_numbers":"syslog"}`, fmt.Sprintf(`"level":%d`, number), want, text)
	}
	f(`{"level_numbers":"syslog"}`, `"level":8`, 0, "")
	f(`{"level_numbers":"syslog"}`, `"level":30`, 0, "")
	f(`{"level_numbers":"none"}`, `"level":30`, 0, "")
	f(`{"level_numbers":"none"}`, `"level":"info"`, 9, "info")
	f(`{}`, `"level":"\u0069nfo"`, 9, "INFO")
	f(`{"level_key":"sev"}`, `"sev":"info"`, 9, "info")
	f(`{"level_key":"sev"}`, `"level":"info"`, 0, "")
	f(`{"level_key":""}`, `"level":"info"`, 0, "")
	f(`{"level_key":"t"}`, `"t":"info"`, 9, "info")
	f(`{"flatten":true}`, `"log":{"level":"info"}`, 9, "info")
	f(`{"flatten":true,"level_key":"a.b"}`, `"a":{"b":"info"}`, 9, "info")
}

// With several keys that could serve, the first in the list does, and the others stay attributes.
func TestBestKey(t *testing.T) {
	for body, want := range map[string]sdktest.Log{
		`{"level":"info","severity":"error"}`:              {Severity: 9, SeverityText: "info", Attributes: attributes("severity", "error")},
		`{"severity":"error","level":"info"}`:              {Severity: 9, SeverityText: "info", Attributes: attributes("severity", "error")},
		`{"level":{"x":1},"severity":"error"}`:             {Severity: 17, SeverityText: "error", Attributes: attributes("level", map[string]any{"x": int64(1)})},
		`{"level":"info","level":"error"}`:                 {Severity: 17, SeverityText: "error"},
		`{"t":1795428000,"ts":1795428001,"a":1}`:           {Time: stamp + 1e9, Attributes: attributes("t", int64(1795428000), "a", int64(1))},
		`{"time":0.25,"timestamp":"2026-11-23T10:00:00Z"}`: {Time: stamp, Attributes: attributes("time", 0.25)},
		`{"log":"a","msg":"b","message":"c"}`:              {Body: "c", Attributes: attributes("log", "a", "msg", "b")},
		`{"message":5,"log":"x"}`:                          {Body: "x", Attributes: attributes("message", int64(5))},
	} {
		if want.Body == nil {
			want.Body = body
		}
		check(t, run(t, `{}`, sdktest.Log{Body: body}), want)
	}
}

func TestTime(t *testing.T) {
	f := func(value string, want int64) {
		t.Helper()
		got := run(t, `{}`, sdktest.Log{Body: `{"ts":` + value + `}`})
		if got.Time != want || (len(got.Attributes) == 0) != (want != 0) {
			t.Errorf("%s: got %d and attributes %v, want %d", value, got.Time, got.Attributes, want)
		}
	}
	f(`"2026-11-23T10:00:00Z"`, stamp)
	f(`"2026-11-23 10:00:00z"`, stamp)
	f(`"2026-11-23t10:00:00.5Z"`, stamp+5e8)
	f(`"2026-11-23T10:00:00,123Z"`, stamp+123e6)
	f(`"2026-11-23T10:00:00.123456789Z"`, stamp+123456789)
	f(`"2026-11-23T10:00:00.123456789999Z"`, stamp+123456789)
	f(`"2026-11-23T11:30:00.000000001+01:30"`, stamp+1)
	f(`"2026-11-23T03:30:00-0630"`, stamp)
	f(`"2026-11-23T10:00:60Z"`, stamp+60e9)
	f(`"1970-01-01T00:00:01Z"`, 1e9)
	f(`"2000-02-29T00:00:00Z"`, 951782400e9)
	f(`"2262-04-11T23:47:15Z"`, 9223372035e9)
	f(`1795428000`, stamp)
	f(`1795428000123`, stamp+123e6)
	f(`1795428000123456`, stamp+123456e3)
	f(`1795428000123456789`, stamp+123456789)
	f(`1795428000.123456789`, stamp+123456789)
	f(`1795428000.1234567891234567`, stamp+123456789)
	f(`1795428000123.5`, stamp+1235e5)
	f(`1795428000123456.75`, stamp+123456750)
	f(`100000000`, 1e17)
	f(`"1795428000"`, stamp)
	f(`"1795428000.25"`, stamp+25e7)
	f(`"1795428000123456789"`, stamp+123456789)
	for _, value := range []string{
		`null`, `true`, `""`, `"now"`, `0`, `12`, `0.25`, `-1795428000`, `99999999`, `99999999999`, `99999999999999999999`, `1e9`, `1.795428e9`,
		`"9999999999999999999"`, `"12345678901234567890"`, `"1795428000."`, `"1795428000.x"`, `"1795428000 "`, `".5"`,
		`"2026-11-23T10:00:00"`, `"2026-11-23"`, `"2026-11-23T10:00Z"`, `"2026-11-23T10:00:00.Z"`, `"2026-11-23T10:00:00.5"`, `"2026-11-23T10:00:00+01"`,
		`"2026-11-23T10:00:00+01:0x"`, `"2026-11-23T10:00:00*01:00"`, `"2026-11-23T10:00:00+24:00"`, `"2026-11-23T10:00:00+01:60"`, `"2026-11-23T10:00:0+01:00"`,
		`"2026-13-23T10:00:00Z"`, `"2026-00-23T10:00:00Z"`, `"2026-11-31T10:00:00Z"`, `"2026-02-29T10:00:00Z"`, `"1900-02-29T10:00:00Z"`, `"2026-11-00T10:00:00Z"`,
		`"2026-11-23T24:00:00Z"`, `"2026-11-23T10:60:00Z"`, `"2026-11-23T10:00:61Z"`, `"2026-11-23T10:00:70Z"`, `"2026-11-23x10:00:00Z"`, `"2026/11/23T10:00:00Z"`,
		`"0001-01-01T00:00:00Z"`, `"1969-12-31T23:59:59Z"`, `"1970-01-01T00:00:00Z"`, `"2300-01-01T00:00:00Z"`, `"2026-11-23T10:00:00.\u0031Z"`,
	} {
		if value == "null" {
			continue // no attribute either
		}
		f(value, 0)
	}
	for _, key := range timeKeys {
		got := run(t, `{}`, sdktest.Log{Body: `{"` + key + `":1795428000}`})
		check(t, got, sdktest.Log{Body: `{"` + key + `":1795428000}`, Time: stamp})
	}
}

// Every moment of RFC 3339 is read as package time reads it.
func TestTimeAgainstStandardLibrary(t *testing.T) {
	p := sdktest.New(t, `{}`)
	zones := []*time.Location{time.UTC, time.FixedZone("", 5*3600+45*60), time.FixedZone("", -11*3600-30*60)}
	for n := int64(1); n < math.MaxInt64/2; n = n*2 + 12345678987 {
		for _, zone := range zones {
			moment := time.Unix(0, n).In(zone)
			text := moment.Format(time.RFC3339Nano)
			if got := p.Run(sdktest.Log{Body: `{"time":"` + text + `"}`})[0].Time; n > 2e9 && got != n {
				t.Errorf("%s: got %d, want %d", text, got, n)
			}
		}
	}
}

func TestMessage(t *testing.T) {
	body := `{"msg":"hello\n","a":1}`
	check(t, run(t, `{}`, sdktest.Log{Body: body}), sdktest.Log{Body: "hello\n", Attributes: attributes("a", int64(1))})
	check(t, run(t, `{"message_to_body":false}`, sdktest.Log{Body: body}), sdktest.Log{Body: body, Attributes: attributes("msg", "hello\n", "a", int64(1))})
	check(t, run(t, `{"message_key":"a"}`, sdktest.Log{Body: body}), sdktest.Log{Body: body, Attributes: attributes("msg", "hello\n", "a", int64(1))})
	check(t, run(t, `{"message_key":""}`, sdktest.Log{Body: body}), sdktest.Log{Body: body, Attributes: attributes("msg", "hello\n", "a", int64(1))})
	check(t, run(t, `{"message_key":"text"}`, sdktest.Log{Body: `{"text":"x"}`}), sdktest.Log{Body: "x"})
	check(t, run(t, `{}`, sdktest.Log{Body: `{"message":""}`}), sdktest.Log{Body: ""})
}

func TestKeep(t *testing.T) {
	body := `{"level":"info","severity":"error","time":1795428000,"msg":"hello"}`
	check(t, run(t, `{"keep":true}`, sdktest.Log{Body: body}), sdktest.Log{
		Body: "hello", Severity: 9, SeverityText: "info", Time: stamp,
		Attributes: attributes("level", "info", "severity", "error", "time", int64(1795428000), "msg", "hello"),
	})
}

func TestFrom(t *testing.T) {
	line := `{"msg":"hello","a":1}`
	log := sdktest.Log{Body: "x", Attributes: attributes("line", line)}
	check(t, run(t, `{"from":"attributes.line"}`, log), sdktest.Log{Body: "x", Attributes: attributes("line", line, "msg", "hello", "a", int64(1))})
	check(t, run(t, `{"from":"attributes.line","message_to_body":true}`, log), sdktest.Log{Body: "hello", Attributes: attributes("line", line, "a", int64(1))})
}

// A body that is a map already is taken as an object.
func TestMapBody(t *testing.T) {
	body := map[string]any{"msg": "hello", "level": "warn", "n": 5, "m": map[string]any{"x": "y"}}
	check(t, run(t, `{}`, sdktest.Log{Body: body}), sdktest.Log{
		Body: "hello", Severity: 13, SeverityText: "warn", Attributes: attributes("n", int64(5), "m", map[string]any{"x": "y"}),
	})
}

// More attributes than an edit has room for, and all of them taken back where the object is not whole.
func TestManyAttributes(t *testing.T) {
	for _, n := range []int{sdk.Room - 1, sdk.Room, sdk.Room + 1, 500} {
		want, text := map[string]any{}, `{`
		for i := range n {
			text += fmt.Sprintf(`"k%d":"v%d",`, i, i)
			want[fmt.Sprintf("k%d", i)] = fmt.Sprintf("v%d", i)
		}
		whole, broken := text+`"level":"info"}`, text+`"level":"info"`
		got := sdktest.New(t, `{}`).Run(sdktest.Log{Body: whole}, sdktest.Log{Body: broken}, sdktest.Log{Body: `{"x":1}`})
		check(t, got[0], sdktest.Log{Body: whole, Severity: 9, SeverityText: "info", Attributes: want})
		check(t, got[1], sdktest.Log{Body: broken})
		check(t, got[2], sdktest.Log{Body: `{"x":1}`, Attributes: attributes("x", int64(1))})
	}
}

// Keys without end use up the numbers, not the contract's limit, and are read all the same.
func TestManyKeys(t *testing.T) {
	for _, config := range []string{`{}`, `{"flatten":true,"prefix":"p."}`} {
		p := sdktest.New(t, config)
		for batch := range 60 {
			logs := make([]sdktest.Log, 100)
			for i := range logs {
				logs[i].Body = fmt.Sprintf(`{"key-%d-%d":%d,"o":{"key-%d":{"x":"y"}},"level":"info","a\u0062-%d":true}`, batch, i, i, i, i)
			}
			for i, got := range p.Run(logs...) {
				want := attributes(fmt.Sprintf("key-%d-%d", batch, i), int64(i), "o", map[string]any{fmt.Sprintf("key-%d", i): map[string]any{"x": "y"}}, fmt.Sprintf("ab-%d", i), true)
				if config != `{}` {
					want = attributes(fmt.Sprintf("p.key-%d-%d", batch, i), int64(i), fmt.Sprintf("p.o.key-%d.x", i), "y", fmt.Sprintf("p.ab-%d", i), true)
				}
				check(t, got, sdktest.Log{Body: logs[i].Body, Severity: 9, SeverityText: "info", Attributes: want})
			}
		}
	}
	if numbered > maxNodes {
		t.Errorf("%d keys have numbers, want at most %d", numbered, maxNodes)
	}
}

// Lines of several programs in turn are read as well as those of one.
func TestMixedLines(t *testing.T) {
	for _, config := range []string{`{}`, `{"flatten":true}`} {
		p := sdktest.New(t, config)
		for round := range 3 {
			for i := range 40 {
				line := benchMixed(i)
				together, alone := p.Run(sdktest.Log{Body: benchLine(i)}, sdktest.Log{Body: line})[1], sdktest.New(t, config).Run(sdktest.Log{Body: line})[0]
				if check(t, together, alone.Log); t.Failed() {
					t.Fatal(round, line)
				}
			}
		}
	}
}

func TestNoAllocations(t *testing.T) {
	numbered = 0 // whatever the tests before used up
	for name, line := range map[string]func(int) string{"one": benchLine, "mixed": benchMixed} {
		for _, config := range []string{`{}`, `{"flatten":true}`} {
			logs := make([]sdktest.Log, 1000)
			for i := range logs {
				logs[i].Body = line(i)
			}
			// One allocation a batch is the column's.
			if n := testing.AllocsPerRun(20, sdktest.New(t, config).Loop(logs...)); n > 1 {
				t.Errorf("%s, %s: %v allocations for %d rows", name, config, n, len(logs))
			}
		}
	}
}

// Whatever the line, the plugin takes what encoding/json takes for an object, and finds the same in it.
func FuzzLine(f *testing.F) {
	for i := range 4 {
		f.Add(benchMixed(i), false)
	}
	f.Add(`{"a":[1,{"b":"\u00e9\ud83d\ude00"}],"a":-1.5e3,"c":{"d":{}}}`, true)
	f.Add(`{"t":"2026-11-23T10:00:00+01:00","log":{"level":"I"},"x":99999999999999999999}`, true)
	f.Add(`{"k":"v"} `, true)
	f.Fuzz(func(t *testing.T, line string, flatten bool) {
		if len(line) > 1<<14 {
			t.Skip()
		}
		config := fmt.Sprintf(`{"flatten":%t,"keep":true,"message_to_body":false}`, flatten)
		p := sdktest.New(t, config)
		among := p.Run(sdktest.Log{Body: `{"`}, sdktest.Log{Body: line}, sdktest.Log{Body: `":1}"}`})[1]
		check(t, sdktest.New(t, config).Run(sdktest.Log{Body: line})[0], among.Log)
		var want map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &want); err != nil || want == nil {
			if len(among.Attributes) > 0 || among.Severity != 0 || among.Time != 0 {
				t.Fatalf("not an object (%v), but got %+v", err, among)
			}
			return
		}
		if flatten || !strings.Contains(strings.ToValidUTF8(line, ""), line) {
			return
		}
		for key, raw := range want {
			var v any
			if err := json.Unmarshal(raw, &v); err != nil || v == nil {
				continue
			}
			got, ok := among.Attributes[key]
			if !ok && !deep(line) {
				t.Fatalf("%s: no attribute %q in %+v", line, key, among)
			}
			if text, isText := v.(string); isText && ok && got != text {
				t.Fatalf("%s: %q: got %q, want %q", line, key, got, text)
			}
		}
	})
}

// deep says whether a line may nest deeper than the SDK reads.
func deep(line string) bool { return strings.Count(line, "[")+strings.Count(line, "{") > 60 }
