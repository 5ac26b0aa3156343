package sdk

import (
	"slices"
	"strings"
	"testing"
)

// splitSlowly is Split in plain words: the fields, and how many of them end in the line.
func splitSlowly(shape, line string) (fields []string, n int) {
	parts := strings.Split(shape, "{}")
	rest, ok := strings.CutPrefix(line, parts[0])
	if !ok {
		return nil, 0
	}
	for _, separator := range parts[1:] {
		end := -1
		for at := 0; separator != "" && at <= len(rest)-len(separator); at++ {
			before := line[:len(line)-len(rest)+at]
			escaped := separator[0] == '"' && (len(before)-len(strings.TrimRight(before, `\`)))%2 == 1
			if strings.HasPrefix(rest[at:], separator) && !escaped {
				end = at
				break
			}
		}
		if end < 0 {
			fields = append(fields, rest)
			if separator == "" {
				n++
			}
			return fields, n
		}
		fields, rest = append(fields, rest[:end]), rest[end+len(separator):]
		n++
	}
	return fields, n
}

func checkSplit(t *testing.T, shape, line, behind string) {
	t.Helper()
	p := NewPattern(shape)
	spans := make([]Span, strings.Count(shape, "{}"))
	text := textOf(line, behind)
	n := p.Split(text, spans)
	fields, want := splitSlowly(shape, line)
	var got []string
	for _, s := range spans[:min(len(fields), len(spans))] {
		got = append(got, text.Cut(s))
	}
	if n != want || !slices.Equal(got, fields) {
		t.Fatalf("%s, %q before %q: got %d %q, want %d %q", shape, line, behind, n, got, want, fields)
	}
}

func TestSplit(t *testing.T) {
	for shape, lines := range map[string][]string{
		`{} {}`:         {"a b", "a b c", "ab", "", " ", "a ", " b", strings.Repeat("x", 40) + " y"},
		`[{}] {}`:       {"[x] y", "x] y", "[", "", "[] ", "[x]  y"},
		`{} - {} [{}]`:  {"a - b [c]", "a -b - c [d] e", "a - b", "a - b [c", " -  [] "},
		`"{}" "{}"`:     {`"a" "b"`, `"a\"" "b\\" c"`, `"\\\" " "b"`, `"a" "b`, `"" ""`, `"a\" "b" "c"`, `\"a" "b"`, `"\" "x" "y"`},
		`{}|{}|{}`:      {"||", "a|b|c|d", "|", "a||c"},
		`{}1234567{}`:   {"a12345671234567", "123456x1234567y", "123456", "12345671"},
		`{};{}.`:        {"a;b.", "a;b", "a;.", ";", "a.b;c.d"},
		`{}`:            {"", "all of it"},
		`{} {} {} "{}"`: {`- - - "-"`, `-a -bc -def "-ghij"`, `a  b "c" d`},
	} {
		for _, line := range lines {
			for _, behind := range []string{"", ` ] " - x "`, `"""""""`, " ", line} {
				checkSplit(t, shape, line, behind)
			}
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(`a - "b\" c" [d]`, " - ", `" `, "]")
	f.Fuzz(func(t *testing.T, line, a, b, behind string) {
		if a == "" || b == "" || len(a) > 7 || len(b) > 7 || strings.Contains(a+b, "{}") || strings.ContainsAny(a[len(a)-1:]+b[len(b)-1:], "{") || strings.ContainsAny(a[:1]+b[:1], "}") {
			return
		}
		checkSplit(t, "{}"+a+"{}"+b+"{}", line, behind)
		checkSplit(t, b+"{}"+a+"{}"+b, line, behind)
	})
}
