// Package podtable is what is known of a cluster's pods, in a form that is small and quick to ask: by uid, address, container
// id, or namespace and name. Extension k8s_pods fills it from the API server; processor k8s_metadata and the plugins'
// capability lookup ask it.
//
// Strings that pods share are kept once. A deleted pod is kept for a while, for records that come late, but is no longer found by
// its address, which another pod may have by then.
package podtable

import (
	"net/netip"
	"sync"
	"time"
)

// maxDeleted is how many deleted pods are kept at most; the oldest give way.
const maxDeleted = 5000

// Table is safe for concurrent use. Whoever asks takes a lock for reading that no writer holds for longer than one pod takes.
type Table struct {
	keep        *Keep
	keepDeleted time.Duration

	mu         sync.RWMutex
	uids       map[string]*entry // by the kubelet's uid, and by the object's where that is another
	names      map[fullName]*entry
	ips        map[netip.Addr]*entry
	containers map[string]*entry
	namespaces around[[]Label]
	nodes      around[inNode]
	cluster    string // its uid
	// replicaSets and jobs are empty unless uids of Deployments and CronJobs are kept.
	replicaSets, jobs Owners
	deaths            []death // oldest first
	lastDeath         uint64
	live, dead        int           // pods
	crowdedOut        int64         // deleted pods that gave way
	changed           chan struct{} // closed at the next change, if anyone waits for one

	pending     int // lists that have not come yet
	podsPending int // those of them that are of pods
	ready       chan struct{}
	podsListed  chan struct{}
}

type fullName struct{ namespace, name string }

// entry is a pod over all its changes.
type entry struct {
	pod *Pod
	// died is the number of its death, or 0 while it lives.
	died uint64
}

// death is when an entry died; it no longer counts if the entry lives again, or died again.
type death struct {
	entry  *entry
	number uint64
	at     time.Time
}

// New makes an empty table. It waits for so many first lists of pods and of other things (namespaces, nodes, owners).
func New(keep *Keep, keepDeleted time.Duration, podLists, otherLists int) *Table {
	t := &Table{
		keep: keep, keepDeleted: keepDeleted, uids: map[string]*entry{}, names: map[fullName]*entry{}, ips: map[netip.Addr]*entry{},
		containers: map[string]*entry{}, namespaces: newAround[[]Label](), nodes: newAround[inNode](),
		pending: podLists + otherLists, podsPending: podLists, ready: make(chan struct{}), podsListed: make(chan struct{}),
	}
	t.replicaSets, t.jobs = Owners{t, newAround[owned]()}, Owners{t, newAround[owned]()}
	return t
}

// Ready is closed when all first lists have come.
func (t *Table) Ready() <-chan struct{} { return t.ready }

// PodsListed is closed when the first lists of pods have come.
func (t *Table) PodsListed() <-chan struct{} { return t.podsListed }

// Changed is closed when a pod has come or changed after the call.
func (t *Table) Changed() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changed == nil {
		t.changed = make(chan struct{})
	}
	return t.changed
}

// Counts says how many pods are known that live, how many that were deleted, and how many of those had to give way to others before
// their time since the start.
func (t *Table) Counts() (live, dead int, crowdedOut int64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.live, t.dead, t.crowdedOut
}

// ByUID finds a pod by its uid, the kubelet's or the API's. It returns nil if there is none, as do the others.
func (t *Table) ByUID(uid string) *Pod {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.uids[uid].get()
}

// ByName finds the pod that has or had the name last.
func (t *Table) ByName(namespace, name string) *Pod {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.names[fullName{namespace, name}].get()
}

// ByIP finds a pod that lives by an address of its own. IPv4 addresses must not be mapped to IPv6.
func (t *Table) ByIP(ip netip.Addr) *Pod {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.ips[ip].get()
}

// ByContainer finds a pod by the id of one of its containers, which may have ended.
func (t *Table) ByContainer(id string) *Pod {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.containers[id].get()
}

// Around has the labels of a pod's namespace and node that are kept. They are not the caller's to change.
func (t *Table) Around(p *Pod) (namespace, node []Label) {
	if len(t.keep.NamespaceLabels) == 0 && len(t.keep.NodeLabels) == 0 {
		return nil, nil
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.namespaces.known[p.namespace.Value()], t.nodes.known[p.node.Value()].labels
}

// Value gives a field's value, or "" if there is none. c is the container of which the container's fields are; it may be nil.
func (t *Table) Value(p *Pod, f Field, c *Container) string {
	switch f {
	case NodeUID, ClusterUID, DeploymentUID, CronJobUID:
		t.mu.RLock()
		defer t.mu.RUnlock()
	}
	switch {
	case f == NodeUID:
		return t.nodes.known[p.node.Value()].uid
	case f == ClusterUID:
		return t.cluster
	case f == DeploymentUID && p.owner.kind == replicaSet:
		return t.replicaSets.of(&p.owner)
	case f == CronJobUID && p.owner.kind == job:
		return t.jobs.of(&p.owner)
	}
	return p.value(f, c)
}

func (e *entry) get() *Pod {
	if e == nil {
		return nil
	}
	return e.pod
}
