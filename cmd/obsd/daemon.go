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
func (d *daemon) runOne(ctx context.Context, gate *config.Gate, hangup <-chan os.Signal) error {
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

// attend waits until the Collector runs. From then on the Collector reloads at a SIGHUP by itself; attend sees to those
// that came too early for it.
func (d *daemon) attend(ctx context.Context, col *otelcol.Collector, gate *config.Gate, hangup <-chan os.Signal) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for col.GetState() != otelcol.StateRunning {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
	<-tick.C // the Collector registers for SIGHUP right after it has come to run
	tick.Stop()
	select {
	case <-hangup:
		gate.Reload()
	default:
	}
	if d.welcome != nil {
		welcome(d.welcome, gate.Current())
		d.welcome = nil
	}
	for {
		select {
		case <-hangup:
		case <-ctx.Done():
			return
		}
	}
}
