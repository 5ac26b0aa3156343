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
	return inside(c, func() (net.Conn, error) { return new(net.Dialer).DialContext(ctx, network, address) })
}

// listen listens on an address of the cluster's network namespace.
func (c *Cluster) listen(ctx context.Context, network, address string) (net.Listener, error) {
	return inside(c, func() (net.Listener, error) { return new(net.ListenConfig).Listen(ctx, network, address) })
}

// inside calls do on a thread that is in the cluster's network namespace.
func inside[T any](c *Cluster, do func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	ns, err := c.client.namespace(c.init)
	if err != nil {
		return result{}.value, err
	}
	go func() {
		value, err := callIn(int(ns.Fd()), do)
		done <- result{value, err}
	}()
	r := <-done
	return r.value, r.err
}

// callIn moves its thread to the namespace and back. A thread that cannot go back stays locked, and so ends with the
// goroutine. (Ending it always would be simpler, but a thread's end kills the programs that were started on it.)
func callIn[T any](ns int, do func() (T, error)) (value T, err error) {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return value, err
	}
	defer func() { _ = home.Close() }()
	if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return value, fmt.Errorf("enter the network namespace: %w", err)
	}
	value, err = do()
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return value, errors.Join(err, fmt.Errorf("leave the network namespace: %w", back))
	}
	runtime.UnlockOSThread()
	return value, err
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
