package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// Reasons for which a check fails, besides the names of phases (something broke in it), and timeout_ with the name of a
// phase.
const (
	failCertificate = "certificate"
	failStatus      = "status"
	failBody        = "body"
	failRedirects   = "redirects"
	failRcode       = "rcode"
	failAnswer      = "answer"
	failNotServing  = "not_serving"
	failNoHealth    = "no_health_service"
	failTimeout     = "timeout_"
)

// checker makes checks of one group.
type checker interface {
	// check makes one, which must end when m.ctx does.
	check(m *measure, endpoint string) result
}

// result is what a check found.
type result struct {
	failure string // empty: the target is up
	err     error  // says more for a human

	took    [phases]time.Duration
	seen    [phases]bool
	expires time.Time // zero without TLS

	http *httpResult
	dns  *dnsResult
}

// httpResult is what there is besides if an HTTP server answered.
type httpResult struct {
	status  int
	size    int // of the part of the body that was read
	matched int // 1 or 0; -1 if nothing is asked of the body
}

// dnsResult is what there is besides if a DNS server answered.
type dnsResult struct{ rcode, answers int }

// fail notes why a check failed: in which phase, and whether its time was over.
func (r *result) fail(m *measure, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cause != nil {
		err = m.cause
	}
	r.err = err
	var refused *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	switch {
	case m.isLate():
		r.failure = failTimeout + phaseNames[m.now]
	case errors.As(err, &refused), errors.As(err, &unknown):
		r.failure = failCertificate
	default:
		r.failure = phaseNames[m.now]
	}
}

// isLate says whether the check's time is over. That is the deadline of its connections too, which may notice it before the context.
func (m *measure) isLate() bool {
	end, limited := m.ctx.Deadline()
	return errors.Is(m.ctx.Err(), context.DeadlineExceeded) || limited && !time.Now().Before(end)
}

// run makes a check of a target within a time.
func run(ctx context.Context, c checker, endpoint string, timeout time.Duration) result {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel() // closes what is still open
	m := newMeasure(ctx)
	r := c.check(m, endpoint)
	m.end()
	m.mu.Lock()
	defer m.mu.Unlock()
	r.took, r.seen, r.expires = m.took, m.seen, m.expires
	return r
}
