package k8sleaderelector

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/obsd-io/obsd/internal/kubeapi"
	"github.com/obsd-io/obsd/internal/kubetest"
)

const patience = time.Minute

// candidate is an elector with what it told.
type candidate struct {
	kubeapi.Elector
	extension component.Component
	tel       *componenttest.Telemetry
	logs      *observer.ObservedLogs
	started   chan context.Context
	stopped   chan struct{}
}

func newCandidate(t *testing.T, kubeconfig string, change func(*Config)) *candidate {
	t.Helper()
	f := NewFactory()
	cfg := f.CreateDefaultConfig().(*Config)
	cfg.API = kubeapi.Config{AuthType: kubeapi.KubeConfig, KubeConfig: kubeconfig}
	cfg.LeaseName, cfg.LeaseNamespace = "obsd", "monitoring"
	// So long that a machine that stands still for a while takes the lease from nobody.
	cfg.LeaseDuration, cfg.RenewDeadline, cfg.RetryPeriod = time.Hour, 30*time.Minute, 10*time.Millisecond
	if change != nil {
		change(cfg)
	}
	c := &candidate{tel: componenttest.NewTelemetry(), started: make(chan context.Context, 10), stopped: make(chan struct{}, 10)}
	set := extensiontest.NewNopSettings(f.Type())
	set.TelemetrySettings = c.tel.NewTelemetrySettings()
	core, logs := observer.New(zap.InfoLevel)
	set.Logger, c.logs = zap.New(core), logs
	ext, err := f.Create(t.Context(), set, cfg)
	require.NoError(t, err)
	id := component.NewID(f.Type())
	c.extension = ext
	c.Elector, err = kubeapi.FindElector(id, map[component.ID]component.Component{id: ext})
	require.NoError(t, err)
	c.SetCallBackFuncs(func(ctx context.Context) { c.started <- ctx }, func() { c.stopped <- struct{}{} })
	t.Cleanup(func() { require.NoError(t, ext.Shutdown(context.Background())) })
	return c
}

func (c *candidate) start(t *testing.T) {
	t.Helper()
	require.NoError(t, c.extension.Start(t.Context(), componenttest.NewNopHost()))
}

func (c *candidate) leading(t *testing.T) int64 {
	t.Helper()
	m, err := c.tel.GetMetric("obsd_k8s_leader_elector_leading")
	require.NoError(t, err)
	return m.Data.(metricdata.Gauge[int64]).DataPoints[0].Value
}

func receive[T any](t *testing.T, from <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatal(what)
	}
	return v
}

// TestOneLeads has two compete: the second one leads only after the first one gave up its lease, but then at once.
func TestOneLeads(t *testing.T) {
	api := kubetest.NewAPI(t)
	first, second := newCandidate(t, api.Kubeconfig(), nil), newCandidate(t, api.Kubeconfig(), nil)
	first.start(t)
	ctx := receive(t, first.started, "the first one does not lead")
	require.NoError(t, ctx.Err())
	require.EqualValues(t, 1, first.leading(t))

	second.start(t)
	asked := len(api.Asked("leases"))
	require.Eventually(t, func() bool { return len(api.Asked("leases")) > asked+20 }, patience, time.Millisecond)
	require.Empty(t, second.started)
	require.EqualValues(t, 0, second.leading(t))

	require.NoError(t, first.extension.Shutdown(t.Context()))
	require.ErrorIs(t, ctx.Err(), context.Canceled)
	receive(t, first.stopped, "the first one was not told to stop")
	receive(t, second.started, "the lease was not given up")
	require.Empty(t, first.started)
}

// TestLate registers with an elector that leads already.
func TestLate(t *testing.T) {
	api := kubetest.NewAPI(t)
	c := newCandidate(t, api.Kubeconfig(), nil)
	c.start(t)
	receive(t, c.started, "it does not lead")
	late, stopped := make(chan context.Context, 1), make(chan struct{}, 1)
	c.SetCallBackFuncs(func(ctx context.Context) { late <- ctx }, func() { close(stopped) })
	ctx := receive(t, late, "a late one is not told")
	require.NoError(t, c.extension.Shutdown(t.Context()))
	require.Error(t, ctx.Err())
	receive(t, stopped, "a late one is not told to stop")
}

// TestLost takes the lease from the leader: it stops, says so, and competes again.
func TestLost(t *testing.T) {
	api := kubetest.NewAPI(t)
	c := newCandidate(t, api.Kubeconfig(), func(c *Config) { c.RenewDeadline = 2 * time.Second })
	c.start(t)
	receive(t, c.started, "it does not lead")
	other, seconds, now := "other", int32(3600), metav1.NowMicro()
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "obsd"},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &other, LeaseDurationSeconds: &seconds, AcquireTime: &now, RenewTime: &now},
	}
	api.Set(lease)
	receive(t, c.stopped, "it was not told to stop")
	api.Delete(lease)
	receive(t, c.started, "it does not compete again")
}

// TestDied has a leader that died without a word: it is followed when its Lease has run out, and no sooner.
func TestDied(t *testing.T) {
	api := kubetest.NewAPI(t)
	dead, seconds, now := "dead", int32(1), metav1.NowMicro()
	api.Set(&coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "obsd"},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &dead, LeaseDurationSeconds: &seconds, AcquireTime: &now, RenewTime: &now},
	})
	c := newCandidate(t, api.Kubeconfig(), nil)
	began := time.Now()
	c.start(t)
	receive(t, c.started, "it does not follow")
	require.GreaterOrEqual(t, time.Since(began), time.Second)
}

// TestFailures has the API server refuse: each reason is said once, with the mend.
func TestFailures(t *testing.T) {
	api := kubetest.NewAPI(t)
	api.Refuse("leases", 403)
	c := newCandidate(t, api.Kubeconfig(), nil)
	c.start(t)
	require.Eventually(t, func() bool { return len(api.Asked("leases")) > 5 }, patience, time.Millisecond)
	warnings := c.logs.FilterLevelExact(zap.WarnLevel).All()
	require.Len(t, warnings, 1)
	require.Equal(t, "give the service account get, create and update on leases of coordination.k8s.io in monitoring", warnings[0].ContextMap()["mend"])
	require.Empty(t, c.started)
	api.Refuse("leases", 0)
	receive(t, c.started, "it does not lead")
	require.Len(t, c.logs.FilterMessage("k8s_leader_elector: the API server answers again").All(), 1)
}

func TestLifecycle(t *testing.T) {
	c := newCandidate(t, "testdata/absent", nil)
	err := c.extension.Start(t.Context(), componenttest.NewNopHost())
	require.ErrorContains(t, err, "k8s_leader_elector: read the kubeconfig: ")
	require.NoError(t, c.extension.Shutdown(t.Context()))
	require.NoError(t, c.extension.Shutdown(t.Context()))
}

func TestFindElector(t *testing.T) {
	id := component.MustNewID("k8s_leader_elector")
	_, err := kubeapi.FindElector(id, nil)
	require.EqualError(t, err, `k8s_leader_elector: there is no extension "k8s_leader_elector": define it below extensions, and list it in service::extensions`)
	_, err = kubeapi.FindElector(id, map[component.ID]component.Component{id: nil})
	require.EqualError(t, err, `k8s_leader_elector: the extension "k8s_leader_elector" elects no leader: name one of type k8s_leader_elector`)
}
