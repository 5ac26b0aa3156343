package process_test

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/e2e/process"
)

// shell starts a shell script and makes sure that nothing of it is left after the test.
func shell(t *testing.T, script string) *process.Process {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh here")
	}
	p, err := process.Start(process.Settings{
		Name: "script", Path: sh, Args: []string{"-c", script}, Env: []string{"GREETING=hello"}, Log: filepath.Join(t.TempDir(), "log"),
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Kill() })
	return p
}

func TestProcessKeepsOutputAndExitCode(t *testing.T) {
	p := shell(t, `echo one; echo "$GREETING" >&2; exit 7`)
	<-p.Done()
	require.Equal(t, "one\nhello\n", p.Log())
	require.Equal(t, "hello", p.Tail(1))
	require.Equal(t, 7, p.ExitCode())
	require.NoError(t, p.Signal(syscall.SIGTERM), "a signal to an ended program is no error")
}

func TestProcessStop(t *testing.T) {
	tests := []struct {
		name, script string
		grace        time.Duration
		wantErr      string
		wantCode     int
	}{
		{name: "obeys SIGTERM", script: `trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done`, grace: time.Minute, wantCode: 0},
		{
			name: "ignores SIGTERM", script: `trap '' TERM; echo up; while :; do sleep 0.01; done`, grace: 50 * time.Millisecond,
			wantErr: `process "script": still running 50ms after SIGTERM, killed`, wantCode: -1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := shell(t, tt.script)
			require.NoError(t, p.WaitReady(t.Context(), logged(p, "up")))
			err := p.Stop(tt.grace)
			if tt.wantErr == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, tt.wantErr)
			}
			require.Equal(t, tt.wantCode, p.ExitCode())
		})
	}
}

func TestProcessWaitReady(t *testing.T) {
	t.Run("program ends", func(t *testing.T) {
		p := shell(t, `echo no such option >&2; exit 3`)
		err := p.WaitReady(t.Context(), logged(p, "never"))
		require.EqualError(t, err, "process \"script\": ended with code 3 before it was ready:\nno such option")
	})
	t.Run("time runs out", func(t *testing.T) {
		p := shell(t, `sleep 60`)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := p.WaitReady(ctx, logged(p, "never"))
		require.EqualError(t, err, "process \"script\": not ready: \"never\" not logged:\n")
	})
}

func TestProcessUsage(t *testing.T) {
	if _, err := exec.LookPath("/proc/self/exe"); err != nil {
		t.Skip("no /proc here")
	}
	p := shell(t, `while :; do :; done`)
	require.Eventually(t, func() bool {
		u, err := p.Usage()
		return err == nil && u.CPU >= 50*time.Millisecond && u.PeakRSS > 100<<10 && u.PeakRSS < 1<<30
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, p.Kill())
	_, err := p.Usage()
	require.ErrorContains(t, err, `process "script": read usage: open /proc/`)
}

func logged(p *process.Process, text string) func(context.Context) error {
	return func(context.Context) error {
		if strings.Contains(p.Log(), text) {
			return nil
		}
		return errors.New(`"` + text + `" not logged`)
	}
}
