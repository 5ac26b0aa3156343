package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory" // registers itself
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/sirupsen/logrus"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/registry/remote"
)

// Registry is the CNCF's registry of OCI images, in this process, with its images in memory.
type Registry struct {
	// Address is host:port on loopback, where it speaks TLS.
	Address string

	plain string // the same without TLS, for Push
	close func()
}

// StartRegistry starts a registry with the certificate and key of two files. It ends with the test.
func StartRegistry(t testing.TB, certificate, key string) *Registry {
	t.Helper()
	config := &configuration.Configuration{Storage: configuration.Storage{
		"inmemory": nil, "maintenance": {"uploadpurging": map[any]any{"enabled": false}},
	}}
	config.HTTP.Secret = "x"
	logrus.SetLevel(logrus.FatalLevel)                   // a line for each request otherwise, and it offers no other way
	app := handlers.NewApp(context.Background(), config) // ends with the process
	plain := httptest.NewServer(app)
	t.Cleanup(plain.Close)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("e2e: registry: listen: %v", err)
	}
	server := &http.Server{Handler: app, ErrorLog: log.New(io.Discard, "", 0)} //nolint:gosec // its clients are this test's
	done := make(chan error, 1)
	go func() { done <- server.ServeTLS(l, certificate, key) }()
	r := &Registry{Address: l.Addr().String(), plain: strings.TrimPrefix(plain.URL, "http://")}
	r.close = func() {
		if err := server.Close(); err != nil {
			t.Errorf("e2e: stop the registry: %v", err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("e2e: registry: %v", err)
		}
		r.close = func() {}
	}
	t.Cleanup(func() { r.close() })
	return r
}

// Stop lets nobody connect any more, but for Push.
func (r *Registry) Stop() { r.close() }

// Push makes an image whose only layer is a WebAssembly module, in a repository and under a tag.
func (r *Registry) Push(ctx context.Context, repository, tag string, module []byte) error {
	fail := func(err error) error { return fmt.Errorf("e2e: registry: push %s:%s: %w", repository, tag, err) }
	to, err := remote.NewRepository(r.plain + "/" + repository)
	if err != nil {
		return fail(err)
	}
	to.PlainHTTP = true
	layer, err := oras.PushBytes(ctx, to, "application/wasm", module)
	if err != nil {
		return fail(err)
	}
	image, err := oras.PackManifest(ctx, to, oras.PackManifestVersion1_1, "application/vnd.wasm", oras.PackManifestOptions{Layers: []ocispec.Descriptor{layer}})
	if err != nil {
		return fail(err)
	}
	if err := to.Tag(ctx, image, tag); err != nil {
		return fail(err)
	}
	return nil
}
