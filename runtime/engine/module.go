package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/obsd-io/obsd/plugins/builtin"
)

const (
	builtinPrefix = "builtin:"
	digestPrefix  = "sha256:"
	// maxModule bounds a module's size in bytes.
	maxModule = 256 << 20
)

func builtinNames() string { return strings.Join(builtin.Names(), ", ") }

// module fetches the wasm binary and holds it against the digest.
func (c *Config) module() ([]byte, error) {
	b, err := c.fetch()
	if err != nil {
		return nil, fmt.Errorf("module: %w", err)
	}
	if c.Digest == "" {
		return b, nil
	}
	sum := sha256.Sum256(b)
	if got := digestPrefix + hex.EncodeToString(sum[:]); !strings.EqualFold(got, c.Digest) {
		return nil, fmt.Errorf("digest: %s is %s, the configuration wants %s: it is not the module that was meant, or it was built anew", c.Module, got, c.Digest)
	}
	return b, nil
}

func (c *Config) fetch() ([]byte, error) {
	if name, ok := strings.CutPrefix(c.Module, builtinPrefix); ok {
		return builtin.Module(name)
	}
	info, err := os.Stat(c.Module)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxModule {
		return nil, fmt.Errorf("%s: want a file of at most %d MiB", c.Module, maxModule>>20)
	}
	return os.ReadFile(c.Module)
}

// cacheDir is where compiled code is kept: below systemd's CACHE_DIRECTORY, or else below the user's cache folder.
// What lies there is run, so it must belong to this process alone. An error says why there is no such folder.
func cacheDir() (string, error) {
	base := os.Getenv("CACHE_DIRECTORY")
	if base == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		base = filepath.Join(user, "obsd")
	}
	dir := filepath.Join(base, "wasm")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return "", fmt.Errorf("%s can be written by others (mode %o): chmod 700 it", dir, info.Mode().Perm())
	}
	probe, err := os.CreateTemp(dir, "probe")
	if err != nil {
		return "", err
	}
	return dir, removeProbe(probe)
}

func removeProbe(f *os.File) error {
	if err := f.Close(); err != nil {
		return err
	}
	return os.Remove(f.Name())
}
