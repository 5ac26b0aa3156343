package process

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// reserve finds a port and keeps it from all who take any that is free, until this process ends: a socket stays bound to it. It
// does not listen and shares its address, so a program that asks for the port by its number, and shares as well, as servers
// do (SO_REUSEADDR), may listen there, again and again.
func reserve() (string, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", os.NewSyscallError("socket", err)
	}
	err = errors.Join(
		os.NewSyscallError("setsockopt", syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)),
		os.NewSyscallError("bind", syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})),
	)
	name, nameErr := syscall.Getsockname(fd)
	bound, ok := name.(*syscall.SockaddrInet4)
	if err := errors.Join(err, nameErr); err != nil || !ok {
		return "", errors.Join(err, fmt.Errorf("bound to %v", name), syscall.Close(fd))
	}
	return (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: bound.Port}).String(), nil
}
