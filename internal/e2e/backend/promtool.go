package backend

import (
	"context"
	_ "embed" // the check sums
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/obsd-io/obsd/internal/e2e/cache"
)

// promtoolSum is what promtool needs beyond the server. It is apart, so that the server's recipe stays as it is.
//
//go:embed prometheus/promtool.sum
var promtoolSum []byte

// installPromtool builds it from the module of the server, whose packages are in the build cache by then.
func installPromtool(ctx context.Context, progress io.Writer) (string, error) {
	program := cache.GoProgram{
		Name: "promtool", Version: "v0.316.0", Title: "promtool", Hint: "building, about 1 min on 2 cores after Prometheus",
		Package: "github.com/prometheus/prometheus/cmd/promtool", Tags: "remove_all_sd", Mod: prometheusMod,
		Sum: slices.Concat(prometheusSum, promtoolSum),
	}
	return install(ctx, program.Tool(), progress)
}

// Promtool is the path of Prometheus's tool for checking and testing rules.
func Promtool(t testing.TB) string {
	t.Helper()
	Need(t)
	dir, err := installPromtool(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "promtool")
}
