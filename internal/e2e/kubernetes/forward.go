package kubernetes

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// Expose makes a server of the test one of the cluster: whoever connects to the address inside talks to the address outside,
// until the test ends.
func (c *Cluster) Expose(t testing.TB, inside, outside string) {
	t.Helper()
	l, err := c.listen(t.Context(), "tcp", inside)
	if err != nil {
		t.Fatalf("e2e: listen inside the cluster on %s: %v", inside, err)
	}
	forward(t, l, func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", outside) })
}

// Publish is the other way round: it returns an address on loopback, where whoever connects talks to an address of the cluster.
func (c *Cluster) Publish(t testing.TB, inside string) (outside string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("e2e: listen: %v", err)
	}
	forward(t, l, func(ctx context.Context) (net.Conn, error) { return c.DialContext(ctx, "tcp", inside) })
	return l.Addr().String()
}

// forward connects each client of a listener with what dial gives it. All connections end with the test.
func forward(t testing.TB, l net.Listener, dial func(context.Context) (net.Conn, error)) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		_ = l.Close() // it ends here
		wg.Wait()
	})
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Errorf("e2e: forward %s: %v", l.Addr(), err)
				}
				return
			}
			wg.Go(func() { connect(ctx, client, dial) })
		}
	})
}

// connect copies both ways until one side ends. That the other end is down is what the client sees as a connection that ends.
func connect(ctx context.Context, client net.Conn, dial func(context.Context) (net.Conn, error)) {
	defer func() { _ = client.Close() }()
	server, err := dial(ctx)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	done := make(chan struct{}, 2)
	copyTo := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // either end may go at any time
		done <- struct{}{}
	}
	go copyTo(server, client)
	go copyTo(client, server)
	select {
	case <-done:
	case <-ctx.Done():
	}
}
