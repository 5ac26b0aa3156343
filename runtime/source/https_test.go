package source_test

import (
	"context"
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
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/porttest"
	"github.com/obsd-io/obsd/runtime/source"
)

// site is an https:// server whose files carry ETags.
type site struct {
	*httptest.Server
	ca string

	mu       sync.Mutex
	files    map[string][]byte
	handle   http.HandlerFunc // answers instead, if not nil
	requests []string         // method, path and status
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{files: map[string][]byte{}}
	s.Server = porttest.NewUnstartedServer(s)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	s.ca = caFile(t, s.Server)
	return s
}

func caFile(t testing.TB, s *httptest.Server) string {
	t.Helper()
	return write(t, filepath.Join(t.TempDir(), "ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	handle, file, ok := s.handle, s.files[r.URL.Path], s.files[r.URL.Path] != nil
	s.mu.Unlock()
	status := http.StatusOK
	switch {
	case handle != nil:
		handle(w, r)
		return
	case !ok:
		status = http.StatusNotFound
	case r.Header.Get("If-None-Match") == `"`+digest(file)+`"`:
		status = http.StatusNotModified
	}
	s.mu.Lock()
	s.requests = append(s.requests, fmt.Sprint(r.Method, " ", r.URL.Path, " ", status))
	s.mu.Unlock()
	w.Header().Set("ETag", `"`+digest(file)+`"`)
	w.WriteHeader(status)
	if status == http.StatusOK {
		_, _ = w.Write(file)
	}
}

func (s *site) put(path string, b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[path] = b
}

func (s *site) answer(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handle = h
}

// asked returns the requests since it was called last.
func (s *site) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.requests
	s.requests = nil
	return r
}

func (s *site) settings(path string) source.Settings {
	set := settings(s.URL + path)
	set.Remote.CAFile = s.ca
	return set
}

func TestHTTPS(t *testing.T) {
	s := newSite(t)
	s.put("/x.wasm", wasm("a"))
	set := s.settings("/x.wasm")
	set.CacheDir = t.TempDir()
	src := source.New(set)
	m, err := src.Fetch(t.Context())
	require.NoError(t, err)
	require.Equal(t, wasm("a"), m.Bytes)
	require.Equal(t, digest(wasm("a")), m.Digest)
	require.Equal(t, s.URL+"/x.wasm", m.Origin)
	require.False(t, m.FromCache)
	require.Equal(t, []string{"GET /x.wasm 200"}, s.asked())

	m, err = src.Poll(t.Context())
	require.NoError(t, err)
	require.Nil(t, m)
	require.Equal(t, []string{"GET /x.wasm 304"}, s.asked())
	s.put("/x.wasm", wasm("b"))
	m, err = src.Poll(t.Context())
	require.NoError(t, err)
	require.Equal(t, wasm("b"), m.Bytes)

	m, err = fetch(t, set) // another start: one small answer
	require.NoError(t, err)
	require.Equal(t, wasm("b"), m.Bytes)
	require.True(t, m.FromCache)
	require.NoError(t, m.Warning)
	require.Equal(t, []string{"GET /x.wasm 200", "GET /x.wasm 304"}, s.asked())
}

// A server without ETags costs the transfer, but the same bytes are no news.
func TestPollWithoutETag(t *testing.T) {
	s := newSite(t)
	s.answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(wasm("a")) })
	src := source.New(s.settings("/x.wasm"))
	_, err := src.Fetch(t.Context())
	require.NoError(t, err)
	m, err := src.Poll(t.Context())
	require.NoError(t, err)
	require.Nil(t, m)
	s.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	_, err = src.Poll(t.Context())
	require.EqualError(t, err, "module: "+s.URL+"/x.wasm: 503 Service Unavailable")
}

func TestHTTPSErrors(t *testing.T) {
	s := newSite(t)
	f := func(name string, handle http.HandlerFunc, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			s.answer(handle)
			refused(t, s.settings("/x.wasm"), "module: "+s.URL+"/x.wasm: "+want)
		})
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	f("404", nil, "404 Not Found: there is nothing at this address")
	f("401", status(401), "401 Unauthorized: the server wants a bearer token, which remote::token_file gives")
	f("500", status(500), "500 Internal Server Error")
	f("unasked 304", status(304), "304 Not Modified")
	f("truncated", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write(wasm("a"))
	}, "unexpected EOF")
	f("large", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "268435457")
		w.WriteHeader(http.StatusOK)
	}, "want at most 256 MiB, the server offers 268435457 bytes")
	f("page", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<!DOCTYPE html><html>")) },
		`what came is no WebAssembly module: it begins with "<!DOCTYPE html><"`)
	f("empty", status(200), "what came is empty")
	f("redirect to http", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/", http.StatusFound)
	}, "the server leads from https:// to http://, where anyone on the way could replace the code")
	f("redirects", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x.wasm", http.StatusFound) }, "more than 10 redirects")

	s.answer(nil)
	s.put("/x.wasm", wasm("a"))
	set := s.settings("/x.wasm")
	set.Digest = digest(nil)
	refused(t, set, "digest: "+s.URL+"/x.wasm is "+digest(wasm("a"))+", the configuration wants "+digest(nil)+": it is not the module that was meant, or it was built anew")
	set = s.settings("/x.wasm")
	set.Remote.CAFile = ""
	refused(t, set, "module: "+s.URL+"/x.wasm: tls: failed to verify certificate: x509: certificate signed by unknown authority: name its authority in remote::ca_file")
}

func TestRemoteFiles(t *testing.T) {
	set := settings("https://localhost/x.wasm")
	set.Remote.CAFile = "/none.pem"
	refused(t, set, "remote::ca_file: open /none.pem: no such file or directory")
	set.Remote.CAFile = write(t, filepath.Join(t.TempDir(), "ca"), []byte("x"))
	refused(t, set, "remote::ca_file: "+set.Remote.CAFile+": want certificates in PEM")
	set = settings("https://localhost/x.wasm")
	set.Remote.TokenFile = "/none"
	refused(t, set, "remote::token_file: open /none: no such file or directory")
}

// The token goes to the module's host alone: not to where the signature is, nor where a redirect leads.
func TestToken(t *testing.T) {
	module, key := wasm("a"), newEd25519(t)
	other := newSite(t)
	var strangers []string
	other.answer(func(w http.ResponseWriter, r *http.Request) {
		strangers = append(strangers, r.Header.Get("Authorization"))
		_, _ = w.Write(map[bool][]byte{true: module, false: key.sign(t, module)}[r.URL.Path == "/x.wasm"])
	})
	s := newSite(t)
	s.answer(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.Redirect(w, r, other.URL+"/x.wasm", http.StatusFound)
	})
	set := s.settings("/x.wasm")
	set.Remote.TokenFile = write(t, filepath.Join(t.TempDir(), "token"), []byte("secret\n"))
	set.Verify = source.Verify{Keys: []string{key.file}, Signature: other.URL + "/x.sig"}
	_, err := fetch(t, set)
	require.NoError(t, err)
	require.Equal(t, []string{"", ""}, strangers)
}

func TestHTTPSSignature(t *testing.T) {
	s, key := newSite(t), newECDSA(t)
	s.put("/x.wasm", wasm("a"))
	set := s.settings("/x.wasm")
	set.Verify.Keys = []string{key.file}
	origin := s.URL + "/x.wasm"
	refused(t, set, "verify: "+origin+": signature "+origin+".sig: 404 Not Found: there is nothing at this address")
	s.put("/x.wasm.sig", key.sign(t, wasm("b")))
	refused(t, set, "verify: "+origin+": signature "+origin+".sig: is by none of the keys "+key.file+", or for another module")
	s.put("/x.wasm.sig", make([]byte, 65<<10))
	refused(t, set, "verify: "+origin+": signature "+origin+".sig: more than 64 KiB")
	s.put("/x.wasm.sig", b64(key.sign(t, wasm("a"))))
	m, err := fetch(t, set)
	require.NoError(t, err)
	require.Equal(t, key.file, m.SignedBy)
}

// A body without a length is bounded too.
func TestEndlessBody(t *testing.T) {
	s, key := newSite(t), newEd25519(t)
	s.answer(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/x.wasm" {
			_, _ = w.Write(wasm("a"))
			return
		}
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	})
	set := s.settings("/x.wasm")
	set.Verify.Keys = []string{key.file}
	refused(t, set, "verify: "+s.URL+"/x.wasm: signature "+s.URL+"/x.wasm.sig: more than 64 KiB")
}

// A server that never ends its answer is left: when the timeout is over, and when the daemon stops.
func TestSlowServer(t *testing.T) {
	s := newSite(t)
	asked := make(chan struct{}, 1)
	s.answer(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(wasm("a"))
		_ = http.NewResponseController(w).Flush()
		asked <- struct{}{}
		<-r.Context().Done()
	})
	set := s.settings("/x.wasm")
	set.Remote.Timeout = 100 * time.Millisecond
	refused(t, set, "module: "+s.URL+"/x.wasm: no whole answer within 100ms")
	for len(asked) > 0 { // the handler of the fetch above
		<-asked
	}
	set.Remote.Timeout = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	_, err := source.New(set).Fetch(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// The cache stands in when the server is out of reach, and for no other answer.
func TestOutOfReach(t *testing.T) {
	s, key := newSite(t), newEd25519(t)
	s.put("/x.wasm", wasm("a"))
	s.put("/x.wasm.sig", key.sign(t, wasm("a")))
	set := s.settings("/x.wasm")
	set.Verify.Keys, set.CacheDir = []string{key.file}, t.TempDir()
	_, err := fetch(t, set)
	require.NoError(t, err)
	note := "; the module that was fetched before is used, " + digest(wasm("a"))
	for code, want := range map[int]string{
		503: "module: " + set.Module + ": 503 Service Unavailable" + note,
		429: "module: " + set.Module + ": 429 Too Many Requests" + note,
	} {
		s.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
		m, err := fetch(t, set)
		require.NoError(t, err)
		require.Equal(t, wasm("a"), m.Bytes)
		require.True(t, m.FromCache)
		require.Equal(t, key.file, m.SignedBy)
		require.EqualError(t, m.Warning, want)
	}
	s.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	_, err = fetch(t, set)
	require.EqualError(t, err, "module: "+set.Module+": 403 Forbidden: the server wants a bearer token, which remote::token_file gives")
	s.answer(nil)
	s.put("/x.wasm", wasm("forged"))
	_, err = fetch(t, set)
	require.EqualError(t, err, "verify: "+set.Module+": signature "+set.Module+".sig: is by none of the keys "+key.file+", or for another module")

	s.Close()
	m, err := fetch(t, set)
	require.NoError(t, err)
	require.Equal(t, wasm("a"), m.Bytes)
	require.EqualError(t, m.Warning, "module: "+set.Module+": dial tcp "+s.Listener.Addr().String()+": connect: connection refused"+note)
	set.Verify.Keys = []string{newEd25519(t).file} // the one that signed it is trusted no more
	_, err = fetch(t, set)
	require.EqualError(t, err, "module: "+set.Module+": dial tcp "+s.Listener.Addr().String()+": connect: connection refused")
	set.Verify.Keys = []string{key.file}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = source.New(set).Fetch(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// What a digest pins is not asked for again.
func TestPinned(t *testing.T) {
	s, key := newSite(t), newEd25519(t)
	s.put("/x.wasm", wasm("a"))
	s.put("/x.wasm.sig", key.sign(t, wasm("a")))
	set := s.settings("/x.wasm")
	set.Digest, set.CacheDir = digest(wasm("a")), t.TempDir()
	_, err := fetch(t, set)
	require.NoError(t, err)
	s.asked()
	src := source.New(set)
	m, err := src.Fetch(t.Context())
	require.NoError(t, err)
	require.True(t, m.FromCache)
	require.Equal(t, wasm("a"), m.Bytes)
	m, err = src.Poll(t.Context())
	require.NoError(t, err)
	require.Nil(t, m)
	elsewhere := set
	elsewhere.Module = s.URL + "/moved.wasm"
	_, err = fetch(t, elsewhere)
	require.NoError(t, err)
	require.Empty(t, s.asked())

	set.Verify.Keys = []string{key.file} // what lies in the cache is not known to be signed
	m, err = fetch(t, set)
	require.NoError(t, err)
	require.Equal(t, key.file, m.SignedBy)
	require.Equal(t, []string{"GET /x.wasm 200", "GET /x.wasm.sig 200"}, s.asked())
	m, err = fetch(t, set)
	require.NoError(t, err)
	require.Equal(t, key.file, m.SignedBy)
	require.Empty(t, s.asked())
}

// A file that was altered in the cache is fetched again, and so is one whose list was.
func TestCorruptedCache(t *testing.T) {
	s := newSite(t)
	s.put("/x.wasm", wasm("a"))
	set := s.settings("/x.wasm")
	set.CacheDir = t.TempDir()
	for _, pattern := range []string{"*.wasm", "*.json"} {
		_, err := fetch(t, set)
		require.NoError(t, err)
		s.asked()
		files, err := filepath.Glob(filepath.Join(set.CacheDir, pattern))
		require.NoError(t, err)
		require.Len(t, files, 1)
		write(t, files[0], wasm("evil"))
		m, err := fetch(t, set)
		require.NoError(t, err)
		require.Equal(t, wasm("a"), m.Bytes)
		require.Equal(t, []string{"GET /x.wasm 200"}, s.asked(), pattern)
		m, err = fetch(t, set)
		require.NoError(t, err)
		require.True(t, m.FromCache)
	}
}

// The newest three modules of a source are kept, and those of others.
func TestCacheIsBounded(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	old := time.Now().Add(-2 * time.Hour)
	age := func() {
		files, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, f := range files {
			require.NoError(t, os.Chtimes(filepath.Join(dir, f.Name()), old, old))
		}
	}
	get := func(path, content string) {
		s.put(path, wasm(content))
		set := s.settings(path)
		set.CacheDir = dir
		m, err := fetch(t, set)
		require.NoError(t, err)
		require.NoError(t, m.Warning)
		age()
	}
	write(t, filepath.Join(dir, "new-1"), []byte("left by a killed process"))
	get("/other.wasm", "other")
	for _, v := range []string{"1", "2", "3", "4"} {
		get("/x.wasm", v)
	}
	var kept []string
	for _, content := range []string{"other", "1", "2", "3", "4"} {
		if _, err := os.Stat(filepath.Join(dir, strings.Replace(digest(wasm(content)), ":", "-", 1)+".wasm")); err == nil {
			kept = append(kept, content)
		}
	}
	require.Equal(t, []string{"other", "2", "3", "4"}, kept)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 6) // four modules, two lists
}

// A cache that cannot be written costs the cache alone.
func TestCacheCannotBeWritten(t *testing.T) {
	s := newSite(t)
	s.put("/x.wasm", wasm("a"))
	set := s.settings("/x.wasm")
	set.CacheDir = filepath.Join(t.TempDir(), "none")
	m, err := fetch(t, set)
	require.NoError(t, err)
	require.Equal(t, wasm("a"), m.Bytes)
	require.ErrorIs(t, m.Warning, os.ErrNotExist)
	require.ErrorContains(t, m.Warning, "module cache: open "+set.CacheDir+"/new-")
}
