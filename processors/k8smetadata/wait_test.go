package k8smetadata

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
)

// later has a batch go through beside the test, and says how long it took.
func (h *harness) later(ctx context.Context, t *testing.T, ld plog.Logs) (took func() time.Duration) {
	t.Helper()
	begin := time.Now()
	end := make(chan time.Duration, 1)
	go func() {
		if err := h.ConsumeLogs(ctx, ld); err != nil {
			t.Error(err)
		}
		end <- time.Since(begin)
	}()
	synctest.Wait()
	return func() time.Duration { return <-end }
}

func (h *harness) last() string {
	all := h.sink.AllLogs()
	return written(all[len(all)-1].ResourceLogs().At(0).Resource().Attributes())
}

func nameOnly(c *Config) { c.Extract = []string{"k8s.pod.name"} }

// TestFirstRecords holds the first records up until the first list is in.
func TestFirstRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startUnlisted(t, nameOnly)
		took := h.later(t.Context(), t, resource("k8s.pod.uid", "u-a"))
		time.Sleep(3 * time.Second)
		require.Empty(t, h.sink.AllLogs())
		h.table.Put(pod("a", ""))
		h.table.Listed(true)
		require.Equal(t, 3*time.Second, took())
		require.Equal(t, "pod.name=a pod.uid=u-a", h.last())
		require.EqualValues(t, 1, h.value(t, "obsd_k8s_metadata_waited", "for", "start"))
		require.Zero(t, h.value(t, "obsd_k8s_metadata_bare"))
	})
}

// TestNoList lets records go when the wait is over, and counts them. There is one wait for all.
func TestNoList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startUnlisted(t, nameOnly)
		took := h.later(t.Context(), t, resource("k8s.pod.uid", "u-a"))
		require.Equal(t, 10*time.Second, took())
		for range 3 {
			require.Zero(t, h.later(t.Context(), t, resource("k8s.pod.uid", "u-a"))())
		}
		require.Equal(t, "pod.uid=u-a", h.last())
		require.EqualValues(t, 4, h.value(t, "obsd_k8s_metadata_bare", "reason", "no_list"))
		require.EqualValues(t, 1, h.value(t, "obsd_k8s_metadata_waited", "for", "start"))

		h.table.Put(pod("a", "")) // a list that comes in parts
		require.Zero(t, h.later(t.Context(), t, resource("k8s.pod.uid", "u-a"))())
		require.Equal(t, "pod.name=a pod.uid=u-a", h.last())
	})
}

// TestUnknownPod holds records up for a pod that is told of a moment later.
func TestUnknownPod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, nameOnly)
		h.table.Put(pod("b", ""))
		ld := resource("k8s.pod.uid", "u-a")
		also(ld, "k8s.pod.uid", "u-b")
		also(ld, "host.name", "x")
		took := h.later(t.Context(), t, ld)
		time.Sleep(300 * time.Millisecond)
		h.table.Put(pod("c", ""))
		time.Sleep(300 * time.Millisecond)
		require.Empty(t, h.sink.AllLogs())
		h.table.Put(pod("a", ""))
		require.Equal(t, 600*time.Millisecond, took())
		require.Equal(t, "pod.name=a pod.uid=u-a", h.last())
		require.EqualValues(t, 1, h.value(t, "obsd_k8s_metadata_waited", "for", "unknown_pod"))
		require.EqualValues(t, 2, h.value(t, "obsd_k8s_metadata_lookups", "outcome", "hit"))
		require.Zero(t, h.value(t, "obsd_k8s_metadata_bare"))
	})
}

// TestWaitInVain waits once for what never comes, and again when that is long ago.
func TestWaitInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, nameOnly)
		f := func(want time.Duration, ctx context.Context, attributes ...string) {
			t.Helper()
			require.Equal(t, want, h.later(ctx, t, resource(attributes...))())
		}
		for i := range 3 {
			want := time.Duration(0)
			if i == 0 {
				want = 2 * time.Second
			}
			f(want, t.Context(), "k8s.pod.uid", "u-a")
			f(want, t.Context(), "container.id", "c-a")
			f(want, t.Context(), "k8s.namespace.name", "shop", "k8s.pod.name", "a")
			f(want, t.Context(), "k8s.pod.ip", "10.1.0.1")
			f(want, from(t.Context(), "10.1.0.2"))
		}
		require.EqualValues(t, 15, h.value(t, "obsd_k8s_metadata_bare", "reason", "unknown"))
		require.EqualValues(t, 5, h.value(t, "obsd_k8s_metadata_waited", "for", "unknown_pod"))
		f(0, from(t.Context(), "127.0.0.1"))
		f(0, from(t.Context(), "10.1.0.3"), "k8s.node.name", "n1")
		f(0, t.Context())

		h.table.Put(pod("a", ""))
		f(0, t.Context(), "k8s.pod.uid", "u-a")
		require.Equal(t, "pod.name=a pod.uid=u-a", h.last(), "what was given up is found when it comes")
		time.Sleep(time.Hour)
		f(2*time.Second, t.Context(), "container.id", "c-b")
		f(2*time.Second, t.Context(), "k8s.pod.ip", "10.1.0.1")
	})
}

// TestCallersTime ends a wait with the caller's context, and does not take that for a pod that never comes.
func TestCallersTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, nameOnly)
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			require.Equal(t, time.Second, h.later(ctx, t, resource("k8s.pod.uid", "u-a"))())
			cancel()
		}
		u := startUnlisted(t, nameOnly)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		require.Equal(t, time.Second, u.later(ctx, t, resource("k8s.pod.uid", "u-a"))())
		cancel()
		require.EqualValues(t, 1, u.value(t, "obsd_k8s_metadata_bare", "reason", "no_list"))
	})
}

// TestShutdown lets go what is held up.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, h := range []*harness{start(t, nameOnly), startUnlisted(t, nameOnly)} {
			took := h.later(t.Context(), t, resource("k8s.pod.uid", "u-a"))
			require.NoError(t, h.Shutdown(t.Context()))
			require.Zero(t, took())
			require.Len(t, h.sink.AllLogs(), 1)
		}
	})
}

// TestManyWait bounds how many batches wait for unknown pods.
func TestManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, nameOnly)
		var wg sync.WaitGroup
		for i := range maxHeld + 7 {
			wg.Go(func() {
				if err := h.ConsumeLogs(t.Context(), resource("k8s.pod.uid", fmt.Sprint("u-", i))); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 7, h.value(t, "obsd_k8s_metadata_bare", "reason", "busy"))
		require.EqualValues(t, maxHeld, h.value(t, "obsd_k8s_metadata_bare", "reason", "unknown"))
		require.Len(t, h.sink.AllLogs(), maxHeld+7)
	})
}

// TestGivenUpIsBounded forgets the oldest.
func TestGivenUpIsBounded(t *testing.T) {
	var g givenUp
	now := time.Now()
	for i := range 3 * maxGivenUp {
		g.giveUp(fmt.Sprint(i), now)
	}
	require.LessOrEqual(t, len(g.young)+len(g.old), 2*maxGivenUp)
	require.False(t, g.up("0", now))
	require.True(t, g.up(fmt.Sprint(3*maxGivenUp-1), now))
	require.False(t, g.up(fmt.Sprint(3*maxGivenUp-1), now.Add(2*giveUpFor)))
}
