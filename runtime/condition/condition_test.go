package condition

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/obsd-io/obsd/runtime/abi"
)

// row is a Source by column name.
type row struct {
	signal  abi.Signal
	columns []string
	values  map[string]Value
}

func (r row) Signal() abi.Signal { return r.signal }

func (r row) Value(column int) Value { return r.values[r.columns[column]] }

func str(s string) Value       { return Value{Type: abi.TypeString, Text: s} }
func num(n int64) Value        { return Value{Type: abi.TypeInt, Int: n} }
func double(f float64) Value   { return Value{Type: abi.TypeDouble, Double: f} }
func jsonOf(text string) Value { return Value{Type: abi.TypeJSON, Text: text} }
func bytesOf(s string) Value   { return Value{Type: abi.TypeBytes, Text: s} }

func boolean(b bool) Value {
	if b {
		return Value{Type: abi.TypeBool, Int: 1}
	}
	return Value{Type: abi.TypeBool}
}

func compile(pattern string) (func(string) bool, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	return re.MatchString, nil
}

func match(t *testing.T, text string, values map[string]Value) bool {
	t.Helper()
	return matchOf(t, abi.SignalLogs, text, values)
}

func matchOf(t *testing.T, signal abi.Signal, text string, values map[string]Value) bool {
	t.Helper()
	p := Parser{Regexp: compile}
	c, err := p.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c.Match(row{signal, p.Columns, values})
}

// The comparison rules, by pairs of types: which of == != < <= > >= hold.
func TestComparison(t *testing.T) {
	const none, equal, less, greater = "!=", "== <= >=", "!= < <=", "!= > >="
	f := func(a, b Value, want string) {
		t.Helper()
		for _, op := range []string{"==", "!=", "<", "<=", ">", ">="} {
			got := match(t, `attributes["a"] `+op+` attributes["b"]`, map[string]Value{"attributes.a": a, "attributes.b": b})
			if hold := slices.Contains(strings.Fields(want), op); got != hold {
				t.Errorf("%+v %s %+v: got %t, want %t", a, op, b, got, hold)
			}
		}
	}
	f(Value{}, Value{}, equal)
	f(num(1), num(1), equal)
	f(num(1), num(2), less)
	f(num(2), num(-1), greater)
	f(num(math.MaxInt64-1), num(math.MaxInt64), less)
	f(num(1), double(1), equal)
	f(num(1), double(1.5), less)
	f(double(1.5), num(1), greater)
	f(double(0.5), double(0.5), equal)
	f(double(math.NaN()), double(1), none)
	f(double(math.NaN()), double(math.NaN()), none)
	f(str("a"), str("a"), equal)
	f(str("a"), str("b"), less)
	f(str("b"), str("ab"), greater)
	f(str(""), str("a"), less)
	f(boolean(true), boolean(true), equal)
	f(boolean(false), boolean(true), less)
	f(boolean(true), boolean(false), greater)
	f(bytesOf("a"), bytesOf("b"), less)
	f(bytesOf("a"), bytesOf("a"), equal)
	f(jsonOf("[1]"), jsonOf("[1]"), "==")
	f(jsonOf("[1]"), jsonOf("[2]"), none)
	different := []Value{{}, num(1), str("1"), boolean(true), bytesOf("1"), jsonOf("[1]")}
	for i, a := range different {
		for j, b := range different {
			if i != j {
				f(a, b, none)
			}
		}
	}
}

func TestMatch(t *testing.T) {
	values := map[string]Value{
		"body": str("GET /a?b=\"c\""), "severity_number": num(17), "severity_text": str("ERROR"), "time": num(5), "attributes.s": str("text"),
		"attributes.n": num(500), "attributes.d": double(0.25), "attributes.t": boolean(true), "attributes.m": jsonOf(`{"k":1}`), "attributes.b": bytesOf("\x01\xff"),
		`attributes.é "x"`: str("y"), "resource.k8s.namespace.name": str("shop"), "attributes.e": double(1e-7), "attributes.big": double(1e21), "attributes.and": num(1),
	}
	for text, want := range map[string]bool{
		`true`: true, `false`: false, `not false`: true, `(true)`: true, `not (true or false)`: false, `true == true`: true, `true != false`: true,
		`true or true and false`: true, `(true or true) and false`: false, `not false and false`: false, `false and false or true`: true,
		`not attributes["n"] == 500`: false, `not attributes["n"] == 1 and true`: true,
		`severity_number >= SEVERITY_NUMBER_ERROR`: true, `severity_number == SEVERITY_NUMBER_ERROR2`: false, `severity_number > SEVERITY_NUMBER_UNSPECIFIED`: true,
		`SEVERITY_NUMBER_FATAL4 == 24`: true, `SEVERITY_NUMBER_TRACE == 1`: true, `severity_text == "ERROR"`: true, `log.severity_number == 17`: true,
		`17 <= severity_number`: true, `body == "GET /a?b=\"c\""`: true, `log.body != nil`: true, `nil == body`: false, `nil == nil`: true, `nil < nil`: false,
		`attributes["s"] == "t\x65x\u0074"`: true, `attributes["é \"x\""] == "y"`: true, `attributes [ "s" ] == "text"`: true, `log.attributes["s"] == "text"`: true,
		`attributes["n"] > 499.5`: true, `attributes["n"] >= +500`: true, `attributes["n"] == -500`: false, `attributes["d"] == .25`: true, `attributes["d"] < 2.5e-1`: false,
		`attributes["t"] == true`: true, `attributes["t"] == 1`: false, `attributes["and"]==1and true`: true,
		`attributes["none"] == nil`: true, `attributes["none"] != "x"`: true, `attributes["none"] < 5`: false, `attributes["none"] == ""`: false,
		`resource.attributes["k8s.namespace.name"] == "shop"`: true, `resource.attributes["none"] == nil`: true,
		`time == 5`: true, `time_unix_nano == time`: true, `observed_time == 0`: true, `observed_time_unix_nano > 0`: false,
		`HasPrefix(body, "GET ")`: true, `HasSuffix(body, "\"")`: true, `Contains(body, "/a?")`: true, `Contains(body, "/b")`: false, `not HasPrefix(body, "POST")`: true,
		`HasPrefix(attributes["n"], "5")`: false, `Contains(attributes["none"], "")`: false,
		`IsMatch(body, "^GET /[a-z]")`: true, `IsMatch(body, "^GET")`: true, `IsMatch(body, "\"$")`: true, `IsMatch(attributes["s"], "^text$")`: true, `IsMatch(attributes["s"], "ex")`: true,
		`IsMatch(attributes["s"], "^ex")`: false, `IsMatch(attributes["s"], "^tex$")`: false, `IsMatch(attributes["n"], "^5\\d\\d$")`: true, `IsMatch(attributes["n"], "^500$")`: true,
		`IsMatch(attributes["t"], "true")`: true, `IsMatch(attributes["d"], "0.25")`: true, `IsMatch(attributes["e"], "^1e-7$")`: true, `IsMatch(attributes["big"], "1e.21")`: true,
		`IsMatch(attributes["m"], "\"k\":1")`: true, `IsMatch(attributes["b"], "^01ff$")`: true, `IsMatch(attributes["none"], "")`: false, `IsMatch(attributes["s"], "")`: true,
	} {
		if got := match(t, text, values); got != want {
			t.Errorf("%s: got %t", text, got)
		}
	}
	for text, want := range map[string]bool{ // nothing is set
		`severity_number == 0`: true, `severity_number == nil`: false, `severity_text == ""`: true, `time == 0`: true, `body == nil`: true, `severity_number < 9`: true,
	} {
		if got := match(t, text, nil); got != want {
			t.Errorf("%s, nothing set: got %t", text, got)
		}
	}
}

func TestColumns(t *testing.T) {
	p := Parser{}
	for _, text := range []string{`body == "x" or attributes["a.b"] == 1`, `attributes["a.b"] == 2 and resource.attributes["r"] == nil and log.time_unix_nano > 0`} {
		if _, err := p.Parse(text); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"body", "attributes.a.b", "resource.r", "time"}; !slices.Equal(p.Columns, want) {
		t.Errorf("got %q, want %q", p.Columns, want)
	}
}

func TestRefusals(t *testing.T) {
	const scope = `; in scope: name, version, attributes["key"]; in resource: attributes["key"]`
	const paths = `there are in log: body, severity_number, severity_text, event_name, time_unix_nano, observed_time_unix_nano, trace_id, span_id, trace_id.string, span_id.string, flags, attributes["key"]` + scope
	const digits = `the digits of an id are compared by == and != with a text only`
	const comparison = "want a comparison (== != < <= > >=), got "
	for text, want := range map[string]string{
		``:                                       `column 1: want a path or literal, got the end`,
		`body`:                                   `column 5: ` + comparison + `the end`,
		`body =`:                                 `column 6: ` + comparison + `"=": write ==`,
		`body == `:                               `column 9: want a path or literal, got the end`,
		`body == "x`:                             `column 9: the string has no closing "`,
		`body == "\q"`:                           `column 10: no such escape in a string; there are \" \\ \n \t \r \a \b \f \v \x12 \u1234 \U00012345 and \012`,
		`body == 'x'`:                            `column 9: want a path or literal, got "'"`,
		`body == "x" AND true`:                   `column 13: want and, or, or the end, got "AND": write and in lower case`,
		`body == "é" xor true`:                   `column 13: want and, or, or the end, got "xor"`,
		`(true`:                                  `column 6: want ), got the end`,
		`true)`:                                  `column 5: want and, or, or the end, got ")"`,
		`not not true`:                           `column 5: "not" is not known; ` + paths,
		`severity > 5`:                           `column 1: "severity" is not known; ` + paths,
		`attributes.k == 1`:                      `column 1: write the key as in attributes["key"]`,
		`resource.k == 1`:                        `column 1: "resource.k" is not known; ` + paths,
		`log.foo == 1`:                           `column 1: "log.foo" is not known; ` + paths,
		`log. == 1`:                              `column 6: want a field of log, got "=="`,
		`log == 1`:                               `column 5: want ., got "=="`,
		`body == "x" or metric.name == "x"`:      `column 16: "metric.name" is not a field of logs; ` + paths,
		`datapoint.attributes["k"] == 1`:         `column 1: "datapoint.attributes" is not a field of logs; ` + paths,
		`metric.attributes["k"] == 1`:            `column 1: "metric.attributes" is not known; ` + paths,
		`name == "x"`:                            `column 1: "name" is not a field of logs; ` + paths,
		`severity_number.x == 1`:                 `column 16: severity_number is read as a whole: keys and fields of it are not supported`,
		`trace_id.string < "x"`:                  `column 1: ` + digits,
		`"x" == 1 or 5 != span_id.string`:        `column 18: ` + digits,
		`trace_id.string == span_id.string`:      `column 1: ` + digits,
		`Contains(trace_id.string, "a")`:         `column 10: ` + digits,
		`span_id > SPAN_KIND_ROBOT`:              `column 11: SPAN_KIND_ROBOT is not known; there are SPAN_KIND_UNSPECIFIED, INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER`,
		`resource["k"] == 1`:                     `column 9: want ., got "["`,
		`attributes == nil`:                      `column 12: want [, got "=="`,
		`attributes[0] == 1`:                     `column 12: want a key in quotes, got "0"`,
		`attributes["a"]["b"] == 1`:              `column 16: an attribute is read as a whole: keys within attributes.a are not supported`,
		`attributes["*"] == 1`:                   `column 12: the key "*" cannot be read`,
		`attributes[""] == 1`:                    `column 12: the key "" cannot be read`,
		`body["k"] == 1`:                         `column 5: body is read as a whole: keys and fields of it are not supported`,
		`body.string == "x"`:                     `column 5: body is read as a whole: keys and fields of it are not supported`,
		`instrumentation_scope.nme == "x"`:       `column 1: "instrumentation_scope.nme" is not known; ` + paths,
		`severity_number > SEVERITY_NUMBER_LOUD`: `column 19: SEVERITY_NUMBER_LOUD is not known; there are SEVERITY_NUMBER_TRACE, DEBUG, INFO, WARN, ERROR, FATAL, each also with 2, 3 or 4 behind it, and UNSPECIFIED`,
		`severity_number > 5 + 1`:                `column 21: want and, or, or the end, got "+": arithmetic is not supported`,
		`severity_number > 99999999999999999999`: `column 19: the number does not fit 64 bits`,
		`severity_number > 1.0e999`:              `column 19: the number does not fit a double`,
		`Len(body) > 5`:                          `column 1: function Len is not supported; there are HasPrefix, HasSuffix, Contains, IsMatch`,
		`body == Concat("a")`:                    `column 9: function Concat is not supported; there are HasPrefix, HasSuffix, Contains, IsMatch`,
		`HasPrefix(body)`:                        `column 15: want ,, got ")"`,
		`HasPrefix("x", "x")`:                    `column 11: want a path, such as body or attributes["key"], as the first argument`,
		`HasPrefix(body, severity_text)`:         `column 17: want a string as the second argument, got "severity_text"`,
		`IsMatch(body, "(")`:                     "column 15: error parsing regexp: missing closing ): `(`",
		`HasPrefix(body, "x") == true`:           `column 22: want and, or, or the end, got "=="`,
		`true true`:                              `column 6: want and, or, or the end, got "true"`,
		strings.Repeat("(", 65) + "true":         `column 65: more than 64 parentheses within each other`,
		strings.Repeat(" ", 1<<16) + "true":      `column 65537: the condition is longer than 64 KiB`,
	} {
		p := Parser{Regexp: compile, Signals: []abi.Signal{abi.SignalLogs}}
		if _, err := p.Parse(text); err == nil || err.Error() != want {
			t.Errorf("%.80s\ngot  %v\nwant %s", text, err, want)
		}
	}
	p := Parser{Signals: []abi.Signal{abi.SignalMetrics, abi.SignalTraces}}
	_, err := p.Parse(`body == nil`)
	if want := `column 1: "body" is not a field of metrics and traces; there are in datapoint: value, value_int, value_double, time_unix_nano, start_time_unix_nano, count, sum, min, max, buckets, flags, attributes["key"]; ` +
		`in metric: name, unit, description, type, aggregation_temporality, is_monotonic; in span: name, kind, status.code, status.message, trace_id, span_id, parent_span_id, trace_id.string, span_id.string, parent_span_id.string, ` +
		`trace_state, start_time_unix_nano, end_time_unix_nano, duration, flags, attributes["key"]` + scope; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	p = Parser{}
	_, err = p.Parse(`IsMatch(body, "a+")`)
	if want := "column 15: regular expressions are not supported here, only plain text with ^ before and $ behind it; HasPrefix, HasSuffix and Contains are"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A long chain is a long list of tests, not a deep recursion at run time; and it does not allocate.
func TestChain(t *testing.T) {
	p := Parser{}
	c, err := p.Parse(strings.Repeat(`attributes["a"] == 1 or `, 2000) + `attributes["b"] == "x"`)
	if err != nil {
		t.Fatal(err)
	}
	var s Source = row{abi.SignalLogs, p.Columns, map[string]Value{"attributes.b": str("x")}}
	if !c.Match(s) {
		t.Error("does not match")
	}
	if n := testing.AllocsPerRun(10, func() { c.Match(s) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// A pattern that is read as plain text means what package regexp makes of it.
func FuzzLiteral(f *testing.F) {
	f.Add("^abc$", "abc")
	f.Add("b", "abc")
	f.Add("$^", "")
	f.Add("a$", "a\n")
	f.Add("^", "x")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		o, literal, ok := literal(pattern)
		if !ok {
			return
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			t.Fatalf("%q: %v", pattern, err)
		}
		if got, want := plain(o, literal)(text), re.MatchString(text); got != want {
			t.Fatalf("%q in %q: got %t, want %t", pattern, text, got, want)
		}
	})
}

// Reading ends with a condition that can be evaluated or an error within the text; its negation is its opposite.
func FuzzParse(f *testing.F) {
	f.Add(`severity_number >= SEVERITY_NUMBER_ERROR and not (HasPrefix(body, "a\n") or attributes["x"] != nil)`)
	f.Add(`resource.attributes["k"] == -1.5e3 or IsMatch(log.body, "^a(b|c)") or true`)
	f.Add(`span.status.code == STATUS_CODE_ERROR or metric.name == "x" and not log.trace_id.string == "0102030405060708"`)
	f.Add(`instrumentation_scope.attributes["k"] == datapoint.value_int`)
	f.Add(`time < 5 or "\u00e9" == observed_time_unix_nano`)
	f.Fuzz(func(t *testing.T, text string) {
		p := Parser{Regexp: compile}
		c, err := p.Parse(text)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Column < 1 || e.Column > len(text)+1 || e.Reason == "" {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		negated, err := p.Parse("not (" + text + ")")
		if err != nil {
			if len(text) < 1<<15 && strings.Count(text, "(") < maxNesting {
				t.Fatalf("%q: negated: %v", text, err)
			}
			return
		}
		for i := range 4 {
			values := map[string]Value{}
			for j, column := range p.Columns {
				values[column] = []Value{{}, str(fmt.Sprint(j)), num(int64(j)), double(1)}[(i+j)%4]
			}
			if s := (row{abi.Signal(i%3 + 1), p.Columns, values}); c.Match(s) == negated.Match(s) {
				t.Fatalf("%q: its negation is not its opposite for %v", text, values)
			}
		}
	})
}
