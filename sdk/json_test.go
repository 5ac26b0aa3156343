package sdk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// decode turns a value into what encoding/json makes of it.
func decode(v JSON) any {
	switch v.Kind() {
	case KindBool:
		return v.Bool(false)
	case KindNumber:
		f, ok := v.Double()
		if n, whole := v.Int(); whole && float64(n) != f {
			panic(fmt.Sprintf("int %d, double %v", n, f))
		}
		if !ok {
			return "beyond a double"
		}
		return f
	case KindString:
		return strings.ToValidUTF8(v.String(""), "\uFFFD")
	case KindArray:
		list := []any{}
		v.Items(func(item JSON) bool {
			list = append(list, decode(item))
			return true
		})
		return list
	case KindObject:
		m := map[string]any{}
		v.Members(func(key, value JSON) bool {
			m[strings.ToValidUTF8(key.String(""), "\uFFFD")] = decode(value)
			return true
		})
		return m
	}
	return nil
}

func depth(text []byte) (most int) {
	d := json.NewDecoder(bytes.NewReader(text))
	for n := 0; ; {
		token, err := d.Token()
		if err != nil {
			return most
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			n++
			most = max(most, n)
		case json.Delim(']'), json.Delim('}'):
			n--
		}
	}
}

// check holds a text against encoding/json.
func check(t *testing.T, text string) {
	t.Helper()
	valid := json.Valid([]byte(text)) && depth([]byte(text)) <= maxDepth
	v, err := ParseJSON([]byte(text))
	if (err == nil) != valid {
		t.Fatalf("%q: got %v, encoding/json says %t", text, err, valid)
	}
	// The same through the reader of a row, with bytes behind the text that would go on with it.
	for _, behind := range []string{"", `,"x":1}`, `}`, `"}`, `9}`, strings.Repeat(" ", 70)} {
		var o Object
		o.Read(textOf(text, behind))
		members := 0
		for o.Next() {
			members++
		}
		if isObject := valid && strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{"); o.Whole() != isObject {
			t.Fatalf("%q before %q: whole %t, want %t", text, behind, o.Whole(), isObject)
		}
		if o.Next() {
			t.Fatalf("%q: a member after the last", text)
		}
	}
	if err != nil || !utf8.ValidString(text) {
		return // encoding/json turns each bad byte into U+FFFD, ToValidUTF8 each run
	}
	var want any
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		return // a number beyond a double
	}
	if got := decode(v); !reflect.DeepEqual(got, want) {
		t.Fatalf("%q: got %#v, want %#v", text, got, want)
	}
}

var jsonTexts = []string{
	``, ` `, `null`, `true`, `false`, `nul`, `truee`, `"x"`, `""`, `"`, `"\`, `"\"`, `[]`, `[ ]`, `[1]`, `[1,]`, `[,]`, `[1 2]`, `[[[]]]`, `]`, `{}`, `{ }`, `}`,
	`0`, `-0`, `-`, `01`, `1.`, `1.5`, `.5`, `-1.5e+3`, `1e`, `1e5`, `1E-5`, `1e+`, `12345678901234567890`, `1e999`, `0.1`, `123.456`, `0x1`, `+1`, `1.2.3`, `--1`, `00`, `-01`,
	`{"a":1}`, `{"a":"b"}`, ` { "a" : 1 , "b" : [ ] } `, `{"a":1,"b":2,"c":{"d":null}}`, `{"a":1 }`, `{"a":1,}`, `{"a"}`, `{"a":}`, `{"a"1}`, `{a:1}`, `{"a":1}x`, `{"a":1}}`,
	`{"a":12345678,"b":1234567890123456,"c":12345678901234567,"d":0}`, `{"a":01}`, `{"a":-5,"b":0.5}`, `{"a":true,"b":false,"c":null}`, `{"a":truE}`,
	`{"0123456":"0123456","01234567":"01234567","012345678":"012345678","0123456789abcde":"0123456789abcde","0123456789abcdef":"0123456789abcdef"}`,
	`{"a":"` + strings.Repeat("x", 100) + `","` + strings.Repeat("k", 100) + `":1}`, `{"a":"\u00e9\n","\u00e9":"\ud83d\ude00","b":"\ud83d","c":"\ude00\ud83d"}`,
	`"\u12"`, `"\u123g"`, `"\U1234"`, `"\x"`, "\"\x00\"", "\"\x1f\"", "\"\x7f\"", "\"\xff\"", "\"é\"", "{\"a\":\"\n\"}", "{\"a\n\":1}", "\ufeff{}", "{\"a\":1\x00}", `{"a":1,"a":2}`,
	`{"a":[{"b":[1,"x",{"c":{}}]}]}`, `{"a":[1}`, `{"a":{"b":1]}`,
}

func TestJSON(t *testing.T) {
	for _, text := range jsonTexts {
		check(t, text)
	}
	whole := `{"time":"2026-11-23T10:00:00Z","level":30,"a":{"b":[1.5,true,null]},"c":"\"x\"\u00e9","d":-1}`
	for n := range len(whole) {
		check(t, whole[:n])
	}
	for _, n := range []int{1, maxDepth, maxDepth + 1, 100_000} {
		check(t, strings.Repeat("[", n)+strings.Repeat("]", n))
		check(t, strings.Repeat(`{"a":`, n)+"1"+strings.Repeat("}", n))
		check(t, strings.Repeat("[", n))
	}
}

func FuzzJSON(f *testing.F) {
	for _, text := range jsonTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) < 1<<14 {
			check(t, text)
		}
	})
}

func TestParseJSONErrors(t *testing.T) {
	for text, want := range map[string]string{
		``: "not JSON at byte 0", `{"a":1} x`: "not JSON at byte 8", `{"a":tru}`: "not JSON at byte 5", `[1,`: "not JSON at byte 3", `{"a" 1}`: "not JSON at byte 5",
	} {
		if _, err := ParseJSON([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestJSONValues(t *testing.T) {
	v, err := ParseJSON([]byte(`{"s":"x\ty","e":"","n":-12,"f":0.25,"t":true,"z":null,"l":["a",1,"b"],"o":{"k":"v"},"long":9223372036854775807,"low":-9223372036854775808,"over":9223372036854775808,"point":1.0,"s":"second"}`))
	if err != nil {
		t.Fatal(err)
	}
	n, ok := v.Get("n").Int()
	f, _ := v.Get("f").Double()
	long, _ := v.Get("long").Int()
	low, _ := v.Get("low").Int()
	_, over := v.Get("over").Int()
	_, point := v.Get("point").Int()
	_, text := v.Get("s").Int()
	_, none := v.Get("none").Double()
	got := fmt.Sprint(v.Get("s").String("?"), v.Get("s").Raw(), v.Get("s").Escaped(), v.Get("e").String("?"), v.Get("none").String("?"), v.Get("n").String("?"),
		n, ok, f, v.Get("t").Bool(false), v.Get("none").Bool(true), v.Get("l").Strings(), v.Get("o").Get("k").String(""), v.Get("s").Get("k").Kind(),
		v.Get("z").Kind() == KindNull, v.Get("none").Kind() == KindNone, v.Get("none").Raw(), long == math.MaxInt64, low == math.MinInt64, over, point, text, none)
	want := fmt.Sprint("x\ty", `x\ty`, true, "", "?", "?", -12, true, 0.25, true, true, []string{"a", "b"}, "v", 0, true, true, "", true, true, false, false, false, false)
	if got != want {
		t.Errorf("\ngot  %s\nwant %s", got, want)
	}
	seen := 0
	v.Members(func(_, _ JSON) bool { seen++; return seen < 3 })
	v.Get("l").Items(func(JSON) bool { seen++; return false })
	if seen != 4 {
		t.Errorf("a callback that returned false was called again: %d calls", seen)
	}
}

func TestQuote(t *testing.T) {
	for _, s := range []string{"", "a", `"\`, "\x00\n\x1f", "é"} {
		var got string
		if err := json.Unmarshal(quote(s), &got); err != nil || got != s {
			t.Errorf("%q: got %q, %v", s, got, err)
		}
	}
}
