// Package k8spods is the extension "k8s_pods", which knows the pods of a cluster or of a node: it follows them in the API
// server and keeps a small table of them. Processor k8s_metadata puts what the table has onto records, and plugins look
// things up in it (`grants: {lookup: {pods: {source: k8s_pods, key: k8s.pod.uid}}}`). All that name one extension share its
// watch.
//
// Sources: the options and attributes of contrib's k8sattributes processor, whose names are kept where it has them.
package k8spods

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/obsd-io/obsd/internal/kubeapi"
	"github.com/obsd-io/obsd/internal/podtable"
)

// Pods is the extension.
type Pods struct {
	config *Config
	set    extension.Settings
	keep   *podtable.Keep
	table  *podtable.Table
	tel    *telemetry
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func newPods(set extension.Settings, config *Config) (*Pods, error) {
	p := &Pods{config: config, set: set, keep: &podtable.Keep{
		Labels: config.Labels, Annotations: config.Annotations, NamespaceLabels: config.NamespaceLabels, NodeLabels: config.NodeLabels,
		More: config.more(),
	}}
	p.table = podtable.New(p.keep, config.KeepDeleted, len(config.namespaces()), len(p.others(nil)))
	var err error
	p.tel, err = newTelemetry(set, p.table)
	return p, err
}

// namespaces are those to follow, one by one; the empty one is all of them.
func (c *Config) namespaces() []string {
	if len(c.Namespaces) == 0 {
		return []string{""}
	}
	return c.Namespaces
}

// Table is the pods, which are there once the extension has started. It is filled bit by bit: see [podtable.Table.Ready].
func (p *Pods) Table() *podtable.Table { return p.table }

// LookupBy gives the table as plugins see it, by one kind of key: whether there is a column, and a column of the pod that has a
// key. ready is closed when the table has been filled for the first time.
func (p *Pods) LookupBy(key string) (
	column func(name string) bool, get func(column string, key []byte) (string, bool), ready <-chan struct{}, err error,
) {
	if !slices.Contains(podtable.Keys(), key) {
		return nil, nil, nil, fmt.Errorf("pods are not found by %q: use one of %s", key, strings.Join(podtable.Keys(), ", "))
	}
	get = func(column string, k []byte) (string, bool) { return p.table.Lookup(key, column, k) }
	return p.table.Column, get, p.table.Ready(), nil
}

// Start begins to follow the pods. It does not wait for the API server.
func (p *Pods) Start(context.Context, component.Host) error { //nolint:contextcheck // what is begun outlives the start
	config, err := p.config.API.REST()
	if err != nil {
		return fmt.Errorf("k8s_pods: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("k8s_pods: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.follow(ctx, client) //nolint:contextcheck // what is begun outlives the start
	p.done.Go(func() { p.forget(ctx) })
	return nil
}

// Shutdown ends that. It may be called twice and before Start.
func (p *Pods) Shutdown(context.Context) error {
	if p.cancel != nil {
		p.cancel()
	}
	p.done.Wait()
	p.tel.close()
	return nil
}

// followed is a resource with what makes the store that its objects go to.
type followed struct {
	kubeapi.Resource
	store func() cache.ReflectorStore
}

// follow follows what the configuration wants until ctx ends.
func (p *Pods) follow(ctx context.Context, client kubernetes.Interface) {
	f := &kubeapi.Follower{Component: "k8s_pods", Logger: p.set.Logger, Failed: p.tel.failed}
	list := p.others(client)
	for _, namespace := range p.config.namespaces() {
		pods := kubeapi.Resource{
			Name: "pods", Kind: &v1.Pod{}, Client: client.CoreV1().RESTClient(), Namespace: namespace, Fields: p.onNode("spec.nodeName"),
		}
		list = append(list, followed{pods, func() cache.ReflectorStore { return p.podStore(namespace) }})
	}
	for _, r := range list {
		p.done.Go(func() { f.Follow(ctx, r.Resource, r.store()) })
	}
}

// others is what is followed beside pods.
func (p *Pods) others(client kubernetes.Interface) (list []followed) {
	var core, apps, batch rest.Interface
	if client != nil {
		core, apps, batch = client.CoreV1().RESTClient(), client.AppsV1().RESTClient(), client.BatchV1().RESTClient()
	}
	more := func(f podtable.Field) bool { return slices.Contains(p.keep.More, f) }
	if len(p.config.NamespaceLabels) > 0 {
		list = append(list, followed{kubeapi.Resource{Name: "namespaces", Kind: &v1.Namespace{}, Client: core}, p.namespaceStore})
	}
	if len(p.config.NodeLabels) > 0 || more(podtable.NodeUID) {
		nodes := kubeapi.Resource{Name: "nodes", Kind: &v1.Node{}, Client: core, Fields: p.onNode("metadata.name")}
		list = append(list, followed{nodes, p.nodeStore})
	}
	if more(podtable.ClusterUID) {
		system := fields.OneTermEqualSelector("metadata.name", metav1.NamespaceSystem).String()
		list = append(list, followed{kubeapi.Resource{Name: "namespaces", Kind: &v1.Namespace{}, Client: core, Fields: system}, p.clusterStore})
	}
	for _, namespace := range p.config.namespaces() {
		if more(podtable.DeploymentUID) {
			sets := kubeapi.Resource{Name: "replicasets", Kind: &appsv1.ReplicaSet{}, Client: apps, Namespace: namespace}
			list = append(list, followed{sets, func() cache.ReflectorStore {
				return ownerStore(p.table, p.table.ReplicaSets(), namespace, trimReplicaSet)
			}})
		}
		if more(podtable.CronJobUID) {
			jobs := kubeapi.Resource{Name: "jobs", Kind: &batchv1.Job{}, Client: batch, Namespace: namespace}
			list = append(list, followed{jobs, func() cache.ReflectorStore {
				return ownerStore(p.table, p.table.Jobs(), namespace, trimJob)
			}})
		}
	}
	return list
}

// onNode is a selector for the configured node.
func (p *Pods) onNode(field string) string {
	if p.config.Node == "" {
		return ""
	}
	return fields.OneTermEqualSelector(field, p.config.Node).String()
}

func (p *Pods) podStore(namespace string) cache.ReflectorStore {
	listed := sync.OnceFunc(func() { p.table.Listed(true) })
	return kubeapi.Store[*v1.Pod]{
		Put:  p.table.Put,
		Gone: func(pod *v1.Pod) { p.table.Gone(pod, time.Now()) },
		All: func(all []*v1.Pod) {
			p.table.All(namespace, all, time.Now())
			listed()
		},
		Trim: p.keep.Trim,
	}
}

func (p *Pods) namespaceStore() cache.ReflectorStore {
	listed := sync.OnceFunc(func() { p.table.Listed(false) })
	return kubeapi.Store[*v1.Namespace]{
		Put:  p.table.PutNamespace,
		Gone: func(n *v1.Namespace) { p.table.NamespaceGone(n, time.Now()) },
		All: func(all []*v1.Namespace) {
			p.table.AllNamespaces(all, time.Now())
			listed()
		},
	}
}

func (p *Pods) nodeStore() cache.ReflectorStore {
	listed := sync.OnceFunc(func() { p.table.Listed(false) })
	return kubeapi.Store[*v1.Node]{
		Put:  p.table.PutNode,
		Gone: func(n *v1.Node) { p.table.NodeGone(n, time.Now()) },
		All: func(all []*v1.Node) {
			p.table.AllNodes(all, time.Now())
			listed()
		},
		Trim: func(n *v1.Node) { n.ManagedFields, n.Status, n.Spec = nil, v1.NodeStatus{}, v1.NodeSpec{} },
	}
}

// clusterStore takes the uid of a cluster, which is that of its namespace kube-system.
func (p *Pods) clusterStore() cache.ReflectorStore {
	listed := sync.OnceFunc(func() { p.table.Listed(false) })
	set := func(n *v1.Namespace) { p.table.SetCluster(string(n.UID)) }
	return kubeapi.Store[*v1.Namespace]{
		Put:  set,
		Gone: func(*v1.Namespace) {}, // it cannot be deleted
		All: func(all []*v1.Namespace) {
			for _, n := range all {
				set(n)
			}
			listed()
		},
	}
}

// owner is an object that controls pods.
type owner interface {
	runtime.Object
	metav1.Object
}

// ownerStore takes ReplicaSets or Jobs of a namespace, or of all if it is empty.
func ownerStore[T owner](table *podtable.Table, owners *podtable.Owners, namespace string, trim func(T)) cache.ReflectorStore {
	listed := sync.OnceFunc(func() { table.Listed(false) })
	return kubeapi.Store[T]{
		Put:  func(o T) { owners.Put(o) },
		Gone: func(o T) { owners.Gone(o, time.Now()) },
		All: func(all []T) {
			list := make([]metav1.Object, len(all))
			for i, o := range all {
				list[i] = o
			}
			owners.All(namespace, list, time.Now())
			listed()
		},
		Trim: trim,
	}
}

func trimReplicaSet(s *appsv1.ReplicaSet) {
	s.Labels, s.Annotations, s.ManagedFields, s.Spec, s.Status = nil, nil, nil, appsv1.ReplicaSetSpec{}, appsv1.ReplicaSetStatus{}
}

func trimJob(j *batchv1.Job) {
	j.Labels, j.Annotations, j.ManagedFields, j.Spec, j.Status = nil, nil, nil, batchv1.JobSpec{}, batchv1.JobStatus{}
}

// forget ends what keep_deleted bounds, about when its time is over.
func (p *Pods) forget(ctx context.Context) {
	ticker := time.NewTicker(min(max(p.config.KeepDeleted/4, time.Second), 30*time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			p.table.Expire(now)
		}
	}
}
