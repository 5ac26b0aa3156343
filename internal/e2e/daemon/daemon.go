// Package daemon runs the real obsd binary (or any other Collector) on a configuration: it waits until all components
// have started, keeps the log, and stops, kills, reloads and restarts it as an operator would.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/obsd-io/obsd/internal/e2e/process"
)

// ready is what every Collector logs when its components have started.
const ready = "Everything is ready. Begin running and processing data."

// readyTimeout is how long it may take to start; it is generous because tests share two cores with compilers.
const readyTimeout = 2 * time.Minute

// Settings says what to run and where.
type Settings struct {
	// Binary is the executable.
	Binary string
	// Config is the configuration, as YAML. The service must log at level info, or readiness is not seen.
	Config string
	// Env is added to the environment.
	Env []string
	// Dir holds the configuration file and the log, and is the working folder.
	Dir string
}

// Daemon is one obsd, which may be stopped and started again on the same configuration and the same log.
type Daemon struct {
	set     Settings
	process *process.Process
	// StartTime is how long the last start took until everything was ready.
	StartTime time.Duration
}

// Start runs the daemon and waits until it is ready.
func Start(ctx context.Context, set Settings) (*Daemon, error) {
	d := &Daemon{set: set}
	return d, d.Restart(ctx)
}

// Restart starts a daemon that has ended.
func (d *Daemon) Restart(ctx context.Context) error {
	if err := d.write(d.set.Config); err != nil {
		return err
	}
	before := strings.Count(d.Log(), ready)
	begin := time.Now()
	p, err := process.Start(process.Settings{
		Name: filepath.Base(d.set.Binary), Path: d.set.Binary, Args: []string{"--config", d.configFile()}, Env: d.set.Env, Dir: d.set.Dir, Log: d.logFile(),
	})
	if err != nil {
		return err
	}
	d.process = p
	err = d.waitLogged(ctx, ready, before+1)
	d.StartTime = time.Since(begin)
	return err
}

// Reload writes a new configuration, sends SIGHUP and waits until the daemon is ready again.
func (d *Daemon) Reload(ctx context.Context, config string) error {
	if err := d.write(config); err != nil {
		return err
	}
	before := strings.Count(d.Log(), ready)
	if err := d.process.Signal(syscall.SIGHUP); err != nil {
		return err
	}
	return d.waitLogged(ctx, ready, before+1)
}

// Kill ends the daemon with SIGKILL, as a crash or the kernel's out-of-memory killer would.
func (d *Daemon) Kill() error { return d.process.Kill() }

// Stop sends SIGTERM and waits until the daemon has drained. An exit code other than 0 is an error.
func (d *Daemon) Stop(grace time.Duration) error {
	if err := d.process.Stop(grace); err != nil {
		return err
	}
	if code := d.process.ExitCode(); code != 0 {
		return fmt.Errorf("daemon: exit code %d:\n%s", code, d.process.Tail(20))
	}
	return nil
}

// Running says whether the daemon has started and not ended.
func (d *Daemon) Running() bool {
	if d.process == nil {
		return false
	}
	select {
	case <-d.process.Done():
		return false
	default:
		return true
	}
}

// Done is closed when the daemon has ended.
func (d *Daemon) Done() <-chan struct{} { return d.process.Done() }

// Usage is what the running daemon has used since its last start.
func (d *Daemon) Usage() (process.Usage, error) { return d.process.Usage() }

// Log is all that the daemon wrote over all its starts.
func (d *Daemon) Log() string {
	b, err := os.ReadFile(d.logFile())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err.Error()
	}
	return string(b)
}

// WaitLogged waits until the text is in the log at least once.
func (d *Daemon) WaitLogged(ctx context.Context, text string) error {
	return d.waitLogged(ctx, text, 1)
}

func (d *Daemon) waitLogged(ctx context.Context, text string, times int) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return d.process.WaitReady(ctx, func(context.Context) error {
		if n := strings.Count(d.Log(), text); n < times {
			return fmt.Errorf("logged %q %d times, want %d", text, n, times)
		}
		return nil
	})
}

func (d *Daemon) configFile() string { return filepath.Join(d.set.Dir, "obsd.yaml") }

func (d *Daemon) logFile() string { return filepath.Join(d.set.Dir, "obsd.log") }

func (d *Daemon) write(config string) error {
	d.set.Config = config
	if err := os.WriteFile(d.configFile(), []byte(config), 0o644); err != nil {
		return fmt.Errorf("daemon: write configuration: %w", err)
	}
	return nil
}
