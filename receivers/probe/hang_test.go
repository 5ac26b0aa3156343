package probe

import (
	"context"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/certtest"
)

type conn = net.Conn

// raw is a server that does with a connection what a test wants, and then closes it. It returns its address.
func raw(t *testing.T, do func(conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				do(c)
			}()
		}
	}()
	return l.Addr().String()
}

// silent is a server that reads but never answers. gone gets one for each connection that the other side closed.
func silent(t *testing.T) (address string, gone chan struct{}) {
	t.Helper()
	gone = make(chan struct{}, 100)
	return raw(t, func(c conn) {
		_, _ = io.Copy(io.Discard, c)
		gone <- struct{}{}
	}), gone
}

// full is an address at which connections are neither taken nor refused: the queue of its listener is full.
func full(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(fd, 0))
	name, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	address := (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*syscall.SockaddrInet4).Port}).String()
	refused := 0
	for range 64 {
		c, err := net.DialTimeout("tcp", address, 500*time.Millisecond)
		if err == nil {
			t.Cleanup(func() { _ = c.Close() })
			refused = 0
			continue
		}
		if refused++; refused == 2 { // once may be a slow machine
			return address
		}
	}
	t.Fatal("the queue of a listener does not fill")
	return ""
}

// hangs makes a check, waits until it is in a phase, lets its time pass, and wants it to end for that.
func hangs(t *testing.T, c checker, endpoint string, in phase) {
	t.Helper()
	over := newFuse()
	m := newMeasure(over)
	done := make(chan result, 1)
	go func() { done <- c.check(m, endpoint) }()
	require.Eventually(t, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.seen[in] && m.now == in
	}, deadline, time.Millisecond, "the check comes to the phase %s", phaseNames[in])
	close(over.done)
	select {
	case r := <-done:
		require.Equal(t, failTimeout+phaseNames[in], r.failure, "%v", r.err)
	case <-time.After(deadline):
		t.Fatal("the check does not end")
	}
}

// isGone waits for a server to see that its connection was closed.
func isGone(t *testing.T, gone <-chan struct{}) {
	t.Helper()
	select {
	case <-gone:
	case <-time.After(deadline):
		t.Fatal("the connection is still open")
	}
}

// TestHangs has servers that hang in each phase of each kind of check.
func TestHangs(t *testing.T) {
	t.Run("dns", func(t *testing.T) {
		nobody, err := net.ListenPacket("udp", "127.0.0.1:0") // takes questions, and answers none
		require.NoError(t, err)
		t.Cleanup(func() { _ = nobody.Close() })
		d := &dialer{resolver: resolverAt(nobody.LocalAddr().String())}
		hangs(t, webChecker(t, d), "http://shop.example/", phaseDNS)
		hangs(t, &tcpChecker{dialer: d}, "shop.example:80", phaseDNS)
		hangs(t, &grpcChecker{cfg: &GRPCConfig{}, dialer: d}, "shop.example:80", phaseDNS)
		hangs(t, question(t, DNSConfig{}, d), "ns.shop.example", phaseDNS)
	})
	t.Run("connect", func(t *testing.T) {
		address := full(t)
		hangs(t, webChecker(t, &dialer{}), "http://"+address, phaseConnect)
		hangs(t, &tcpChecker{dialer: &dialer{}}, address, phaseConnect)
		hangs(t, &grpcChecker{cfg: &GRPCConfig{}, dialer: &dialer{}}, address, phaseConnect)
		hangs(t, question(t, DNSConfig{Protocol: protocolTCP}, &dialer{}), address, phaseConnect)
	})
	t.Run("tls", func(t *testing.T) {
		secure, err := trusting(certtest.NewAuthority(t)).LoadTLSConfig(t.Context())
		require.NoError(t, err)
		address, gone := silent(t)
		for _, c := range []checker{
			&tcpChecker{&dialer{}, secure}, &grpcChecker{&GRPCConfig{}, &dialer{}, secure}, question(t, DNSConfig{Protocol: protocolTLS}, &dialer{}),
		} {
			hangs(t, c, address, phaseTLS)
			isGone(t, gone)
		}
		hangs(t, webChecker(t, &dialer{}), "https://"+address, phaseTLS)
		isGone(t, gone)
	})
	t.Run("request", func(t *testing.T) {
		address, gone := silent(t)
		hangs(t, webChecker(t, &dialer{}), "http://"+address, phaseRequest)
		isGone(t, gone)
		hangs(t, &grpcChecker{cfg: &GRPCConfig{}, dialer: &dialer{}}, address, phaseRequest)
		isGone(t, gone)
		hangs(t, question(t, DNSConfig{Protocol: protocolTCP}, &dialer{}), address, phaseRequest)
		isGone(t, gone)
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = udp.Close() })
		hangs(t, question(t, DNSConfig{}, &dialer{}), udp.LocalAddr().String(), phaseRequest)
	})
	t.Run("response", func(t *testing.T) {
		gone := make(chan struct{}, 1)
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			gone <- struct{}{}
		})
		hangs(t, webChecker(t, &dialer{}), s.URL, phaseResponse)
		isGone(t, gone)
	})
}

// tardy is a context whose time is soon over, but which never says so itself.
type tardy struct {
	context.Context
	end time.Time
}

func (c tardy) Deadline() (time.Time, bool) { return c.end, true }

// TestDeadlineOfAConnection has connections notice before the check's context that its time is over. That is a timeout no less.
func TestDeadlineOfAConnection(t *testing.T) {
	f := func(want string, c checker, endpoint string) {
		t.Helper()
		r := c.check(newMeasure(tardy{t.Context(), time.Now().Add(20 * time.Millisecond)}), endpoint)
		require.Equal(t, failTimeout+want, r.failure, "%v", r.err)
	}
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = udp.Close() })
	f("request", question(t, DNSConfig{}, &dialer{}), udp.LocalAddr().String())
	tcp, _ := silent(t)
	f("request", question(t, DNSConfig{Protocol: protocolTCP}, &dialer{}), tcp)
	f("connect", &tcpChecker{dialer: &dialer{}}, full(t))
}

// TestTimeout ends a check by the clock.
func TestTimeout(t *testing.T) {
	address, gone := silent(t)
	res := run(t.Context(), webChecker(t, &dialer{}), "http://"+address, 20*time.Millisecond)
	require.Contains(t, res.failure, failTimeout)
	if res.failure == failTimeout+phaseNames[phaseRequest] {
		isGone(t, gone)
	}
}

func webChecker(t *testing.T, d *dialer) *httpChecker {
	t.Helper()
	c, err := newHTTPChecker(t.Context(), &HTTPConfig{}, d, nil)
	require.NoError(t, err)
	return c
}
