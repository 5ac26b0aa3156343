package wasmpages

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/extensiontest"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/engine"
)

func state() engine.Page {
	return engine.Page{
		Component: "wasm/x", Digest: "sha256:0123456789abcdef", Origin: "/x.wasm", Loaded: time.Date(2026, 11, 25, 1, 2, 3, 0, time.UTC),
		Manifest: abi.Manifest{Name: "<b>x</b>", Version: "1.2", Signals: []string{"logs"}, Reads: []string{"body"}, Routes: []string{"errors"}},
		Engine:   "compiler", OnError: engine.Pass, Circuit: "open", CircuitWait: 1234 * time.Millisecond, Calls: 1234567,
		Rows: map[string]map[string]int64{"logs": {"kept": 12}}, Routed: map[string]int64{"errors": 3},
		Lost: []engine.Lost{{Signal: "logs", Kind: "trap", Records: 4}}, Limits: engine.NewConfig().Limits,
	}
}

func get(t *testing.T, url string) (status int, body, kind string) {
	t.Helper()
	r, err := http.Get(url) //nolint:noctx // a test's own server, which answers at once
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Body.Close()) }()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return r.StatusCode, string(b), r.Header.Get("Content-Type")
}

func TestPages(t *testing.T) {
	f := NewFactory()
	c := f.CreateDefaultConfig().(*Config)
	require.Equal(t, "127.0.0.1:55680", c.HTTP.NetAddr.Endpoint)
	c.HTTP.NetAddr.Endpoint = "127.0.0.1:0"
	require.NoError(t, c.Validate())
	ext, err := f.Create(t.Context(), extensiontest.NewNopSettings(f.Type()), c)
	require.NoError(t, err)
	require.NoError(t, ext.Shutdown(t.Context())) // before Start
	p := ext.(*pages)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	url := "http://" + p.listening
	remove := p.Show("wasm/x", state)
	p.Show("wasm/gone", func() engine.Page { return engine.Page{Component: "wasm/gone"} })

	status, body, kind := get(t, url)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "text/html; charset=utf-8", kind)
	for _, want := range []string{
		"1 running", "wasm/x", "&lt;b&gt;x&lt;/b&gt; 1.2", "2026-11-25 01:02:03 UTC", "open, tried again in 1.2s", "1,234,567",
		"logs kept", "routed to errors", "lost logs: trap", "32MiB an instance, 50µs a record, 100ms a batch", "sha256:0123456789ab…",
	} {
		require.Contains(t, body, want)
	}
	require.NotContains(t, body, "<b>x")

	_, body, kind = get(t, url+"/?format=json")
	require.Equal(t, "application/json", kind)
	var pages []engine.Page
	require.NoError(t, json.Unmarshal([]byte(body), &pages))
	require.Len(t, pages, 1)
	require.Equal(t, state().Lost, pages[0].Lost)

	status, body, _ = get(t, url+"/?format=xml")
	require.Equal(t, http.StatusBadRequest, status)
	require.Equal(t, "format \"xml\": want html or json\n", body)
	status, _, _ = get(t, url+"/other")
	require.Equal(t, http.StatusNotFound, status)

	remove()
	_, body, _ = get(t, url+"/?format=json")
	require.Equal(t, "[]\n", body)
	require.NoError(t, p.Shutdown(t.Context()))
	require.NoError(t, p.Shutdown(t.Context()))
}

func TestGroup(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", -999: "-999"} {
		require.Equal(t, want, group(n))
	}
}

func TestConfig(t *testing.T) {
	require.NoError(t, componenttest.CheckConfigStruct(NewFactory().CreateDefaultConfig()))
	require.EqualError(t, (&Config{}).Validate(), "endpoint: empty; give host:port, or leave it out for 127.0.0.1:55680")
}
