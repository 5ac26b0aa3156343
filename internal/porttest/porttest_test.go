package porttest_test

import (
	"errors"
	"net"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/porttest"
)

func TestClosed(t *testing.T) {
	address := porttest.Closed(t)
	_, err := net.Dial("tcp", address)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	_, err = net.Listen("tcp", address)
	require.ErrorIs(t, err, syscall.EADDRINUSE, "nobody else can have it")
}

func TestReserve(t *testing.T) {
	addr, err := porttest.Reserve()
	require.NoError(t, err)
	require.Regexp(t, `^127\.0\.0\.1:\d+$`, addr)
	for range 2 { // a program may listen there, and again after its end
		l, err := net.Listen("tcp", addr)
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
	if runtime.GOOS != "linux" {
		return
	}
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	// Of three ports around it, those who take any get the others.
	around := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, ipLocalPortRange, (number+1)<<16|(number-1))
		}), err)
	}}
	for range 20 {
		l, err := around.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if errors.Is(err, syscall.ENOPROTOOPT) {
			return // by a kernel that cannot be asked for one of a few
		}
		if errors.Is(err, syscall.EADDRINUSE) {
			continue // both others are taken
		}
		require.NoError(t, err)
		require.NotEqual(t, addr, l.Addr().String())
		require.NoError(t, l.Close())
	}
}

// ipLocalPortRange is IP_LOCAL_PORT_RANGE of Linux 6.3 and later.
const ipLocalPortRange = 51
