package model

import (
	"cmp"
	"slices"
	"time"

	"github.com/obsd-io/obsd/internal/heapster"
)

// result is Heapster's MetricResult.
type result struct {
	Metrics []value   `json:"metrics"`
	Latest  time.Time `json:"latestTimestamp"`
}

// value is Heapster's MetricPoint. FloatValue is there for what is not a whole number by nature.
type value struct {
	Timestamp  time.Time `json:"timestamp"`
	Value      uint64    `json:"value"`
	FloatValue *float64  `json:"floatValue,omitempty"`
}

// results is Heapster's MetricResultList.
type results struct {
	Items []result `json:"items"`
}

// query is which values of which series are wanted.
type query struct {
	name, label string
	start, end  int64
}

// outcome says what of a query was found.
type outcome int

const (
	found outcome = iota
	noObject
	noMetric
	otherLabels // there is such a metric, under other labels
)

// values answers a query for one object.
func (s *store) values(key string, q query) (result, outcome) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := result{Metrics: []value{}}
	o := s.objects[key]
	if o == nil {
		return r, noObject
	}
	outcome := noMetric
	number := s.number(q.name)
	o.find(number, func(w *window, series int, label string) {
		if label != q.label {
			if outcome == noMetric {
				outcome = otherLabels
			}
			return
		}
		outcome = found
		w.each(series, func(p point) {
			if p.at >= q.start && p.at <= q.end {
				r.add(p, s.float[number])
			}
		})
	})
	return r, outcome
}

func (r *result) add(p point, float bool) {
	v := value{Timestamp: time.Unix(0, p.at).UTC(), Value: uint64(heapster.Int(p.value))}
	if float {
		v.FloatValue = &p.value
	}
	r.Metrics = append(r.Metrics, v)
	r.Latest = v.Timestamp
}

// metrics lists the names of an object's metrics.
func (s *store) metrics(key string) ([]string, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o := s.objects[key]
	if o == nil {
		return nil, false
	}
	names := []string{}
	o.windows(func(w *window) {
		for _, c := range w.cells {
			names = append(names, s.names[c.name])
		}
	})
	slices.Sort(names)
	return slices.Compact(names), true
}

// labels lists the labels under which an object has a metric.
func (s *store) labels(key, name string) (labels []string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if o := s.objects[key]; o != nil {
		o.find(s.number(name), func(_ *window, _ int, label string) { labels = append(labels, label) })
	}
	slices.Sort(labels)
	return labels
}

// list names what is there now: of the objects that choose gives a name for, each name once, sorted.
func (s *store) list(now time.Time, choose func(*object) string) []string {
	s.mu.RLock()
	names := []string{}
	for _, o := range s.objects {
		if name := choose(o); name != "" && s.live(o, now) {
			names = append(names, name)
		}
	}
	s.mu.RUnlock()
	slices.Sort(names)
	return slices.Compact(names)
}

// exists tells whether anything is known of the object with a key, or of what is below it.
func (s *store) exists(key string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.objects[key] != nil {
		return true
	}
	for _, o := range s.objects {
		if o.kind != heapster.Cluster && (heapster.NamespaceKey(o.namespace) == key || heapster.NodeKey(o.node.Value()) == key) {
			return true
		}
	}
	return false
}

// usage is the newest CPU and memory use of a node or container, as metrics.k8s.io has it.
type usage struct {
	namespace, pod, container, node string
	labels                          map[string]string
	cpu, memory                     float64 // millicores, bytes
	hasCPU, hasMemory               bool
	at                              time.Time
	window                          time.Duration
}

// usages reads the live objects that choose picks, sorted by name.
func (s *store) usages(now time.Time, choose func(*object) bool) []usage {
	cpu, memory := s.number("cpu/usage_rate"), s.number("memory/working_set")
	s.mu.RLock()
	var list []usage
	for _, o := range s.objects {
		if !choose(o) || !s.live(o, now) {
			continue
		}
		u := usage{namespace: o.namespace, pod: o.pod, container: o.container, node: o.node.Value(), labels: o.labels.all(), window: s.resolution}
		if o.kind == heapster.Container {
			if pod := s.objects[heapster.PodKey(o.namespace, o.pod)]; pod != nil {
				u.labels = pod.labels.all()
			}
		}
		o.find(cpu, func(w *window, series int, _ string) { u.setCPU(w.last(series)) })
		o.find(memory, func(w *window, series int, _ string) { u.setMemory(w.last(series)) })
		if u.hasCPU || u.hasMemory {
			list = append(list, u)
		}
	}
	s.mu.RUnlock()
	slices.SortFunc(list, func(a, b usage) int {
		return cmp.Or(cmp.Compare(a.node, b.node)*sameKind(a, b), cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.pod, b.pod), cmp.Compare(a.container, b.container))
	})
	return list
}

// sameKind is 1 for nodes, which are sorted by name, and 0 for containers, whose node does not matter.
func sameKind(a, b usage) int {
	if a.container == "" && b.container == "" {
		return 1
	}
	return 0
}

// setCPU takes the rate, with the time over which it was measured.
func (u *usage) setCPU(last point, before int64) {
	if last.at == 0 {
		return
	}
	u.cpu, u.hasCPU, u.at = last.value, true, time.Unix(0, last.at)
	if before != 0 {
		u.window = time.Duration(last.at - before)
	}
}

func (u *usage) setMemory(last point, _ int64) {
	if last.at == 0 {
		return
	}
	u.memory, u.hasMemory = last.value, true
	if !u.hasCPU {
		u.at = time.Unix(0, last.at)
	}
}
