package source

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// maxVersions is how many modules of one source are kept.
const maxVersions = 3

// cache is the part of the folder that belongs to one source. There are
//
//	sha256-<digest>.wasm      a module, the same for all sources
//	source-<hash>.json        the states of one source, newest first
//
// Files come under their names whole, or not at all. What is read is checked, and what does not pass counts as absent,
// so that daemons may share the folder: at worst one fetches again what another removed.
type cache struct {
	dir    string // "" keeps nothing
	source string
}

// versionFile is the content of source-<hash>.json.
type versionFile struct {
	Source   string    `json:"source"`
	Versions []version `json:"versions"`
}

func (c *cache) listPath() string {
	sum := sha256.Sum256([]byte(c.source))
	return filepath.Join(c.dir, "source-"+hex.EncodeToString(sum[:16])+".json")
}

func (c *cache) modulePath(digest string) string {
	return filepath.Join(c.dir, strings.Replace(digest, ":", "-", 1)+".wasm")
}

// versions are the states that were kept, newest first.
func (c *cache) versions() []version {
	if c.dir == "" {
		return nil
	}
	b, err := readFile(c.listPath(), maxVersions*2*maxManifest)
	if err != nil {
		return nil
	}
	list, err := parseVersions(b)
	if err != nil || list.Source != c.source {
		return nil
	}
	return list.Versions
}

func parseVersions(b []byte) (*versionFile, error) {
	var list versionFile
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, err
	}
	if len(list.Versions) > maxVersions {
		return nil, fmt.Errorf("%d versions: want at most %d", len(list.Versions), maxVersions)
	}
	for _, v := range list.Versions {
		if !isDigest(v.Digest) || v.Digest != strings.ToLower(v.Digest) {
			return nil, fmt.Errorf("digest %q: want sha256: and 64 hex digits", v.Digest)
		}
	}
	return &list, nil
}

// module returns a module, or nil if it is not there whole.
func (c *cache) module(want string) []byte {
	if c.dir == "" {
		return nil
	}
	b, err := readFile(c.modulePath(want), maxModule)
	if err != nil || digest(b) != want {
		return nil
	}
	return b
}

// put keeps a module as the newest of its source, and removes what that makes superfluous.
func (c *cache) put(m *Module) error {
	if c.dir == "" {
		return nil
	}
	versions := slices.DeleteFunc(c.versions(), func(v version) bool { return v.Digest == m.Digest })
	versions = slices.Insert(versions, 0, m.state)
	versions = versions[:min(len(versions), maxVersions)]
	list, err := json.Marshal(versionFile{Source: c.source, Versions: versions})
	if err == nil && c.module(m.Digest) == nil {
		err = c.write(c.modulePath(m.Digest), m.Bytes)
	}
	if err == nil {
		err = c.write(c.listPath(), list)
	}
	if err == nil {
		err = c.prune()
	}
	if err != nil {
		return fmt.Errorf("module cache: %w", err)
	}
	return nil
}

const newPrefix = "new-"

func (c *cache) write(path string, b []byte) error {
	f, err := os.CreateTemp(c.dir, newPrefix)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// prune removes modules that no source lists, and what a killed process left half written. It spares what is younger
// than an hour: another process may be about to list it.
func (c *cache) prune() error {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	listed := map[string]bool{}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "source-") {
			continue
		}
		b, err := readFile(filepath.Join(c.dir, e.Name()), maxVersions*2*maxManifest)
		if err != nil {
			return err
		}
		if list, err := parseVersions(b); err == nil {
			for _, v := range list.Versions {
				listed[filepath.Base(c.modulePath(v.Digest))] = true
			}
		}
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, newPrefix) && (!strings.HasSuffix(name, ".wasm") || listed[name]) {
			continue
		}
		if info, err := e.Info(); err != nil || time.Since(info.ModTime()) < time.Hour {
			continue
		}
		if err := os.Remove(filepath.Join(c.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
