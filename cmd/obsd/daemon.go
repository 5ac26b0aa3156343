package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"go.opentelemetry.io/collector/otelcol"

	"github.com/obsd-io/obsd/cmd/obsd/internal/config"
)

// daemon runs the Collector until it is told to end.
type daemon struct {
	set config.Settings
	// welcome is where to write what a newcomer should look at, once it runs; nil for nothing.
	welcome io.Writer
}

// errEnded is when the Collector ends although nobody asked it to.
var errEnded = errors.New("ended by itself: a component reported that it cannot go on, see the log above")

// run runs Collectors until SIGINT or SIGTERM: one for as long as its configurations start, and after a reload whose
// components did not start another one, with the configuration that ran before.
func (d *daemon) run(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends at once
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // from the beginning, as an unhandled SIGHUP is the end
	defer signal.Stop(hangup)

	gate := config.NewGate(d.set)
	for {
		err := d.runOne(ctx, gate, hangup)
		switch {
		case ctx.Err() != nil:
			return err
		case err == nil:
			return errEnded
		case !gate.Fallback():
			return err
		}
		config.LogRefused(gate.Logger(), err)
	}
}

// runOne runs one Collector to its end.
func (d *daemon) runOne(ctx context.Context, gate *config.Gate, hangup chan os.Signal) error {
	col, err := otelcol.NewCollector(collectorSettings(gate.ResolverSettings()))
	if err != nil {
		return err
	}
	gate.Watch(func() bool { return col.GetState() == otelcol.StateRunning })
	// The Collector gets no context that ends: what is asked of it on the way out is asked with this one.
	running, ended := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-ctx.Done():
			col.Shutdown()
		case <-running.Done():
		}
	})
	wg.Go(func() { d.attend(running, col, gate, hangup) })
	err = col.Run(running)
	ended()
	wg.Wait()
	return err
}

// attend waits until the Collector runs, welcomes, and sees to the SIGHUPs.
func (d *daemon) attend(ctx context.Context, col *otelcol.Collector, gate *config.Gate, hangup chan os.Signal) {
	runs := func() bool { return col.GetState() == otelcol.StateRunning }
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !runs() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
	tick.Stop()
	if d.welcome != nil {
		welcome(d.welcome, gate.Current())
		d.welcome = nil
	}
	heed(ctx, hangup, runs, gate.Reads, raise)
}

// raise sends this process a SIGHUP.
func raise() {
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Signal(syscall.SIGHUP) // it is tried again
	}
}

// heed sees to it that the configuration is read after each SIGHUP. The Collector does that by itself, but not at one that came before
// it registers for them, which is a moment after it has come to run: such a one is raised again. And it may end with one that it has
// not taken up: that is left to the next Collector.
func heed(ctx context.Context, hangup chan os.Signal, runs func() bool, reads func() int, raise func()) {
	for {
		select {
		case s := <-hangup:
			if again, taken := takenUp(ctx, runs, reads, raise); !taken {
				leave(hangup, s)
				return
			} else if again {
				select {
				case <-hangup: // the one that was raised
				default:
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

// leave leaves a SIGHUP where the next Collector finds it, unless there is one.
func leave(hangup chan<- os.Signal, s os.Signal) {
	select {
	case hangup <- s:
	default:
	}
}

// unseen is how long a Collector runs on after a SIGHUP that it did not see: one that did stops its pipelines at once. If it was only
// slow it reloads twice.
const unseen = 200 * time.Millisecond

// takenUp waits until the configuration is read after a SIGHUP, and says whether that was raised again. It is not taken up where the
// Collector ends before.
func takenUp(ctx context.Context, runs func() bool, reads func() int, raise func()) (again, taken bool) {
	before, since := reads(), time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for reads() == before {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return again, reads() != before
		}
		if !runs() {
			since = time.Now() // it starts, or has begun to reload
		} else if time.Since(since) >= unseen {
			raise()
			again, since = true, time.Now()
		}
	}
	return again, true
}
