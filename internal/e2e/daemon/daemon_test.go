package daemon_test

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/e2e/daemon"
)

// exitCode makes this test binary a program that behaves as a Collector does, as far as this package cares: its value
// is the exit code after SIGTERM, and the configuration is a line that the program prints. (A shell script would not
// do: a shell that starts with SIGHUP ignored, as below nohup, cannot trap it.)
const exitCode = "FAKE_COLLECTOR_EXIT_CODE"

func TestMain(m *testing.M) {
	if code, fake := os.LookupEnv(exitCode); fake {
		os.Exit(collect(code))
	}
	os.Exit(m.Run())
}

// collect runs with the arguments --config FILE.
func collect(code string) int {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM)
	for s := os.Signal(syscall.SIGHUP); s == syscall.SIGHUP; s = <-signals {
		config, err := os.ReadFile(os.Args[2])
		if err != nil {
			panic(err)
		}
		fmt.Printf("%sEverything is ready. Begin running and processing data.\n", config)
	}
	n, err := strconv.Atoi(code)
	if err != nil {
		panic(err)
	}
	return n
}

func start(t *testing.T, binary, code string) (*daemon.Daemon, error) {
	t.Helper()
	d, err := daemon.Start(t.Context(), daemon.Settings{Binary: binary, Config: "first\n", Env: []string{exitCode + "=" + code}, Dir: t.TempDir()})
	t.Cleanup(func() {
		if d.Running() {
			require.NoError(t, d.Kill())
		}
	})
	return d, err
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	return path
}

func TestLife(t *testing.T) {
	d, err := start(t, self(t), "0")
	require.NoError(t, err)
	require.True(t, d.Running())
	require.Positive(t, d.StartTime)

	require.NoError(t, d.Reload(t.Context(), "second\n"))
	require.NoError(t, d.WaitLogged(t.Context(), "second"))

	require.NoError(t, d.Kill())
	<-d.Done()
	require.False(t, d.Running())

	require.NoError(t, d.Restart(t.Context()), "on the configuration of the reload")
	require.NoError(t, d.Stop(time.Minute))
	const ready = "Everything is ready. Begin running and processing data.\n"
	require.Equal(t, "first\n"+ready+"second\n"+ready+"second\n"+ready, d.Log())
}

func TestStopSeesExitCode(t *testing.T) {
	d, err := start(t, self(t), "3")
	require.NoError(t, err)
	require.EqualError(t, d.Stop(time.Minute), "daemon: exit code 3:\nfirst\nEverything is ready. Begin running and processing data.")
}

func TestStartSeesEnd(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "collector")
	require.NoError(t, os.WriteFile(binary, []byte("#!/bin/sh\necho bad configuration >&2\nexit 1\n"), 0o755))
	_, err := start(t, binary, "")
	require.EqualError(t, err, "process \"collector\": ended with code 1 before it was ready:\nbad configuration")
}

func TestBinary(t *testing.T) {
	t.Run("named", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "obsd")
		require.NoError(t, os.WriteFile(path, nil, 0o755))
		t.Setenv("OBSD_BIN", path)
		got, err := daemon.Binary(t.Context(), t.TempDir())
		require.NoError(t, err)
		require.Equal(t, path, got)
	})
	t.Run("named, not there", func(t *testing.T) {
		t.Setenv("OBSD_BIN", "/nowhere/obsd")
		_, err := daemon.Binary(t.Context(), t.TempDir())
		require.EqualError(t, err, "daemon: OBSD_BIN: stat /nowhere/obsd: no such file or directory: run `make build`")
	})
}
