// Package backend gives tests real servers to talk to: Prometheus, InfluxDB and Elasticsearch, built or fetched once
// into the user's cache folder and started on loopback for one test.
//
// The environment variable E2E decides: "run" starts them (and a server that cannot be had fails the test), "skip" and
// no value skip the test. `make test` prepares all servers and sets E2E=run.
package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/obsd-io/obsd/internal/e2e/cache"
	"github.com/obsd-io/obsd/internal/e2e/process"
)

// Need skips the test unless E2E=run says that tests with real servers are wanted.
func Need(t testing.TB) {
	t.Helper()
	wanted, reason := decide(os.Getenv("E2E"))
	switch {
	case wanted:
	case reason != "":
		t.Skip(reason)
	default:
		t.Fatalf(`e2e: E2E=%q is not known: use "run" or "skip"`, os.Getenv("E2E"))
	}
}

// decide reads the value of E2E. Neither wanted nor a reason means that the value is not known.
func decide(value string) (wanted bool, reason string) {
	switch value {
	case "run":
		return true, ""
	case "skip":
		return false, "e2e: skipped, E2E=skip"
	case "":
		return false, "e2e: skipped, it needs real servers: run `make test`, or set E2E=run (the first run builds them, about 15 minutes)"
	default:
		return false, ""
	}
}

// Prepare builds or fetches every server that is not in the cache yet, with a line of progress for each. With E2E=skip
// it does nothing.
func Prepare(ctx context.Context, progress io.Writer) error {
	switch wanted, reason := decide(os.Getenv("E2E")); {
	case wanted, os.Getenv("E2E") == "":
	case reason != "":
		_, err := fmt.Fprintln(progress, "e2e: nothing prepared, E2E=skip")
		return err
	default:
		return fmt.Errorf(`e2e: E2E=%q is not known: use "run" or "skip"`, os.Getenv("E2E"))
	}
	_, errProm := installPrometheus(ctx, progress)
	_, errTool := installPromtool(ctx, progress)
	_, errInflux := installInfluxDB(ctx, progress)
	_, errES := installElasticsearch(ctx, progress)
	return errors.Join(errProm, errTool, errInflux, errES)
}

func install(ctx context.Context, tool *cache.Tool, progress io.Writer) (string, error) {
	root, err := cache.Root()
	if err != nil {
		return "", err
	}
	return tool.Install(ctx, root, progress)
}

// readyTimeout is how long a server may take until it serves; the slowest (Elasticsearch after a crash) takes 10 s on
// a busy machine.
const readyTimeout = 3 * time.Minute

// stopGrace is how long a server may take to end after SIGTERM.
const stopGrace = 2 * time.Minute

// stopAfter stops the server when the test ends, and shows what it logged if the test failed.
func stopAfter(t testing.TB, name string, current func() *process.Process) {
	t.Cleanup(func() {
		p := current()
		if p == nil {
			return
		}
		if err := p.Stop(stopGrace); err != nil {
			t.Errorf("e2e: stop %s: %v", name, err)
		}
		if t.Failed() {
			t.Logf("e2e: end of the log of %s:\n%s", name, p.Tail(40))
		}
	})
}
