package kubelet

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"k8s.io/apimachinery/pkg/api/resource"
)

// metadata is what Pod and Node objects say about a node. It is not changed once it is made. A nil one knows nothing.
type metadata struct {
	pods  map[string]*podMeta // by uid
	order []string            // uids, in the order of the source
	node  *nodeMeta
}

// podMeta is what is kept of a Pod object. A nil one knows nothing.
type podMeta struct {
	name, namespace, uid string
	attributes           []label // owner, QoS class, labels and annotations
	containers           []containerMeta
	volumes              []volumeMeta
	resources            resources // of all containers; a figure that one of them lacks is absent
}

type label struct{ key, value string }

type containerMeta struct {
	name, id, image string
	resources       resources
	restarts, ready num
	counts          bool // its requests count: not those of an init container that ends, nor of a pod that has ended
}

// volumeMeta is the type of a volume, as its key in the Pod object is named, and the claim it comes from.
type volumeMeta struct{ name, kind, claim string }

// nodeMeta is what a node has, and what of it pods may request.
type nodeMeta struct{ capacity, allocatable nodeResources }

// nodeResources are CPUs, bytes and a number of pods.
type nodeResources struct{ cpu, memory, storage, pods qty }

// resources are CPUs and bytes.
type resources struct {
	cpuRequest, cpuLimit, memoryRequest, memoryLimit, storageRequest, storageLimit qty
}

// qty is a quantity that may be absent.
type qty struct {
	v  float64
	ok bool
}

func (q qty) whole() num {
	if !q.ok || q.v < 0 {
		return num{}
	}
	return num{v: uint64(q.v), ok: true}
}

func parseQty(s string) qty {
	q, err := resource.ParseQuantity(s)
	if err != nil {
		return qty{}
	}
	return qty{v: q.AsApproximateFloat64(), ok: true}
}

// set takes a request or limit of a resource by its name.
func (r *resources) set(name string, limit bool, q qty) {
	switch {
	case name == "cpu" && limit:
		r.cpuLimit = q
	case name == "cpu":
		r.cpuRequest = q
	case name == "memory" && limit:
		r.memoryLimit = q
	case name == "memory":
		r.memoryRequest = q
	case name == "ephemeral-storage" && limit:
		r.storageLimit = q
	case name == "ephemeral-storage":
		r.storageRequest = q
	}
}

// sumUp adds the containers' requests and limits up.
func (p *podMeta) sumUp() {
	p.resources = resources{}
	first := true
	for i := range p.containers {
		if !p.containers[i].counts {
			continue
		}
		r, t := &p.containers[i].resources, &p.resources
		for _, e := range [...]struct {
			to   *qty
			from qty
		}{
			{&t.cpuRequest, r.cpuRequest},
			{&t.cpuLimit, r.cpuLimit},
			{&t.memoryRequest, r.memoryRequest},
			{&t.memoryLimit, r.memoryLimit},
		} {
			e.to.v, e.to.ok = e.to.v+e.from.v, e.from.ok && (first || e.to.ok)
		}
		first = false
	}
}

func (m *metadata) pod(uid string) *podMeta {
	if m == nil {
		return nil
	}
	return m.pods[uid]
}

// extra is how many attributes put sets.
func (p *podMeta) extra() int {
	if p == nil {
		return 0
	}
	return len(p.attributes)
}

func (p *podMeta) put(to pcommon.Map) {
	if p == nil {
		return
	}
	for _, a := range p.attributes {
		to.PutStr(a.key, a.value)
	}
}

func (p *podMeta) total() *resources {
	if p == nil {
		return &resources{}
	}
	return &p.resources
}

func (c *containerMeta) requested() *resources {
	if c == nil {
		return &resources{}
	}
	return &c.resources
}

func (p *podMeta) container(name string) *containerMeta {
	if p == nil {
		return nil
	}
	for i := range p.containers {
		if p.containers[i].name == name {
			return &p.containers[i]
		}
	}
	return nil
}

func (p *podMeta) volume(name string) volumeMeta {
	if p == nil {
		return volumeMeta{}
	}
	for _, v := range p.volumes {
		if v.name == name {
			return v
		}
	}
	return volumeMeta{}
}
