package cache

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// GoProgram is a server that is built from its Go module, at the versions and check sums of our own go.mod and go.sum.
type GoProgram struct {
	// Name is the file, Version the version of the module, Title and Hint are for progress lines.
	Name, Version, Title, Hint string
	// Package is the main package.
	Package string
	// Tags are the build tags, comma separated.
	Tags string
	// Mod and Sum are the contents of go.mod and go.sum.
	Mod, Sum []byte
}

// Tool describes the build; the folder gets one file, named like the program.
func (g *GoProgram) Tool() *Tool {
	args := []string{"build", "-mod=readonly", "-trimpath", "-tags=" + g.Tags, "-ldflags=-s -w"}
	recipe := strings.Join(append(slices.Clone(args), g.Package, string(g.Mod), string(g.Sum)), "\n")
	return &Tool{
		Name: g.Name, Version: g.Version, Title: g.Title, Hint: g.Hint, Recipe: []byte(recipe),
		Make: func(ctx context.Context, dir string) error {
			return g.build(ctx, dir, args)
		},
	}
}

func (g *GoProgram) build(ctx context.Context, dir string, args []string) error {
	module, err := os.MkdirTemp("", "obsd-e2e-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(module) }()
	for name, content := range map[string][]byte{"go.mod": g.Mod, "go.sum": g.Sum} {
		if err := os.WriteFile(filepath.Join(module, name), content, 0o644); err != nil {
			return fmt.Errorf("write module: %w", err)
		}
	}
	return Go(ctx, module, append(args, "-o", filepath.Join(dir, g.Name), g.Package)...)
}

// Go runs the go command in a folder with a module of its own: without cgo, and without the caller's GOFLAGS and
// workspace, which are meant for obsd.
func Go(ctx context.Context, dir string, args ...string) error {
	return Run(ctx, dir, []string{"CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off"}, "go", args...)
}
