package model

import (
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/obsd-io/obsd/internal/heapster"
)

// settle is how far apart the parts of one report of a node may arrive. A pod that is older than its node's newest report
// by more is gone.
const settle = 500 * time.Millisecond

// store is the window of values. Readers may be many, and see a batch as a whole or not at all.
//
//	objects ──► object "namespace:shop/pod:cart"
//	              └─ series ──► name 12, label "", ring of (time, value)
//	                            name 31, label "Volume:data", ring …
type store struct {
	window, short, resolution time.Duration
	names                     []string // by the number that a series has, sorted
	long                      []bool   // whether the series of a name are kept for the window
	maxSeries                 int

	mu         sync.RWMutex
	translator *heapster.Translator
	objects    map[string]*object
	// reports is when each node's measured values last came.
	reports map[string]time.Time
	series  int
	dropped int64 // values of series beyond maxSeries
	updated time.Time
	swept   time.Time
}

// object is a node, pod, container, namespace or the cluster.
type object struct {
	heapster.Object
	key    string
	labels map[string]string
	seen   time.Time
	newest int64
	series []series
}

func newStore(c *Config) *store {
	s := &store{
		window: c.Window, short: c.ShortWindow, resolution: c.Resolution, maxSeries: c.MaxSeries,
		names: metricNames(), translator: heapster.NewTranslator(c.MaxSeries),
		objects: make(map[string]*object), reports: make(map[string]time.Time),
	}
	for _, name := range s.names {
		s.long = append(s.long, slices.Contains(c.WindowMetrics, name))
	}
	return s
}

// number is the number of a name, or -1.
func (s *store) number(name string) int {
	if i, ok := slices.BinarySearch(s.names, name); ok {
		return i
	}
	return -1
}

// consume takes the values of a batch. It keeps nothing of the batch itself.
func (s *store) consume(md pmetric.Metrics, now time.Time) (dropped int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rm := range md.ResourceMetrics().All() {
		o := heapster.Identify(rm.Resource().Attributes())
		if o.Type != heapster.Unknown {
			dropped += s.resource(&o, rm, now)
		}
	}
	s.updated = now
	s.dropped += int64(dropped)
	if now.Sub(s.swept) >= s.resolution {
		s.sweep(now)
	}
	return dropped
}

func (s *store) resource(o *heapster.Object, rm pmetric.ResourceMetrics, now time.Time) (dropped int) {
	key := o.Key()
	held := s.objects[key]
	s.translator.Resource(o, key, rm, func(p heapster.Point) {
		if held == nil && s.series < s.maxSeries {
			held = s.add(o, key)
		}
		if held == nil || !s.put(held, &p) {
			dropped++
			return
		}
		held.seen = now
		switch p.Name {
		case "cpu/usage", "cpu/usage_rate", "memory/usage", "memory/working_set":
			if o.Node != "" && o.Type != heapster.Namespace {
				s.reports[held.Node] = now
			}
		}
	})
	if held != nil && held.seen.Equal(now) {
		held.update(o, rm.Resource().Attributes())
	}
	return dropped
}

// add makes an object, of copies: what a batch holds may be the part of something large.
func (s *store) add(o *heapster.Object, key string) *object {
	held := &object{key: key, Object: heapster.Object{
		Type: o.Type, Cluster: strings.Clone(o.Cluster), Node: strings.Clone(o.Node), Namespace: strings.Clone(o.Namespace),
		Pod: strings.Clone(o.Pod), Container: strings.Clone(o.Container),
	}}
	s.objects[key] = held
	return held
}

// update takes what may change while a name stays: a pod's node, and labels. Containers have their pod's labels.
func (o *object) update(from *heapster.Object, attributes pcommon.Map) {
	if from.Node != o.Node {
		o.Node = strings.Clone(from.Node)
	}
	if o.Type != heapster.Pod && o.Type != heapster.Node {
		return
	}
	n, same := 0, true
	heapster.Labels(attributes, func(key, value string) {
		n++
		held, ok := o.labels[key]
		same = same && ok && held == value
	})
	if n == 0 || same && n == len(o.labels) {
		return // a resource without labels, such as a volume's, says nothing of them
	}
	o.labels = make(map[string]string, n)
	heapster.Labels(attributes, func(key, value string) { o.labels[strings.Clone(key)] = strings.Clone(value) })
}

// put adds a value to its series. It reports false where there is no room for a new series.
func (s *store) put(o *object, p *heapster.Point) bool {
	number := s.number(p.Name)
	at := p.Time.AsTime().UnixNano()
	o.newest = max(o.newest, at)
	for i := range o.series {
		if r := &o.series[i]; int(r.name) == number && r.label == p.Label {
			r.add(point{at, p.Value}, s.resolution, s.window)
			return true
		}
	}
	if s.series >= s.maxSeries {
		return false
	}
	s.series++
	keep := s.short
	if s.long[number] {
		keep = s.window
	}
	r := series{name: uint16(number), float: p.Float, label: strings.Clone(p.Label), points: make([]point, capacity(keep, s.resolution))}
	r.add(point{at, p.Value}, s.resolution, s.window)
	o.series = append(o.series, r)
	return true
}

// sweep lets go of objects and series that have not been heard of for a window.
func (s *store) sweep(now time.Time) {
	s.swept = now
	for key, o := range s.objects {
		if now.Sub(o.seen) > s.window {
			s.series -= len(o.series)
			delete(s.objects, key)
			continue
		}
		before := len(o.series)
		o.series = slices.DeleteFunc(o.series, func(r series) bool { return o.newest-r.last().at > int64(s.window) })
		s.series -= before - len(o.series)
	}
	for node, at := range s.reports {
		if now.Sub(at) > s.window {
			delete(s.reports, node)
		}
	}
}

// live tells that an object is there now: it was heard of lately, and is in its node's newest report. The caller holds
// the lock.
func (s *store) live(o *object, now time.Time) bool {
	if now.Sub(o.seen) > s.short {
		return false
	}
	switch o.Type {
	case heapster.Pod, heapster.Container, heapster.SystemContainer:
		return s.reports[o.Node].Sub(o.seen) <= settle
	}
	return true
}
