package source

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// What parses as a key verifies anything without a panic.
func FuzzKeys(f *testing.F) {
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"), []byte("c2ln"))
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"), []byte{0x30, 0})
	f.Add([]byte("Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="), []byte(`{"messageSignature":{"signature":"c2ln"}}`))
	f.Fuzz(func(t *testing.T, text, signature []byte) {
		keys, err := parseKeys(text)
		require.Equal(t, err != nil, len(keys) == 0)
		parsed, err := parseSignature(signature)
		if err != nil {
			return
		}
		for _, verify := range keys {
			require.False(t, verify([]byte("no one signed this"), parsed))
		}
	})
}

// Payloads, statements, bundles and manifests come from the registry.
func FuzzRegistry(f *testing.F) {
	f.Add([]byte(`{"critical":{"image":{"docker-manifest-digest":"sha256:0"},"type":"cosign container image signature"}}`))
	f.Add([]byte(`{"subject":[{"digest":{"sha256":"0"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1"}`))
	f.Add([]byte(`{"dsseEnvelope":{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"c2ln"}]}}`))
	f.Add([]byte(`{"layers":[{"mediaType":"application/wasm","digest":"sha256:0","size":-1}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = parseSimpleSigning(b)
		_, _ = parseStatement(b)
		if proofs, err := parseImageBundle(b); err == nil {
			require.LessOrEqual(t, len(proofs), maxProofs)
		}
		if layer, err := moduleLayer(b); err == nil {
			require.True(t, isDigest(string(layer.Digest)))
			require.True(t, layer.Size >= 0 && layer.Size <= maxModule)
		}
	})
}

// What is taken from a list of the cache names files of the cache's folder only, and is written as it was read.
func FuzzVersions(f *testing.F) {
	f.Add([]byte(`{"source":"https://h/x","versions":[{"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","etag":"1"}]}`))
	f.Add([]byte(`{"versions":[{"digest":"sha256:../../x"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parseVersions(b)
		if err != nil {
			return
		}
		for _, v := range list.Versions {
			require.Regexp(t, "^/c/sha256-[0-9a-f]{64}[.]wasm$", (&cache{dir: "/c"}).modulePath(v.Digest))
		}
		again, err := json.Marshal(list)
		require.NoError(t, err)
		same, err := parseVersions(again)
		require.NoError(t, err)
		require.Len(t, same.Versions, len(list.Versions))
	})
}
