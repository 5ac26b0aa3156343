package k8sevents

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/obsd-io/obsd/internal/kubetest"
	"github.com/obsd-io/obsd/internal/resume"
)

func TestStartAt(t *testing.T) {
	a := kubetest.NewAPI(t)
	a.Set(event("old", 1))
	all := begin(t, config(a.Kubeconfig()), componenttest.NewNopHost())
	all.gets(t, "old 1")
	cfg := config(a.Kubeconfig())
	cfg.StartAt = startAtEnd
	end := begin(t, cfg, componenttest.NewNopHost())
	watches(t, a, 2)
	a.Set(event("new", 1))
	all.gets(t, "old 1", "new 1")
	end.gets(t, "new 1")
	require.Empty(t, all.warnings())
}

// TestOccurrences sends an event once for each time it happened, and not when something else about it changes.
func TestOccurrences(t *testing.T) {
	a := kubetest.NewAPI(t)
	r := begin(t, config(a.Kubeconfig()), componenttest.NewNopHost())
	watches(t, a, 1)
	a.Set(event("x", 1))
	r.gets(t, "x 1")
	again := event("x", 1)
	again.Labels = map[string]string{"a": "b"}
	again.Message = "labelled"
	a.Set(again, event("x", 2))
	r.gets(t, "x 1", "x 2")
	series := event("y", 0)
	series.EventTime = metav1.NewMicroTime(start)
	series.Message = "once"
	a.Set(series)
	r.gets(t, "x 1", "x 2", "once")
	next := event("y", 0)
	next.EventTime, next.Message = series.EventTime, "in a series"
	next.Series = seriesOf(5, start.Add(time.Hour))
	a.Set(next)
	r.gets(t, "x 1", "x 2", "once", "in a series")
	require.EqualValues(t, 1, r.counted(t, "obsd_k8s_events_unchanged", "receiver", "k8s_events"))
	a.Delete(event("x", 2))
	a.Set(event("z", 1))
	r.gets(t, "x 1", "x 2", "once", "in a series", "z 1")
}

func TestNamespaces(t *testing.T) {
	a := kubetest.NewAPI(t)
	cfg := config(a.Kubeconfig())
	cfg.Namespaces = []string{"shop", "bank"}
	r := begin(t, cfg, componenttest.NewNopHost())
	watches(t, a, 2)
	other, bank := event("no", 1), event("yes", 1)
	other.Namespace, bank.Namespace = "other", "bank"
	a.Set(other, bank, event("x", 1))
	r.gets(t, "yes 1", "x 1")
}

// TestRestart stops the receiver between two events: what happened meanwhile comes, and nothing a second time.
func TestRestart(t *testing.T) {
	a, folder := kubetest.NewAPI(t), t.TempDir()
	cfg := config(a.Kubeconfig())
	cfg.StorageID = storageID()
	h := disk(t, folder)
	a.Set(event("a", 1))
	first := begin(t, cfg, h)
	first.gets(t, "a 1")
	a.Set(event("b", 1))
	first.gets(t, "a 1", "b 1")
	require.NoError(t, first.Shutdown(t.Context()))

	a.Set(event("c", 1), event("b", 2))
	second := begin(t, cfg, h)
	second.gets(t, "c 1", "b 2")
	require.NoError(t, second.Shutdown(t.Context()))

	a.Set(event("d", 1))
	a.Compact() // while it was down
	third := begin(t, cfg, h)
	third.gets(t, "d 1")
	a.Set(event("e", 1))
	third.gets(t, "d 1", "e 1")
	require.EqualValues(t, 1, third.counted(t, "obsd_k8s_events_ended_watches", "end", endExpired))
}

// TestStartAtEndIsKept goes on from the first start, even if no event came until the next.
func TestStartAtEndIsKept(t *testing.T) {
	a := kubetest.NewAPI(t)
	cfg := config(a.Kubeconfig())
	cfg.StorageID, cfg.StartAt = storageID(), startAtEnd
	h := disk(t, t.TempDir())
	a.Set(event("old", 1))
	first := begin(t, cfg, h)
	watches(t, a, 1)
	require.NoError(t, first.Shutdown(t.Context()))
	a.Set(event("new", 1))
	begin(t, cfg, h).gets(t, "new 1")
}

func TestWatchesThatEnd(t *testing.T) {
	a := kubetest.NewAPI(t)
	r := begin(t, config(a.Kubeconfig()), componenttest.NewNopHost())
	watches(t, a, 1)
	a.Set(event("a", 1))
	r.gets(t, "a 1")
	a.CloseWatches()
	a.Set(event("b", 1))
	r.gets(t, "a 1", "b 1")
	require.Positive(t, r.counted(t, "obsd_k8s_events_ended_watches", "end", endClosed))

	a.Refuse("events", http.StatusServiceUnavailable)
	a.Set(event("c", 1))
	a.Compact()
	require.Eventually(t, func() bool {
		return r.counted(t, "obsd_k8s_events_failed_requests", "reason", "serviceunavailable") > 0
	}, deadline, time.Millisecond)
	a.Refuse("events", 0)
	r.gets(t, "a 1", "b 1", "c 1")
	a.Set(event("d", 1))
	r.gets(t, "a 1", "b 1", "c 1", "d 1")
	require.EqualValues(t, 1, r.counted(t, "obsd_k8s_events_ended_watches", "end", endExpired))
	require.Equal(t, []string{"k8s_events: the API server does not answer; it is asked again, and this is not said again until it does"}, r.warnings())
	require.Equal(t, 1, r.logs.FilterMessage("k8s_events: the API server answers again").Len())
}

// TestBookmarks moves the position without an event.
func TestBookmarks(t *testing.T) {
	a := kubetest.NewAPI(t)
	cfg := config(a.Kubeconfig())
	cfg.StorageID = storageID()
	h := disk(t, t.TempDir())
	r := begin(t, cfg, h)
	watches(t, a, 1)
	before := r.checkpoints.of("")
	a.Bookmark()
	require.Eventually(t, func() bool { return after(r.checkpoints.of("").Version, before.Version) }, deadline, time.Millisecond)
}

// TestSilence has a watch of which nothing comes any more, as when a load balancer forgot the connection.
func TestSilence(t *testing.T) {
	a := kubetest.NewAPI(t)
	silent := make(chan struct{}, 1)
	kubeconfig := front(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("watch") != "" {
			select {
			case silent <- struct{}{}:
				w.Header().Set("Content-Type", "application/json")
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
				return
			default:
			}
		}
		a.ServeHTTP(w, r)
	}))
	r := build(t, config(kubeconfig), &sink{})
	r.timing.watch, r.timing.grace = time.Nanosecond, 500*time.Millisecond
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	require.Eventually(t, func() bool { return len(silent) == 1 }, deadline, time.Millisecond)
	a.Set(event("a", 1))
	r.gets(t, "a 1")
	require.Positive(t, r.counted(t, "obsd_k8s_events_ended_watches", "end", endSilent))
}

// TestReset has an API server whose store was put back to an older state: its versions are older than the position.
func TestReset(t *testing.T) {
	h := disk(t, t.TempDir())
	before := kubetest.NewAPI(t)
	cfg := config(before.Kubeconfig())
	cfg.StorageID = storageID()
	for range 50 {
		before.Bookmark() // versions that the next has not reached
	}
	before.Set(event("a", 1), event("b", 3))
	first := begin(t, cfg, h)
	first.gets(t, "a 1", "b 3")
	require.NoError(t, first.Shutdown(t.Context()))

	now := kubetest.NewAPI(t)
	now.Set(event("a", 1), event("c", 2), event("d", 4))
	cfg = config(now.Kubeconfig())
	cfg.StorageID = storageID()
	second := begin(t, cfg, h)
	second.gets(t, "d 4")
	now.Set(event("e", 1))
	second.gets(t, "d 4", "e 1")
	require.EqualValues(t, 1, second.counted(t, "obsd_k8s_events_ended_watches", "end", endReset))
}

// TestRefused sends a batch again until it is taken, and after a restart if it was not.
func TestRefused(t *testing.T) {
	a := kubetest.NewAPI(t)
	a.Set(event("a", 1))
	cfg := config(a.Kubeconfig())
	cfg.StorageID = storageID()
	h := disk(t, t.TempDir())
	down := build(t, cfg, &sink{decide: func(int) error { return errors.New("down") }})
	require.NoError(t, down.Start(t.Context(), h))
	require.Eventually(t, func() bool { return down.sink.called() > 2 }, deadline, time.Millisecond)
	require.NoError(t, down.Shutdown(t.Context()))
	require.Zero(t, down.counted(t, "obsd_k8s_events_lost_records", "reason", reasonRetries))

	r := build(t, cfg, &sink{decide: func(call int) error {
		if call < 3 {
			return errors.New("not yet")
		}
		return nil
	}})
	require.NoError(t, r.Start(t.Context(), h))
	r.gets(t, "a 1")
}

func TestLost(t *testing.T) {
	f := func(reason string, refusal error, change func(*resume.RetryConfig)) {
		t.Helper()
		a := kubetest.NewAPI(t)
		a.Set(event("a", 1))
		cfg := config(a.Kubeconfig())
		change(&cfg.RetryOnFailure)
		lost := false
		r := build(t, cfg, &sink{})
		r.sink.decide = func(int) error {
			if lost = lost || r.counted(t, "obsd_k8s_events_lost_records", "reason", reason) > 0; lost {
				return nil
			}
			return refusal
		}
		require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
		watches(t, a, 1)
		a.Set(event("b", 1))
		r.gets(t, "b 1")
		require.EqualValues(t, 1, r.counted(t, "obsd_k8s_events_lost_records", "reason", reason))
		require.Contains(t, r.warnings(), "k8s_events: events lost")
	}
	f(reasonPermanent, consumererror.NewPermanent(errors.New("bad")), func(*resume.RetryConfig) {})
	f(reasonRetries, errors.New("down"), func(c *resume.RetryConfig) { c.Enabled = false })
	f(reasonRetries, errors.New("down"), func(c *resume.RetryConfig) { c.MaxElapsedTime = 5 * time.Millisecond })
}

// TestShutdownUnstarted is safe, as is a second time.
func TestShutdownUnstarted(t *testing.T) {
	r := build(t, config(kubetest.NewAPI(t).Kubeconfig()), &sink{})
	require.NoError(t, r.Shutdown(t.Context()))
	require.NoError(t, r.Shutdown(t.Context()))
}

func TestForbidden(t *testing.T) {
	a := kubetest.NewAPI(t)
	a.Set(event("a", 1))
	a.Refuse("events", http.StatusForbidden)
	r := begin(t, config(a.Kubeconfig()), componenttest.NewNopHost())
	require.Eventually(t, func() bool { return len(a.Asked("events")) > 3 }, deadline, time.Millisecond)
	require.Len(t, r.warnings(), 1)
	require.Equal(t, "give the service account list and watch on events", r.logs.All()[0].ContextMap()["mend"])
	a.Refuse("events", 0)
	r.gets(t, "a 1")
}
