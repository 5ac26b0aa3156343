package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// dialer connects from inside a network namespace.
type dialer struct {
	mu sync.Mutex
	ns *os.File
}

// DialContext connects from inside the cluster's network namespace, so that the test itself can stay outside. The
// address is an IP address with a port.
func (c *Cluster) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	ns, err := c.client.namespace(c.init)
	if err != nil {
		return nil, err
	}
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		conn, err := dialIn(ctx, int(ns.Fd()), network, address)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

// dialIn moves its thread to the namespace and back. A thread that cannot go back stays locked, and so ends with the
// goroutine. (Ending it always would be simpler, but a thread's end kills the programs that were started on it.)
func dialIn(ctx context.Context, ns int, network, address string) (net.Conn, error) {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	defer func() { _ = home.Close() }()
	if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("enter the network namespace: %w", err)
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return conn, errors.Join(err, fmt.Errorf("leave the network namespace: %w", back))
	}
	runtime.UnlockOSThread()
	return conn, err
}

func (d *dialer) namespace(pid string) (*os.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ns == nil {
		var err error
		if d.ns, err = os.Open("/proc/" + pid + "/ns/net"); err != nil {
			return nil, err
		}
	}
	return d.ns, nil
}

func (d *dialer) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ns != nil {
		_ = d.ns.Close()
		d.ns = nil
	}
}
