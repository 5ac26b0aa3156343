package podtable

import (
	"time"
	"unique"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Owners are objects of one kind that control pods and are controlled themselves, ReplicaSets or Jobs: the uids of what controls
// them, by their own. They are filled as the [Table] is that has them.
type Owners struct {
	table *Table
	tops  around[owned]
}

// owned is an object's namespace and the uid of what controls it.
type owned struct{ namespace, top text }

// ReplicaSets are those that Deployments own.
func (t *Table) ReplicaSets() *Owners { return &t.replicaSets }

// Jobs are those that CronJobs own.
func (t *Table) Jobs() *Owners { return &t.jobs }

// Put takes an object that is new or has changed. It keeps nothing of the object.
func (o *Owners) Put(object metav1.Object) {
	v := ownedOf(object)
	o.table.mu.Lock()
	defer o.table.mu.Unlock()
	o.tops.put(string(object.GetUID()), v)
}

// Gone takes an object that is no more.
func (o *Owners) Gone(object metav1.Object, now time.Time) {
	o.table.mu.Lock()
	defer o.table.mu.Unlock()
	o.tops.kill(string(object.GetUID()), now)
}

// All takes all objects of a namespace, or of all if it is empty.
func (o *Owners) All(namespace string, list []metav1.Object, now time.Time) {
	all := make(map[string]owned, len(list))
	for _, object := range list {
		all[string(object.GetUID())] = ownedOf(object)
	}
	o.table.mu.Lock()
	defer o.table.mu.Unlock()
	o.tops.replace(all, func(v owned) bool { return namespace == "" || namespace == v.namespace.Value() }, now)
}

func ownedOf(object metav1.Object) owned {
	v := owned{namespace: unique.Make(object.GetNamespace())}
	if r := metav1.GetControllerOfNoCopy(object); r != nil {
		v.top = unique.Make(string(r.UID))
	}
	return v
}

// of is the uid of what controls a pod's owner. The caller holds the lock.
func (o *Owners) of(owner *owner) string {
	if v := o.tops.known[owner.uid.Value()]; v.top != (text{}) {
		return v.top.Value()
	}
	return ""
}
