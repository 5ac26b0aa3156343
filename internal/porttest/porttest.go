// Package porttest gives tests addresses that nobody else has, and some at which nobody answers.
package porttest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Closed returns an address "127.0.0.1:port" at which connections are refused until the test ends. A listener that was closed
// again would not do: its port is anyone's, and tests of other packages run beside this one.
func Closed(t testing.TB) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	syscall.CloseOnExec(fd)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})) // and it does not listen
	name, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	return (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*syscall.SockaddrInet4).Port}).String()
}

// Listen listens on a port of 127.0.0.1 that no system gives to who asks for any, so that it stays free when a test has closed it.
func Listen() (net.Listener, error) {
	for tries := 0; ; tries++ {
		const first, n = 20_000, 10_000 // Linux gives those from 32768 on, others from 49152
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(n)))
		if err == nil || tries == 100 {
			return listener, err
		}
	}
}
