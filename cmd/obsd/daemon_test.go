package main

import (
	"context"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestHeed holds that a SIGHUP is taken up whenever it comes, and by whom.
func TestHeed(t *testing.T) {
	for _, tc := range []struct {
		name string
		// collector is what the Collector does from the SIGHUP on.
		collector func(c *fakeCollector)
		raised    int
		left      int // SIGHUPs for the next Collector
	}{
		{"it reloads by itself", func(c *fakeCollector) { c.reads.Add(1) }, 0, 0},
		{"it takes long to stop its pipelines", func(c *fakeCollector) {
			c.stops.Store(true)
			time.Sleep(time.Minute)
			c.reads.Add(1)
			c.stops.Store(false)
		}, 0, 0},
		{"it has not registered for it yet", func(c *fakeCollector) {
			time.Sleep(unseen / 2)
			c.registered.Store(true)
		}, 1, 0},
		{"it registers late", func(c *fakeCollector) {
			time.Sleep(3*unseen + unseen/2)
			c.registered.Store(true)
		}, 4, 0},
		{"it ends before it takes it up", func(c *fakeCollector) { c.end() }, 0, 1},
		{"it reads and ends", func(c *fakeCollector) { c.reads.Add(1); c.end() }, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, end := context.WithCancel(t.Context())
				c := &fakeCollector{hangup: make(chan os.Signal, 1), end: end}
				done := make(chan struct{})
				go func() {
					heed(ctx, c.hangup, func() bool { return !c.stops.Load() }, func() int { return int(c.reads.Load()) }, c.raise)
					close(done)
				}()
				synctest.Wait()
				c.hangup <- syscall.SIGHUP
				synctest.Wait()
				tc.collector(c)
				time.Sleep(time.Minute)
				end()
				<-done
				assert.EqualValues(t, tc.raised, c.raised.Load())
				assert.Len(t, c.hangup, tc.left)
				assert.EqualValues(t, 1-tc.left, c.reads.Load())
			})
		})
	}
}

// fakeCollector reads its configuration at a raised SIGHUP once it has registered for it.
type fakeCollector struct {
	hangup     chan os.Signal
	end        context.CancelFunc
	stops      atomic.Bool
	registered atomic.Bool
	reads      atomic.Int64
	raised     atomic.Int64
}

func (c *fakeCollector) raise() {
	c.raised.Add(1)
	leave(c.hangup, syscall.SIGHUP)
	if c.registered.Load() {
		c.reads.Add(1)
	}
}
