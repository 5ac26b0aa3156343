package podtable

import (
	"net/netip"
	"slices"
	"time"
	"unique"
)

// text is a string that many pods have: there is one copy of it in memory.
type text = unique.Handle[string]

// Label is a label or an annotation under the name that it has as an attribute.
type Label struct{ name, value text }

// Name is the attribute's.
func (l Label) Name() string { return l.name.Value() }

// Value is the label's.
func (l Label) Value() string { return l.value.Value() }

// Pod is what is kept of a Pod object. It does not change: a change of the object makes another Pod.
type Pod struct {
	name, uid string
	apiUID    string // of the object, which for the picture of a static pod is another than its uid; else empty
	namespace text
	node      text
	owner     owner
	labels    []Label
	ips       []netip.Addr
	created   int64 // in seconds since 1970
	started   int64 // the same, 0 if it has not
	// containers are the current ones, and after them those that were before, the newest first.
	containers []Container
	current    int
	single     bool // it has one container, init containers aside
	shared     bool // it has its node's addresses
	over       bool // it succeeded or failed, and has its addresses no more
}

// Container is one run of a container. It does not change.
type Container struct {
	name, image, tag text
	digest           text   // repository and digest of the image, or empty
	id               string // empty before it runs
	restarts         int32  // before this run
}

// owner is the workload that controls a pod.
type owner struct {
	kind kind
	name text
	uid  text
	top  text // what owns the owner, by its name: the Deployment of a ReplicaSet, the CronJob of a Job; else empty
}

type kind uint8

const (
	noOwner kind = iota
	replicaSet
	statefulSet
	daemonSet
	replicationController
	job
)

var kinds = map[string]kind{
	"ReplicaSet": replicaSet, "StatefulSet": statefulSet, "DaemonSet": daemonSet,
	"ReplicationController": replicationController, "Job": job,
}

// nameOf has for each kind of owner the field of its name, after which comes that of its uid.
var nameOf = [...]Field{
	replicaSet: ReplicaSetName, statefulSet: StatefulSetName, daemonSet: DaemonSetName,
	replicationController: ReplicationControllerName, job: JobName,
}

// Name is the pod's.
func (p *Pod) Name() string { return p.name }

// Namespace is the pod's.
func (p *Pod) Namespace() string { return p.namespace.Value() }

// HasUID says whether a uid is the pod's: the kubelet's, or that of the object in the API.
func (p *Pod) HasUID(uid string) bool { return uid == p.uid || p.apiUID != "" && uid == p.apiUID }

// Labels are the labels and annotations of the pod itself that are kept. They are not the caller's to change.
func (p *Pod) Labels() []Label { return p.labels }

// value is that of a field which the pod itself tells, or "".
func (p *Pod) value(f Field, c *Container) string {
	switch f {
	case NamespaceName:
		return p.namespace.Value()
	case PodName:
		return p.name
	case PodUID:
		return p.uid
	case PodIP:
		if len(p.ips) == 0 {
			return ""
		}
		return p.ips[0].String()
	case PodStartTime:
		if p.started == 0 {
			return ""
		}
		return time.Unix(p.started, 0).UTC().Format(time.RFC3339)
	case NodeName:
		return p.node.Value()
	}
	if f.OfContainer() {
		return c.value(f)
	}
	return p.owner.value(f)
}

func (o *owner) value(f Field) string {
	switch {
	case o.kind == noOwner:
		return ""
	case f == nameOf[o.kind]:
		return o.name.Value()
	case f == nameOf[o.kind]+1:
		return o.uid.Value()
	case f == DeploymentName && o.kind == replicaSet, f == CronJobName && o.kind == job:
		return o.top.Value()
	}
	return ""
}

func (c *Container) value(f Field) string {
	if c == nil {
		return ""
	}
	switch f {
	case ContainerName:
		return c.name.Value()
	case ContainerID:
		return c.id
	case ImageName:
		return c.image.Value()
	case ImageTag:
		return c.tag.Value()
	case ImageRepoDigests:
		return c.digest.Value()
	}
	return ""
}

// ContainerByID finds a run of a container, or nil.
func (p *Pod) ContainerByID(id string) *Container {
	for i := range p.containers {
		if p.containers[i].id == id {
			return &p.containers[i]
		}
	}
	return nil
}

// ContainerNamed finds the run of a container after so many restarts, or else, where exact is false, the current one; nil if
// there is no container of that name. restarts is negative if they are not known.
func (p *Pod) ContainerNamed(name string, restarts int) (c *Container, exact bool) {
	for i := range p.containers {
		switch run := &p.containers[i]; {
		case run.name.Value() != name:
		case int(run.restarts) == restarts:
			return run, true
		case i < p.current:
			c = run
		}
	}
	return c, false
}

// OnlyContainer is the pod's container if there is but one, init containers and debugging containers aside; else nil.
func (p *Pod) OnlyContainer() *Container {
	if !p.single {
		return nil
	}
	return &p.containers[0]
}

// maxFormer is how many runs of containers before the current ones are remembered of a pod.
const maxFormer = 16

// after takes the former containers over from the pod as it was before, and the container ids of a pod that tells of none any more.
func (p *Pod) after(before *Pod) {
	if before == nil {
		return
	}
	room := p.current + maxFormer
	for i := range before.containers {
		run := &before.containers[i]
		if run.id == "" || len(p.containers) >= room || p.ContainerByID(run.id) != nil {
			continue
		}
		p.containers = append(p.containers, *run)
	}
	p.containers = slices.Clip(p.containers)
}

// label finds a kept label or annotation by its attribute's name.
func label(list []Label, name string) (string, bool) {
	for _, l := range list {
		if l.name.Value() == name {
			return l.value.Value(), true
		}
	}
	return "", false
}
