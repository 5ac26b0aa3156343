package podtable

import (
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
)

// around is what pods are in or belong to, by a name: namespaces, nodes, owners. What was deleted is kept as long as its pods.
type around[V any] struct {
	known map[string]V
	gone  map[string]time.Time
}

// inNode is what is kept of a node.
type inNode struct {
	labels []Label
	uid    string
}

func newAround[V any]() around[V] { return around[V]{map[string]V{}, map[string]time.Time{}} }

func (a around[V]) put(name string, v V) {
	a.known[name] = v
	delete(a.gone, name)
}

func (a around[V]) kill(name string, now time.Time) {
	if _, known := a.known[name]; known {
		a.gone[name] = now
	}
}

// replace has all that there are, of those that of chooses.
func (a around[V]) replace(all map[string]V, of func(V) bool, now time.Time) {
	for name, v := range a.known {
		if _, there := all[name]; there || !of(v) {
			continue
		}
		if _, known := a.gone[name]; !known {
			a.gone[name] = now
		}
	}
	for name, v := range all {
		a.put(name, v)
	}
}

func (a around[V]) expire(now time.Time, keep time.Duration) {
	for name, at := range a.gone {
		if now.Sub(at) >= keep {
			delete(a.known, name)
			delete(a.gone, name)
		}
	}
}

// PutNamespace takes a Namespace object for its labels.
func (t *Table) PutNamespace(n *v1.Namespace) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.namespaces.put(n.Name, t.keep.namespaceLabels(n))
}

// NamespaceGone takes a Namespace object that is no more.
func (t *Table) NamespaceGone(n *v1.Namespace, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.namespaces.kill(n.Name, now)
}

// AllNamespaces takes all Namespace objects.
func (t *Table) AllNamespaces(list []*v1.Namespace, now time.Time) {
	all := make(map[string][]Label, len(list))
	for _, n := range list {
		all[n.Name] = t.keep.namespaceLabels(n)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.namespaces.replace(all, func([]Label) bool { return true }, now)
}

// PutNode takes a Node object for its uid and labels.
func (t *Table) PutNode(n *v1.Node) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.nodes.put(n.Name, t.keep.node(n))
}

// NodeGone takes a Node object that is no more.
func (t *Table) NodeGone(n *v1.Node, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.nodes.kill(n.Name, now)
}

// AllNodes takes all Node objects.
func (t *Table) AllNodes(list []*v1.Node, now time.Time) {
	all := make(map[string]inNode, len(list))
	for _, n := range list {
		all[n.Name] = t.keep.node(n)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.nodes.replace(all, func(inNode) bool { return true }, now)
}

// SetCluster takes the uid of the namespace kube-system, which stands for the cluster's.
func (t *Table) SetCluster(uid string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cluster = strings.Clone(uid)
}
