package host_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/wasmtest"
	"github.com/obsd-io/obsd/runtime/host"
)

// files has the content of each file below a folder, and its mode.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		out[path] = string(b)
		return err
	}))
	return out
}

// Compiled code and the rewritten module are kept between loads; damage to the latter is mended.
func TestCache(t *testing.T) {
	s := settings(wasmtest.Plugin{})
	s.CacheDir = t.TempDir()
	load(t, s)
	before := files(t, s.CacheDir)
	require.Len(t, before, 2)
	load(t, s)
	require.Equal(t, before, files(t, s.CacheDir))
	for path, text := range before {
		if filepath.Ext(path) == ".wasm" {
			for _, bad := range []string{"", text[:len(text)-1], text[:len(text)-1] + "x", "x" + text[1:]} {
				require.NoError(t, os.WriteFile(path, []byte(bad), 0o600))
				load(t, s)
				require.Equal(t, before, files(t, s.CacheDir))
			}
		}
	}
	other := settings(wasmtest.Plugin{Process: wasmtest.Unreachable()})
	other.CacheDir = s.CacheDir
	load(t, other)
	require.Len(t, files(t, s.CacheDir), 4)
}

// A cache folder that cannot be used refuses the load.
func TestCacheRefused(t *testing.T) {
	s := settings(wasmtest.Plugin{})
	s.CacheDir = filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(s.CacheDir, nil, 0o600))
	_, err := host.Load(t.Context(), s)
	require.EqualError(t, err, `plugin "wasm/x": load: compile cache: `+s.CacheDir+" is not dir")
	var failure *host.Error
	require.True(t, errors.As(err, &failure))
}

// The digest is the module's as it came, or what the caller says that it is.
func TestDigest(t *testing.T) {
	s := settings(wasmtest.Plugin{})
	require.Regexp(t, "^sha256:[0-9a-f]{64}$", load(t, s).Digest())
	s.Digest = "sha256:cafe"
	require.Equal(t, "sha256:cafe", load(t, s).Digest())
}
