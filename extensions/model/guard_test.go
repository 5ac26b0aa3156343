package model

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
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
	ca, caKey := certificate(t, dir, "ca", nil, nil)
	certificate(t, dir, "server", ca, caKey)
	certificate(t, dir, "client", ca, caKey)
	other, otherKey := certificate(t, dir, "other-ca", nil, nil)
	certificate(t, dir, "stranger", other, otherKey)

	m := start(t, func(c *Config) {
		server := configtls.NewDefaultServerConfig()
		server.CertFile, server.KeyFile = filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")
		server.ClientCAFile = filepath.Join(dir, "ca.crt")
		c.HTTP.NetAddr.Endpoint = "0.0.0.0:0"
		c.HTTP.TLS = configoptional.Some(server)
	})
	_, port, err := net.SplitHostPort(m.listening)
	require.NoError(t, err)
	ask := func(name string) error {
		config := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		config.RootCAs.AddCert(ca)
		if name != "" {
			pair, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key"))
			require.NoError(t, err)
			config.Certificates = []tls.Certificate{pair}
		}
		transport := &http.Transport{TLSClientConfig: config}
		defer transport.CloseIdleConnections()
		r, err := (&http.Client{Transport: transport}).Get("https://127.0.0.1:" + port + "/apis") //nolint:noctx // a test's own server
		if err == nil {
			require.Equal(t, http.StatusOK, r.StatusCode)
			return r.Body.Close()
		}
		return err
	}
	require.NoError(t, ask("client"))
	require.ErrorContains(t, ask(""), "tls: certificate required")
	require.ErrorContains(t, ask("stranger"), "tls: ")
}

// certificate makes a key and a certificate for 127.0.0.1, signed by an authority, or an authority if there is none.
func certificate(t *testing.T, dir, name string, ca *x509.Certificate, caKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true, IsCA: ca == nil,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := ca, caKey
	if ca == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write := func(suffix, kind string, b []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+suffix), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600))
	}
	write(".crt", "CERTIFICATE", der)
	write(".key", "PRIVATE KEY", keyDER)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert, key
}
