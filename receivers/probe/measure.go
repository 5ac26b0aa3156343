package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http/httptrace"
	"sync"
	"time"
)

// phase is a part of a check.
type phase int

const (
	phaseDNS phase = iota
	phaseConnect
	phaseTLS
	phaseRequest  // until the first byte of the answer: sending, and the server's work
	phaseResponse // until the end of the answer
	phases
)

var phaseNames = [phases]string{"dns", "connect", "tls", "request", "response"}

// measure follows one check: which phase it is in, how long each took, and which certificates came. All connections of the
// check are made by it, and are closed when the check's context ends, in whatever phase that is.
type measure struct {
	ctx context.Context // the check's

	mu      sync.Mutex
	took    [phases]time.Duration
	seen    [phases]bool
	now     phase
	since   time.Time // zero before the first phase
	over    bool
	expires time.Time // the first of the certificates
	cause   error     // why a connection could not be made, where a library says so in words only
}

type measureKey struct{}

// newMeasure begins a check that lasts as long as ctx.
func newMeasure(ctx context.Context) *measure {
	m := &measure{now: phaseConnect}
	m.ctx = httptrace.WithClientTrace(context.WithValue(ctx, measureKey{}, m), &httptrace.ClientTrace{
		DNSStart:             func(httptrace.DNSStartInfo) { m.enter(phaseDNS) },
		ConnectStart:         func(string, string) { m.enter(phaseConnect) },
		TLSHandshakeStart:    func() { m.enter(phaseTLS) },
		TLSHandshakeDone:     func(s tls.ConnectionState, err error) { m.certificates(s.PeerCertificates, err) },
		GotConn:              func(httptrace.GotConnInfo) { m.enter(phaseRequest) },
		GotFirstResponseByte: func() { m.enter(phaseResponse) },
	})
	return m
}

// enter ends a phase and begins another. A check that follows redirects enters phases again; their times are added up.
func (m *measure) enter(p phase) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over || m.seen[p] && m.now == p {
		return // a second address is tried
	}
	m.pass()
	m.now, m.since, m.seen[p] = p, time.Now(), true
}

func (m *measure) pass() {
	if !m.since.IsZero() {
		m.took[m.now] += time.Since(m.since)
	}
}

// end ends the last phase. What a library does afterwards does not count.
func (m *measure) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.over {
		m.pass()
		m.over = true
	}
}

// certificates notes when the first of a server's certificates expires, even if they were refused.
func (m *measure) certificates(list []*x509.Certificate, err error) {
	if refused, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		list = refused.UnverifiedCertificates
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over {
		return
	}
	for i, c := range list {
		if i == 0 || c.NotAfter.Before(m.expires) {
			m.expires = c.NotAfter
		}
	}
}

func (m *measure) failed(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil && m.cause == nil {
		m.cause = err
	}
}

// dialer makes connections for checks.
type dialer struct{ resolver *net.Resolver } // nil for the system's

// dialContext connects for the check that ctx belongs to.
func (d *dialer) dialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d.dial(ctx.Value(measureKey{}).(*measure), network, address)
}

// dial connects for a check. Libraries that would connect for longer than their caller waits, such as net/http, are held to
// the check's own context.
func (d *dialer) dial(m *measure, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{Resolver: d.resolver}).DialContext(m.ctx, network, address)
	if err != nil {
		m.failed(err)
		return nil, err
	}
	context.AfterFunc(m.ctx, func() { _ = conn.Close() }) // it may be closed already
	return conn, nil
}

// dialTLS connects and makes a handshake; without a configuration it only connects.
func (d *dialer) dialTLS(m *measure, network, address string, cfg *tls.Config) (net.Conn, error) {
	conn, err := d.dial(m, network, address)
	if err != nil || cfg == nil {
		return conn, err
	}
	cfg = cfg.Clone()
	if host, _, err := net.SplitHostPort(address); err == nil && cfg.ServerName == "" {
		cfg.ServerName = host
	}
	m.enter(phaseTLS)
	secure := tls.Client(conn, cfg)
	err = secure.HandshakeContext(m.ctx)
	m.certificates(secure.ConnectionState().PeerCertificates, err)
	if err != nil {
		return nil, err
	}
	return secure, nil
}
