package source_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd" // registers itself
	_ "github.com/distribution/distribution/v3/registry/auth/token"    // registers itself
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory" // registers itself
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/obsd-io/obsd/internal/porttest"
	"github.com/obsd-io/obsd/runtime/source"
)

// registry is the CNCF's registry server, in this process, behind TLS on loopback.
type registry struct {
	*httptest.Server
	ca       string
	repo     *remote.Repository
	requests atomic.Int64
	status   atomic.Int64 // answers everything, if not 0
}

const wasmLayer = "application/wasm"

// newRegistry asks for user u and password p in the way that is given, if one is.
func newRegistry(t testing.TB, asks configuration.Auth) *registry {
	t.Helper()
	config := &configuration.Configuration{Storage: configuration.Storage{
		"inmemory": nil, "maintenance": {"uploadpurging": map[any]any{"enabled": false}},
	}}
	config.HTTP.Secret = "x"
	config.Auth = asks
	app := handlers.NewApp(context.Background(), config) // ends with the process
	r := &registry{}
	r.Server = porttest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.requests.Add(1)
		if status := r.status.Load(); status != 0 {
			w.WriteHeader(int(status))
			return
		}
		app.ServeHTTP(w, req)
	}))
	r.Config.ErrorLog = log.New(io.Discard, "", 0)
	r.StartTLS()
	t.Cleanup(r.Close)
	r.ca = caFile(t, r.Server)
	var err error
	r.repo, err = remote.NewRepository(r.Listener.Addr().String() + "/plugins/x")
	require.NoError(t, err)
	client := &auth.Client{Client: r.Client()}
	if asks != nil {
		client.Credential = auth.StaticCredential(r.repo.Reference.Registry, auth.Credential{Username: "u", Password: "p"})
	}
	r.repo.Client = client
	return r
}

func (r *registry) settings(reference string) source.Settings {
	s := settings("oci://" + r.repo.Reference.Registry + "/plugins/x" + reference)
	s.Remote.CAFile = r.ca
	return s
}

func (r *registry) blob(t testing.TB, mediaType string, b []byte) ocispec.Descriptor {
	t.Helper()
	desc := content.NewDescriptorFromBytes(mediaType, b)
	exists, err := r.repo.Blobs().Exists(t.Context(), desc)
	require.NoError(t, err)
	if !exists {
		require.NoError(t, r.repo.Blobs().Push(t.Context(), desc, bytes.NewReader(b)))
	}
	return desc
}

// pack pushes a manifest of some layers, and gives it a tag if that is not "".
func (r *registry) pack(t testing.TB, tag string, opts oras.PackManifestOptions) ocispec.Descriptor {
	t.Helper()
	desc, err := oras.PackManifest(t.Context(), r.repo, oras.PackManifestVersion1_1, "application/vnd.wasm", opts)
	require.NoError(t, err)
	if tag != "" {
		require.NoError(t, r.repo.Tag(t.Context(), desc, tag))
	}
	return desc
}

func (r *registry) push(t testing.TB, tag string, module []byte) ocispec.Descriptor {
	t.Helper()
	return r.pack(t, tag, oras.PackManifestOptions{Layers: []ocispec.Descriptor{r.blob(t, wasmLayer, module)}})
}

// signTag signs as `cosign sign --key` does up to cosign 2.
func (r *registry) signTag(t testing.TB, s signer, image ocispec.Descriptor, named string) {
	t.Helper()
	payload := fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":"example.com/x"},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, named)
	layer := r.blob(t, "application/vnd.dev.cosign.simplesigning.v1+json", payload)
	layer.Annotations = map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(s.sign(t, payload))}
	r.pack(t, signatureTag(image), oras.PackManifestOptions{Layers: []ocispec.Descriptor{layer}})
}

func signatureTag(image ocispec.Descriptor) string {
	return strings.Replace(string(image.Digest), ":", "-", 1) + ".sig"
}

// signBundle signs as `cosign sign --key` does from cosign 3 on: this is what 3.1.3 wrote.
func (r *registry) signBundle(t testing.TB, s signer, image ocispec.Descriptor, predicate, named string) ocispec.Descriptor {
	t.Helper()
	statement := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1", "subject":[{"digest":{"sha256":%q}, "annotations":{}}], "predicateType":%q, "predicate":{}}`,
		strings.TrimPrefix(named, "sha256:"), predicate)
	const payloadType = "application/vnd.in-toto+json"
	signature := s.sign(t, fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(statement), statement))
	b, err := json.Marshal(map[string]any{
		"mediaType": bundleType, "verificationMaterial": map[string]any{"publicKey": map[string]any{"hint": "5IRt2NK15MbCWbo7+0eORzAZNsbnjlqvDa5tTFsPb/4="}},
		"dsseEnvelope": map[string]any{"payload": []byte(statement), "payloadType": payloadType, "signatures": []any{map[string]any{"sig": signature}}},
	})
	require.NoError(t, err)
	config := r.blob(t, ocispec.MediaTypeEmptyJSON, ocispec.DescriptorEmptyJSON.Data)
	config.ArtifactType = bundleType
	desc, err := oras.PackManifest(t.Context(), r.repo, oras.PackManifestVersion1_1, bundleType, oras.PackManifestOptions{
		Subject: &image, ConfigDescriptor: &config, Layers: []ocispec.Descriptor{r.blob(t, bundleType, b)},
		ManifestAnnotations: map[string]string{"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": predicate},
	})
	require.NoError(t, err)
	return desc
}

const (
	bundleType    = "application/vnd.dev.sigstore.bundle.v0.3+json"
	signPredicate = "https://sigstore.dev/cosign/sign/v1"
)

func TestOCI(t *testing.T) {
	r := newRegistry(t, nil)
	first := r.push(t, "1", wasm("a"))
	set := r.settings(":1")
	set.CacheDir = t.TempDir()
	src := source.New(set)
	m, err := src.Fetch(t.Context())
	require.NoError(t, err)
	require.Equal(t, wasm("a"), m.Bytes)
	require.Equal(t, digest(wasm("a")), m.Digest)
	require.Equal(t, set.Module+"@"+string(first.Digest), m.Origin)
	require.False(t, m.FromCache)

	r.requests.Store(0)
	m, err = src.Poll(t.Context())
	require.NoError(t, err)
	require.Nil(t, m)
	require.EqualValues(t, 1, r.requests.Load())
	second := r.push(t, "1", wasm("b")) // the tag moves
	m, err = src.Poll(t.Context())
	require.NoError(t, err)
	require.Equal(t, wasm("b"), m.Bytes)
	require.Equal(t, set.Module+"@"+string(second.Digest), m.Origin)
	m, err = fetch(t, set)
	require.NoError(t, err)
	require.Equal(t, wasm("b"), m.Bytes)
	require.True(t, m.FromCache)

	pinned := r.settings("@" + string(first.Digest)) // the older one is still there
	m, err = fetch(t, pinned)
	require.NoError(t, err)
	require.Equal(t, wasm("a"), m.Bytes)
	require.Equal(t, pinned.Module, m.Origin)
}

// A registry that gives other bytes than the manifest names is not believed.
func TestOCITampered(t *testing.T) {
	r := newRegistry(t, nil)
	r.push(t, "1", wasm("a"))
	handler := r.Config.Handler
	r.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/blobs/"+digest(wasm("a"))) {
			_, _ = w.Write(wasm("b"))
			return
		}
		handler.ServeHTTP(w, req)
	})
	set := r.settings(":1")
	refused(t, set, "module: "+set.Module+": mismatched digest: what came is not what the manifest names: it was changed on the way or in the registry")
}

// A manifest's digest pins: no request.
func TestOCIPinned(t *testing.T) {
	r := newRegistry(t, nil)
	set := r.settings("@" + string(r.push(t, "", wasm("a")).Digest))
	set.CacheDir = t.TempDir()
	_, err := fetch(t, set)
	require.NoError(t, err)
	r.requests.Store(0)
	m, err := fetch(t, set)
	require.NoError(t, err)
	require.Equal(t, wasm("a"), m.Bytes)
	require.True(t, m.FromCache)
	require.Zero(t, r.requests.Load())
}

func TestOCIOutOfReach(t *testing.T) {
	r := newRegistry(t, nil)
	r.push(t, "1", wasm("a"))
	set := r.settings(":1")
	set.CacheDir = t.TempDir()
	_, err := fetch(t, set)
	require.NoError(t, err)
	r.status.Store(http.StatusForbidden)
	_, err = fetch(t, set)
	require.ErrorContains(t, err, "module: "+set.Module+": HEAD ")
	require.ErrorContains(t, err, ": response status code 403: Forbidden: `docker login` or `oras login` as the daemon's user gives credentials, or remote::docker_config")
	r.status.Store(http.StatusBadGateway)
	m, err := fetch(t, set)
	require.NoError(t, err)
	require.ErrorContains(t, m.Warning, ": response status code 502: Bad Gateway; the module that was fetched before is used, "+digest(wasm("a")))
	r.Close()
	m, err = fetch(t, set)
	require.NoError(t, err)
	require.Equal(t, wasm("a"), m.Bytes)
	require.EqualError(t, m.Warning, "module: "+set.Module+": dial tcp "+r.repo.Reference.Registry+": connect: connection refused; the module that was fetched before is used, "+digest(wasm("a")))
	set.CacheDir = ""
	_, err = fetch(t, set)
	require.EqualError(t, err, "module: "+set.Module+": dial tcp "+r.repo.Reference.Registry+": connect: connection refused")
}

func TestOCILayers(t *testing.T) {
	r := newRegistry(t, nil)
	text := r.blob(t, "text/plain", []byte("read me"))
	for _, mediaType := range []string{wasmLayer, "application/vnd.wasm.content.layer.v1+wasm", "application/vnd.module.wasm.content.layer.v1+wasm"} {
		r.pack(t, "1", oras.PackManifestOptions{Layers: []ocispec.Descriptor{text, r.blob(t, mediaType, wasm(mediaType))}})
		m, err := fetch(t, r.settings(":1"))
		require.NoError(t, err)
		require.Equal(t, wasm(mediaType), m.Bytes)
	}
	r.pack(t, "1", oras.PackManifestOptions{Layers: []ocispec.Descriptor{r.blob(t, "application/octet-stream", wasm("a"))}})
	m, err := fetch(t, r.settings(":1"))
	require.NoError(t, err)
	require.Equal(t, wasm("a"), m.Bytes)
}

func TestOCIErrors(t *testing.T) {
	r := newRegistry(t, nil)
	f := func(tag, want string) {
		t.Helper()
		t.Run(tag, func(t *testing.T) {
			set := r.settings(":" + tag)
			refused(t, set, "module: "+set.Module+": "+want)
		})
	}
	f("absent", "not found: there is no such repository, tag or manifest")
	text, module := r.blob(t, "text/plain", []byte("read me, please!")), r.blob(t, wasmLayer, wasm("a"))
	r.pack(t, "text", oras.PackManifestOptions{Layers: []ocispec.Descriptor{text}})
	f("text", `what came is no WebAssembly module: it begins with "read me, please!"`)
	r.pack(t, "texts", oras.PackManifestOptions{Layers: []ocispec.Descriptor{text, text}})
	f("texts", "manifest: want one layer, or one of type application/wasm, has 2")
	r.pack(t, "two", oras.PackManifestOptions{Layers: []ocispec.Descriptor{module, module}})
	f("two", "manifest: want one layer, or one of type application/wasm, has 2")
	image := r.push(t, "1", wasm("a"))
	index, err := json.Marshal(ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{image}})
	require.NoError(t, err)
	index = bytes.Replace(index, []byte(`{"schemaVersion":0`), []byte(`{"schemaVersion":2`), 1)
	require.NoError(t, r.repo.PushReference(t.Context(), content.NewDescriptorFromBytes(ocispec.MediaTypeImageIndex, index), bytes.NewReader(index), "index"))
	f("index", "is an index of several manifests (application/vnd.oci.image.index.v1+json): a plugin is the same for all platforms; name its manifest, as …@sha256:…")
	set := r.settings(":1")
	set.Digest = digest(nil)
	refused(t, set, "digest: "+set.Module+" is "+digest(wasm("a"))+", the configuration wants "+digest(nil)+": it is not the module that was meant, or it was built anew")
	set = r.settings(":1")
	set.Remote.DockerConfig = "/none.json"
	refused(t, set, "remote::docker_config: stat /none.json: no such file or directory")
}

func TestOCICredentials(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("p"), bcrypt.MinCost)
	require.NoError(t, err)
	htpasswd := write(t, filepath.Join(t.TempDir(), "htpasswd"), []byte("u:"+string(hash)+"\n"))
	r := newRegistry(t, configuration.Auth{"htpasswd": {"realm": "test", "path": htpasswd}})
	r.push(t, "1", wasm("a"))
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	set := r.settings(":1")
	refused(t, set, "module: "+set.Module+": basic credential not found: `docker login` or `oras login` as the daemon's user gives credentials, or remote::docker_config")
	config := `{"auths":{"` + r.repo.Reference.Registry + `":{"auth":"` + base64.StdEncoding.EncodeToString([]byte("u:p")) + `"}}}`
	wrong := set
	wrong.Remote.DockerConfig = write(t, filepath.Join(t.TempDir(), "docker.json"), []byte(strings.Replace(config, "dTpw", "dTpx", 1)))
	refused(t, wrong, "module: "+set.Module+`: HEAD "`+r.URL+`/v2/plugins/x/manifests/1": response status code 401: Unauthorized: `+
		"`docker login` or `oras login` as the daemon's user gives credentials, or remote::docker_config")
	set.Remote.DockerConfig = write(t, filepath.Join(t.TempDir(), "docker.json"), []byte(config))
	m, err := fetch(t, set)
	require.NoError(t, err)
	require.Equal(t, wasm("a"), m.Bytes)
	set.Remote.DockerConfig = ""
	write(t, filepath.Join(os.Getenv("DOCKER_CONFIG"), "config.json"), []byte(config))
	_, err = fetch(t, set)
	require.NoError(t, err)
}

// issuer is a server of tokens, as a registry's own are: https://distribution.github.io/distribution/spec/auth/token/.
type issuer struct {
	*httptest.Server
	key    jose.JSONWebKey
	asked  atomic.Int64
	scopes sync.Map // what tokens were asked for
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	is := &issuer{key: jose.JSONWebKey{Key: private, KeyID: "k", Algorithm: string(jose.ES256)}}
	is.Server = httptest.NewUnstartedServer(is)
	is.Config.ErrorLog = log.New(io.Discard, "", 0)
	is.StartTLS()
	t.Cleanup(is.Close)
	return is
}

// auth is how a registry sends its clients there.
func (is *issuer) auth(t testing.TB) configuration.Auth {
	t.Helper()
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{is.key.Public()}})
	require.NoError(t, err)
	return configuration.Auth{"token": {
		"realm": is.URL + "/token", "service": "registry", "issuer": "test", "rootcertbundle": "",
		"jwks": write(t, filepath.Join(t.TempDir(), "jwks.json"), keys),
	}}
}

func (is *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	is.asked.Add(1)
	if user, password, _ := r.BasicAuth(); user != "u" || password != "p" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var access []map[string]any
	for _, scope := range r.URL.Query()["scope"] {
		is.scopes.Store(scope, true)
		part := strings.Split(scope, ":")
		access = append(access, map[string]any{"type": part[0], "name": part[1], "actions": strings.Split(part[2], ",")})
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: is.key}, nil)
	if err == nil {
		now := time.Now()
		claims := jwt.Claims{Issuer: "test", Audience: jwt.Audience{"registry"}, ID: "1", IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Minute))}
		var token string
		if token, err = jwt.Signed(signer).Claims(claims).Claims(map[string]any{"access": access}).Serialize(); err == nil {
			err = json.NewEncoder(w).Encode(map[string]any{"token": token, "expires_in": 60})
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// Large registries send their clients to a server of tokens; a token is asked for reading, with the same credentials.
func TestOCIToken(t *testing.T) {
	is := newIssuer(t)
	r := newRegistry(t, is.auth(t))
	r.push(t, "1", wasm("a"))
	is.scopes.Clear()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	set := r.settings(":1")
	ca, err := os.ReadFile(r.ca)
	require.NoError(t, err)
	set.Remote.CAFile = write(t, filepath.Join(t.TempDir(), "both.pem"), append(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: is.Certificate().Raw})...))
	config := `{"auths":{"` + r.repo.Reference.Registry + `":{"auth":"` + base64.StdEncoding.EncodeToString([]byte("u:p")) + `"}}}`
	wrong := set
	wrong.Remote.DockerConfig = write(t, filepath.Join(t.TempDir(), "docker.json"), []byte(strings.Replace(config, "dTpw", "dTpx", 1)))
	_, err = fetch(t, wrong)
	require.ErrorContains(t, err, "401: Unauthorized: `docker login` or `oras login` as the daemon's user gives credentials, or remote::docker_config")
	set.Remote.DockerConfig = write(t, filepath.Join(t.TempDir(), "docker.json"), []byte(config))
	m, err := fetch(t, set)
	require.NoError(t, err)
	require.Equal(t, wasm("a"), m.Bytes)
	is.scopes.Range(func(scope, _ any) bool { return assert.Equal(t, "repository:plugins/x:pull", scope) })
	require.Positive(t, is.asked.Load())
}

// Plain HTTP is spoken only if it is asked for.
func TestOCIPlainHTTP(t *testing.T) {
	r := newRegistry(t, nil)
	r.push(t, "1", wasm("a"))
	plain := httptest.NewServer(r.Config.Handler)
	t.Cleanup(plain.Close)
	set := settings("oci://" + plain.Listener.Addr().String() + "/plugins/x:1")
	refused(t, set, "module: "+set.Module+": tls: first record does not look like a TLS handshake: the server does not speak TLS, which remote::plain_http allows for oci://")
	set.Remote.PlainHTTP = true
	m, err := fetch(t, set)
	require.NoError(t, err)
	require.Equal(t, wasm("a"), m.Bytes)
}

// Both forms that cosign keeps signatures in, by both kinds of key, also from the cache.
func TestCosign(t *testing.T) {
	r := newRegistry(t, nil)
	for name, s := range map[string]signer{"ed25519": newEd25519(t), "ecdsa": newECDSA(t)} {
		for form, sign := range map[string]func(t *testing.T, image ocispec.Descriptor){
			"tag": func(t *testing.T, image ocispec.Descriptor) { r.signTag(t, s, image, string(image.Digest)) },
			"bundle": func(t *testing.T, image ocispec.Descriptor) {
				r.signBundle(t, s, image, signPredicate, string(image.Digest))
			},
		} {
			t.Run(name+" "+form, func(t *testing.T) {
				image := r.push(t, "1", wasm(name+form))
				set := r.settings(":1")
				set.CacheDir = t.TempDir()
				_, err := fetch(t, set) // known, but not as signed
				require.NoError(t, err)
				set.Verify.Keys = []string{newEd25519(t).file, s.file}
				_, err = fetch(t, set)
				require.ErrorContains(t, err, "verify: "+set.Module+"@"+string(image.Digest)+": no signature at tag ")
				sign(t, image)
				m, err := fetch(t, set)
				require.NoError(t, err)
				require.Equal(t, s.file, m.SignedBy)
				require.False(t, m.FromCache)
				r.requests.Store(0)
				m, err = fetch(t, set)
				require.NoError(t, err)
				require.Equal(t, s.file, m.SignedBy)
				require.True(t, m.FromCache)
				require.EqualValues(t, 1, r.requests.Load())
			})
		}
	}
}

func TestCosignErrors(t *testing.T) {
	r, s := newRegistry(t, nil), newECDSA(t)
	var image ocispec.Descriptor
	f := func(name string, sign func() string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			image = r.push(t, "1", wasm(name))
			want := sign()
			set := r.settings(":1")
			set.Verify.Keys = []string{s.file}
			refused(t, set, "verify: "+set.Module+"@"+string(image.Digest)+": "+want)
		})
	}
	const none = "no signature that refers to it: sign it with `cosign sign --key`"
	other := r.push(t, "other", wasm("other"))
	f("unsigned", func() string { return "no signature at tag " + signatureTag(image) + "; " + none })
	f("wrong key", func() string {
		r.signTag(t, newECDSA(t), image, string(image.Digest))
		return "signature " + signatureTag(image) + ": is by none of the keys " + s.file + ", or for another module; " + none
	})
	f("signature of another module", func() string {
		r.signTag(t, s, image, string(other.Digest))
		return "signature " + signatureTag(image) + ": is for manifest " + string(other.Digest) + ", not " + string(image.Digest) + "; " + none
	})
	f("bundle of another module", func() string {
		desc := r.signBundle(t, s, image, signPredicate, string(other.Digest))
		return "no signature at tag " + signatureTag(image) + "; signature " + string(desc.Digest) + ": is for manifest " + string(other.Digest) + ", not " + string(image.Digest)
	})
	f("bundle with another statement", func() string {
		desc := r.signBundle(t, s, image, "https://spdx.dev/Document", string(image.Digest))
		return "no signature at tag " + signatureTag(image) + "; signature " + string(desc.Digest) +
			`: statement: is a "https://spdx.dev/Document" about 1 subjects: want a "https://sigstore.dev/cosign/sign/v1" about one`
	})
	f("bundle by a wrong key", func() string {
		desc := r.signBundle(t, newECDSA(t), image, signPredicate, string(image.Digest))
		return "no signature at tag " + signatureTag(image) + "; signature " + string(desc.Digest) + ": is by none of the keys " + s.file + ", or for another module"
	})
}

// A signature of the bytes may lie elsewhere.
func TestOCIDetachedSignature(t *testing.T) {
	r, s := newRegistry(t, nil), newEd25519(t)
	r.push(t, "1", wasm("a"))
	set := r.settings(":1")
	set.Verify = source.Verify{Keys: []string{s.file}, Signature: write(t, filepath.Join(t.TempDir(), "x.sig"), s.sign(t, wasm("a")))}
	m, err := fetch(t, set)
	require.NoError(t, err)
	require.Equal(t, s.file, m.SignedBy)
	r.push(t, "1", wasm("b"))
	_, err = fetch(t, set)
	require.ErrorContains(t, err, "signature "+set.Verify.Signature+": is by none of the keys "+s.file+", or for another module")
}
