package podtable

import (
	"time"

	v1 "k8s.io/api/core/v1"
)

// around is what pods are in: namespaces, or nodes. What was deleted is kept as long as its pods.
type around struct {
	labels map[string][]Label
	gone   map[string]time.Time
}

func newAround() around { return around{map[string][]Label{}, map[string]time.Time{}} }

func (a around) put(name string, labels []Label) {
	a.labels[name] = labels
	delete(a.gone, name)
}

func (a around) kill(name string, now time.Time) {
	if _, known := a.labels[name]; known {
		a.gone[name] = now
	}
}

// replace has all that there are.
func (a around) replace(all map[string][]Label, now time.Time) {
	for name := range a.labels {
		if _, there := all[name]; there {
			continue
		}
		if _, known := a.gone[name]; !known {
			a.gone[name] = now
		}
	}
	for name, labels := range all {
		a.put(name, labels)
	}
}

func (a around) expire(now time.Time, keep time.Duration) {
	for name, at := range a.gone {
		if now.Sub(at) >= keep {
			delete(a.labels, name)
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
	t.namespaces.replace(all, now)
}

// PutNode takes a Node object for its labels.
func (t *Table) PutNode(n *v1.Node) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.nodes.put(n.Name, t.keep.nodeLabels(n))
}

// NodeGone takes a Node object that is no more.
func (t *Table) NodeGone(n *v1.Node, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.nodes.kill(n.Name, now)
}

// AllNodes takes all Node objects.
func (t *Table) AllNodes(list []*v1.Node, now time.Time) {
	all := make(map[string][]Label, len(list))
	for _, n := range list {
		all[n.Name] = t.keep.nodeLabels(n)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.nodes.replace(all, now)
}
