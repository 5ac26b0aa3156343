package k8scluster

import (
	"cmp"
	"slices"
	"strings"
)

// Attributes of resources, as the semantic conventions name them.
const (
	attrNamespace       = "k8s.namespace.name"
	attrNamespaceUID    = "k8s.namespace.uid"
	attrNode            = "k8s.node.name"
	attrNodeUID         = "k8s.node.uid"
	attrKubeletVersion  = "k8s.kubelet.version"
	attrPod             = "k8s.pod.name"
	attrPodUID          = "k8s.pod.uid"
	attrQoS             = "k8s.pod.qos_class"
	attrContainer       = "k8s.container.name"
	attrContainerID     = "container.id"
	attrImage           = "container.image.name"
	attrImageTag        = "container.image.tag"
	attrScaleAPIVersion = "k8s.hpa.scaletargetref.apiversion"
	attrScaleKind       = "k8s.hpa.scaletargetref.kind"
	attrScaleName       = "k8s.hpa.scaletargetref.name"
)

// Kinds of workloads as attributes name them: k8s.<kind>.name and k8s.<kind>.uid.
const (
	kindDeployment  = "deployment"
	kindReplicaSet  = "replicaset"
	kindController  = "replicationcontroller"
	kindStatefulSet = "statefulset"
	kindDaemonSet   = "daemonset"
	kindJob         = "job"
	kindCronJob     = "cronjob"
	kindHPA         = "hpa"
	kindQuota       = "resourcequota"
)

// attributes says for each attribute of resources whether it is on by default, which is as in contrib's receiver.
func attributes() map[string]bool {
	m := map[string]bool{
		attrNamespace: true, attrNamespaceUID: true, attrNode: true, attrNodeUID: true, attrKubeletVersion: false,
		attrPod: true, attrPodUID: true, attrQoS: false, attrContainer: true, attrContainerID: true, attrImage: true, attrImageTag: true,
		attrScaleAPIVersion: false, attrScaleKind: false, attrScaleName: false,
	}
	for _, kind := range []string{
		kindDeployment, kindReplicaSet, kindController, kindStatefulSet, kindDaemonSet, kindJob, kindCronJob, kindHPA, kindQuota,
	} {
		m[nameOf(kind)], m[uidOf(kind)] = true, true
	}
	return m
}

func nameOf(kind string) string { return "k8s." + kind + ".name" }
func uidOf(kind string) string  { return "k8s." + kind + ".uid" }

// attr is one attribute of a resource.
type attr struct{ key, value string }

// point is one value.
type point struct {
	stat  stat
	label string // value of the attribute that the metric's points have
	value float64
}

// entity is what an object is kept as: a resource with its points, in their order. It is not changed once it is made.
type entity struct {
	parent []attr // shared with the pod
	own    []attr
	points []point // in the order of the catalog
}

// builder makes an entity. What is switched off costs no memory.
type builder struct {
	c *catalog
	e *entity
}

// entity starts one. Attributes without a value or switched off are left out; values are cloned, since they are parts of
// larger objects.
func (c *catalog) entity(parent []attr, own ...attr) builder {
	e := &entity{parent: parent}
	for _, a := range own {
		if a.value != "" && c.attributes[a.key] {
			e.own = append(e.own, attr{a.key, strings.Clone(a.value)})
		}
	}
	e.own = slices.Clip(e.own)
	return builder{c, e}
}

// put adds a value.
func (b builder) put(s stat, v float64) { b.label(s, "", v) }

// whole adds a number of things.
func (b builder) whole(s stat, n int32) { b.put(s, float64(n)) }

// label adds a value under an attribute.
func (b builder) label(s stat, label string, v float64) {
	if b.c.on[s] {
		b.e.points = append(b.e.points, point{s, strings.Clone(label), v})
	}
}

// done returns the entity, with its points in the order of the catalog, whatever that of the maps and lists was.
func (b builder) done() *entity {
	slices.SortFunc(b.e.points, func(x, y point) int { return cmp.Or(cmp.Compare(x.stat, y.stat), strings.Compare(x.label, y.label)) })
	b.e.points = slices.Clip(b.e.points)
	return b.e
}

func (e *entity) same(o *entity) bool {
	return slices.Equal(e.own, o.own) && slices.Equal(e.parent, o.parent)
}

func (e *entity) equal(o *entity) bool { return e.same(o) && slices.Equal(e.points, o.points) }

// has says whether there is a point of the same series.
func (e *entity) has(p point) bool {
	return slices.ContainsFunc(e.points, func(o point) bool { return o.stat == p.stat && o.label == p.label })
}

// with returns the entity's points and those of series that only the other one has.
func (e *entity) with(o *entity) []point {
	all := slices.Clone(e.points)
	for _, p := range o.points {
		if !e.has(p) {
			all = append(all, p)
		}
	}
	slices.SortStableFunc(all, func(x, y point) int { return cmp.Compare(x.stat, y.stat) })
	return all
}

// find returns the entity of the same attributes; nil if there is none.
func find(list []*entity, e *entity) *entity {
	if slices.Contains(list, e) { // as a rule
		return e
	}
	if i := slices.IndexFunc(list, e.same); i >= 0 {
		return list[i]
	}
	return nil
}
