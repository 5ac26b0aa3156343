package source

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// version is one state of a source: all that it takes to find it unchanged, and to trust it again without the network.
type version struct {
	// Digest is the module's.
	Digest string `json:"digest"`
	// ETag is what an https:// server called it.
	ETag string `json:"etag,omitempty"`
	// Manifest is the OCI manifest, byte for byte; its own digest is what a tag points to.
	Manifest []byte `json:"manifest,omitempty"`
	// Proof is the signature that was found good; nil if none was asked for.
	Proof *proof `json:"proof,omitempty"`
}

// place is a server that has modules.
type place interface {
	// fetch returns the module and its state but for the proof; or nil, nil if the state is still last, which may be nil.
	fetch(ctx context.Context, last *version) ([]byte, *version, error)
	// wants reports whether the configuration allows a state that was kept.
	wants(v *version) bool
	// proofs are the ways to find signatures of a module, to be tried in turn; each gives a few candidates.
	proofs(v *version) []findProofs
	// origin names a state for people.
	origin(v *version) string
}

// findProofs gives candidates. Its error says why there is none.
type findProofs func(ctx context.Context) ([]proof, error)

// fetcher is what one Fetch or Poll works with.
type fetcher struct {
	*Settings
	keys   []key
	client *client // nil if there is nothing to ask
	place  place   // nil for what is local
	cache  cache
}

func newFetcher(s *Settings) (*fetcher, error) {
	f := &fetcher{Settings: s, cache: cache{dir: s.CacheDir, source: s.Module}}
	var err error
	f.keys, err = readKeys(s.Verify.Keys)
	if err != nil {
		return nil, fmt.Errorf("verify::keys: %w", err)
	}
	if !s.remote() && !strings.HasPrefix(s.signature(), httpsPrefix) {
		return f, nil
	}
	f.client, err = newClient(s)
	if err != nil {
		return nil, fmt.Errorf("remote::%w", err)
	}
	switch {
	case strings.HasPrefix(s.Module, httpsPrefix):
		f.place = &web{client: f.client, settings: s}
	case strings.HasPrefix(s.Module, ociPrefix):
		f.place, err = newOCI(s, f.client)
	}
	return f, err
}

func (f *fetcher) close() {
	if f.client != nil {
		f.client.http.CloseIdleConnections()
	}
}

// first fetches for a start.
func (f *fetcher) first(ctx context.Context) (*Module, error) {
	if f.place == nil {
		return f.next(ctx, nil)
	}
	kept := f.kept()
	if kept != nil && f.pinned() {
		return kept, nil
	}
	var last *version
	if kept != nil {
		last = &kept.state
	}
	m, err := f.next(ctx, last)
	switch {
	case err == nil && m == nil:
		return kept, nil
	case err != nil && kept != nil && Unreachable(err) && ctx.Err() == nil:
		kept.Warning = fmt.Errorf("%w; the module that was fetched before is used, %s", err, kept.Digest)
		return kept, nil
	}
	return m, err
}

// kept is the newest module in the cache that passes today's checks; nil if there is none.
func (f *fetcher) kept() *Module {
	versions := f.cache.versions()
	if f.Digest != "" && len(f.keys) == 0 {
		// Another source may have brought it: the digest is all that counts.
		versions = append(versions, version{Digest: strings.ToLower(f.Digest)})
	}
	for _, v := range versions {
		if !f.place.wants(&v) {
			continue
		}
		b := f.cache.module(v.Digest)
		if b == nil {
			continue
		}
		m := f.module(b, v)
		if err := f.checkDigest(m); err != nil {
			continue
		}
		if err := f.checkProof(m, v.Proof); err != nil {
			continue
		}
		m.FromCache = true
		return m
	}
	return nil
}

func (f *fetcher) module(b []byte, v version) *Module {
	m := &Module{Bytes: b, Digest: v.Digest, Origin: f.Module, state: v}
	if f.place != nil {
		m.Origin = f.place.origin(&v)
	}
	return m
}

// next returns what the source has now, if that is not last; it is checked and kept.
func (f *fetcher) next(ctx context.Context, last *version) (*Module, error) {
	if f.client != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, f.Remote.Timeout, timedOut(f.Remote.Timeout))
		defer cancel()
	}
	b, v, err := f.read(ctx, last)
	if err != nil || b == nil {
		return nil, err
	}
	v.Digest = digest(b)
	m := f.module(b, *v)
	if err := f.checkDigest(m); err != nil {
		return nil, err
	}
	if err := f.prove(ctx, m); err != nil {
		return nil, fmt.Errorf("verify: %s: %w", m.Origin, err)
	}
	if f.place != nil {
		m.Warning = f.cache.put(m)
	}
	return m, nil
}

func (f *fetcher) read(ctx context.Context, last *version) ([]byte, *version, error) {
	if f.place == nil {
		b, err := f.local()
		if err != nil {
			return nil, nil, fmt.Errorf("module: %w", err)
		}
		return b, &version{}, nil
	}
	b, v, err := f.place.fetch(ctx, last)
	if err == nil && v != nil {
		err = checkMagic(b)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("module: %s: %w", f.Module, err)
	}
	return b, v, nil
}

func (f *fetcher) checkDigest(m *Module) error {
	if f.Digest == "" || strings.EqualFold(m.Digest, f.Digest) {
		return nil
	}
	return fmt.Errorf("digest: %s is %s, the configuration wants %s: it is not the module that was meant, or it was built anew", f.Module, m.Digest, f.Digest)
}

// prove finds a signature of the module by one of the keys, if keys are asked for.
func (f *fetcher) prove(ctx context.Context, m *Module) error {
	if len(f.keys) == 0 {
		return nil
	}
	var why error
	for _, find := range f.finders(&m.state) {
		proofs, err := find(ctx)
		if err != nil {
			why = also(why, err)
		}
		for _, p := range proofs {
			err := f.checkProof(m, &p)
			if err == nil {
				return nil
			}
			why = also(why, err)
		}
	}
	return why
}

// also is errors.Join on one line.
func also(a, b error) error {
	if a == nil {
		return b
	}
	return fmt.Errorf("%w; %w", a, b)
}

func (f *fetcher) finders(v *version) []findProofs {
	if at := f.signature(); at != "" {
		return []findProofs{func(ctx context.Context) ([]proof, error) { return f.detached(ctx, at) }}
	}
	return f.place.proofs(v)
}

// timedOut is the cause of a fetch's end by its own timeout.
type timedOut time.Duration

func (t timedOut) Error() string { return fmt.Sprintf("no whole answer within %s", time.Duration(t)) }
