package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/e2e/daemon"
	"github.com/obsd-io/obsd/internal/guest"
)

// TestExample runs, as both READMEs say: obsd --config examples/first-plugin/obsd.yaml
func TestExample(t *testing.T) {
	binary, err := daemon.Binary(t.Context(), t.TempDir())
	require.NoError(t, err)
	checkout := t.TempDir()
	copyFile(t, guest.Build(t, "."), filepath.Join(checkout, "first.wasm"))
	for _, name := range []string{"app.log", "obsd.yaml"} {
		copyFile(t, name, filepath.Join(checkout, "examples", "first-plugin", name))
	}
	want := block(t, "README.md", "```text\n")
	require.Contains(t, read(t, "../../README.md"), want, "the README of the checkout shows other output")

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "--config", "examples/first-plugin/obsd.yaml")
	cmd.Dir = checkout
	cmd.Env = append(os.Environ(), "CACHE_DIRECTORY="+t.TempDir())
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var got bytes.Buffer
	for !strings.Contains(lines(got.String()), want) {
		chunk := make([]byte, 4096)
		n, err := stdout.Read(chunk)
		got.Write(chunk[:n])
		require.NoError(t, err, "obsd wrote\n%s\nwant\n%s", got.String(), want)
	}
	require.NotContains(t, got.String(), "healthz")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
}

// TestReadme holds the plugin in the README of the checkout to the one that is built here.
func TestReadme(t *testing.T) {
	_, source, _ := strings.Cut(read(t, "main.go"), "\n") // without the doc comment
	require.Equal(t, source, block(t, "../../README.md", "```go\n"))
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(b)
}

// block is what stands in the first fence that opens so.
func block(t *testing.T, name, fence string) string {
	t.Helper()
	_, rest, found := strings.Cut(read(t, name), fence)
	require.True(t, found)
	text, _, found := strings.Cut(rest, "```")
	require.True(t, found)
	return text
}

// lines is a text without the spaces that end its lines.
func lines(s string) string {
	return strings.ReplaceAll(s, " \n", "\n")
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
	require.NoError(t, os.WriteFile(to, []byte(read(t, from)), 0o600))
}
