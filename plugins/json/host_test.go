package main

import (
	"fmt"
	"reflect"
	"testing"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/obsd-io/obsd/internal/guest"
	"github.com/obsd-io/obsd/internal/guest/enginetest"
	"github.com/obsd-io/obsd/runtime/hosttest"
)

// The module does in the daemon what its source does in the other tests.
func TestHost(t *testing.T) {
	body := `{"time":"2026-11-23T10:00:00.5Z","level":"warning","message":"a \"b\"","n":7,"d":0.5,"ok":true,"none":null,"big":1e999,"s":"x","o":{"k":[1,2.5,"y"]}}`
	ld, records := enginetest.Bodies("plain", body, body[:len(body)-1], `{"level":30,"msg":"second"}`)
	verdicts, _ := enginetest.Run(t, enginetest.Load(t, ".", nil), ld)
	if !reflect.DeepEqual(verdicts, make([]uint16, 4)) {
		t.Errorf("verdicts %v", verdicts)
	}
	r := records.At(1)
	want := map[string]any{"n": int64(7), "d": 0.5, "ok": true, "big": "1e999", "s": "x", "o": map[string]any{"k": []any{int64(1), 2.5, "y"}}}
	if got := r.Attributes().AsRaw(); !reflect.DeepEqual(got, want) {
		t.Errorf("attributes\ngot  %v\nwant %v", got, want)
	}
	if r.Body().Str() != `a "b"` || int64(r.Timestamp()) != stamp+5e8 || r.SeverityNumber() != plog.SeverityNumberWarn || r.SeverityText() != "warning" {
		t.Errorf("got body %q, time %d, severity %d %q", r.Body().AsString(), r.Timestamp(), r.SeverityNumber(), r.SeverityText())
	}
	for i, want := range map[int]string{0: "plain", 2: body[:len(body)-1]} {
		if r := records.At(i); r.Body().Str() != want || r.Attributes().Len() != 0 || r.Timestamp() != 0 || r.SeverityNumber() != 0 {
			t.Errorf("row %d was changed", i)
		}
	}
	if r := records.At(3); r.Body().Str() != "second" || r.SeverityNumber() != plog.SeverityNumberInfo || r.SeverityText() != "INFO" {
		t.Errorf("got body %q, severity %d %q", r.Body().AsString(), r.SeverityNumber(), r.SeverityText())
	}
}

func TestConformance(t *testing.T) {
	s := hosttest.Suite{Path: guest.Build(t, "."), Config: map[string]any{"flatten": true}}
	for i := range 40 {
		s.Rows = append(s.Rows, hosttest.Row{"body": benchMixed(i)})
	}
	s.Run(t)
}

// Thousands of keys go beyond what the contract lets an instance number, and beyond one batch.
func TestHostManyKeys(t *testing.T) {
	bodies := make([]string, 6000)
	for i := range bodies {
		bodies[i] = fmt.Sprintf(`{"key%d":%d,"o":{"k%d":1}}`, i, i, i)
	}
	ld, records := enginetest.Bodies(bodies...)
	enginetest.Run(t, enginetest.Load(t, ".", map[string]any{"flatten": true}), ld)
	for i := range bodies {
		want := map[string]any{fmt.Sprintf("key%d", i): int64(i), fmt.Sprintf("o.k%d", i): int64(1)}
		if got := records.At(i).Attributes().AsRaw(); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func TestHostRefusesConfig(t *testing.T) {
	for name, c := range map[string]struct {
		config map[string]any
		want   string
	}{
		"typo":            {map[string]any{"form": "body"}, `plugin "wasm/test": configure: config: additional properties 'form' not allowed`},
		"all attributes":  {map[string]any{"from": "attributes.*"}, `plugin "wasm/test": configure: config::from: 'attributes.*' does not match pattern '^(body|attributes\\.[^*].*|attributes\\.\\*.+)$'`},
		"depth":           {map[string]any{"max_depth": 0}, `plugin "wasm/test": configure: config::max_depth: minimum: got 0, want 1`},
		"kind of numbers": {map[string]any{"level_numbers": "gelf"}, `plugin "wasm/test": configure: config::level_numbers: value must be one of 'pino', 'syslog', 'none'`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := enginetest.Try(t, ".", c.config); err == nil || err.Error() != c.want {
				t.Errorf("\ngot  %v\nwant %s", err, c.want)
			}
		})
	}
}
