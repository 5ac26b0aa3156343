package source

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"oras.land/oras-go/v2/registry/remote/errcode"
)

// client asks https:// servers, and carries the requests to registries.
type client struct {
	http *http.Client
	// token goes to the host of the module, and to no other.
	token, host string
}

// newClient reads the files that remote names.
func newClient(s *Settings) (*client, error) {
	c := &client{}
	var roots *x509.CertPool // nil means the system's
	if s.Remote.CAFile != "" {
		pem, err := readFile(s.Remote.CAFile, 16<<20)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		roots, err = x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file: %s: want certificates in PEM", s.Remote.CAFile)
		}
	}
	if s.Remote.TokenFile != "" {
		token, err := readFile(s.Remote.TokenFile, maxSignature)
		if err != nil {
			return nil, fmt.Errorf("token_file: %w", err)
		}
		c.token = strings.TrimSpace(string(token))
	}
	if u, err := url.Parse(s.Module); err == nil {
		c.host = u.Host
	}
	c.http = &http.Client{CheckRedirect: redirect, Transport: &transport{plain: s.Remote.PlainHTTP, next: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
	}}}
	return c, nil
}

// redirect keeps credentials from whoever else a server sends the client to; net/http looks at the name, not the port.
func redirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("more than 10 redirects")
	}
	if req.URL.Host != via[0].URL.Host {
		req.Header.Del("Authorization")
	}
	return nil
}

// get reads one resource. It returns neither bytes nor an error if the server says that it is still the one called etag.
func (c *client) get(ctx context.Context, address, etag string, limit int64) (body []byte, newTag string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("User-Agent", "obsd")
	if c.token != "" && req.URL.Host == c.host {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, "", explain(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	switch {
	case resp.StatusCode == http.StatusNotModified && etag != "":
		return nil, etag, nil
	case resp.StatusCode != http.StatusOK:
		return nil, "", statusError(resp.StatusCode)
	case resp.ContentLength > limit:
		return nil, "", fmt.Errorf("want at most %s, the server offers %d bytes", size(limit), resp.ContentLength)
	}
	body, err = readAll(resp.Body, limit)
	if err == nil {
		// A server of HTTP/2 that ends its answer since the request was given up makes half a body look whole.
		err = ctx.Err()
	}
	if err != nil {
		return nil, "", explain(ctx, err)
	}
	return body, resp.Header.Get("ETag"), nil
}

// statusError is a server's answer other than the resource.
type statusError int

func (s statusError) Error() string {
	text := fmt.Sprintf("%d %s", int(s), http.StatusText(int(s)))
	switch s {
	case http.StatusUnauthorized, http.StatusForbidden:
		return text + ": the server wants a bearer token, which remote::token_file gives"
	case http.StatusNotFound, http.StatusGone:
		return text + ": there is nothing at this address"
	}
	return text
}

// transport carries each single request, so it sees redirects too: it keeps them from plain HTTP, and marks what was
// lost on the way.
type transport struct {
	plain bool // plain HTTP is wanted
	next  *http.Transport
}

var errPlainHTTP = errors.New("the server leads from https:// to http://, where anyone on the way could replace the code")

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !t.plain {
		return nil, errPlainHTTP
	}
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, lostError{err}
	}
	resp.Body = &body{resp.Body}
	return resp, nil
}

// CloseIdleConnections is for http.Client's method of that name.
func (t *transport) CloseIdleConnections() { t.next.CloseIdleConnections() }

type body struct{ io.ReadCloser }

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = lostError{err}
	}
	return n, err
}

// lostError is a request that got no whole answer.
type lostError struct{ error }

func (l lostError) Unwrap() error { return l.error }

// Unreachable reports whether an error of Fetch or Poll tells nothing about the module, since the server could not be asked or
// could not tell.
func Unreachable(err error) bool {
	if status, ok := errors.AsType[statusError](err); ok {
		return passing(int(status))
	}
	if answer, ok := errors.AsType[*errcode.ErrorResponse](err); ok {
		return passing(answer.StatusCode)
	}
	var lost lostError
	var late timedOut
	return errors.As(err, &lost) || errors.As(err, &late)
}

// passing reports whether a status speaks of the server rather than of what was asked for.
func passing(status int) bool {
	return status >= 500 || status == http.StatusRequestTimeout || status == http.StatusTooManyRequests
}

// explain makes an error of a request one that says what to mend, without the layers of HTTP clients.
func explain(ctx context.Context, err error) error {
	var late timedOut
	if ctx.Err() != nil && errors.As(context.Cause(ctx), &late) {
		return late
	}
	if request, ok := errors.AsType[*url.Error](err); ok {
		err = request.Err
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return fmt.Errorf("%w: the server does not speak TLS, which remote::plain_http allows for oci://", err)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Errorf("%w: name its authority in remote::ca_file", err)
	}
	return err
}

// web is a module on an https:// server.
type web struct {
	client   *client
	settings *Settings
}

func (w *web) fetch(ctx context.Context, last *version) ([]byte, *version, error) {
	etag := ""
	if last != nil {
		etag = last.ETag
	}
	b, etag, err := w.client.get(ctx, w.settings.Module, etag, maxModule)
	if err != nil || b == nil {
		return nil, nil, err
	}
	return b, &version{ETag: etag}, nil
}

func (*web) wants(*version) bool { return true }

func (w *web) origin(*version) string { return w.settings.Module }

func (*web) proofs(*version) []findProofs { return nil }
