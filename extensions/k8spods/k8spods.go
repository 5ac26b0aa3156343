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
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
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
	keep := &podtable.Keep{
		Labels: config.Labels, Annotations: config.Annotations, NamespaceLabels: config.NamespaceLabels, NodeLabels: config.NodeLabels,
	}
	others := 0
	for _, patterns := range [][]string{config.NamespaceLabels, config.NodeLabels} {
		if len(patterns) > 0 {
			others++
		}
	}
	p := &Pods{config: config, set: set, keep: keep, table: podtable.New(keep, config.KeepDeleted, len(config.namespaces()), others)}
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
	p.follow(ctx, client.CoreV1().RESTClient()) //nolint:contextcheck // what is begun outlives the start
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

// follow follows what the configuration wants until ctx ends.
func (p *Pods) follow(ctx context.Context, client rest.Interface) {
	f := &kubeapi.Follower{Component: "k8s_pods", Logger: p.set.Logger, Failed: p.tel.failed}
	begin := func(r kubeapi.Resource, store cache.ReflectorStore) {
		r.Client = client
		p.done.Go(func() { f.Follow(ctx, r, store) })
	}
	for _, namespace := range p.config.namespaces() {
		pods := kubeapi.Resource{Name: "pods", Kind: &v1.Pod{}, Namespace: namespace, Fields: p.onNode("spec.nodeName")}
		begin(pods, p.podStore(namespace))
	}
	if len(p.config.NamespaceLabels) > 0 {
		begin(kubeapi.Resource{Name: "namespaces", Kind: &v1.Namespace{}}, p.namespaceStore())
	}
	if len(p.config.NodeLabels) > 0 {
		begin(kubeapi.Resource{Name: "nodes", Kind: &v1.Node{}, Fields: p.onNode("metadata.name")}, p.nodeStore())
	}
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
