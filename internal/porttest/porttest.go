// Package porttest gives tests ports that nobody else gets, and some at which nobody answers. One that was listened on and closed
// would be anyone's, and tests of other packages run beside this one.
package porttest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Closed returns an address "127.0.0.1:port" at which connections are refused until the test ends.
func Closed(t testing.TB) string {
	t.Helper()
	fd, address, err := bind(false)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	return address
}

// Reserve returns an address "127.0.0.1:port" for another program to listen on. On Linux nobody gets it by chance while this process
// lives, not even while that program is down; elsewhere it was free a moment ago.
func Reserve() (string, error) {
	share := runtime.GOOS == "linux"
	fd, address, err := bind(share)
	if err == nil && !share {
		err = os.NewSyscallError("close", syscall.Close(fd))
	}
	return address, err
}

// bind keeps a port of 127.0.0.1 from all who take any that is free: a socket is bound to it, and does not listen. If it shares its
// address, then on Linux a program that asks for the port by its number, and shares as well, as servers do (SO_REUSEADDR), may listen
// there, again and again.
func bind(share bool) (fd int, address string, err error) {
	syscall.ForkLock.RLock()
	fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return 0, "", os.NewSyscallError("socket", err)
	}
	if share {
		err = os.NewSyscallError("setsockopt", syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	}
	err = errors.Join(err, os.NewSyscallError("bind", syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})))
	name, nameErr := syscall.Getsockname(fd)
	bound, ok := name.(*syscall.SockaddrInet4)
	if err := errors.Join(err, nameErr); err != nil || !ok {
		return 0, "", errors.Join(err, fmt.Errorf("bound to %v", name), syscall.Close(fd))
	}
	return fd, (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: bound.Port}).String(), nil
}

// NewUnstartedServer is as [httptest.NewUnstartedServer], on a port that stays free when the server was closed: no system gives it to
// who asks for any.
func NewUnstartedServer(handler http.Handler) *httptest.Server {
	for tries := 0; ; tries++ {
		const first, n = 20_000, 10_000 // Linux gives those from 32768 on, others from 49152
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(n)))
		if err == nil {
			return &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler}}
		}
		if tries == 100 {
			panic(fmt.Sprintf("porttest: %v", err))
		}
	}
}
