package k8scluster

import (
	"slices"
	"sync"
)

// state is what is known of the cluster. Those who follow the API server write it, and whoever emits takes from it.
type state struct {
	mu     sync.Mutex
	tables []*table
	dirty  map[*item]struct{}
	// changed has a value when something is dirty that has not been taken.
	changed chan struct{}
}

// table is the objects of one resource in one namespace, or in all.
type table struct {
	state    *state
	resource string
	objects  map[string]*item // by namespace/name
}

// item is one object of the API with what was last told of it.
type item struct {
	table *table
	key   string
	now   []*entity // nil if it is gone
	told  []*entity // nil if nothing was told
	taken bool      // it is being told
}

func newState() *state {
	return &state{dirty: map[*item]struct{}{}, changed: make(chan struct{}, 1)}
}

func (s *state) table(resource string) *table {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &table{state: s, resource: resource, objects: map[string]*item{}}
	s.tables = append(s.tables, t)
	return t
}

// put takes an object as it is now; nil if it is gone.
func (t *table) put(key string, now []*entity) {
	t.state.mu.Lock()
	defer t.state.mu.Unlock()
	t.set(key, now)
}

// replace takes all objects there are.
func (t *table) replace(all map[string][]*entity) {
	t.state.mu.Lock()
	defer t.state.mu.Unlock()
	for key := range t.objects {
		if _, ok := all[key]; !ok {
			t.set(key, nil)
		}
	}
	for key, now := range all {
		t.set(key, now)
	}
}

// set is put with the lock held.
func (t *table) set(key string, now []*entity) {
	o := t.objects[key]
	if o == nil {
		if now == nil {
			return
		}
		o = &item{table: t, key: key}
		t.objects[key] = o
	}
	if !o.change(now) {
		return
	}
	if now == nil && o.told == nil && !o.taken { // nobody heard of it, as where this obsd does not lead
		delete(t.objects, key)
		delete(t.state.dirty, o)
		return
	}
	t.state.dirty[o] = struct{}{}
	select {
	case t.state.changed <- struct{}{}:
	default: // it has been said
	}
}

// change takes what an object is now and says whether it is another than before. Entities that did not change are kept.
func (o *item) change(now []*entity) bool {
	changed := len(now) != len(o.now)
	for i, e := range now {
		if old := find(o.now, e); old != nil && old.equal(e) {
			now[i] = old
			continue
		}
		changed = true
	}
	o.now = now
	return changed
}

// telling is what is to be told of an object.
type telling struct {
	object    *item
	now, told []*entity
}

// take returns all objects, or those that have changed since they were told of. Each is to be given to tell or to back.
func (s *state) take(all bool) (list []telling) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for o := range s.dirty {
		if !all || o.now == nil {
			list = append(list, o.telling())
		}
	}
	clear(s.dirty)
	select {
	case <-s.changed: // it is taken with this
	default:
	}
	if !all {
		return list
	}
	for _, t := range s.tables {
		for _, o := range t.objects {
			if o.now != nil {
				list = append(list, o.telling())
			}
		}
	}
	return list
}

func (o *item) telling() telling {
	o.taken = true
	return telling{o, o.now, o.told}
}

// tell notes what was told, and forgets what is gone.
func (s *state) tell(list []telling) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range list {
		o := t.object
		o.told, o.taken = t.now, false
		if o.now == nil && o.told == nil {
			delete(o.table.objects, o.key)
		}
	}
}

// back takes what the pipeline did not take, or not all of it, as where one of two exporters is full. It is told with what comes
// next, and if it is no more by then, its series are ended.
func (s *state) back(list []telling) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range list {
		t.object.told, t.object.taken = union(t.told, t.now), false
		s.dirty[t.object] = struct{}{}
	}
}

// union is the entities of both lists, each with the points of both.
func union(told, now []*entity) []*entity {
	all := slices.Clone(told)
	for _, e := range now {
		i := slices.IndexFunc(told, e.same)
		switch {
		case i < 0:
			all = append(all, e)
		case told[i] != e:
			all[i] = &entity{parent: e.parent, own: e.own, points: e.with(told[i])}
		}
	}
	return all
}

// forget returns what was told of all objects, as if they were gone, and begins anew.
func (s *state) forget() (list []telling) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.dirty)
	for _, t := range s.tables {
		for key, o := range t.objects {
			if o.told != nil {
				list = append(list, telling{o, nil, o.told})
			}
			o.told = nil
			if o.now == nil {
				delete(t.objects, key)
			}
		}
	}
	return list
}

// count tells how many objects of each resource there are.
func (s *state) count() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[string]int64{}
	for _, t := range s.tables {
		n[t.resource] += 0
		for _, o := range t.objects {
			if o.now != nil {
				n[t.resource]++
			}
		}
	}
	return n
}
