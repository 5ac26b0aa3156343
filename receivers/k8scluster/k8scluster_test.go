package k8scluster

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/obsd-io/obsd/internal/kubeapi"
	"github.com/obsd-io/obsd/internal/kubetest"
	"github.com/obsd-io/obsd/internal/porttest"
)

func deployment(name string, desired, available int32) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec:       appsv1.DeploymentSpec{Replicas: &desired},
		Status:     appsv1.DeploymentStatus{AvailableReplicas: available},
	}
}

const available = "k8s.deployment.available"

// TestAtOnce tells of what is there, changes and goes, each at once.
func TestAtOnce(t *testing.T) {
	api := kubetest.NewAPI(t)
	api.Set(deployment("cart", 3, 3))
	f := follow(t, api, nil)
	f.shows(t, "k8s.deployment.", "cart k8s.deployment.available=3", "cart k8s.deployment.desired=3",
		"cart k8s.deployment.ready=0", "cart k8s.deployment.updated=0")
	api.Set(deployment("cart", 3, 1), deployment("till", 1, 0))
	f.shows(t, available, "cart k8s.deployment.available=1", "till k8s.deployment.available=0")
	api.Delete(deployment("cart", 3, 1))
	f.shows(t, available, "till k8s.deployment.available=0")
	require.EqualValues(t, 1, f.counted(t, "obsd_k8s_cluster_objects", "deployments"))
	require.EqualValues(t, 0, f.counted(t, "obsd_k8s_cluster_objects", "pods"))
}

// TestRestart has a container fail and come back: no state stands beside another, nor does an old container beside the new one.
func TestRestart(t *testing.T) {
	api := kubetest.NewAPI(t)
	pod := func(id string, restarts int32, state v1.ContainerState) *v1.Pod {
		return &v1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart"},
			Spec:       v1.PodSpec{NodeName: "node1", Containers: []v1.Container{{Name: "web"}}},
			Status: v1.PodStatus{Phase: v1.PodRunning, ContainerStatuses: []v1.ContainerStatus{
				{Name: "web", ContainerID: id, RestartCount: restarts, State: state},
			}},
		}
	}
	api.Set(pod("containerd://1", 0, v1.ContainerState{Running: &v1.ContainerStateRunning{}}))
	f := follow(t, api, nil)
	f.shows(t, "k8s.container.status", "web k8s.container.status.state{k8s.container.status.state=running}=1")
	api.Set(pod("containerd://1", 0, v1.ContainerState{Waiting: &v1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}))
	f.shows(t, "k8s.container.status", "web k8s.container.status.reason{k8s.container.status.reason=CrashLoopBackOff}=1",
		"web k8s.container.status.state{k8s.container.status.state=waiting}=1")
	api.Set(pod("containerd://2", 1, v1.ContainerState{Running: &v1.ContainerStateRunning{}}))
	f.shows(t, "k8s.container.", "web k8s.container.ready=0", "web k8s.container.restarts=1",
		"web k8s.container.status.state{k8s.container.status.state=running}=1")
	api.Delete(pod("", 0, v1.ContainerState{}))
	f.shows(t, "")
}

// TestWatchFaults closes watches and forgets versions: changes meanwhile are told, and what was removed meanwhile ends.
func TestWatchFaults(t *testing.T) {
	api := kubetest.NewAPI(t)
	api.Set(deployment("cart", 1, 1), deployment("till", 1, 1))
	f := follow(t, api, nil)
	f.shows(t, available, "cart k8s.deployment.available=1", "till k8s.deployment.available=1")
	api.CloseWatches()
	api.Set(deployment("cart", 1, 0))
	f.shows(t, available, "cart k8s.deployment.available=0", "till k8s.deployment.available=1")

	// While the server is away things change, and it forgets what it told.
	api.Refuse("deployments", 503)
	until(t, func() bool { return f.counted(t, "obsd_k8s_cluster_failed_requests", "deployments") > 0 })
	api.Set(deployment("cart", 1, 1))
	api.Delete(deployment("till", 1, 1))
	api.Compact()
	api.Refuse("deployments", 0)
	f.shows(t, available, "cart k8s.deployment.available=1")
	require.Positive(t, f.counted(t, "obsd_k8s_cluster_failed_requests", "serviceunavailable"))
}

// TestLeftOut has kinds that this obsd may not see, or the server does not know: each is said once, and the others go on.
func TestLeftOut(t *testing.T) {
	api := kubetest.NewAPI(t)
	api.Refuse("jobs", 403)
	api.Refuse("horizontalpodautoscalers", 404)
	api.Set(deployment("cart", 1, 1))
	f := follow(t, api, nil)
	f.shows(t, available, "cart k8s.deployment.available=1")
	for _, resource := range []string{"jobs", "horizontalpodautoscalers"} {
		until(t, func() bool { return f.counted(t, "obsd_k8s_cluster_failed_requests", resource) > 1 })
	}
	require.Positive(t, f.counted(t, "obsd_k8s_cluster_failed_requests", "forbidden"))
	require.Positive(t, f.counted(t, "obsd_k8s_cluster_failed_requests", "notfound"))
	var mends []string
	for _, entry := range f.logs.FilterLevelExact(zap.WarnLevel).All() {
		mends = append(mends, entry.ContextMap()["mend"].(string))
	}
	slices.Sort(mends)
	require.Equal(t, []string{
		"give the service account list and watch on jobs", "this API server has no horizontalpodautoscalers of the version that obsd knows",
	}, mends)
	f.shows(t, "k8s.job")
}

// TestNamespaces follows in namespaces only, and asks for nothing else.
func TestNamespaces(t *testing.T) {
	api := kubetest.NewAPI(t)
	other := deployment("other", 1, 1)
	other.Namespace = "bank"
	api.Set(deployment("cart", 1, 1), other, &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node1"}})
	f := follow(t, api, func(c *Config) { c.Namespaces = []string{"shop", "empty"} })
	f.shows(t, available, "cart k8s.deployment.available=1")
	require.Empty(t, api.Asked("nodes"))
	require.Empty(t, api.Asked("namespaces"))
	for _, u := range api.Asked("deployments") {
		require.True(t, strings.Contains(u.Path, "/namespaces/shop/") || strings.Contains(u.Path, "/namespaces/empty/"), u.Path)
	}
}

// elector lets a test say who leads.
type elector struct {
	component.Component
	mu      sync.Mutex
	start   func(context.Context)
	stop    func()
	ctx     context.Context
	retreat context.CancelFunc
}

func (e *elector) SetCallBackFuncs(start func(context.Context), stop func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.start, e.stop = start, stop
}

func (e *elector) lead() {
	e.ctx, e.retreat = context.WithCancel(context.Background())
	e.start(e.ctx)
}

// TestLeader has two receivers, of which one leads: the other one says nothing, and the first one ends what it told when it leads
// no more.
func TestLeader(t *testing.T) {
	api := kubetest.NewAPI(t)
	api.Set(deployment("cart", 1, 1))
	id := component.MustNewID("k8s_leader_elector")
	start := func() (*follower, *elector) {
		e := &elector{}
		f := newFollower(t, func(c *Config) {
			c.API = kubeapi.Config{AuthType: kubeapi.KubeConfig, KubeConfig: api.Kubeconfig()}
			c.K8sLeaderElector = &id
		})
		require.NoError(t, f.Start(t.Context(), host{componenttest.NewNopHost(), map[component.ID]component.Component{id: e}}))
		return f, e
	}
	one, oneElector := start()
	two, twoElector := start()
	knows := func(f *follower) func() bool {
		return func() bool { return f.counted(t, "obsd_k8s_cluster_objects", "deployments") == 1 }
	}
	oneElector.lead()
	one.shows(t, available, "cart k8s.deployment.available=1")
	until(t, knows(two))
	require.Zero(t, two.count())

	oneElector.stop()
	one.shows(t, "")
	twoElector.lead()
	two.shows(t, available, "cart k8s.deployment.available=1")
	told := one.count()
	api.Set(deployment("cart", 1, 0), deployment("till", 1, 0))
	api.Delete(deployment("till", 1, 0))
	two.shows(t, available, "cart k8s.deployment.available=0")
	require.Equal(t, told, one.count())

	// The context alone ends it too, as where an elector is late with its word.
	twoElector.retreat()
	two.shows(t, "")
	oneElector.lead()
	one.shows(t, available, "cart k8s.deployment.available=0")
	oneElector.lead() // twice is once
	one.shows(t, available, "cart k8s.deployment.available=0")
	require.NoError(t, one.Shutdown(t.Context()))
	oneElector.lead() // too late
	oneElector.stop()
}

func TestNoElector(t *testing.T) {
	id := component.MustNewID("k8s_leader_elector")
	f := newFollower(t, func(c *Config) { c.K8sLeaderElector = &id })
	require.EqualError(t, f.Start(t.Context(), componenttest.NewNopHost()),
		`k8s_cluster: k8s_leader_elector: there is no extension "k8s_leader_elector": define it below extensions, and list it in service::extensions`)
}

// TestUnreachable starts while nothing listens, and ends.
func TestUnreachable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(path, []byte(`{"apiVersion":"v1","kind":"Config","current-context":"c",
"clusters":[{"name":"c","cluster":{"server":"http://`+porttest.Closed(t)+`"}}],"contexts":[{"name":"c","context":{"cluster":"c"}}]}`), 0o600))
	f := newFollower(t, func(c *Config) { c.API = kubeapi.Config{AuthType: kubeapi.KubeConfig, KubeConfig: path} })
	require.NoError(t, f.Start(t.Context(), componenttest.NewNopHost()))
	until(t, func() bool { return f.counted(t, "obsd_k8s_cluster_failed_requests", "connection") > 0 })
	require.NoError(t, f.Shutdown(t.Context()))
	require.Zero(t, f.count())
	_, err := f.tel.GetMetric("obsd_k8s_cluster_last_emit_time")
	require.Error(t, err)
}

func TestLifecycle(t *testing.T) {
	f := newFollower(t, func(c *Config) { c.API = kubeapi.Config{AuthType: kubeapi.KubeConfig, KubeConfig: "testdata/absent"} })
	require.ErrorContains(t, f.Start(t.Context(), componenttest.NewNopHost()), "k8s_cluster: read the kubeconfig: ")
	require.NoError(t, f.Shutdown(t.Context()))
	require.NoError(t, f.Shutdown(t.Context()))
}

// begin runs the emission of a receiver that follows no server, in a bubble of synctest; what there is comes from the test,
// through the table.
func begin(t *testing.T, change func(*Config), next *backend) (*follower, *table) {
	t.Helper()
	set := receivertest.NewNopSettings(NewFactory().Type())
	tel := componenttest.NewTelemetry()
	set.TelemetrySettings = tel.NewTelemetrySettings()
	r, err := newReceiver(config(change), set, next)
	require.NoError(t, err)
	f := &follower{clusterReceiver: r, backend: next, tel: tel}
	table := r.state.table("deployments")
	r.lead(r.ctx)
	t.Cleanup(func() { require.NoError(t, r.Shutdown(context.Background())) })
	synctest.Wait()
	return f, table
}

func (f *follower) put(t *table, name string, value int32) {
	t.put("shop/"+name, f.catalog.deployment(deployment(name, value, value)))
}

// TestTimes tells of everything on each interval, and makes one batch of changes that come together.
func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, table := begin(t, nil, newBackend())
		for i := range 50 {
			f.put(table, "cart", int32(i))
			time.Sleep(settle / 100)
		}
		require.Zero(t, f.count())
		time.Sleep(settle)
		require.Equal(t, 1, f.count())
		require.Contains(t, f.view(available), "=49")
		for range 3 {
			time.Sleep(f.cfg.CollectionInterval)
		}
		require.Equal(t, 4, f.count())
		// An end in the moment of an interval is newer than what it ends.
		desk := &desk{r: f.clusterReceiver, page: newPage(f.catalog, "")}
		desk.tell(t.Context(), true)
		table.put("shop/cart", nil)
		desk.tell(t.Context(), false)
		require.Empty(t, f.view(""))
		require.Empty(t, f.faults)
	})
}

// TestRefused keeps what the pipeline does not take, and counts it: it is told on the next interval, or ended if it is no more.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, table := begin(t, nil, newBackend())
		f.put(table, "cart", 1)
		f.put(table, "till", 1)
		time.Sleep(2 * settle)
		f.will(true, nil)
		f.put(table, "cart", 2)
		table.put("shop/till", nil)
		time.Sleep(2 * settle)
		require.Contains(t, f.view(available), "cart k8s.deployment.available=1")
		require.EqualValues(t, 8, f.counted(t, "obsd_k8s_cluster_dropped", reasonRefused))
		f.will(false, nil)
		time.Sleep(f.cfg.CollectionInterval)
		require.Equal(t, "cart k8s.deployment.available=2", f.view(available))
		require.Empty(t, f.faults)
	})
}

// TestLate counts intervals that the pipeline took the time of.
func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, table := begin(t, nil, newBackend())
		f.put(table, "cart", 1)
		time.Sleep(2 * settle)
		hang := make(chan struct{})
		f.will(false, hang)
		time.Sleep(3*f.cfg.CollectionInterval + time.Second)
		close(hang)
		synctest.Wait()
		require.EqualValues(t, 2, f.counted(t, "obsd_k8s_cluster_dropped", reasonLate))
	})
}
