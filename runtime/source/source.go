// Package source says where a plugin's module comes from and whether it may be trusted: built in, a file, an https://
// address or an OCI registry. What it returns has passed the digest and the signature that the configuration asks for,
// so nothing else reaches the compiler or a cache.
//
//	network → size bound → wasm's first bytes → digest → signature → module cache → Module
//	             module cache ────────────────→ digest → signature ───────────────→ Module
package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/obsd-io/obsd/plugins/builtin"
)

const (
	builtinPrefix = "builtin:"
	httpsPrefix   = "https://"
	ociPrefix     = "oci://"
	digestPrefix  = "sha256:"
	// maxModule bounds a module's size in bytes, maxSignature that of a signature, key or bundle.
	maxModule    = 256 << 20
	maxSignature = 64 << 10
)

// Settings say which module is meant and what makes it the right one. Validate tells whether they are sound.
type Settings struct {
	// Module is builtin:<name>, a path, https://… or oci://registry/repository:tag (or @sha256:… of the manifest).
	Module string
	// Digest, sha256:<64 hex digits> of the module's bytes, refuses any other; "" takes what comes.
	Digest string
	// Verify asks for a signature.
	Verify Verify
	// Remote says how https:// and oci:// are reached.
	Remote Remote
	// CacheDir keeps fetched modules between starts; "" keeps none. What lies there is run, so it must be writable by the
	// daemon's user alone.
	CacheDir string
}

// Verify asks for a signature by one of several keys.
type Verify struct {
	// Keys are files with public keys, one of which must have signed the module: PEM as `cosign generate-key-pair` and
	// `openssl pkey -pubout` write it (ed25519, or ECDSA on P-256), or the 32 bytes of an ed25519 key in base64.
	Keys []string `mapstructure:"keys"`
	// Signature is where the signature of the module's bytes lies, a path or https://…: raw or in base64, or a bundle of
	// `cosign sign-blob`. Default: the module's place and .sig; for oci://, what `cosign sign` left in the registry.
	Signature string `mapstructure:"signature"`
}

// Remote says how https:// and oci:// modules are fetched.
type Remote struct {
	// Timeout bounds one fetch with all its requests. Default 1m.
	Timeout time.Duration `mapstructure:"timeout"`
	// CAFile, a PEM file, names authorities to trust besides the system's.
	CAFile string `mapstructure:"ca_file"`
	// TokenFile holds a bearer token for the https:// server of the module. It is read anew for each fetch.
	TokenFile string `mapstructure:"token_file"`
	// DockerConfig is the file that `docker login` or `oras login` wrote, with the credentials for the oci:// registry.
	// Default: $DOCKER_CONFIG/config.json, or else ~/.docker/config.json.
	DockerConfig string `mapstructure:"docker_config"`
	// PlainHTTP talks to the oci:// registry without TLS: on this host, or with a digest or a key that whatever comes is
	// held against.
	PlainHTTP bool `mapstructure:"plain_http"`
}

// Module is a module that may be used.
type Module struct {
	// Bytes are the caller's.
	Bytes []byte
	// Digest is sha256:… of Bytes.
	Digest string
	// Origin is for people: builtin:<name>, the path, the address, or oci://…@sha256:… with the manifest's digest.
	Origin string
	// SignedBy is the file of the key that signed it; "" if no key was asked for.
	SignedBy string
	// FromCache says that Bytes were not transferred: the source has not changed, is pinned, or is out of reach.
	FromCache bool
	// Warning is what the operator should know although there is a module: the source is out of reach, or the cache
	// cannot be written. nil if all is well.
	Warning error

	state version
}

// Source is one place that modules come from. It remembers what it returned last, so it is not safe for concurrent use.
type Source struct {
	settings Settings
	last     *version
}

// New returns the source of sound settings. It does no I/O.
func New(s Settings) *Source { return &Source{settings: s} }

// Fetch returns the module, if need be from the cache: with no look at the network if the configuration pins what lies
// there, and with a warning if the source is out of reach. A definite answer (not found, refused, not signed) is an
// error, whatever lies in the cache. Keys, tokens and authorities are read anew each time.
//
// # Errors
//
// Each begins with the key of the configuration that is at fault, as in "digest: …".
func (s *Source) Fetch(ctx context.Context) (*Module, error) {
	f, err := newFetcher(&s.settings)
	if err != nil {
		return nil, err
	}
	defer f.close()
	m, err := f.first(ctx)
	if err != nil {
		return nil, err
	}
	s.last = &m.state
	return m, nil
}

// Poll asks the source for a module that differs from what Fetch or Poll returned last; nil if there is none. It costs
// a file's reading, or one request that the server answers with an ETag or a manifest's digest. It does not fall back on
// the cache, since the caller has the module that lies there. Before Fetch it is as Fetch.
func (s *Source) Poll(ctx context.Context) (*Module, error) {
	if s.last == nil {
		return s.Fetch(ctx)
	}
	if s.settings.remote() && s.settings.pinned() {
		return nil, nil
	}
	f, err := newFetcher(&s.settings)
	if err != nil {
		return nil, err
	}
	defer f.close()
	m, err := f.next(ctx, s.last)
	if err != nil || m == nil {
		return nil, err
	}
	same := m.Digest == s.last.Digest
	s.last = &m.state
	if same {
		return nil, nil
	}
	return m, nil
}

// Files are the files whose change is worth a Poll, for a module that is a file: it and its signature. A writer should
// put the signature there first. nil for other sources.
func (s *Settings) Files() []string {
	if s.remote() || strings.HasPrefix(s.Module, builtinPrefix) {
		return nil
	}
	if at := s.signature(); at != "" && !strings.HasPrefix(at, httpsPrefix) {
		return []string{s.Module, at}
	}
	return []string{s.Module}
}

// Polled reports whether the source is one that may change and can only be asked: https://, or a tag of oci://,
// without a digest.
func (s *Settings) Polled() bool { return s.remote() && !s.pinned() }

// remote reports whether the module comes over the network.
func (s *Settings) remote() bool {
	return strings.HasPrefix(s.Module, httpsPrefix) || strings.HasPrefix(s.Module, ociPrefix)
}

// pinned reports whether the configuration allows one state of the source only.
func (s *Settings) pinned() bool {
	return s.Digest != "" || strings.HasPrefix(s.Module, ociPrefix) && strings.Contains(s.Module, "@")
}

// signature is where a detached signature lies; "" if none is asked for, or the registry has it.
func (s *Settings) signature() string {
	if len(s.Verify.Keys) == 0 || s.Verify.Signature != "" || strings.HasPrefix(s.Module, ociPrefix) {
		return s.Verify.Signature
	}
	return s.Module + ".sig"
}

// local reads a module that is built in or a file.
func (s *Settings) local() ([]byte, error) {
	if name, ok := strings.CutPrefix(s.Module, builtinPrefix); ok {
		return builtin.Module(name)
	}
	return readFile(s.Module, maxModule)
}

// readFile reads a regular file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("%s: want a file of at most %s", path, size(limit))
	}
	return readAll(f, limit)
}

// readAll reads what may be at most limit bytes, though it may have said less before.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("more than %s", size(limit))
	}
	return b, nil
}

func size(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return digestPrefix + hex.EncodeToString(sum[:])
}

// isDigest accepts capital letters too, as a configuration may have them.
func isDigest(s string) bool {
	sum, ok := strings.CutPrefix(s, digestPrefix)
	b, err := hex.DecodeString(sum)
	return ok && err == nil && len(b) == sha256.Size
}

var wasmMagic = []byte("\x00asm")

// checkMagic tells a server's greeting page from a module, before it is kept.
func checkMagic(b []byte) error {
	switch {
	case len(b) == 0:
		return errors.New("what came is empty")
	case !bytes.HasPrefix(b, wasmMagic):
		return fmt.Errorf("what came is no WebAssembly module: it begins with %q", b[:min(len(b), 16)])
	}
	return nil
}
