package probe

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/obsd-io/obsd/internal/certtest"
	"github.com/obsd-io/obsd/internal/golden"
	"github.com/obsd-io/obsd/internal/porttest"
)

// resolverAt asks a name server.
func resolverAt(address string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", address)
	}}
}

func question(t *testing.T, g DNSConfig, d *dialer) *dnsChecker {
	t.Helper()
	if g.QueryName == "" {
		g.QueryName = "shop.example"
	}
	c, err := newDNSChecker(&g, d, &tls.Config{MinVersion: tls.VersionTLS12})
	require.NoError(t, err)
	return c
}

// nameServer serves shop.example over a protocol, and returns its address.
func nameServer(t *testing.T, protocol string, secure *tls.Config) string {
	t.Helper()
	s := &dns.Server{Net: protocol, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg).SetReply(q)
		switch name := q.Question[0].Name; {
		case name != "shop.example.":
			a.Rcode = dns.RcodeNameError
		case q.Question[0].Qtype == dns.TypeA:
			for _, text := range []string{"shop.example. 60 IN A 192.0.2.7", "shop.example. 60 IN A 192.0.2.8"} {
				rr, err := dns.NewRR(text)
				if err == nil {
					a.Answer = append(a.Answer, rr)
				}
			}
		}
		_ = w.WriteMsg(a)
	})}
	ready := make(chan struct{})
	s.NotifyStartedFunc = func() { close(ready) }
	var address string
	if protocol == protocolUDP {
		p, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		s.PacketConn, address = p, p.LocalAddr().String()
	} else {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		address = l.Addr().String()
		if s.Listener = l; secure != nil {
			s.Listener = tls.NewListener(l, secure)
		}
	}
	go func() { _ = s.ActivateAndServe() }()
	<-ready
	t.Cleanup(func() { _ = s.Shutdown() })
	return address
}

func TestDNS(t *testing.T) {
	a := certtest.NewAuthority(t)
	udp, tcp := nameServer(t, protocolUDP, nil), nameServer(t, protocolTCP, nil)
	dot := nameServer(t, protocolTLS, &tls.Config{Certificates: []tls.Certificate{a.Issue(t, 100*time.Hour+30*time.Minute)}, MinVersion: tls.VersionTLS12})
	var b strings.Builder
	f := func(title, server string, g DNSConfig) {
		t.Helper()
		g.Endpoints, g.TLS = []string{server}, trusting(a)
		if g.QueryName == "" {
			g.QueryName = "shop.example"
		}
		cfg := config()
		cfg.DNS = []DNSConfig{g}
		b.WriteString("== " + title + "\n" + strings.ReplaceAll(only(t, cfg), server, "server"))
	}
	f("udp", udp, DNSConfig{})
	f("tcp", tcp, DNSConfig{Protocol: protocolTCP})
	f("tls", dot, DNSConfig{Protocol: protocolTLS})
	f("an answer that matches", udp, DNSConfig{AnswerMatches: `192\.0\.2\.8$`})
	f("none that does", udp, DNSConfig{AnswerMatches: `192\.0\.2\.9$`})
	f("no answer", udp, DNSConfig{QueryType: "aaaa"})
	f("no name", udp, DNSConfig{QueryName: "gone.example"})
	f("and there must be none", udp, DNSConfig{QueryName: "gone.example", Rcode: "nxdomain"})
	golden.Require(t, "dns.want", b.String())
}

// TestLookup finds a target by its name.
func TestLookup(t *testing.T) {
	d := &dialer{resolver: resolverAt(nameServer(t, protocolUDP, nil))}
	over := newFuse()
	m := newMeasure(over)
	done := make(chan result, 1)
	go func() { done <- (&tcpChecker{dialer: d}).check(m, "shop.example:80") }()
	require.Eventually(t, func() bool { m.mu.Lock(); defer m.mu.Unlock(); return m.seen[phaseConnect] }, deadline, time.Millisecond)
	close(over.done)
	<-done
	require.True(t, m.seen[phaseDNS])
	require.Equal(t, "dns", run(t.Context(), &tcpChecker{dialer: d}, "gone.example:80", deadline).failure)
}

func TestTCP(t *testing.T) {
	a := certtest.NewAuthority(t)
	open := raw(t, func(conn) {})
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{a.Issue(t, 100*time.Hour+30*time.Minute)}, MinVersion: tls.VersionTLS12})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = c.(*tls.Conn).Handshake(); _ = c.Close() }()
		}
	}()
	shut := raw(t, func(conn) {})
	cfg := config()
	cfg.TCP = []TCPConfig{
		{Endpoints: []string{open}},
		{Endpoints: []string{l.Addr().String()}, TLS: optional(a)},
		{Endpoints: []string{shut}, TLS: optional(a)},
		{Endpoints: []string{l.Addr().String()}, TLS: optional(certtest.NewAuthority(t)), Name: "stranger"},
	}
	got := strings.NewReplacer(open, "open", l.Addr().String(), "secure", shut, "shut").Replace(only(t, cfg))
	golden.Require(t, "tcp.want", got)
}

// healthServer serves grpc.health.v1 and returns its address.
func healthServer(t *testing.T, options ...grpc.ServerOption) (string, *health.Server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s, h := grpc.NewServer(options...), health.NewServer()
	grpc_health_v1.RegisterHealthServer(s, h)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String(), h
}

func TestGRPC(t *testing.T) {
	a := certtest.NewAuthority(t)
	address, h := healthServer(t)
	h.SetServingStatus("cart", grpc_health_v1.HealthCheckResponse_SERVING)
	h.SetServingStatus("stock", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	cert := a.Issue(t, 100*time.Hour+30*time.Minute)
	secure, _ := healthServer(t, grpc.Creds(credentials.NewServerTLSFromCert(&cert)))
	bare, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	other := grpc.NewServer()
	go func() { _ = other.Serve(bare) }()
	t.Cleanup(other.Stop)
	closed := porttest.Closed(t)

	cfg := config()
	add := func(address string, g GRPCConfig) {
		g.Endpoints = []string{address}
		cfg.GRPC = append(cfg.GRPC, g)
	}
	add(address, GRPCConfig{})
	for _, service := range []string{"cart", "stock", "what"} {
		add(address, GRPCConfig{Service: service})
	}
	add(secure, GRPCConfig{TLS: optional(a)})
	add(secure, GRPCConfig{TLS: optional(certtest.NewAuthority(t)), Name: "stranger"})
	add(secure, GRPCConfig{Name: "clear"})
	add(bare.Addr().String(), GRPCConfig{})
	add(closed, GRPCConfig{})
	got := strings.NewReplacer(address, "server", secure, "secure", bare.Addr().String(), "bare", closed, "closed").Replace(only(t, cfg))
	golden.Require(t, "grpc.want", got)
}
