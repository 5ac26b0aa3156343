package podtable

import (
	"time"

	v1 "k8s.io/api/core/v1"
)

// Put takes a Pod object that is new or has changed. It keeps nothing of the object.
func (t *Table) Put(p *v1.Pod) {
	cut := t.keep.Pod(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.put(cut)
}

// Gone takes the last state of a Pod object that is no more.
func (t *Table) Gone(p *v1.Pod, now time.Time) {
	cut := t.keep.Pod(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.uids[cut.uid]; e != nil && e.pod.apiUID != cut.apiUID {
		return // the static pod has another picture by now
	}
	cut.over = true // it claims no addresses, which another pod may have by now
	t.put(cut)
	t.kill(t.uids[cut.uid], now)
}

// All takes all Pod objects of a namespace, or of all if it is empty: those that are known and not among them were deleted.
func (t *Table) All(namespace string, pods []*v1.Pod, now time.Time) {
	listed := make(map[string]bool, len(pods))
	for _, p := range pods {
		cut := t.keep.Pod(p)
		listed[cut.uid] = true
		t.mu.Lock()
		t.put(cut)
		t.mu.Unlock()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.uids {
		if e.died == 0 && !listed[e.pod.uid] && (namespace == "" || namespace == e.pod.namespace.Value()) {
			t.kill(e, now)
		}
	}
}

// Listed says that one of the first lists has come, of pods or of something else.
func (t *Table) Listed(ofPods bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ofPods {
		if t.podsPending--; t.podsPending == 0 {
			close(t.podsListed)
		}
	}
	if t.pending--; t.pending == 0 {
		close(t.ready)
	}
	t.tell()
}

// tell wakes those that wait for a change.
func (t *Table) tell() {
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

func (t *Table) put(p *Pod) {
	e := t.uids[p.uid]
	switch {
	case e == nil:
		e = &entry{}
		t.live++
	case e.died != 0:
		e.died = 0
		t.dead--
		t.live++
	}
	p.after(e.pod)
	if e.pod != nil {
		t.unlink(e)
	}
	e.pod = p
	t.link(e)
	t.tell()
}

// link enters a pod that lives wherever it may be asked for.
func (t *Table) link(e *entry) {
	p := e.pod
	t.uids[p.uid] = e
	if p.apiUID != "" {
		t.uids[p.apiUID] = e
	}
	for i := range p.containers {
		if id := p.containers[i].id; id != "" {
			t.containers[id] = e
		}
	}
	name := fullName{p.namespace.Value(), p.name}
	if t.names[name].yieldsTo(e) {
		t.names[name] = e
	}
	if p.shared || p.over {
		return
	}
	for _, ip := range p.ips {
		if t.ips[ip].yieldsTo(e) {
			t.ips[ip] = e
		}
	}
}

// yieldsTo says whether another pod takes over what two claim: one that lives, or else the one made later.
func (e *entry) yieldsTo(other *entry) bool {
	return e == nil || e.died != 0 || e.pod.created <= other.pod.created
}

// unlink is the opposite of link. What another pod took over stays that pod's.
func (t *Table) unlink(e *entry) {
	p := e.pod
	drop(t.uids, p.uid, e)
	drop(t.uids, p.apiUID, e)
	for i := range p.containers {
		drop(t.containers, p.containers[i].id, e)
	}
	drop(t.names, fullName{p.namespace.Value(), p.name}, e)
	for _, ip := range p.ips {
		drop(t.ips, ip, e)
	}
}

func drop[K comparable](m map[K]*entry, key K, e *entry) {
	if m[key] == e {
		delete(m, key)
	}
}

// kill marks a pod as deleted. It is not found by its addresses any more.
func (t *Table) kill(e *entry, now time.Time) {
	for _, ip := range e.pod.ips {
		drop(t.ips, ip, e)
	}
	t.lastDeath++
	e.died = t.lastDeath
	t.deaths = append(t.deaths, death{e, e.died, now})
	t.live--
	t.dead++
	t.expire(now)
}

// Expire forgets what was deleted long ago.
func (t *Table) Expire(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(now)
	t.namespaces.expire(now, t.keepDeleted)
	t.nodes.expire(now, t.keepDeleted)
	t.replicaSets.tops.expire(now, t.keepDeleted)
	t.jobs.tops.expire(now, t.keepDeleted)
}

func (t *Table) expire(now time.Time) {
	n := 0
	for _, d := range t.deaths {
		stale := d.entry.died != d.number
		old := now.Sub(d.at) >= t.keepDeleted
		if !stale && !old && t.dead <= maxDeleted {
			break
		}
		n++
		if stale {
			continue
		}
		if !old {
			t.crowdedOut++
		}
		t.unlink(d.entry)
		t.dead--
	}
	clear(t.deaths[:n])
	t.deaths = t.deaths[n:]
}
