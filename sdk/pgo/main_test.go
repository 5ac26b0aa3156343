package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// measured is a profile of a plugin's tests: one sample of the plugin, in a function that the benchmark calls, one of the
// benchmark alone, one of the main function that go test makes and one of the runtime.
func measured(t *testing.T) *bytes.Buffer {
	t.Helper()
	function := func(id uint64, name, file string) *profile.Function {
		return &profile.Function{ID: id, Name: name, SystemName: name, Filename: file, StartLine: 10}
	}
	bench := function(1, "example.com/plugins/health.BenchmarkNative", "plugin_test.go")
	process := function(2, "example.com/plugins/health.process", "main.go")
	read := function(3, "example.com/plugins/health.(*line).read", "main.go")
	find := function(4, "github.com/obsd-io/obsd/sdk.Text.Find", "text.go")
	gc := function(5, "runtime.gcBgMarkWorker", "mgc.go")
	testMain := function(6, "main.main", "_testmain.go")
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		Function:   []*profile.Function{bench, process, read, find, gc, testMain}, TimeNanos: 7, DurationNanos: 9,
		Mapping: []*profile.Mapping{{ID: 1, File: "/tmp/plugin.test"}},
	}
	location := func(lines ...profile.Line) *profile.Location {
		l := &profile.Location{ID: uint64(len(p.Location) + 1), Address: 0x1234, Line: lines, Mapping: p.Mapping[0]}
		p.Location = append(p.Location, l)
		return l
	}
	inner := location(profile.Line{Function: find, Line: 12})
	outer := location(profile.Line{Function: read, Line: 15}, profile.Line{Function: process, Line: 11}) // read is inlined
	test, worker := location(profile.Line{Function: bench, Line: 20}), location(profile.Line{Function: gc, Line: 30})
	start := location(profile.Line{Function: testMain, Line: 40})
	p.Sample = []*profile.Sample{
		{Location: []*profile.Location{inner, outer, test}, Value: []int64{3, 30}},
		{Location: []*profile.Location{test}, Value: []int64{1, 10}},
		{Location: []*profile.Location{worker}, Value: []int64{1, 10}},
		{Location: []*profile.Location{start}, Value: []int64{1, 10}},
	}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return &b
}

// Of the profile the calls of the plugin are left, by the names that they have in the module, and nothing of the machine.
func TestConvert(t *testing.T) {
	var out bytes.Buffer
	if err := convert(measured(t), &out, "example.com/plugins/health"); err != nil {
		t.Fatal(err)
	}
	p, err := profile.Parse(&out)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Sample) != 1 || len(p.Mapping) != 0 || p.TimeNanos != 0 || p.DurationNanos != 0 {
		t.Fatalf("got %v", p)
	}
	var calls []string
	for _, l := range p.Sample[0].Location {
		if l.Address != 0 {
			t.Errorf("location %v has an address", l)
		}
		for _, line := range l.Line {
			calls = append(calls, line.Function.Name)
		}
	}
	if got, want := strings.Join(calls, " "), "github.com/obsd-io/obsd/sdk.Text.Find main.(*line).read main.process"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if got := p.Sample[0].Value; got[0] != 3 || got[1] != 30 {
		t.Errorf("got values %v", got)
	}
}

func TestConvertOther(t *testing.T) {
	err := convert(measured(t), &bytes.Buffer{}, "example.com/plugins/other")
	want := "no sample is of a function of example.com/plugins/other: is there such a benchmark, and does it run the plugin?"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A plugin's folder with a benchmark gives a profile; another gives an error that says why not. The benchmark's one turn takes enough CPU
// time for samples, however little of it a busy machine leaves.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for name, text := range map[string]string{
		"go.mod":  "module example.com/plugin\n\ngo 1.26\n",
		"main.go": "package main\n\nfunc main() { println(work(3)) }\n\n//go:noinline\nfunc work(n int) (v int) {\n\tfor i := range n {\n\t\tv += i * v\n\t}\n\treturn v\n}\n",
		"main_test.go": "package main\n\nimport \"testing\"\n\nfunc BenchmarkWork(b *testing.B) {\n\tfor b.Loop() {\n\t\twork(200_000_000)\n\t}\n}\n\n" +
			"func BenchmarkNothing(*testing.B) {}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(t.Context(), "Work", time.Millisecond, "guest.pgo"); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile("guest.pgo")
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.ParseData(file)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(p.Function, func(f *profile.Function) bool { return f.Name == "main.work" }) {
		t.Errorf("got %v", p)
	}
	if err := run(t.Context(), "Nothing", time.Nanosecond, "other.pgo"); err == nil || !strings.Contains(err.Error(), `benchmarks "Nothing": no sample`) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat("other.pgo"); err == nil {
		t.Error("a file was written")
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "main_test.go")); err != nil {
		t.Fatal(err)
	}
	want := "example.com/plugin is package other: run pgo in the folder of a plugin, which is package main"
	if err := run(t.Context(), ".", time.Nanosecond, "other.pgo"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
