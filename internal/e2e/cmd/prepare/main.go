// Command prepare builds or fetches the real servers that the tests of internal/e2e use, a one-node Kubernetes and the
// Collector's builder, once, into the user's cache folder, and sees to the compilers for plugins in C and Rust. `make test`
// runs it before the tests, so that a test never spends minutes on a build.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/obsd-io/obsd/internal/e2e/backend"
	"github.com/obsd-io/obsd/internal/e2e/kubernetes"
	"github.com/obsd-io/obsd/internal/e2e/ocb"
	"github.com/obsd-io/obsd/internal/guest/toolchain"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := errors.Join(backend.Prepare(ctx, os.Stderr), prepareCompilers(ctx), prepareBuilder(ctx), prepareKubernetes(ctx)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// prepareCompilers only tells of compilers that are not there and cannot be installed: tests that need them say so again.
func prepareCompilers(ctx context.Context) error {
	if os.Getenv("E2E") == "skip" {
		return nil
	}
	err := toolchain.Install(ctx, os.Stderr)
	if toolchain.IsMissing(err) {
		_, err = fmt.Fprintf(os.Stderr, "plugins in C or Rust are not tested: %v\n", err)
	}
	return err
}

func prepareBuilder(ctx context.Context) error {
	if os.Getenv("E2E") == "skip" {
		return nil
	}
	_, err := ocb.InstallBuilder(ctx, os.Stderr)
	return err
}

func prepareKubernetes(ctx context.Context) error {
	if os.Getenv("E2E") == "skip" {
		return nil
	}
	return kubernetes.Prepare(ctx, os.Stderr)
}
