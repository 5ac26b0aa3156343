package kubelet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/obsd-io/obsd/internal/kubeapi"
)

// serviceAccountDir is where a pod finds its service account.
const serviceAccountDir = "/var/run/secrets/kubernetes.io/serviceaccount"

// maxBody is the longest answer that is read. A node of 500 pods answers /metrics/cadvisor with about 25 MB.
const maxBody = 256 << 20

// statusError is an answer other than 200.
type statusError struct {
	code int
	text string // the beginning of the body, on one line
}

func (e *statusError) Error() string {
	if e.text == "" {
		return fmt.Sprintf("status %d", e.code)
	}
	return fmt.Sprintf("status %d: %s", e.code, e.text)
}

var errTooLong = fmt.Errorf("the answer is longer than %d MiB", maxBody>>20)

// client asks kubelets, or the API server as their proxy. It is safe for concurrent use.
//
// Tokens and certificates are read again by client-go now and then. When the other side refuses what we have, or we its
// certificate, they are read at once, and if they have changed the request is made again.
type client struct {
	cfg      *rest.Config
	compress bool // ask for gzip: worth its CPU where the answer crosses the network

	mu        sync.Mutex
	transport http.RoundTripper
	idle      interface{ CloseIdleConnections() }
	secrets   [sha256.Size]byte
}

func newClient(cfg *rest.Config, compress bool) (*client, error) {
	c := &client{cfg: cfg, compress: compress}
	if _, err := c.renew(); err != nil {
		return nil, err
	}
	return c, nil
}

// renew makes the transport if there is none, or if files have changed since it was made.
func (c *client) renew() (changed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	secrets := c.digest()
	if c.transport != nil && secrets == c.secrets {
		return false, nil
	}
	tlsConfig, err := rest.TLSConfigFor(c.cfg)
	if err != nil {
		return false, err
	}
	if tlsConfig != nil {
		tlsConfig.NextProtos = []string{"http/1.1"} // less work than HTTP/2 for few long answers
	}
	base := &http.Transport{
		Proxy:               c.cfg.Proxy,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:     tlsConfig,
		TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout:     90 * time.Second,
		MaxIdleConnsPerHost: 5,
		DisableCompression:  !c.compress,
	}
	transport, err := rest.HTTPWrappersForConfig(c.cfg, base)
	if err != nil {
		return false, err
	}
	if c.idle != nil {
		c.idle.CloseIdleConnections()
	}
	c.transport, c.idle, c.secrets = transport, base, secrets
	return true, nil
}

// digest is of all files with credentials.
func (c *client) digest() (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, name := range []string{c.cfg.BearerTokenFile, c.cfg.CAFile, c.cfg.CertFile, c.cfg.KeyFile} {
		if name != "" {
			b, _ := os.ReadFile(name) // one that cannot be read is an error where it is used
			h.Write(b)
		}
		h.Write([]byte{0})
	}
	h.Sum(sum[:0])
	return sum
}

func (c *client) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle != nil {
		c.idle.CloseIdleConnections()
	}
}

// get reads an answer into buf, which it returns longer if need be.
func (c *client) get(ctx context.Context, u, accept string, buf []byte) ([]byte, error) {
	body, err := c.try(ctx, u, accept, buf)
	if !refused(err) {
		return body, err
	}
	if changed, renewErr := c.renew(); renewErr != nil || !changed {
		return body, errors.Join(err, renewErr)
	}
	return c.try(ctx, u, accept, buf)
}

// refused says that the credentials may be old: the other side says so, or its certificate is not taken, or it ended the
// connection, as it does over a client certificate.
func refused(err error) bool {
	if status, ok := errors.AsType[*statusError](err); ok {
		return status.code == http.StatusUnauthorized
	}
	var cert *tls.CertificateVerificationError
	var network *net.OpError
	return errors.As(err, &cert) || errors.As(err, &network)
}

func (c *client) try(ctx context.Context, u, accept string, buf []byte) (body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return buf, err
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", "obsd")
	c.mu.Lock()
	transport := c.transport
	c.mu.Unlock()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return buf, err
	}
	defer func() { _ = resp.Body.Close() }() // what was read is whole, or its error is known
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return buf, &statusError{code: resp.StatusCode, text: strings.Join(strings.Fields(string(text)), " ")}
	}
	body, err = readAll(resp, buf)
	if cause := context.Cause(ctx); err == nil && cause != nil {
		// The client announces that it closes the connection before it does so, and a server may end its answer properly in
		// between: what it wrote until then looks whole.
		err = fmt.Errorf("%w: the answer may be cut off", cause)
	}
	return body, err
}

// readAll reads a body into buf. There is room for one more byte behind what it returns, which Prometheus's parser wants.
func readAll(resp *http.Response, buf []byte) ([]byte, error) {
	b := bytes.NewBuffer(buf[:0])
	if n := resp.ContentLength; n > 0 && n <= maxBody {
		b.Grow(int(n) + bytes.MinRead)
	}
	n, err := b.ReadFrom(io.LimitReader(resp.Body, maxBody+1))
	if err == nil && n > maxBody {
		err = errTooLong
	}
	return b.Bytes(), err
}

// parseEndpoint makes a URL of what stands in the configuration.
func parseEndpoint(endpoint, auth string) (*url.URL, error) {
	scheme, port := "https", "10250"
	if auth == authNone {
		scheme, port = "http", "10255"
	}
	if !strings.Contains(endpoint, "://") {
		endpoint = scheme + "://" + endpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("endpoint: %q is neither a URL without a path nor host:port", endpoint)
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// kubeletConfig is how kubelets are asked directly.
func (c *Config) kubeletConfig() *rest.Config {
	r := &rest.Config{TLSClientConfig: rest.TLSClientConfig{Insecure: c.InsecureSkipVerify, CAFile: c.CAFile}}
	switch c.AuthType {
	case authTLS:
		r.CertFile, r.KeyFile = c.CertFile, c.KeyFile
	case authServiceAccount:
		r.BearerTokenFile = c.tokenFile()
	}
	if c.AuthType == authServiceAccount && r.CAFile == "" && !r.Insecure {
		r.CAFile = filepath.Join(serviceAccountDir, "ca.crt")
	}
	return r
}

func (c *Config) tokenFile() string {
	if c.TokenFile != "" {
		return c.TokenFile
	}
	return filepath.Join(serviceAccountDir, "token")
}

// apiConfig is how the API server is asked.
func (c *Config) apiConfig() (*rest.Config, error) {
	k := kubeapi.Config{AuthType: kubeapi.ServiceAccount, KubeConfig: c.KubeConfig, Context: c.Context}
	if c.AuthType == authKubeConfig {
		k.AuthType = kubeapi.KubeConfig
	}
	r, err := k.REST()
	if err != nil {
		return nil, fmt.Errorf("kubelet: %w", err)
	}
	if c.AuthType == authKubeConfig && c.InsecureSkipVerify {
		r.Insecure, r.CAFile, r.CAData = true, "", nil
	}
	return r, nil
}

// proxyURL is where the API server passes requests on to the kubelet of a node.
func proxyURL(api *rest.Config, node string) (*url.URL, error) {
	u, _, err := rest.DefaultServerUrlFor(api)
	if err != nil {
		return nil, fmt.Errorf("kubelet: address of the API server: %w", err)
	}
	return u.JoinPath("api", "v1", "nodes", node, "proxy"), nil
}

// failure says what kind of error a scrape met, and what an operator can do.
func failure(err error) (reason, mend string) {
	var status *statusError
	var cert *tls.CertificateVerificationError
	var network *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout", "see why the kubelet is slow, or raise timeout"
	case errors.As(err, &cert):
		return "certificate", "set ca_file to the CA that signed the kubelet's serving certificate, or give kubelets one of the cluster's CA (serverTLSBootstrap)"
	case errors.As(err, &network) && network.Op == "remote error": // an alert of TLS
		return "client_certificate", "the kubelet does not take the client certificate: check cert_file, key_file, and the kubelet's client CA"
	case errors.As(err, &status):
		return fmt.Sprintf("status_%d", status.code), mendStatus(status.code)
	case errors.As(err, &network):
		return "connection", "check the address and that nothing blocks the port"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "cut_off", "the connection ended early: see the kubelet's log"
	}
	return "malformed", "check that endpoint is a kubelet"
}

func mendStatus(code int) string {
	switch code {
	case http.StatusUnauthorized:
		return "the kubelet does not take the token or certificate: check auth_type, and the kubelet's authentication.webhook"
	case http.StatusForbidden:
		return "give the service account get on nodes/stats, nodes/metrics and nodes/pods; see the README"
	case http.StatusNotFound, http.StatusGone, http.StatusMethodNotAllowed:
		return "this kubelet does not serve the endpoint (any more): take it from endpoints, or see enableDebuggingHandlers"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		return "the kubelet or the API server is overloaded or starting: it is asked again"
	}
	return "see the kubelet's log"
}
