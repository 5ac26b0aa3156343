package probe

import "crypto/tls"

// tcpChecker checks that a port takes connections, and makes a TLS handshake if that is wanted.
type tcpChecker struct {
	dialer *dialer
	tls    *tls.Config // nil for none
}

func (c *tcpChecker) check(m *measure, endpoint string) (r result) {
	if _, err := c.dialer.dialTLS(m, "tcp", endpoint, c.tls); err != nil {
		r.fail(m, err)
	}
	return r
}
