// Command pgo measures a plugin written in Go, natively, and writes which of its calls are hot, for the compiler to inline
// when it builds the module (https://go.dev/doc/pgo). Run it in the plugin's folder:
//
//	go run github.com/obsd-io/obsd/sdk/pgo@latest -bench Native
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -pgo=guest.pgo -o plugin.wasm
//
// It runs the benchmarks of that name, which should do to typical records what the plugin does; package sdktest has Loop for
// that. The file belongs to the sources: a build without it works, and the module takes longer.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

func main() {
	bench := flag.String("bench", ".", "which `benchmarks` to run, as for go test")
	benchtime := flag.Duration("benchtime", 5*time.Second, "how long to run each")
	out := flag.String("o", "guest.pgo", "the `file` to write")
	flag.Usage = func() {
		_, _ = fmt.Fprint(flag.CommandLine.Output(), "Run pgo in a plugin's folder: it writes what go build -pgo wants for a faster module.\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *bench, *benchtime, *out); err != nil {
		fmt.Fprintf(os.Stderr, "pgo: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bench string, benchtime time.Duration, out string) error {
	listed, err := command(ctx, "go", "list", "-f", "{{.Name}} {{.ImportPath}}", ".")
	if err != nil {
		return err
	}
	name, path, _ := strings.Cut(strings.TrimSpace(listed), " ")
	if name != "main" {
		return fmt.Errorf("%s is package %s: run pgo in the folder of a plugin, which is package main", path, name)
	}
	scratch, err := os.MkdirTemp("", "obsd-pgo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	measured := filepath.Join(scratch, "cpu.pprof")
	if _, err := command(ctx, "go", "test", "-run=^$", "-bench="+bench, "-benchtime="+benchtime.String(),
		"-cpuprofile="+measured, "-o="+filepath.Join(scratch, "plugin.test"), "."); err != nil {
		return err
	}
	in, err := os.Open(measured)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	var file bytes.Buffer
	if err := convert(in, &file, path); err != nil {
		return fmt.Errorf("benchmarks %q: %w", bench, err)
	}
	return os.WriteFile(out, file.Bytes(), 0o644) //nolint:gosec // it is a source file, for all to read
}

// command runs a command and returns what it prints. Its errors are the user's to read.
func command(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(append([]string{name}, args...), " "), err, out)
	}
	return string(out), nil
}

// convert writes a profile of a plugin's tests, with what the compiler reads of it. In a test the functions of a package
// main are named by its import path, in the module they are main's.
func convert(in io.Reader, out io.Writer, path string) error {
	p, err := profile.Parse(in)
	if err != nil {
		return err
	}
	own := map[*profile.Function]bool{} // not all that are main's: go test has a function main too, in a file it makes
	for _, f := range p.Function {
		if rest, ok := strings.CutPrefix(f.Name, path+"."); ok {
			f.Name, f.SystemName = "main."+rest, "main."+rest
			own[f] = !strings.HasSuffix(f.Filename, "_test.go")
		}
	}
	var samples []*profile.Sample
	for _, s := range p.Sample {
		if calls := plugins(s.Location, own); len(calls) > 0 {
			samples = append(samples, &profile.Sample{Location: calls, Value: s.Value})
		}
	}
	if len(samples) == 0 {
		return fmt.Errorf("no sample is of a function of %s: is there such a benchmark, and does it run the plugin?", path)
	}
	for _, l := range p.Location {
		l.Mapping, l.Address = nil, 0
	}
	p.Sample, p.Mapping, p.Comments = samples, nil, nil
	p.TimeNanos, p.DurationNanos = 0, 0
	return p.Compact().Write(out)
}

// plugins are the calls of a sample from the plugin's first function on, which is one of own; what calls that is the test's.
// None: the sample is not of the plugin.
func plugins(calls []*profile.Location, own map[*profile.Function]bool) []*profile.Location {
	for i, call := range slices.Backward(calls) {
		for _, line := range call.Line {
			if own[line.Function] {
				return calls[:i+1]
			}
		}
	}
	return nil
}
