// Package cache keeps what is slow to make (servers built from source, folders of jars, a peer to measure against) in
// the user's cache folder, one folder for each, named by a hash of all that decides what comes out. A folder may be
// deleted at any time: it is made again when it is needed.
package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Tool is something that is made once and kept.
type Tool struct {
	// Name and Version begin the folder's name: "prometheus", "v0.316.0".
	Name, Version string
	// Title is the name in progress lines: "Prometheus".
	Title string
	// Hint says how and for how long it is made: "building, about 3 min".
	Hint string
	// Recipe is all that decides what comes out; a change makes a new folder.
	Recipe []byte
	// Check runs before Make, outside any folder; nil means nothing to check.
	Check func(ctx context.Context, progress io.Writer) error
	// Make fills an empty folder.
	Make func(ctx context.Context, dir string) error
	// Finish runs on each Install, when the folder has its final name; nil means nothing to do.
	Finish func(ctx context.Context, dir string) error
}

// Root is the folder that holds all tools: ~/.cache/obsd on Linux.
func Root() (string, error) {
	user, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cache: %w", err)
	}
	return filepath.Join(user, "obsd"), nil
}

// Install returns the folder of the tool under root, and makes it first if it is not there, with a line of progress.
// Several processes may call it at the same time: one makes the folder, the others wait for it.
func (tl *Tool) Install(ctx context.Context, root string, progress io.Writer) (string, error) {
	dir := filepath.Join(root, tl.folder())
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", fmt.Errorf("e2e: install %s: %w", tl.Title, err)
	}
	unlock, err := lock(dir+".lock", func() {
		_, _ = fmt.Fprintf(progress, "e2e: waiting for another process that prepares %s %s ...\n", tl.Title, tl.Version)
	})
	if err != nil {
		return "", fmt.Errorf("e2e: install %s: %w", tl.Title, err)
	}
	defer unlock()

	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		err = tl.makeFolder(ctx, dir, progress)
		if err != nil {
			return "", fmt.Errorf("e2e: install %s %s: %w", tl.Title, tl.Version, err)
		}
	} else if err != nil {
		return "", fmt.Errorf("e2e: install %s: %w", tl.Title, err)
	}
	if tl.Finish == nil {
		return dir, nil
	}
	if err := tl.Finish(ctx, dir); err != nil {
		return "", fmt.Errorf("e2e: install %s %s: %w", tl.Title, tl.Version, err)
	}
	return dir, nil
}

// makeFolder makes the tool under another name and renames it at the end, so that a folder is whole or absent.
func (tl *Tool) makeFolder(ctx context.Context, dir string, progress io.Writer) error {
	if tl.Check != nil {
		if err := tl.Check(ctx, progress); err != nil {
			return err
		}
	}
	start := time.Now()
	_, _ = fmt.Fprintf(progress, "e2e: %s %s, once: %s ...\n", tl.Title, tl.Version, tl.Hint)
	tmp := dir + ".new" // left by a killed process, perhaps; the lock makes it ours
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return err
	}
	if err := tl.Make(ctx, tmp); err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	if err := os.Rename(tmp, dir); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(progress, "e2e: %s %s is ready after %v: %s\n", tl.Title, tl.Version, time.Since(start).Round(time.Second), dir)
	return nil
}

// folder is NAME-VERSION-KEY.
func (tl *Tool) folder() string {
	sum := sha256.Sum256(append([]byte(runtime.GOOS+"/"+runtime.GOARCH+"\n"), tl.Recipe...))
	return fmt.Sprintf("%s-%s-%s", tl.Name, tl.Version, hex.EncodeToString(sum[:6]))
}

// lock takes an exclusive lock on a file. If another process holds it, waiting is called once before the wait.
func lock(path string, waiting func()) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	fd := int(f.Fd())
	err = syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		waiting()
		err = syscall.Flock(fd, syscall.LOCK_EX)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return func() { _ = f.Close() }, nil // closing releases the lock
}

// Run executes a program and returns the end of what it said as part of the error.
func Run(ctx context.Context, dir string, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("%s %s: %w:\n%s", name, args[0], err, strings.Join(lines[max(0, len(lines)-20):], "\n"))
	}
	return nil
}
