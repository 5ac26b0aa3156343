package k8sevents

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/obsd-io/obsd/internal/kubetest"
)

// elector is one whose elections a test makes.
type elector struct {
	component.StartFunc
	component.ShutdownFunc
	lead func(context.Context)
	stop func()
}

func (e *elector) SetCallBackFuncs(lead func(context.Context), stop func()) {
	e.lead, e.stop = lead, stop
}

var electorID = component.MustNewID("k8s_leader_elector")

// candidate is a receiver that waits to be elected.
func candidate(t *testing.T, a *kubetest.API) (*rig, *elector) {
	t.Helper()
	cfg := config(a.Kubeconfig())
	cfg.LeaderElector, cfg.CheckpointLease = &electorID, "monitoring/obsd-events"
	e := &elector{}
	return begin(t, cfg, host{electorID: e}), e
}

// TestLeaders has the second leader go on where the first one was.
func TestLeaders(t *testing.T) {
	a := kubetest.NewAPI(t)
	a.Set(event("a", 1))
	one, oneElector := candidate(t, a)
	two, twoElector := candidate(t, a)
	require.Empty(t, a.Asked("events"), "nobody leads")

	oneElector.lead(t.Context())
	one.gets(t, "a 1")
	require.EqualValues(t, 1, one.reads(t))
	oneElector.stop()
	one.stopped(t)

	a.Set(event("b", 1)) // while nobody leads
	twoElector.lead(t.Context())
	two.gets(t, "b 1")
	a.Set(event("c", 1))
	two.gets(t, "b 1", "c 1")
	twoElector.stop()
	two.stopped(t)

	a.Set(event("d", 1))
	oneElector.lead(t.Context())
	one.gets(t, "a 1", "d 1")
	require.Equal(t, []string{"b 1", "c 1"}, two.sink.messages())
}

// stopped waits for the end of the reading that was told to stop.
func (r *rig) stopped(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return r.reads(t) == 0 }, deadline, time.Millisecond)
}

// started waits until the position is known and reading begins.
func (r *rig) started(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return r.reads(t) == 1 }, deadline, time.Millisecond)
}

func (r *rig) reads(t *testing.T) int64 {
	t.Helper()
	m, err := r.tel.GetMetric("obsd_k8s_events_reading")
	require.NoError(t, err)
	return m.Data.(metricdata.Gauge[int64]).DataPoints[0].Value
}

// TestTwoLeaders has a leader that does not know yet that it is none any more: the position does not go back.
func TestTwoLeaders(t *testing.T) {
	a := kubetest.NewAPI(t)
	a.Set(event("a", 1))
	one, oneElector := candidate(t, a)
	two, twoElector := candidate(t, a)
	oneElector.lead(t.Context())
	one.gets(t, "a 1")
	require.Eventually(t, func() bool { return kept(t, a)[""].Version != "" }, deadline, time.Millisecond)
	twoElector.lead(t.Context())
	two.started(t) // with the position that is kept now: one may be the faster to send what follows, and keep its own
	a.Set(event("b", 1))
	one.gets(t, "a 1", "b 1")
	two.gets(t, "b 1")
	oneElector.stop()
	twoElector.stop()
	one.stopped(t)
	two.stopped(t)
	require.Equal(t, two.checkpoints.of("").Version, kept(t, a)[""].Version)
	require.Zero(t, one.counted(t, "obsd_k8s_events_checkpoint_failures", "receiver", "k8s_events"))
	require.Zero(t, two.counted(t, "obsd_k8s_events_checkpoint_failures", "receiver", "k8s_events"))
}

// kept are the positions in the Lease.
func kept(t *testing.T, a *kubetest.API) map[string]position {
	t.Helper()
	cfg, err := (&config(a.Kubeconfig()).API).REST()
	require.NoError(t, err)
	client, err := kubernetes.NewForConfig(cfg)
	require.NoError(t, err)
	lease, err := client.CoordinationV1().Leases("monitoring").Get(t.Context(), "obsd-events", metav1.GetOptions{})
	if err != nil {
		return nil
	}
	got, err := decode([]byte(lease.Annotations[leaseAnnotation]))
	require.NoError(t, err)
	return got
}

// TestElectedAgain is elected anew while the pipeline still holds a batch of the time before: it comes once.
func TestElectedAgain(t *testing.T) {
	a := kubetest.NewAPI(t)
	a.Set(event("a", 1))
	r, e := candidate(t, a)
	entered, goOn := make(chan struct{}), make(chan struct{})
	r.sink.decide = func(call int) error {
		if call == 1 {
			close(entered)
			<-goOn
		}
		return nil
	}
	e.lead(t.Context())
	<-entered
	e.stop()
	e.lead(t.Context())
	close(goOn)
	r.gets(t, "a 1")
	watches(t, a, 1)
	a.Set(event("b", 1))
	r.gets(t, "a 1", "b 1")
}

// TestHeldAtTheEnd ends while the pipeline holds a batch. Where another is to lead it has to let go of it; at an orderly end it may
// take it, and the batch does not come again.
func TestHeldAtTheEnd(t *testing.T) {
	a := kubetest.NewAPI(t)
	a.Set(event("a", 1))
	r, e := candidate(t, a)
	r.timing.deposed, r.timing.end = 0, time.Hour
	entered, shut := make(chan struct{}), make(chan struct{})
	r.sink.decide = func(call int) error {
		entered <- struct{}{}
		if call == 1 {
			<-r.sink.ctx.Done()
			return r.sink.ctx.Err()
		}
		<-shut
		return r.sink.ctx.Err()
	}
	e.lead(t.Context())
	<-entered
	e.stop()
	r.stopped(t)
	e.lead(t.Context())
	<-entered
	ended := make(chan error)
	go func() { ended <- r.Shutdown(context.WithoutCancel(t.Context())) }()
	require.Eventually(t, func() bool { return r.patience() == time.Hour }, deadline, time.Millisecond)
	close(shut)
	require.NoError(t, <-ended)
	require.Equal(t, []string{"a 1"}, r.sink.messages())
	next, nextElector := candidate(t, a)
	nextElector.lead(t.Context())
	a.Set(event("b", 1))
	next.gets(t, "b 1")
}

// TestElectedTooLate has an election that is over before the receiver hears of it, and one after the end.
func TestElectedTooLate(t *testing.T) {
	a := kubetest.NewAPI(t)
	r, e := candidate(t, a)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	e.stop()
	e.lead(over)
	require.NoError(t, r.Shutdown(t.Context()))
	e.lead(t.Context())
	e.stop()
	require.Empty(t, a.Asked("events"))
}

// TestLeaseRefused waits for the position, which no event may be sent without.
func TestLeaseRefused(t *testing.T) {
	a := kubetest.NewAPI(t)
	a.Set(event("a", 1))
	a.Refuse("leases", http.StatusForbidden)
	cfg := config(a.Kubeconfig())
	cfg.CheckpointLease = "monitoring/obsd-events"
	r := begin(t, cfg, componenttest.NewNopHost())
	require.Eventually(t, func() bool { return len(a.Asked("leases")) > 2 }, deadline, time.Millisecond)
	require.Empty(t, a.Asked("events"))
	require.Equal(t, "give the service account get, create and update on leases in the namespace of checkpoint_lease",
		r.logs.All()[0].ContextMap()["mend"])
	a.Refuse("leases", 0)
	r.gets(t, "a 1")
	require.Eventually(t, func() bool { return kept(t, a)[""].Version != "" }, deadline, time.Millisecond)

	a.Refuse("leases", http.StatusForbidden)
	a.Set(event("b", 1))
	r.gets(t, "a 1", "b 1")
	require.Eventually(t, func() bool {
		return r.counted(t, "obsd_k8s_events_checkpoint_failures", "receiver", "k8s_events") > 1
	}, deadline, time.Millisecond)
	a.Refuse("leases", 0)
	require.Eventually(t, func() bool { return r.logs.FilterMessage("k8s_events: the position is saved again").Len() == 1 }, deadline, time.Millisecond)
	require.Len(t, r.warnings(), 2, "each said once")
}

// TestNoPosition begins anew if something else stands where the position should be.
func TestNoPosition(t *testing.T) {
	a := kubetest.NewAPI(t)
	cfg := config(a.Kubeconfig())
	rc, err := cfg.API.REST()
	require.NoError(t, err)
	client, err := kubernetes.NewForConfig(rc)
	require.NoError(t, err)
	r, e := candidate(t, a)
	lease := &inLease{client: client.CoordinationV1(), namespace: "monitoring", name: "obsd-events"}
	require.NoError(t, lease.save(t.Context(), nil))
	lease.last.Annotations[leaseAnnotation] = "<html>"
	_, err = client.CoordinationV1().Leases("monitoring").Update(t.Context(), lease.last, metav1.UpdateOptions{})
	require.NoError(t, err)
	a.Set(event("a", 1))
	e.lead(t.Context())
	r.gets(t, "a 1")
	require.Equal(t, []string{"k8s_events: the position cannot be read, and reading begins as start_at says"}, r.warnings())
	e.stop()
	r.stopped(t)
	require.NotEmpty(t, kept(t, a)[""].Version)
}

func TestMissingExtensions(t *testing.T) {
	f := func(want string, change func(*Config), h host) {
		t.Helper()
		cfg := config(kubetest.NewAPI(t).Kubeconfig())
		change(cfg)
		require.EqualError(t, build(t, cfg, &sink{}).Start(t.Context(), h), want)
	}
	lead := func(c *Config) { c.LeaderElector, c.CheckpointLease = &electorID, "a/b" }
	f(`k8s_events: k8s_leader_elector: there is no extension "k8s_leader_elector": define it below extensions, and list it in service::extensions`,
		lead, nil)
	f(`k8s_events: k8s_leader_elector: the extension "k8s_leader_elector" elects no leader: name one of type k8s_leader_elector`,
		lead, host{electorID: disk(t, t.TempDir())[*storageID()]})
	store := func(c *Config) { c.StorageID = storageID() }
	f(`k8s_events: storage: "file_storage": no such extension: list it under extensions and under service::extensions`, store, nil)
	f(`k8s_events: storage: "file_storage": not a storage extension: name one such as file_storage`, store, host{*storageID(): &elector{}})
}
