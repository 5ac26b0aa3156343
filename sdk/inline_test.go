package sdk

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A call that is not inlined costs a guest some 20 ns, so what is called for each field of a row must stay small.
func TestInlining(t *testing.T) {
	cmd := exec.Command("go", "build", "-buildvcs=false", "-gcflags=-m", ".")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	inlined := map[string]bool{}
	for line := range strings.Lines(string(output)) {
		if _, name, ok := strings.Cut(line, ": can inline "); ok {
			inlined[strings.TrimSpace(name)] = true
		}
	}
	for _, name := range []string{
		"(*Edit).Slice", "(*Edit).Int", "(*Edit).Name", "(*Edit).Double", "(*Edit).Bool", "(*Edit).String", "(*Edit).Bytes", "(*Edit).JSON",
		"(*Edit).Delete", "(*Edit).Key", "(*Edit).Severity", "(*Edit).Undo", "(*Edit).More", "(*Edit).Route",
		"(*Batch).Edit", "(*Batch).Rows", "(*Batch).Now", "(*Batch).Signal", "(*Batch).Drop", "(*Batch).Route", "(*Batch).Copy", "(*Batch).NewLog", "(*Batch).NewSpan",
		"Text.FindNear", "Text.Word", "Text.Len", "Text.At", "Text.String", "Text.Cut", "SpanOf", "Span.Offset", "Span.Len",
		"Value.Int", "Value.Double", "Value.Bool", "JSON.Kind", "JSON.Span", "JSON.Escaped", "(*Object).Whole",
		"Name.Resource", "Log", "KV.Set", "KV.Add", "KV.Delete",
	} {
		if !inlined[name] {
			t.Errorf("%s is not inlined any more", name)
		}
	}
}
