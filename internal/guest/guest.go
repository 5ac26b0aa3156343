// Package guest builds plugins for tests, in Go, C and Rust, the way `make plugins` does.
package guest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/obsd-io/obsd/internal/guest/toolchain"
)

// builds has the build of each folder in this process.
var builds sync.Map // absolute path of a folder → func() (string, error)

// Build builds the plugin whose source lies in dir, which may be relative to the test's folder, and returns the path of
// its module, which lies in the user's cache folder. One test process builds a plugin once; one in C or Rust stays for
// the next process, until its source or compiler changes.
//
// Without a compiler for C or Rust the test is skipped. Where CI is root, and so could have installed one, it fails.
func Build(t testing.TB, dir string) string {
	t.Helper()
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	once, _ := builds.LoadOrStore(dir, sync.OnceValues(func() (string, error) { return build(t, dir) }))
	path, err := once.(func() (string, error))()
	switch {
	case err == nil:
	case toolchain.IsMissing(err) && (os.Getenv("CI") != "true" || os.Geteuid() != 0 || os.Getenv("E2E") == "skip"):
		t.Skipf("guest: %v", err)
	default:
		t.Fatalf("guest: build %s: %v", dir, err)
	}
	return path
}

func build(t testing.TB, dir string) (string, error) {
	plan, err := toolchain.Plan(t.Context(), dir)
	if err != nil {
		return "", err
	}
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	base = filepath.Join(base, "obsd", "test-guests")
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", err
	}
	key, err := key(plan, dir)
	if err != nil {
		return "", err
	}
	path := filepath.Join(base, filepath.Base(dir)+"-"+key+".wasm")
	if _, err := os.Stat(path); err == nil && len(plan.Sources) > 0 {
		return path, nil
	}
	// Another process may be at the same plugin: each builds into a folder of its own, and the last rename stays.
	scratch, err := os.MkdirTemp(base, "build") //nolint:usetesting // it must lie on the cache's file system, for the rename
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	built := filepath.Join(scratch, "guest.wasm")
	if err := plan.Run(t.Context(), scratch, built); err != nil {
		return "", err
	}
	return path, os.Rename(built, path)
}

// key tells builds apart: folders, of other checkouts too, and what the module is made of. The sources of a Go plugin are
// not known here; it is built each time, and Go's own cache makes that cheap.
func key(plan *toolchain.Build, dir string) (string, error) {
	sum := sha256.New()
	_, _ = fmt.Fprintln(sum, dir, plan.Version)
	for _, source := range plan.Sources {
		content, err := os.ReadFile(source)
		if err != nil {
			return "", err
		}
		_, _ = fmt.Fprintln(sum, source, len(content))
		_, _ = sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6]), nil
}
