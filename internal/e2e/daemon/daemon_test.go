package daemon_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/e2e/daemon"
)

// collector is a shell script that behaves as a Collector does, as far as this package cares. Its configuration is a
// line that it prints.
const collector = `#!/bin/sh
ready() { cat "$2"; echo "Everything is ready. Begin running and processing data."; }
trap 'ready "$@"' HUP
trap 'exit $CODE' TERM
ready "$@"
while :; do sleep 0.01; done
`

func start(t *testing.T, script, code string) (*daemon.Daemon, error) {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "collector")
	require.NoError(t, os.WriteFile(binary, []byte(script), 0o755))
	d, err := daemon.Start(t.Context(), daemon.Settings{Binary: binary, Config: "first\n", Env: []string{"CODE=" + code}, Dir: dir})
	t.Cleanup(func() {
		if d.Running() {
			require.NoError(t, d.Kill())
		}
	})
	return d, err
}

func TestLife(t *testing.T) {
	d, err := start(t, collector, "0")
	require.NoError(t, err)
	require.True(t, d.Running())
	require.Positive(t, d.StartTime)

	require.NoError(t, d.Reload(t.Context(), "second\n"))
	require.NoError(t, d.WaitLogged(t.Context(), "second"))

	require.NoError(t, d.Kill())
	<-d.Done()
	require.False(t, d.Running())

	require.NoError(t, d.Restart(t.Context()), "on the configuration of the reload")
	require.NoError(t, d.Stop(10*time.Second))
	const ready = "Everything is ready. Begin running and processing data.\n"
	require.Equal(t, "first\n"+ready+"second\n"+ready+"second\n"+ready, d.Log())
}

func TestStopSeesExitCode(t *testing.T) {
	d, err := start(t, collector, "3")
	require.NoError(t, err)
	require.EqualError(t, d.Stop(10*time.Second), "daemon: exit code 3:\nfirst\nEverything is ready. Begin running and processing data.")
}

func TestStartSeesEnd(t *testing.T) {
	_, err := start(t, "#!/bin/sh\necho bad configuration >&2\nexit 1\n", "")
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
