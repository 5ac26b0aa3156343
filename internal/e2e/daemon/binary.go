package daemon

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// buildTags are those of the Makefile: service discovery of Kubernetes, DNS, files and HTTP only.
const buildTags = "-tags=remove_all_sd,enable_kubernetes_sd,enable_dns_sd"

// Binary returns the obsd to test: the one that the environment variable OBSD_BIN names (`make test` sets it), or else
// one built from this checkout into the given folder.
func Binary(ctx context.Context, dir string) (string, error) {
	if bin := os.Getenv("OBSD_BIN"); bin != "" {
		abs, err := filepath.Abs(bin)
		if err != nil {
			return "", fmt.Errorf("daemon: OBSD_BIN: %w", err)
		}
		if _, err := os.Stat(abs); err != nil {
			return "", fmt.Errorf("daemon: OBSD_BIN: %w: run `make build`", err)
		}
		return abs, nil
	}
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("daemon: find the checkout: %w", err)
	}
	bin := filepath.Join(dir, "obsd")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", buildTags, "-ldflags=-s -w", "-o", bin, "./cmd/obsd")
	cmd.Dir = filepath.Dir(strings.TrimSpace(string(mod)))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("daemon: build obsd: %w:\n%s", err, out)
	}
	return bin, nil
}
