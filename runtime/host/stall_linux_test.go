package host_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/cputime"
	"github.com/obsd-io/obsd/internal/race"
	"github.com/obsd-io/obsd/runtime/host"
)

// No call takes a thread for 100 ms, whatever the guest does: the garbage collector, and so the whole daemon, waits for a
// call. It is the thread's CPU time that is held against that, since other processes do not count in it; and the best of
// several, since a machine's speed may change after the rate of fuel was measured.
func TestNoStall(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector takes several times as long")
	}
	for _, m := range misbehaviour {
		if m.kind != host.KindTimeout {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			p := load(t, with(t, settings(m.plugin)))
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			least := time.Hour
			for range 5 {
				before := cputime.Thread(t)
				overrun(t, p)
				least = min(least, cputime.Thread(t)-before)
			}
			require.Positive(t, least)
			require.Less(t, least, 100*time.Millisecond)
		})
	}
}

// overrun has a guest use up the most fuel that a call should get.
func overrun(t *testing.T, p *host.Plugin) {
	t.Helper()
	inst, err := p.Acquire(t.Context())
	require.NoError(t, err)
	_, _, err = inst.Process(t.Context(), 0, p.MaxCallFuel())
	require.Error(t, err)
	p.Release(t.Context(), inst)
}
