// Command obsd tails logs, reads metrics, takes OTLP, runs WebAssembly plugins over every record, and writes to
// Elasticsearch, InfluxDB and Prometheus. It is an OpenTelemetry Collector: its configuration is the Collector's.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/obsd-io/obsd/cmd/obsd/internal/config"
)

// version is set by the Makefile; a plain `go install` takes it from the module instead.
var version string //nolint:gochecknoglobals // the linker's -X needs a variable

// gcPercent is how much garbage may gather, in percent of what is live. The pipelines make much and keep little:
// against Go's default of 100 it saves a tenth of the CPU for some 20 MB (see RATIONALE.md).
const gcPercent = 200

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := newCommand(stdout, stderr) //nolint:contextcheck // the commands get it from ExecuteContext
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	if err := cmd.ExecuteContext(ctx); err != nil {
		explain(stderr, err)
		return 1
	}
	return 0
}

// explain writes an error as a user should see it: the problems of a configuration one a line, anything else in one sentence.
func explain(w io.Writer, err error) {
	text := strings.TrimPrefix(config.Reason(err), "obsd: ")
	if problems, ok := errors.AsType[config.Problems](err); ok {
		text = fmt.Sprintf("the configuration has %d problems:\n%s", len(problems), problems)
		if len(problems) == 1 {
			text = "the configuration has a problem:\n" + problems.Error()
		}
	}
	say(w, "obsd: "+text)
}

// say writes a line for the user, whose closed terminal is no reason to end.
func say(w io.Writer, line string) { _, _ = fmt.Fprintln(w, line) }

// buildVersion is what `obsd --version` prints.
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
