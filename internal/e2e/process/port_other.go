//go:build !linux

package process

import "net"

// reserve finds a port that is free now. It may be taken before it is used.
func reserve() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
