package k8scluster

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/obsd-io/obsd/internal/kubeapi"
)

// resource is one kind of objects that is followed.
type resource struct {
	name    string
	cluster bool // its objects are in no namespace
	client  func(kubernetes.Interface) rest.Interface
	follow  followFunc
}

// followFunc follows a resource in a namespace, or everywhere, until ctx ends.
type followFunc func(ctx context.Context, f *kubeapi.Follower, r kubeapi.Resource, t *table, c *catalog)

func core(c kubernetes.Interface) rest.Interface        { return c.CoreV1().RESTClient() }
func apps(c kubernetes.Interface) rest.Interface        { return c.AppsV1().RESTClient() }
func batch(c kubernetes.Interface) rest.Interface       { return c.BatchV1().RESTClient() }
func autoscaling(c kubernetes.Interface) rest.Interface { return c.AutoscalingV2().RESTClient() }

// resources is all that can be followed.
func resources() []resource {
	return []resource{
		{"nodes", true, core, following((*catalog).node)},
		{"namespaces", true, core, following((*catalog).namespace)},
		{"pods", false, core, following((*catalog).pod)},
		{"replicationcontrollers", false, core, following((*catalog).controller)},
		{"resourcequotas", false, core, following((*catalog).quota)},
		{"deployments", false, apps, following((*catalog).deployment)},
		{"replicasets", false, apps, following((*catalog).replicaSet)},
		{"statefulsets", false, apps, following((*catalog).statefulSet)},
		{"daemonsets", false, apps, following((*catalog).daemonSet)},
		{"jobs", false, batch, following((*catalog).job)},
		{"cronjobs", false, batch, following((*catalog).cronJob)},
		{"horizontalpodautoscalers", false, autoscaling, following((*catalog).hpa)},
	}
}

func resourceNames() (names []string) {
	for _, r := range resources() {
		names = append(names, r.name)
	}
	return names
}

// following makes the follow function of a kind: cut makes of an object what is kept of it, which may be nothing.
func following[T any, O kubeapi.Object[T]](cut func(*catalog, O) []*entity) followFunc {
	return func(ctx context.Context, f *kubeapi.Follower, r kubeapi.Resource, t *table, c *catalog) {
		r.Kind = O(new(T))
		f.Follow(ctx, r, storeFor[T](t, func(o O) []*entity { return cut(c, o) }))
	}
}

// cutting is what was made of an object when it came in with a first list.
type cutting struct {
	version  string
	entities []*entity
}

// storeFor writes what is cut out of objects into a table. Objects of a first list are cut as they come in and held without their
// content until the list is whole, so that no list of whole objects is ever in memory.
func storeFor[T any, O kubeapi.Object[T]](t *table, cut func(O) []*entity) kubeapi.Store[O] {
	cuttings := map[string]cutting{}
	return kubeapi.Store[O]{
		Put:  func(o O) { t.put(keyOf(o), cut(o)) },
		Gone: func(o O) { t.put(keyOf(o), nil) },
		Trim: func(o O) {
			cuttings[keyOf(o)] = cutting{o.GetResourceVersion(), cut(o)}
			kubeapi.Empty(o)
		},
		All: func(list []O) {
			all := make(map[string][]*entity, len(list))
			for _, o := range list {
				if known, ok := cuttings[keyOf(o)]; ok && known.version == o.GetResourceVersion() {
					all[keyOf(o)] = known.entities
				} else {
					all[keyOf(o)] = cut(o)
				}
			}
			clear(cuttings)
			t.replace(all)
		},
	}
}

func keyOf(o metav1.Object) string { return o.GetNamespace() + "/" + o.GetName() }

// wanted returns the resources that the configuration names.
func (c *Config) wanted() []resource {
	return slices.DeleteFunc(resources(), func(r resource) bool {
		return r.cluster && len(c.Namespaces) > 0 || len(c.Resources) > 0 && !slices.Contains(c.Resources, r.name)
	})
}

// follow begins to follow all that is wanted.
func (r *clusterReceiver) follow(client kubernetes.Interface) {
	namespaces := r.cfg.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	f := &kubeapi.Follower{Component: "k8s_cluster", Logger: r.set.Logger, Failed: r.tel.fail}
	for _, kind := range r.cfg.wanted() {
		for _, namespace := range namespaces {
			t := r.state.table(kind.name)
			source := kubeapi.Resource{Name: kind.name, Client: kind.client(client), Namespace: namespace}
			r.background.Go(func() { kind.follow(r.ctx, f, source, t, r.catalog) })
		}
	}
}
