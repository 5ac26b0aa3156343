// Package process starts the programs that end-to-end tests and benchmarks run (servers, obsd, a peer), keeps what they
// write, stops them by their process id, and reads their use of CPU and memory from /proc.
//
// Nothing here knows the testing package: a benchmark command uses it as well.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Settings says what to run.
type Settings struct {
	// Name is what messages call the program: "prometheus".
	Name string
	// Path is the executable.
	Path string
	// Args are its arguments, without the executable.
	Args []string
	// Env is added to the environment of this process.
	Env []string
	// Dir is the working folder; empty means this process's own.
	Dir string
	// Log is the file that standard output and standard error are appended to.
	Log string
}

// Process is one running program. Its methods may be called from several goroutines.
type Process struct {
	set  Settings
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of Wait; read after done is closed
}

// Start runs the program and returns at once. On Linux the kernel kills it when this process dies, so that a crashed
// test leaves no server behind.
func Start(set Settings) (*Process, error) {
	log, err := os.OpenFile(set.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("process %q: open log: %w", set.Name, err)
	}
	defer func() { _ = log.Close() }() // the child has its own descriptor

	cmd := exec.Command(set.Path, set.Args...)
	cmd.Dir = set.Dir
	cmd.Env = append(os.Environ(), set.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("process %q: start: %w", set.Name, err)
	}
	p := &Process{set: set, cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// ExitCode is the exit code of an ended program, -1 if a signal ended it or it still runs.
func (p *Process) ExitCode() int {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	default:
		return -1
	}
}

// Signal sends a signal. A program that has ended already is no error.
func (p *Process) Signal(sig os.Signal) error {
	err := p.cmd.Process.Signal(sig)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("process %q: send %v: %w", p.set.Name, sig, err)
	}
	return nil
}

// Kill ends the program with SIGKILL and waits until it is gone.
func (p *Process) Kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

// Stop sends SIGTERM and waits; after the grace period it kills the program and says so.
func (p *Process) Stop(grace time.Duration) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
		return errors.Join(fmt.Errorf("process %q: still running %v after SIGTERM, killed", p.set.Name, grace), p.Kill())
	}
}

// Log returns everything that the program wrote so far.
func (p *Process) Log() string {
	b, err := os.ReadFile(p.set.Log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Tail returns the last lines that the program wrote.
func (p *Process) Tail(lines int) string {
	all := strings.Split(strings.TrimRight(p.Log(), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// WaitReady calls ready every 20 ms until it returns nil. It gives up when the context is done or the program has ended.
func (p *Process) WaitReady(ctx context.Context, ready func(context.Context) error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("process %q: ended with code %d before it was ready:\n%s", p.set.Name, p.ExitCode(), p.Tail(30))
		case <-ctx.Done():
			return fmt.Errorf("process %q: not ready: %w:\n%s", p.set.Name, err, p.Tail(30))
		case <-tick.C:
		}
	}
}
