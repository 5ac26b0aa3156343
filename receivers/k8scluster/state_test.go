package k8scluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestMaybeTold ends what only a part of the pipeline may have taken.
func TestMaybeTold(t *testing.T) {
	s := newState()
	table := s.table("pods")
	c := newCatalog(config(nil))
	now := func(state string) []*entity {
		b := c.entity(nil, attr{attrContainer, "web"})
		b.label(containerState, state, 1)
		return one(b)
	}
	table.put("shop/cart", now("running"))
	s.tell(s.take(false))
	table.put("shop/cart", now("waiting"))
	s.back(s.take(false))
	table.put("shop/cart", now("terminated"))
	p := newPage(c, "")
	p.begin(time.Unix(1, 0))
	for _, t := range s.take(true) {
		p.object(t, true)
	}
	require.Equal(t, `{k8s.container.name=web}
  k8s.container.status.state {k8s.container.status.state=terminated} 1 {container} sum
  k8s.container.status.state {k8s.container.status.state=waiting} ended {container} sum
  k8s.container.status.state {k8s.container.status.state=running} ended {container} sum
`, render(p.done()))
}

// TestLists takes first lists of both kinds: streamed, of which objects are cut as they come in, and whole; and what is left of a
// stream that broke off is not taken for what a later list says.
func TestLists(t *testing.T) {
	s := newState()
	table := s.table("deployments")
	c := newCatalog(config(nil))
	store := storeFor(table, c.deployment)
	version := func(d *appsv1.Deployment, version string) *appsv1.Deployment {
		d.ResourceVersion = version
		return d
	}
	desired := func() map[string]float64 {
		got := map[string]float64{}
		for key, o := range table.objects {
			if o.now != nil {
				got[key] = o.now[0].points[0].value
			}
		}
		return got
	}
	streamed := version(deployment("cart", 1, 1), "1")
	store.Trim(streamed)
	require.Equal(t, version(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart"}}, "1"), streamed)
	require.NoError(t, store.Replace([]any{streamed}, "1"))
	require.Equal(t, map[string]float64{"shop/cart": 1}, desired())

	store.Trim(version(deployment("cart", 2, 2), "2"))
	require.NoError(t, store.Replace([]any{version(deployment("cart", 3, 3), "3"), version(deployment("till", 4, 4), "4")}, "4"))
	require.Equal(t, map[string]float64{"shop/cart": 3, "shop/till": 4}, desired())
	require.NoError(t, store.Replace(nil, "5"))
	require.Empty(t, desired())
}

// TestStandby keeps nothing of what is gone while nobody is told.
func TestStandby(t *testing.T) {
	s := newState()
	table := s.table("deployments")
	c := newCatalog(config(nil))
	for range 1000 {
		table.put("shop/cart", c.deployment(deployment("cart", 1, 1)))
		table.put("shop/cart", nil)
	}
	require.Empty(t, table.objects)
	require.Empty(t, s.dirty)
	require.EqualValues(t, 0, s.count()["deployments"])
}

// TestBatches divides what there is, but no object.
func TestBatches(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	r, err := newReceiver(config(nil), receivertest.NewNopSettings(NewFactory().Type()), sink)
	require.NoError(t, err)
	table := r.state.table("deployments")
	for i := range 3000 {
		name := "d" + time.Duration(i).String()
		table.put("shop/"+name, r.catalog.deployment(deployment(name, 1, 1)))
	}
	(&desk{r: r, page: newPage(r.catalog, "")}).tell(t.Context(), true)
	require.Equal(t, 3000*4, sink.DataPointCount())
	require.Len(t, sink.AllMetrics(), 3)
	for _, md := range sink.AllMetrics() {
		require.LessOrEqual(t, md.DataPointCount(), pointsPerBatch)
		for _, rm := range md.ResourceMetrics().All() {
			require.Equal(t, 4, rm.ScopeMetrics().At(0).Metrics().Len())
		}
	}
	require.NoError(t, r.Shutdown(t.Context()))
}
