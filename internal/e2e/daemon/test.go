package daemon

import (
	"os"
	"testing"
	"time"
)

// StartFor runs obsd on a configuration file for a test, with more variables in its environment. At the end of the test it is to stop
// in time; its log is shown if the test failed.
func StartFor(t testing.TB, config string, env ...string) *Daemon {
	t.Helper()
	binary, err := Binary(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Start(t.Context(), Settings{Binary: binary, Config: string(text), Env: env, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(time.Minute); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(d.Log())
		}
	})
	return d
}
