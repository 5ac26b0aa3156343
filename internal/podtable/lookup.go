package podtable

import (
	"bytes"
	"net/netip"
	"strings"

	"github.com/obsd-io/obsd/internal/kubeapi"
)

// What [Table.Lookup] finds pods by.
const (
	KeyUID       = "k8s.pod.uid"
	KeyIP        = "k8s.pod.ip"
	KeyContainer = "container.id"
	KeyName      = "k8s.pod.name" // namespace/name
)

// Keys lists them.
func Keys() []string { return []string{KeyUID, KeyIP, KeyContainer, KeyName} }

// Column says whether a column of that name can have something in it: a field's or a label's that is kept.
func (t *Table) Column(name string) bool {
	if f, ok := FieldNamed(name); ok {
		return t.keep.has(f)
	}
	patterns, key := t.keep.patterns(name)
	return key != "" && kubeapi.Matches(patterns, key)
}

// patterns has those for the kind of label or annotation that an attribute's name stands for, and the label's key.
func (k *Keep) patterns(name string) (patterns []string, key string) {
	for _, kind := range [...]struct {
		prefix   string
		patterns []string
	}{{PodLabel, k.Labels}, {PodAnnotation, k.Annotations}, {NamespaceLabel, k.NamespaceLabels}, {NodeLabel, k.NodeLabels}} {
		if key, ok := strings.CutPrefix(name, kind.prefix); ok {
			return kind.patterns, key
		}
	}
	return nil, ""
}

// Lookup gives a column of the pod that has a key, of one of the kinds above; false if there is no such pod, or it has no such
// label, or nothing is known of the field. What is a container's is that of the container whose id is the key, or of a pod's only
// container. It allocates nothing but the texts of addresses and times.
func (t *Table) Lookup(by, column string, key []byte) (string, bool) {
	p := t.find(by, key)
	if p == nil {
		return "", false
	}
	if f, ok := FieldNamed(column); ok {
		c := p.OnlyContainer()
		if by == KeyContainer {
			c = p.containerByKey(key)
		}
		text := t.Value(p, f, c)
		return text, text != ""
	}
	switch {
	case strings.HasPrefix(column, NamespaceLabel):
		namespace, _ := t.Around(p)
		return label(namespace, column)
	case strings.HasPrefix(column, NodeLabel):
		_, node := t.Around(p)
		return label(node, column)
	}
	return label(p.labels, column)
}

func (t *Table) find(by string, key []byte) *Pod {
	t.mu.RLock()
	defer t.mu.RUnlock()
	switch by {
	case KeyUID:
		return t.uids[string(key)].get()
	case KeyContainer:
		return t.containers[string(afterRuntime(key))].get()
	case KeyName:
		namespace, name, _ := bytes.Cut(key, []byte("/"))
		return t.names[fullName{string(namespace), string(name)}].get()
	case KeyIP:
		if ip, err := netip.ParseAddr(string(key)); err == nil {
			return t.ips[ip.Unmap()].get()
		}
	}
	return nil
}

func (p *Pod) containerByKey(key []byte) *Container {
	key = afterRuntime(key)
	for i := range p.containers {
		if p.containers[i].id == string(key) {
			return &p.containers[i]
		}
	}
	return nil
}

func afterRuntime(id []byte) []byte {
	if _, after, ok := bytes.Cut(id, []byte("://")); ok {
		return after
	}
	return id
}
