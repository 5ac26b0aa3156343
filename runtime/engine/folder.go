package engine

import (
	"fmt"
	"os"
	"path/filepath"
)

// cacheFolder is a folder below systemd's CACHE_DIRECTORY, or else below the user's cache folder: wasm for compiled code,
// modules for what was fetched. What lies there is run, so it must belong to this process alone. An error says why there
// is no such folder.
func cacheFolder(name string) (string, error) {
	base := os.Getenv("CACHE_DIRECTORY")
	if base == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		base = filepath.Join(user, "obsd")
	}
	dir := filepath.Join(base, name)
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
