// Package ocb builds a Collector with the OpenTelemetry Collector Builder from the manifest that runtime/README.md shows:
// anyone's own Collector, with the component wasm in it.
package ocb

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/obsd-io/obsd/internal/e2e/cache"
)

// version is that of the builder, and of the Collector's core in the manifest.
const version = "v0.165.0"

// flags are those of the Makefile, so that a package which both builds need is compiled once.
var flags = []string{"CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-trimpath -buildvcs=false -tags=remove_all_sd,enable_kubernetes_sd,enable_dns_sd"}

// InstallBuilder returns the builder's binary, and builds it first if it is not there.
func InstallBuilder(ctx context.Context, progress io.Writer) (string, error) {
	tool := &cache.Tool{
		Name: "ocb", Version: version, Title: "the Collector's builder", Hint: "building", Recipe: []byte(strings.Join(flags, "\n")),
		Make: func(ctx context.Context, dir string) error {
			return cache.Run(ctx, dir, append(flags, "GOBIN="+dir), "go", "install", "-ldflags=-s -w", "go.opentelemetry.io/collector/cmd/builder@"+version)
		},
	}
	root, err := cache.Root()
	if err != nil {
		return "", err
	}
	dir, err := tool.Install(ctx, root, progress)
	return filepath.Join(dir, "builder"), err
}

// Build has the builder make the manifest's Collector in a folder, and returns its binary's path.
func Build(ctx context.Context, builder, dir string) (string, error) {
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("ocb: find the checkout: %w", err)
	}
	text, err := manifest(filepath.Dir(strings.TrimSpace(string(mod))))
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "manifest.yaml"), []byte(text), 0o600); err != nil {
		return "", err
	}
	return filepath.Join(dir, "collector", "collector"), cache.Run(ctx, dir, flags, builder, "--config=manifest.yaml")
}

// manifest is the README's, with this checkout in place of the released module.
func manifest(checkout string) (string, error) {
	readme, err := os.ReadFile(filepath.Join(checkout, "runtime", "README.md"))
	if err != nil {
		return "", fmt.Errorf("ocb: %w", err)
	}
	_, rest, found := strings.Cut(string(readme), "```text\ndist:\n")
	text, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		return "", fmt.Errorf("ocb: runtime/README.md has no manifest")
	}
	released := regexp.MustCompile(`github\.com/obsd-io/obsd v\S+`)
	text = released.ReplaceAllString("dist:\n"+text, "github.com/obsd-io/obsd v0.0.0")
	return text + "replaces:\n  - github.com/obsd-io/obsd => " + checkout + "\n", nil
}
