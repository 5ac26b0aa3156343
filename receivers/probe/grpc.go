package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// grpcChecker asks servers for the health of a service.
type grpcChecker struct {
	cfg    *GRPCConfig
	dialer *dialer
	tls    *tls.Config // nil for connections in the clear
}

// maxCheck is longer than any check takes.
const maxCheck = 24 * time.Hour

// connectOnce has a client connect once, within the time that the check has: by itself it gives up after 20 s and begins anew.
var connectOnce = grpc.ConnectParams{
	Backoff: backoff.Config{BaseDelay: maxCheck, Multiplier: 1, MaxDelay: maxCheck}, MinConnectTimeout: maxCheck,
}

func (c *grpcChecker) check(m *measure, endpoint string) (r result) {
	wire := measuredCredentials{TransportCredentials: insecure.NewCredentials(), m: m}
	if c.tls != nil {
		wire.TransportCredentials = credentials.NewTLS(c.tls.Clone())
	}
	conn, err := grpc.NewClient("passthrough:///"+endpoint,
		grpc.WithTransportCredentials(&wire), grpc.WithUserAgent("obsd"), grpc.WithDisableServiceConfig(), grpc.WithConnectParams(connectOnce),
		grpc.WithContextDialer(func(_ context.Context, address string) (net.Conn, error) { return c.dialer.dial(m, "tcp", address) }))
	if err != nil {
		r.fail(m, err)
		return r
	}
	defer func() { _ = conn.Close() }() // its connections are closed in any case
	answer, err := grpc_health_v1.NewHealthClient(conn).Check(m.ctx, &grpc_health_v1.HealthCheckRequest{Service: c.cfg.Service})
	switch code := status.Code(err); {
	case err == nil && answer.Status != grpc_health_v1.HealthCheckResponse_SERVING:
		r.failure, r.err = failNotServing, fmt.Errorf("the status is %s", answer.Status)
	case code == codes.Unimplemented:
		r.failure, r.err = failNoHealth, errors.New("the server has no grpc.health.v1.Health")
	case code == codes.NotFound:
		r.failure, r.err = failNotServing, fmt.Errorf("the server does not know the service %q", c.cfg.Service)
	case err != nil:
		r.fail(m, err)
	}
	return r
}

// measuredCredentials tells a check of the handshake.
type measuredCredentials struct {
	credentials.TransportCredentials
	m *measure
}

// ClientHandshake implements credentials.TransportCredentials.
func (c *measuredCredentials) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secure := c.Info().SecurityProtocol == "tls"
	if secure {
		c.m.enter(phaseTLS)
	}
	conn, info, err := c.TransportCredentials.ClientHandshake(ctx, authority, conn)
	if secure {
		state, _ := info.(credentials.TLSInfo)
		c.m.certificates(state.State.PeerCertificates, err)
	}
	if err != nil {
		c.m.failed(err)
		return nil, nil, err
	}
	c.m.enter(phaseRequest)
	return conn, info, nil
}

// Clone implements credentials.TransportCredentials.
func (c *measuredCredentials) Clone() credentials.TransportCredentials {
	return &measuredCredentials{TransportCredentials: c.TransportCredentials.Clone(), m: c.m}
}

// grpcLabels say which service is asked for.
func grpcLabels(service string) []label {
	if service == "" {
		return nil
	}
	return []label{{attrService, service}}
}
