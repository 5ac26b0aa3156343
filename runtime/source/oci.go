package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

const (
	// maxManifest is what registries themselves allow.
	maxManifest    = 4 << 20
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// wasmLayers are the media types by which a layer is known to be the module: the CNCF's artifact layout, the registered
// type, wasm-to-oci's and Kubewarden's older one.
var wasmLayers = []string{
	"application/wasm",
	"application/vnd.wasm.content.layer.v1+wasm",
	"application/vnd.module.wasm.content.layer.v1+wasm",
}

// oci is a module in a registry.
type oci struct {
	settings   *Settings
	repository *remote.Repository
}

// newOCI reads the credentials' file.
func newOCI(s *Settings, c *client) (*oci, error) {
	r, err := remote.NewRepository(s.Module[len(ociPrefix):])
	if err != nil {
		return nil, fmt.Errorf("module: %s: %w", s.Module, err)
	}
	store, err := credentialStore(s.Remote.DockerConfig)
	if err != nil {
		return nil, fmt.Errorf("remote::docker_config: %w", err)
	}
	authorized := &auth.Client{Client: c.http, Cache: auth.NewCache()}
	authorized.SetUserAgent("obsd")
	if store != nil {
		authorized.Credential = credentials.Credential(store)
	}
	r.Client, r.PlainHTTP, r.MaxMetadataBytes, r.ReferrerListMaxPages = authorized, s.Remote.PlainHTTP, maxManifest, 4
	return &oci{settings: s, repository: r}, nil
}

// credentialStore opens the file that is named, or else the usual one, which may be absent or closed to the daemon.
func credentialStore(path string) (credentials.Store, error) {
	if path != "" {
		if _, err := os.Stat(path); err != nil {
			return nil, err
		}
		return credentials.NewStore(path, credentials.StoreOptions{})
	}
	if _, err := os.UserHomeDir(); err != nil && os.Getenv("DOCKER_CONFIG") == "" {
		return nil, nil
	}
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if errors.Is(err, fs.ErrPermission) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return store, nil
}

// wants holds a version against the manifest's digest in the configuration, unless that gives the module's own.
func (o *oci) wants(v *version) bool {
	if o.settings.Digest != "" || !o.settings.pinned() {
		return true
	}
	layer, err := moduleLayer(v.Manifest)
	return err == nil && string(layer.Digest) == v.Digest && digest(v.Manifest) == o.repository.Reference.Reference
}

func (o *oci) origin(v *version) string {
	if o.settings.pinned() && o.settings.Digest == "" || v.Manifest == nil {
		return o.settings.Module
	}
	return o.settings.Module + "@" + digest(v.Manifest)
}

func (o *oci) fetch(ctx context.Context, last *version) ([]byte, *version, error) {
	desc, err := o.repository.Resolve(ctx, o.repository.Reference.Reference)
	if err != nil {
		return nil, nil, explainAnswer(ctx, err)
	}
	if last != nil && digest(last.Manifest) == string(desc.Digest) {
		return nil, nil, nil
	}
	manifest, err := o.manifest(ctx, desc)
	if err != nil {
		return nil, nil, err
	}
	layer, err := moduleLayer(manifest)
	if err != nil {
		return nil, nil, err
	}
	b, err := content.FetchAll(ctx, o.repository.Blobs(), layer)
	if err != nil {
		return nil, nil, explainAnswer(ctx, err)
	}
	return b, &version{Manifest: manifest}, nil
}

// manifest fetches an image manifest, which the registry cannot replace by another.
func (o *oci) manifest(ctx context.Context, desc ocispec.Descriptor) ([]byte, error) {
	switch desc.MediaType {
	case ocispec.MediaTypeImageManifest, dockerManifest:
	case ocispec.MediaTypeImageIndex, dockerList:
		return nil, fmt.Errorf("is an index of several manifests (%s): a plugin is the same for all platforms; name its manifest, as …@sha256:…", desc.MediaType)
	default:
		return nil, fmt.Errorf("is a %s: want an image manifest, as `oras push` makes it", desc.MediaType)
	}
	if desc.Size > maxManifest {
		return nil, fmt.Errorf("manifest: want at most %s, the registry offers %d bytes", size(maxManifest), desc.Size)
	}
	b, err := content.FetchAll(ctx, o.repository.Manifests(), desc)
	return b, explainAnswer(ctx, err)
}

// moduleLayer finds the layer that is the module: the only one of a wasm type, or else the only one.
func moduleLayer(manifest []byte) (ocispec.Descriptor, error) {
	var m ocispec.Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("manifest: %w", err)
	}
	layers := m.Layers
	if wasm := slices.Collect(func(yield func(ocispec.Descriptor) bool) {
		for _, l := range m.Layers {
			if slices.Contains(wasmLayers, l.MediaType) && !yield(l) {
				return
			}
		}
	}); len(wasm) > 0 {
		layers = wasm
	}
	if len(layers) != 1 {
		return ocispec.Descriptor{}, fmt.Errorf("manifest: want one layer, or one of type %s, has %d", wasmLayers[0], len(layers))
	}
	l := layers[0]
	if !isDigest(string(l.Digest)) {
		return ocispec.Descriptor{}, fmt.Errorf("manifest: layer %q: want a sha256 digest", l.Digest)
	}
	if l.Size < 0 || l.Size > maxModule {
		return ocispec.Descriptor{}, fmt.Errorf("want at most %s, the manifest says %d bytes", size(maxModule), l.Size)
	}
	return l, nil
}

// explainAnswer makes a registry's answer one that says what to mend.
func explainAnswer(ctx context.Context, err error) error {
	if errors.Is(err, errdef.ErrNotFound) {
		return fmt.Errorf("%w: there is no such repository, tag or manifest", errdef.ErrNotFound)
	}
	if errors.Is(err, content.ErrMismatchedDigest) {
		return fmt.Errorf("%w: what came is not what the manifest names: it was changed on the way or in the registry", content.ErrMismatchedDigest)
	}
	const login = "`docker login` or `oras login` as the daemon's user gives credentials, or remote::docker_config"
	if errors.Is(err, auth.ErrBasicCredentialNotFound) {
		return fmt.Errorf("%w: %s", auth.ErrBasicCredentialNotFound, login)
	}
	var answer *errcode.ErrorResponse
	if errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden) {
		return fmt.Errorf("%w: %s", answer, login)
	}
	return explain(ctx, err)
}
