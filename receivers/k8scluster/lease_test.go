package k8scluster

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensiontest"

	"github.com/obsd-io/obsd/extensions/k8sleaderelector"
	"github.com/obsd-io/obsd/internal/kubeapi"
	"github.com/obsd-io/obsd/internal/kubetest"
)

// candidate starts a receiver with an elector of its own, as another obsd has.
func candidate(t *testing.T, api *kubetest.API) (*follower, extension.Extension) {
	t.Helper()
	server := kubeapi.Config{AuthType: kubeapi.KubeConfig, KubeConfig: api.Kubeconfig()}
	factory := k8sleaderelector.NewFactory()
	cfg := factory.CreateDefaultConfig().(*k8sleaderelector.Config)
	cfg.API, cfg.LeaseName, cfg.LeaseNamespace = server, "obsd", "monitoring"
	// So long that a machine that stands still for a while takes the lease from nobody.
	cfg.LeaseDuration, cfg.RenewDeadline, cfg.RetryPeriod = time.Hour, 30*time.Minute, 10*time.Millisecond
	elector, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, elector.Start(t.Context(), componenttest.NewNopHost()))
	id := component.NewID(factory.Type())
	f := newFollower(t, func(c *Config) { c.API, c.K8sLeaderElector = server, &id })
	require.NoError(t, f.Start(t.Context(), host{componenttest.NewNopHost(), map[component.ID]component.Component{id: elector}}))
	return f, elector
}

// TestOneLease has two receivers compete for one Lease: the second one says nothing until the first one has ended, and then all.
func TestOneLease(t *testing.T) {
	api := kubetest.NewAPI(t)
	api.Set(deployment("cart", 1, 0))
	one, oneElector := candidate(t, api)
	one.shows(t, available, "cart k8s.deployment.available=0")
	two, twoElector := candidate(t, api)
	t.Cleanup(func() { require.NoError(t, twoElector.Shutdown(context.Background())) })
	until(t, func() bool { return two.counted(t, "obsd_k8s_cluster_objects", "deployments") == 1 })
	api.Set(deployment("cart", 1, 1))
	one.shows(t, available, "cart k8s.deployment.available=1")
	require.Zero(t, two.count())

	require.NoError(t, one.Shutdown(t.Context()))
	require.NoError(t, oneElector.Shutdown(t.Context()))
	told := one.count()
	two.shows(t, available, "cart k8s.deployment.available=1")
	api.Set(deployment("cart", 1, 0))
	two.shows(t, available, "cart k8s.deployment.available=0")
	require.Equal(t, told, one.count())
}
