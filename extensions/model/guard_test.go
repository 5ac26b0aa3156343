package model

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/bearertokenauthextension"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/extension/extensiontest"

	"github.com/obsd-io/obsd/internal/certtest"
)

// host has one extension.
type host struct {
	component.Host
	extensions map[component.ID]component.Component
}

func (h host) GetExtensions() map[component.ID]component.Component { return h.extensions }

// TestBearerToken checks that with an auth extension every route wants the token.
func TestBearerToken(t *testing.T) {
	f := bearertokenauthextension.NewFactory()
	settings := f.CreateDefaultConfig().(*bearertokenauthextension.Config)
	settings.BearerToken = "secret"
	auth, err := f.Create(t.Context(), extensiontest.NewNopSettings(f.Type()), settings)
	require.NoError(t, err)
	require.NoError(t, auth.Start(t.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, auth.Shutdown(context.Background())) }()
	id := component.NewID(f.Type())

	c := createDefaultConfig().(*Config)
	c.HTTP.NetAddr.Endpoint = "0.0.0.0:0"
	c.HTTP.Auth = configoptional.Some(confighttp.AuthConfig{Config: configauth.Config{AuthenticatorID: id}})
	require.NoError(t, c.Validate())
	ext, err := NewFactory().Create(t.Context(), extensiontest.NewNopSettings(NewFactory().Type()), c)
	require.NoError(t, err)
	require.NoError(t, ext.Start(t.Context(), host{componenttest.NewNopHost(), map[component.ID]component.Component{id: auth}}))
	defer func() { require.NoError(t, ext.Shutdown(context.Background())) }()
	m := ext.(*Model)
	_, err = m.Handle("GET /added", http.NotFoundHandler())
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(m.listening)
	require.NoError(t, err)
	ask := func(path, token string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:"+port+path, nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		r, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, r.Body.Close())
		return r.StatusCode
	}
	for _, path := range []string{root + "/nodes", "/apis", "/metrics", "/healthz", "/added"} {
		require.Equal(t, http.StatusUnauthorized, ask(path, "guess"), path)
	}
	require.Equal(t, http.StatusOK, ask(root+"/nodes", "secret"))
}

// TestClientCertificate checks that with client_ca_file nobody gets an answer without a certificate of that authority,
// as the aggregator of an API server has one.
func TestClientCertificate(t *testing.T) {
	dir := t.TempDir()
	ca := certtest.NewAuthority(t)
	ca.Write(t, filepath.Join(dir, "ca.crt"))
	certtest.WritePair(t, ca.Issue(t, time.Hour), filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key"))
	client, stranger := ca.Issue(t, time.Hour), certtest.NewAuthority(t).Issue(t, time.Hour)

	m := start(t, func(c *Config) {
		server := configtls.NewDefaultServerConfig()
		server.CertFile, server.KeyFile = filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")
		server.ClientCAFile = filepath.Join(dir, "ca.crt")
		c.HTTP.NetAddr.Endpoint = "0.0.0.0:0"
		c.HTTP.TLS = configoptional.Some(server)
	})
	_, port, err := net.SplitHostPort(m.listening)
	require.NoError(t, err)
	ask := func(as ...tls.Certificate) error {
		config := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12, Certificates: as}
		config.RootCAs.AddCert(ca.Cert)
		transport := &http.Transport{TLSClientConfig: config}
		defer transport.CloseIdleConnections()
		r, err := (&http.Client{Transport: transport}).Get("https://127.0.0.1:" + port + "/apis") //nolint:noctx // a test's own server
		if err == nil {
			require.Equal(t, http.StatusOK, r.StatusCode)
			return r.Body.Close()
		}
		return err
	}
	require.NoError(t, ask(client))
	require.ErrorContains(t, ask(), "tls: certificate required")
	require.ErrorContains(t, ask(stranger), "tls: ")
}
