// Command examples builds the example plugins in C and Rust into a folder: `make plugins` runs it. Where a compiler is
// missing it says which, builds the rest, and succeeds.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/obsd-io/obsd/internal/guest/toolchain"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: examples FOLDER PLUGIN...")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	for _, dir := range os.Args[2:] {
		if err := build(ctx, dir, os.Args[1]); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", dir, err)
			os.Exit(1)
		}
	}
}

// build makes FOLDER/<plugin>-<language>.wasm.
func build(ctx context.Context, dir, folder string) error {
	plan, err := toolchain.Plan(ctx, dir)
	if toolchain.IsMissing(err) {
		fmt.Printf("%s: not built: %v\n", dir, err)
		return nil
	}
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "obsd-build-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	out, err := filepath.Abs(filepath.Join(folder, name(dir)))
	if err != nil {
		return err
	}
	if err := plan.Run(ctx, scratch, out); err != nil {
		return err
	}
	fmt.Printf("%s: %s\n", dir, out)
	return nil
}

// name of sdk/c/examples/accesslog is accesslog-c.wasm.
func name(dir string) string {
	return filepath.Base(dir) + "-" + filepath.Base(filepath.Dir(filepath.Dir(dir))) + ".wasm"
}
