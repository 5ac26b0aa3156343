package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
)

// maxRedirects is how many are followed.
const maxRedirects = 10

var errRedirects = fmt.Errorf("more than %d redirects", maxRedirects)

// httpChecker checks URLs.
type httpChecker struct {
	cfg      *HTTPConfig
	client   *http.Client
	good     []statusRange
	match    *regexp.Regexp // nil if nothing is asked
	mismatch *regexp.Regexp
}

func newHTTPChecker(
	ctx context.Context, cfg *HTTPConfig, d *dialer, extensions map[component.ID]component.Component,
) (*httpChecker, error) {
	tlsConfig, err := cfg.TLS.LoadTLSConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	c := &httpChecker{cfg: cfg, good: []statusRange{{200, 299}}}
	var transport http.RoundTripper = newTransport(cfg, d, tlsConfig)
	if auth := cfg.Auth.Get(); auth != nil {
		authenticator, err := auth.GetHTTPClientAuthenticator(ctx, extensions)
		if err != nil {
			return nil, fmt.Errorf("auth: %w", err)
		}
		if transport, err = authenticator.RoundTripper(transport); err != nil {
			return nil, fmt.Errorf("auth: %w", err)
		}
	}
	c.client = &http.Client{Transport: transport, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		switch {
		case !cfg.FollowRedirects:
			return http.ErrUseLastResponse
		case len(via) > maxRedirects:
			return errRedirects
		}
		return nil
	}}
	if len(cfg.Status) > 0 {
		c.good = nil
	}
	for _, text := range cfg.Status {
		s, err := parseStatus(text)
		if err != nil {
			return nil, err
		}
		c.good = append(c.good, s)
	}
	c.match, err = pattern(cfg.BodyMatches)
	if err == nil {
		c.mismatch, err = pattern(cfg.BodyMatchesNot)
	}
	return c, err
}

// newTransport makes a new connection for each request, for else there would be nothing to measure.
func newTransport(cfg *HTTPConfig, d *dialer, tlsConfig *tls.Config) *http.Transport {
	t := &http.Transport{
		DialContext: d.dialContext, TLSClientConfig: tlsConfig, DisableKeepAlives: true, ForceAttemptHTTP2: true, DisableCompression: true,
		MaxResponseHeaderBytes: 256 << 10,
	}
	if u, err := url.Parse(cfg.ProxyURL); err == nil && cfg.ProxyURL != "" {
		t.Proxy = http.ProxyURL(u)
	}
	return t
}

func pattern(text string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, nil
	}
	return regexp.Compile(text)
}

func (c *httpChecker) check(m *measure, endpoint string) (r result) {
	req, err := c.request(m.ctx, endpoint)
	if err != nil {
		r.fail(m, err)
		return r
	}
	resp, err := c.client.Do(req)
	if err != nil {
		r.fail(m, err)
		if errors.Is(err, errRedirects) {
			r.failure, r.err = failRedirects, err
		}
		return r
	}
	defer func() { _ = resp.Body.Close() }() // what was to be read is read
	r.http = &httpResult{status: resp.StatusCode, matched: -1}
	body, err := c.read(resp.Body, &r.http.size)
	if err != nil {
		r.fail(m, err)
		return r
	}
	m.end()
	bad := !slices.ContainsFunc(c.good, func(s statusRange) bool { return s.from <= resp.StatusCode && resp.StatusCode <= s.to })
	if c.match != nil || c.mismatch != nil {
		r.http.matched = 0
		if (c.match == nil || c.match.Match(body)) && (c.mismatch == nil || !c.mismatch.Match(body)) {
			r.http.matched = 1
		}
	}
	switch {
	case bad:
		r.failure, r.err = failStatus, fmt.Errorf("status %d", resp.StatusCode)
	case r.http.matched == 0:
		r.failure, r.err = failBody, errors.New("the body is not as body_matches and body_matches_not want it")
	}
	return r
}

func (c *httpChecker) request(ctx context.Context, endpoint string) (*http.Request, error) {
	method := c.cfg.Method
	if method == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, endpoint, strings.NewReader(c.cfg.Body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "obsd")
	for name, value := range c.cfg.Headers.Iter {
		if strings.EqualFold(name, "Host") {
			req.Host = string(value)
			continue
		}
		req.Header.Set(name, string(value))
	}
	return req, nil
}

// read reads the body as far as it may, and keeps it if it is looked at.
func (c *httpChecker) read(body io.Reader, size *int) ([]byte, error) {
	limit := c.cfg.MaxBodySize
	if limit == 0 {
		limit = defaultMaxBody
	}
	body = io.LimitReader(body, int64(limit))
	if c.match == nil && c.mismatch == nil {
		n, err := io.Copy(io.Discard, body)
		*size = int(n)
		return nil, err
	}
	b, err := io.ReadAll(body)
	*size = len(b)
	return b, err
}
