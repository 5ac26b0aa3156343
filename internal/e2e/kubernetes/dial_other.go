//go:build !linux

package kubernetes

import (
	"context"
	"errors"
	"net"
)

type dialer struct{}

// DialContext needs Linux.
func (c *Cluster) DialContext(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("network namespaces need Linux")
}

func (c *Cluster) listen(context.Context, string, string) (net.Listener, error) {
	return nil, errors.New("network namespaces need Linux")
}

func (d *dialer) close() {}
