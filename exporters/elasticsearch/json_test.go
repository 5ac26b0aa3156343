package elasticsearch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

func TestFloats(t *testing.T) {
	for f, want := range map[float64]string{
		1: "1.0", 0: "0.0", -3: "-3.0", 0.25: "0.25", 1e20: "100000000000000000000.0", 1e21: "1e+21",
		1e-7: "1e-07", math.MaxFloat64: "1.7976931348623157e+308", math.Inf(-1): "null",
	} {
		assert.Equal(t, want, string(appendFloat(nil, f)))
	}
	assert.Equal(t, "null", string(appendFloat(nil, math.NaN())))
	assert.Equal(t, "-0.0", string(appendFloat(nil, math.Copysign(0, -1))))
}

func TestStrings(t *testing.T) {
	for _, s := range []string{
		"", "a", "12345678", "1234567\"", "\\2345678", "\x1f", "\x00\x7f", "ä", "\xff", "12345678\xff", "a\u2028b", "\xed\xa0\x80",
		"\U0001F600x\xf0\x9f\x98", "12345678\n12345678\t1234567\r", "</script>", strings.Repeat("é\xc3", 9),
	} {
		var got string
		out := appendString(nil, s)
		require.NoError(t, json.Unmarshal(out, &got), "%q -> %s", s, out)
		assert.Equal(t, valid(s), got)
	}
}

// valid is s with each byte that is not UTF-8 replaced.
func valid(s string) string { return string([]rune(s)) }

func TestFieldNames(t *testing.T) {
	for name, want := range map[string]string{
		"": "_", " ": "__", ".": "_._", ".a": "_.a", "a..b": "a._.b", "a. .b": "a.__.b", "a.b": "a.b", "a b": "a b", "a.": "a.",
	} {
		assert.Equal(t, `"`+want+`":`, string(appendKey(nil, 0, name)))
	}
}

// TestDoubledKeys: OTLP can carry a key twice, Elasticsearch refuses it.
func TestDoubledKeys(t *testing.T) {
	ld := one(func(_ pcommon.Resource, _ pcommon.InstrumentationScope, lr plog.LogRecord) {
		lr.Attributes().PutStr("x", "1")
		lr.Attributes().PutStr("y", "2")
		nested := lr.Attributes().PutEmptyMap("z")
		nested.PutStr("x", "3")
		nested.PutStr("y", "4")
	})
	raw, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	require.NoError(t, err)
	// The key of a pair is its field 1, a string of one byte.
	raw = bytes.ReplaceAll(raw, []byte("\x0a\x01y"), []byte("\x0a\x01x"))
	ld, err = (&plog.ProtoUnmarshaler{}).UnmarshalLogs(raw)
	require.NoError(t, err)
	require.Equal(t, 3, ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().Len())

	otel := lines(t, encoding{}, ld)[1]
	requireDocument(t, otel)
	assert.Contains(t, otel, `"attributes":{"x":"1","z":{"x":"3"}}`)
	ecs := lines(t, encoding{ecs: true}, ld)[1]
	requireDocument(t, ecs)
	assert.Contains(t, ecs, `"x":"2"`)
}

func TestDepth(t *testing.T) {
	ld := one(func(_ pcommon.Resource, _ pcommon.InstrumentationScope, lr plog.LogRecord) {
		deep := lr.Attributes().PutEmptyMap("deep")
		for range 300 {
			deep = deep.PutEmptySlice("d").AppendEmpty().SetEmptyMap()
		}
	})
	for _, ecs := range []bool{false, true} {
		got := lines(t, encoding{ecs: ecs}, ld)[1]
		requireDocument(t, got)
		assert.Contains(t, got, `\"d\":[`, "deep values are text")
		assert.Contains(t, got, `null`, "deeper ones are nothing")
		assert.Less(t, len(got), 2000)
	}
}

// requireDocument fails unless s is one JSON object without doubled names.
func requireDocument(t testing.TB, s string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	require.NoError(t, walk(d), "%s", s)
	_, err := d.Token()
	require.ErrorIs(t, err, io.EOF)
}

// walk reads one value and looks for doubled names.
func walk(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	names := map[string]bool{}
	for d.More() {
		if delim == '{' {
			name, err := d.Token()
			if err != nil {
				return err
			}
			if names[name.(string)] {
				return fmt.Errorf("name %q is there twice", name)
			}
			names[name.(string)] = true
		}
		if err := walk(d); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// TestManyKeys: beyond fewKeys doubles are found in another way.
func TestManyKeys(t *testing.T) {
	ld := one(func(r pcommon.Resource, _ pcommon.InstrumentationScope, lr plog.LogRecord) {
		r.Attributes().PutStr("k1", "covered")
		for i := range 3 * fewKeys {
			lr.Attributes().PutStr(fmt.Sprint("k", i), "v")
		}
		lr.Attributes().PutStr("k2.x", "makes a stem")
	})
	raw, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	require.NoError(t, err)
	raw = bytes.Replace(raw, []byte("\x0a\x02k9"), []byte("\x0a\x02k8"), 1)
	ld, err = (&plog.ProtoUnmarshaler{}).UnmarshalLogs(raw)
	require.NoError(t, err)
	otel, ecs := lines(t, encoding{}, ld)[1], lines(t, encoding{ecs: true}, ld)[1]
	requireDocument(t, otel)
	requireDocument(t, ecs)
	assert.Equal(t, 1, strings.Count(otel, `"k8":`))
	assert.Equal(t, 1, strings.Count(ecs, `"k8":`))
	assert.NotContains(t, ecs, "covered")
	assert.Contains(t, ecs, `"k2.value":"v"`)
}

// TestAnyRecordDecodes compares random documents, decoded by encoding/json, with
// what went in.
func TestAnyRecordDecodes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		want := randomMap(random, 3)
		ld := one(func(_ pcommon.Resource, _ pcommon.InstrumentationScope, lr plog.LogRecord) {
			require.NoError(t, lr.Attributes().FromRaw(want))
		})
		got := lines(t, encoding{}, ld)
		requireDocument(t, got[1])
		var doc struct{ Attributes map[string]any }
		d := json.NewDecoder(strings.NewReader(got[1]))
		d.UseNumber()
		require.NoError(t, d.Decode(&doc))
		require.Equal(t, expected(want), any(doc.Attributes))
		requireDocument(t, lines(t, encoding{ecs: true}, ld)[1])
	}
}

func randomString(r *rand.Rand) string {
	b := make([]byte, 1+r.IntN(20))
	for i := range b {
		switch r.IntN(4) {
		case 0:
			b[i] = byte(r.IntN(256))
		case 1:
			b[i] = "\"\\\n\x00\x1f\x7f"[r.IntN(6)]
		default:
			b[i] = byte('a' + r.IntN(26))
		}
	}
	return string(b)
}

func randomMap(r *rand.Rand, depth int) map[string]any {
	m := map[string]any{}
	for i := range 1 + r.IntN(5) {
		m[fmt.Sprint("k", i)+strings.ReplaceAll(valid(randomString(r)), ".", "")] = randomValue(r, depth)
	}
	return m
}

func randomValue(r *rand.Rand, depth int) any {
	switch n := r.IntN(8); {
	case n == 0:
		return r.Int64() - math.MaxInt64/2
	case n == 1:
		return math.Float64frombits(r.Uint64())
	case n == 2:
		return r.IntN(2) == 0
	case n == 3:
		return nil
	case n == 4 && depth > 0:
		return randomMap(r, depth-1)
	case n == 5 && depth > 0:
		return []any{randomValue(r, depth-1), randomValue(r, depth-1)}
	case n == 6:
		return []byte(randomString(r))
	default:
		return randomString(r)
	}
}

// expected is what a value becomes in JSON.
func expected(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, member := range v {
			out[k] = expected(member)
		}
		return out
	case []any:
		out := []any{}
		for _, member := range v {
			out = append(out, expected(member))
		}
		return out
	case string:
		return valid(v)
	case []byte:
		text, _ := json.Marshal(v)
		return strings.Trim(string(text), `"`)
	case int64:
		return json.Number(fmt.Sprint(v))
	case float64:
		text := string(appendFloat(nil, v))
		if text == "null" {
			return nil
		}
		return json.Number(text)
	default:
		return v
	}
}

func TestFloatsRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 10_000 {
		f := math.Float64frombits(random.Uint64())
		if math.IsNaN(f) || math.IsInf(f, 0) {
			continue
		}
		var got float64
		require.NoError(t, json.Unmarshal(appendFloat(nil, f), &got))
		require.Equal(t, f, got)
	}
}
