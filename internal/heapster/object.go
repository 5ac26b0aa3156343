package heapster

import (
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Type is the kind of an object, as the value of Heapster's label `type`.
type Type string

// The kinds of objects.
const (
	Unknown         Type = ""
	Cluster         Type = "cluster"
	Node            Type = "node"
	Namespace       Type = "ns"
	Pod             Type = "pod"
	Container       Type = "pod_container"
	SystemContainer Type = "sys_container"
)

// Attributes of a resource that say what it is of.
const (
	attrCluster         = "k8s.cluster.name"
	attrNode            = "k8s.node.name"
	attrNamespace       = "k8s.namespace.name"
	attrPod             = "k8s.pod.name"
	attrPodUID          = "k8s.pod.uid"
	attrContainer       = "k8s.container.name"
	attrSystemContainer = "k8s.node.system_container.name"
	attrVolume          = "k8s.volume.name"
	attrImage           = "container.image.name"
	attrPodLabel        = "k8s.pod.label."
	attrNodeLabel       = "k8s.node.label."
)

// Object is what a resource's metrics are of. Fields that do not go with its type are empty.
type Object struct {
	Type                          Type
	Cluster, Node, Namespace      string
	Pod, PodUID, Container, Image string
	// Volume is the name of a pod's volume, whose file system the metrics are of.
	Volume string
}

// Identify reads the attributes of a resource. The type is Unknown where they do not name an object of a cluster.
func Identify(attributes pcommon.Map) Object {
	var o Object
	for key, value := range attributes.All() {
		if into := o.field(key); into != nil && value.Type() == pcommon.ValueTypeStr {
			*into = value.Str()
		}
	}
	_, system := attributes.Get(attrSystemContainer)
	pod := o.Pod != "" && o.Namespace != ""
	switch {
	case system && o.Container != "" && o.Node != "" && o.Pod == "":
		o.Type = SystemContainer
	case o.Container != "" && pod:
		o.Type = Container
	case pod:
		o.Type = Pod
	case o.Container != "" || o.Pod != "":
	case o.Namespace != "":
		o.Type = Namespace
	case o.Node != "":
		o.Type = Node
	case o.Cluster != "":
		o.Type = Cluster
	}
	return o
}

func (o *Object) field(key string) *string {
	switch key {
	case attrCluster:
		return &o.Cluster
	case attrNode:
		return &o.Node
	case attrNamespace:
		return &o.Namespace
	case attrPod:
		return &o.Pod
	case attrPodUID:
		return &o.PodUID
	case attrContainer, attrSystemContainer:
		return &o.Container
	case attrVolume:
		return &o.Volume
	case attrImage:
		return &o.Image
	}
	return nil
}

// Key is the object's name in Heapster's store, such as namespace:shop/pod:cart/container:web.
func (o *Object) Key() string { return string(o.AppendKey(nil)) }

// AppendKey is Key, appended to b.
func (o *Object) AppendKey(b []byte) []byte {
	switch o.Type {
	case Cluster:
		return append(b, "cluster"...)
	case Node, SystemContainer:
		b = append(append(b, prefixNode...), o.Node...)
	case Namespace, Pod, Container:
		b = append(append(b, prefixNamespace...), o.Namespace...)
	}
	if o.Type == Pod || o.Type == Container {
		b = append(append(b, prefixPod...), o.Pod...)
	}
	if o.Type == Container || o.Type == SystemContainer {
		b = append(append(b, prefixContainer...), o.Container...)
	}
	return b
}

// What stands before the names in a key.
const (
	prefixNode      = "node:"
	prefixNamespace = "namespace:"
	prefixPod       = "/pod:"
	prefixContainer = "/container:"
)

// NodeKey is the key of a node.
func NodeKey(node string) string { return prefixNode + node }

// NamespaceKey is the key of a namespace.
func NamespaceKey(namespace string) string { return prefixNamespace + namespace }

// PodKey is the key of a pod.
func PodKey(namespace, pod string) string { return prefixNamespace + namespace + prefixPod + pod }

// PutTags sets the labels that Heapster's sinks gave the object's points, without those that are empty.
func (o *Object) PutTags(into pcommon.Map, cluster, labels string) {
	tags := [...]struct{ key, value string }{
		{"type", string(o.Type)},
		{"cluster_name", cluster},
		{"nodename", o.Node},
		{"namespace_name", o.Namespace},
		{"pod_name", o.Pod},
		{"container_name", o.Container},
		{"container_base_image", o.Image},
		{"labels", labels},
	}
	into.EnsureCapacity(len(tags))
	for _, tag := range tags {
		if tag.value != "" {
			into.PutStr(tag.key, tag.value)
		}
	}
}

// Labels calls yield for each Kubernetes label among the attributes of a pod's, container's or node's resource.
func Labels(attributes pcommon.Map, yield func(key, value string)) {
	for name, value := range attributes.All() {
		key, ok := strings.CutPrefix(name, attrPodLabel)
		if !ok {
			key, ok = strings.CutPrefix(name, attrNodeLabel)
		}
		if ok {
			yield(key, value.AsString())
		}
	}
}

// JoinLabels writes the Kubernetes labels as Heapster's label `labels` has them: key:value, sorted, with commas between.
func JoinLabels(attributes pcommon.Map) string {
	var list []string
	Labels(attributes, func(key, value string) { list = append(list, key+":"+value) })
	slices.Sort(list)
	return strings.Join(list, ",")
}
