package abi

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The description in WIT and the SDKs for C and Rust know all exports, host functions and fields, and give them the numbers
// that stand here.
func TestLanguages(t *testing.T) {
	wit, header, crate, imports := file(t, "obsd.wit"), file(t, "../../sdk/c/obsd.h"), file(t, "../../sdk/rust/src/lib.rs"), file(t, "../../sdk/rust/src/host.rs")
	has := func(name, text, pattern string) {
		t.Helper()
		if !regexp.MustCompile(pattern).MatchString(text) {
			t.Errorf("%s has nothing that matches %s", name, pattern)
		}
	}
	kebab := func(s string) string { return strings.NewReplacer("_", "-", ".", "-").Replace(s) }
	for _, name := range []string{ExportMarker, ExportManifest, ExportConfigure, ExportAlloc, ExportProcess, ExportFlush} {
		has("obsd.wit", wit, `\n  export `+kebab(name)+`: func`)
		has("obsd.h", header, `(OBSD_EXPORT_\(|export_name\(")`+name+`\b`)
		has("lib.rs", crate, `extern "C" fn `+name+`\(`)
	}
	for name := range HostFunctions {
		has("obsd.wit", wit, `\n  `+kebab(name)+`: func`)
		has("obsd.h", header, `OBSD_HOST_\(`+name+`\)`)
		has("host.rs", imports, `\n    fn `+name+`\(`)
	}
	for _, f := range Fields {
		if f.Field == 0 {
			continue
		}
		has("obsd.wit", wit, `[ %]`+kebab(f.Column)+`,`)
		snake := strings.ReplaceAll(f.Column, ".", "_")
		has("obsd.h", header, fmt.Sprintf(`\bOBSD_%s = %d[,\n]`, strings.ToUpper(snake), f.Field))
		has("lib.rs", crate, fmt.Sprintf(`\n    %s = %d,`, camel(snake), f.Field))
	}
	has("obsd.h", header, fmt.Sprintf("%#x; /\\* OSR1", uint32(ResultMagic)))
	has("obsd.h", header, fmt.Sprintf("OBSD_SET = %#x\\b", Set))
	has("obsd.h", header, fmt.Sprintf("OBSD_MAX_NAMES = %d, OBSD_SLACK = %d\\b", MaxNames, Slack))
}

func camel(snake string) string {
	var out strings.Builder
	for word := range strings.SplitSeq(snake, "_") {
		out.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return out.String()
}

func file(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
