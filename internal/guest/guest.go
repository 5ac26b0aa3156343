// Package guest builds Go plugins for tests, the way `make plugins` does.
package guest

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// builds has the build of each folder in this process.
var builds sync.Map // absolute path of a folder → func() (string, error)

// Build builds the plugin whose package lies in dir, which may be relative to the test's folder, and returns the path
// of its module. One test process builds a plugin once; the file stays in the user's cache folder, and the next process
// replaces it.
func Build(t testing.TB, dir string) string {
	t.Helper()
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	once, _ := builds.LoadOrStore(dir, sync.OnceValues(func() (string, error) { return build(dir) }))
	path, err := once.(func() (string, error))()
	if err != nil {
		t.Fatalf("guest: build %s: %v", dir, err)
	}
	return path
}

// buildError is a build that failed.
type buildError struct {
	err    error
	output []byte
}

func (e *buildError) Error() string { return e.err.Error() + "\n" + string(e.output) }
func (e *buildError) Unwrap() error { return e.err }

func build(dir string) (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	base = filepath.Join(base, "obsd", "test-guests")
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", err
	}
	// Another process may be at the same plugin: each builds into a folder of its own, and the last rename stays.
	scratch, err := os.MkdirTemp(base, "build")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	built := filepath.Join(scratch, "guest.wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-buildmode=c-shared", "-o", built, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", &buildError{err, output}
	}
	sum := sha256.Sum256([]byte(dir)) // folders of other checkouts have the same name
	path := filepath.Join(base, filepath.Base(dir)+"-"+hex.EncodeToString(sum[:4])+".wasm")
	return path, os.Rename(built, path)
}
