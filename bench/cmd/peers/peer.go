package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/obsd-io/obsd/internal/e2e/cache"
)

// buildPeer returns the peer's binary, built from its own module once and kept in the user's cache folder.
func buildPeer(ctx context.Context, source string) (string, error) {
	var recipe []byte
	for _, name := range []string{"go.mod", "go.sum", "main.go"} {
		b, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return "", fmt.Errorf("-peer: %w: run this in the root of the checkout", err)
		}
		recipe = append(recipe, b...)
	}
	tool := &cache.Tool{
		Name: "peer", Version: "v0.139.0", Title: "peer Collector", Hint: "building, about 6 min on 2 cores", Recipe: recipe,
		Make: func(ctx context.Context, dir string) error {
			return cache.Go(ctx, source, "build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "peer"), ".")
		},
	}
	root, err := cache.Root()
	if err != nil {
		return "", err
	}
	dir, err := tool.Install(ctx, root, os.Stderr)
	return filepath.Join(dir, "peer"), err
}
