package source_test

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/plugins/builtin"
	"github.com/obsd-io/obsd/runtime/source"
)

// wasm is a module as far as this package looks into one.
func wasm(name string) []byte { return []byte("\x00asm\x01\x00\x00\x00" + name) }

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func settings(module string) source.Settings {
	return source.Settings{Module: module, Remote: source.Remote{Timeout: time.Minute}}
}

func write(t testing.TB, path string, b []byte) string {
	t.Helper()
	require.NoError(t, os.WriteFile(path, b, 0o600))
	return path
}

// signer is a private key with its public key in a file.
type signer struct {
	file    string
	private crypto.Signer
}

func newEd25519(t testing.TB) signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return keep(t, private)
}

func newECDSA(t testing.TB) signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return keep(t, private)
}

func keep(t testing.TB, private crypto.Signer) signer {
	t.Helper()
	return signer{write(t, filepath.Join(t.TempDir(), "key.pub"), publicPEM(t, private)), private}
}

func publicPEM(t testing.TB, private crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func (s signer) sign(t testing.TB, message []byte) []byte {
	t.Helper()
	if k, ok := s.private.(ed25519.PrivateKey); ok {
		return ed25519.Sign(k, message)
	}
	sum := sha256.Sum256(message)
	signature, err := s.private.Sign(rand.Reader, sum[:], crypto.SHA256)
	require.NoError(t, err)
	return signature
}

func b64(b []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(b) + "\n") }

func fetch(t testing.TB, s source.Settings) (*source.Module, error) {
	t.Helper()
	require.NoError(t, s.Validate())
	return source.New(s).Fetch(t.Context())
}

// refused checks that a fetch fails with a whole text, and that nothing is kept.
func refused(t testing.TB, s source.Settings, want string) {
	t.Helper()
	s.CacheDir = t.TempDir()
	_, err := fetch(t, s)
	require.EqualError(t, err, want)
	entries, err := os.ReadDir(s.CacheDir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestValidate(t *testing.T) {
	f := func(name string, s source.Settings, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			if s.Remote.Timeout == 0 {
				s.Remote.Timeout = time.Minute
			}
			require.EqualError(t, s.Validate(), want)
		})
	}
	key := source.Verify{Keys: []string{"k.pub"}}
	f("http", source.Settings{Module: "http://example.com/x.wasm"},
		`module: "http://example.com/x.wasm": http:// is not supported, since anyone on the way could replace the code; give https://…`)
	f("scheme", source.Settings{Module: "s3://b/x.wasm"},
		`module: "s3://b/x.wasm": s3:// is not supported; give builtin:<name>, the path of a .wasm file, https://… or oci://registry/repository:tag`)
	f("no host", source.Settings{Module: "https:///x.wasm"}, `module: "https:///x.wasm": want a host after https://`)
	f("bad address", source.Settings{Module: "https://a b/"}, `module: parse "https://a b/": invalid character " " in host name`)
	f("password", source.Settings{Module: "https://u:p@example.com/x.wasm"},
		`module: "https://u:xxxxx@example.com/x.wasm": want no user or password in an address; give a bearer token with remote::token_file`)
	f("fragment", source.Settings{Module: "https://example.com/x.wasm#1"}, `module: "https://example.com/x.wasm#1": want no # in an address`)
	f("no tag", source.Settings{Module: "oci://example.com/x"},
		`module: "oci://example.com/x": which one? want a :tag or the manifest's @sha256:… after the repository`)
	f("no repository", source.Settings{Module: "oci://example.com"},
		`module: "oci://example.com": invalid reference: missing registry or repository; want oci://registry/repository:tag or …@sha256:…`)
	f("digest", source.Settings{Module: "x.wasm", Digest: "md5:0"}, `digest: "md5:0": want sha256: and 64 hex digits`)
	f("signature alone", source.Settings{Module: "x.wasm", Verify: source.Verify{Signature: "x.sig"}}, "verify::signature: has no use without verify::keys")
	f("signature scheme", source.Settings{Module: "x.wasm", Verify: source.Verify{Keys: key.Keys, Signature: "http://example.com/x.sig"}},
		`verify::signature: "http://example.com/x.sig": want a path or https://…`)
	f("signature address", source.Settings{Module: "x.wasm", Verify: source.Verify{Keys: key.Keys, Signature: "https://"}},
		`verify::signature: "https://": want a host after https://`)
	f("all", source.Settings{Module: "https://example.com/x.wasm", Remote: source.Remote{Timeout: -1, DockerConfig: "c", PlainHTTP: true}},
		"remote::timeout: -1ns: want more than 0\n"+
			"remote::docker_config: is for oci://; https:// takes a bearer token from remote::token_file\nremote::plain_http: is for oci:// alone")
	f("token", source.Settings{Module: "oci://example.com/x:1", Remote: source.Remote{TokenFile: "t"}},
		"remote::token_file: is for https://; oci:// takes credentials from remote::docker_config")
	f("plain", source.Settings{Module: "oci://example.com/x:1", Remote: source.Remote{PlainHTTP: true}},
		"remote::plain_http: anyone on the way to example.com could replace the code: give a digest or verify::keys, or use TLS")
	if len(builtin.Names()) > 0 {
		f("builtin", source.Settings{Module: "builtin:" + builtin.Names()[0], Verify: key},
			"verify: has no use with builtin:"+builtin.Names()[0]+", which is part of this binary: leave it out")
	}
	for _, s := range []source.Settings{
		{Module: "oci://example.com/x:1", Verify: key},
		{Module: "oci://localhost:5000/x:1"},
		{Module: "oci://127.0.0.1/x:1"},
		{Module: "oci://[::1]:5000/x:1"},
		{Module: "oci://example.com/x:1", Digest: digest(nil)},
		{Module: "oci://example.com/x:1@" + digest(nil)},
	} {
		s.Remote = source.Remote{PlainHTTP: true, Timeout: 1}
		require.NoError(t, s.Validate(), s.Module)
	}
}

// What the engine asks before it watches or polls.
func TestKinds(t *testing.T) {
	f := func(s source.Settings, files []string, polled bool) {
		t.Helper()
		require.Equal(t, files, s.Files(), s.Module)
		require.Equal(t, polled, s.Polled(), s.Module)
	}
	keys := source.Verify{Keys: []string{"k"}}
	f(source.Settings{Module: "builtin:json"}, nil, false)
	f(source.Settings{Module: "x.wasm"}, []string{"x.wasm"}, false)
	f(source.Settings{Module: "x.wasm", Verify: keys}, []string{"x.wasm", "x.wasm.sig"}, false)
	f(source.Settings{Module: "x.wasm", Verify: source.Verify{Keys: []string{"k"}, Signature: "https://h/s"}}, []string{"x.wasm"}, false)
	f(source.Settings{Module: "https://h/x"}, nil, true)
	f(source.Settings{Module: "https://h/x", Digest: digest(nil)}, nil, false)
	f(source.Settings{Module: "oci://h/x:1"}, nil, true)
	f(source.Settings{Module: "oci://h/x@" + digest(nil)}, nil, false)
}

func TestBuiltin(t *testing.T) {
	names := builtin.Names()
	if len(names) == 0 {
		t.Skip("run `make plugins` first")
	}
	src := source.New(settings("builtin:" + names[0]))
	m, err := src.Fetch(t.Context())
	require.NoError(t, err)
	want, err := builtin.Module(names[0])
	require.NoError(t, err)
	require.Equal(t, want, m.Bytes)
	require.Equal(t, digest(want), m.Digest)
	m, err = src.Poll(t.Context())
	require.NoError(t, err)
	require.Nil(t, m)
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "x.wasm"), wasm("a"))
	src := source.New(settings(path))
	m, err := src.Poll(t.Context())
	require.NoError(t, err)
	require.Equal(t, wasm("a"), m.Bytes)
	require.Equal(t, path, m.Origin)
	m, err = src.Poll(t.Context())
	require.NoError(t, err)
	require.Nil(t, m)
	write(t, path, wasm("b"))
	m, err = src.Poll(t.Context())
	require.NoError(t, err)
	require.Equal(t, wasm("b"), m.Bytes)

	s := settings(path)
	s.Digest = "sha256:" + hex.EncodeToString(make([]byte, 32))
	refused(t, s, "digest: "+path+" is "+digest(wasm("b"))+", the configuration wants "+s.Digest+": it is not the module that was meant, or it was built anew")
	refused(t, settings(dir), "module: "+dir+": want a file of at most 256 MiB")
	refused(t, settings(path+"x"), "module: open "+path+"x: no such file or directory")
	large := filepath.Join(dir, "large")
	require.NoError(t, os.WriteFile(large, nil, 0o600))
	require.NoError(t, os.Truncate(large, 256<<20+1))
	refused(t, settings(large), "module: "+large+": want a file of at most 256 MiB")
}

// Each kind of key with each form that its signatures come in.
func TestDetachedSignatures(t *testing.T) {
	module := wasm("a")
	for name, s := range map[string]signer{"ed25519": newEd25519(t), "ecdsa": newECDSA(t)} {
		signature := s.sign(t, module)
		for form, b := range map[string][]byte{
			"raw": signature, "base64": b64(signature), "bundle": []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","messageSignature":{"signature":"` +
				base64.StdEncoding.EncodeToString(signature) + `"}}`),
		} {
			t.Run(name+" "+form, func(t *testing.T) {
				path := write(t, filepath.Join(t.TempDir(), "x.wasm"), module)
				write(t, path+".sig", b)
				set := settings(path)
				set.Verify.Keys = []string{newEd25519(t).file, s.file}
				m, err := fetch(t, set)
				require.NoError(t, err)
				require.Equal(t, s.file, m.SignedBy)
			})
		}
	}
	s := newEd25519(t)
	path := write(t, filepath.Join(t.TempDir(), "x.wasm"), module)
	write(t, path+".sig", s.sign(t, module))
	set := settings(path)
	bare := write(t, filepath.Join(t.TempDir(), "bare"), b64(s.private.Public().(ed25519.PublicKey)))
	set.Verify.Keys = []string{bare}
	m, err := fetch(t, set)
	require.NoError(t, err)
	require.Equal(t, bare, m.SignedBy)
}

func TestSignatureErrors(t *testing.T) {
	s, path := newECDSA(t), write(t, filepath.Join(t.TempDir(), "x.wasm"), wasm("a"))
	f := func(name string, signature []byte, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			set := settings(path)
			set.Verify.Keys, set.Verify.Signature = []string{s.file}, filepath.Join(filepath.Dir(path), name)
			if signature != nil {
				write(t, set.Verify.Signature, signature)
			}
			refused(t, set, "verify: "+path+": signature"+want)
		})
	}
	at := filepath.Dir(path) + "/"
	f("none", nil, ": open "+at+"none: no such file or directory")
	f("other_key", newECDSA(t).sign(t, wasm("a")), " "+at+"other_key: is by none of the keys "+s.file+", or for another module")
	f("other_module", b64(s.sign(t, wasm("b"))), " "+at+"other_module: is by none of the keys "+s.file+", or for another module")
	f("empty", []byte("\n"), " "+at+"empty: is empty")
	f("large", make([]byte, 65<<10), ": "+at+"large: want a file of at most 64 KiB")
	f("no_bundle", []byte(`{"a":1}`), " "+at+"no_bundle: bundle: has no messageSignature: want one of `cosign sign-blob --key`")
	f("bad_bundle", []byte(`{`), " "+at+"bad_bundle: bundle: unexpected end of JSON input")
}

func TestKeyErrors(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	x25519, err := x509.MarshalPKIXPublicKey(mustX25519(t))
	require.NoError(t, err)
	dir := t.TempDir()
	f := func(name string, content []byte, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			set := settings(write(t, filepath.Join(dir, "x.wasm"), wasm("a")))
			set.Verify.Keys = []string{write(t, filepath.Join(dir, name), content)}
			refused(t, set, "verify::keys: "+filepath.Join(dir, name)+": "+want)
		})
	}
	f("empty", nil, "want a public key in PEM, or the 32 bytes of an ed25519 key in base64")
	f("short", b64(make([]byte, 31)), "want a public key in PEM, or the 32 bytes of an ed25519 key in base64")
	f("private", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY"}), "is a PRIVATE KEY: want a PUBLIC KEY")
	f("p384", publicPEM(t, p384), "is an ECDSA key on P-384: want P-256")
	f("x25519", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: x25519}), "is a *ecdh.PublicKey: want an ed25519 key, or ECDSA on P-256")
	f("broken", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte{1}}), "asn1: syntax error: truncated tag or length")
	set := settings(filepath.Join(dir, "x.wasm"))
	set.Verify.Keys = []string{filepath.Join(dir, "absent")}
	refused(t, set, "verify::keys: open "+filepath.Join(dir, "absent")+": no such file or directory")
}

func mustX25519(t testing.TB) *ecdh.PublicKey {
	t.Helper()
	k, err := ecdh.X25519().GenerateKey(rand.Reader)
	require.NoError(t, err)
	return k.PublicKey()
}
