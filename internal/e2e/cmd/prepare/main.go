// Command prepare builds or fetches the real servers that the tests of internal/e2e use, once, into the user's cache
// folder. `make test` runs it before the tests, so that a test never spends minutes on a build.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/obsd-io/obsd/internal/e2e/backend"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := backend.Prepare(ctx, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
