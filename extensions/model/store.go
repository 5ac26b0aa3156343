package model

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
	"unique"

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
//	              ├─ short ──► window of all series but
//	              └─ long ───► those of window_metrics
type store struct {
	window, short, resolution time.Duration
	names                     []string // by the number that a series has, sorted
	long, float               []bool   // of a name: whether its series are kept for the window, and are no whole numbers
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
	// key and packed are room to write an object's key and labels into, while the lock is held for writing.
	key, packed []byte
}

// object is a node, pod, container, namespace or the cluster. Its names are parts of its key.
type object struct {
	kind                      heapster.Type
	key                       string
	namespace, pod, container string
	node                      unique.Handle[string]
	labels                    labelSet
	seen                      time.Time
	// resources are the values of the label resource_id that its series have.
	resources   []string
	short, long window
}

// labelSet is the labels of objects, most of which have the same as others.
type labelSet struct{ packed unique.Handle[string] }

// packLabels writes the labels among a resource's attributes: lengths and texts.
func packLabels(into []byte, attributes pcommon.Map) []byte {
	heapster.Labels(attributes, func(key, value string) {
		for _, text := range [...]string{key, value} {
			into = append(binary.AppendUvarint(into, uint64(len(text))), text...)
		}
	})
	return into
}

// all reads the labels; of an object without there are none.
func (l labelSet) all() map[string]string {
	if l == (labelSet{}) {
		return nil
	}
	packed := l.packed.Value()
	next := func() (text string) {
		size, n := binary.Uvarint([]byte(packed[:min(len(packed), binary.MaxVarintLen64)]))
		text, packed = packed[n:n+int(size)], packed[n+int(size):]
		return text
	}
	labels := make(map[string]string)
	for packed != "" {
		key := next()
		labels[key] = next()
	}
	return labels
}

func newStore(c *Config) *store {
	s := &store{
		window: c.Window, short: c.ShortWindow, resolution: c.Resolution, maxSeries: c.MaxSeries,
		names: metricNames(), translator: heapster.NewTranslator(c.MaxSeries),
		objects: make(map[string]*object), reports: make(map[string]time.Time),
	}
	floats := floatNames()
	for _, name := range s.names {
		s.float = append(s.float, floats[name])
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
	s.key = o.AppendKey(s.key[:0])
	held := s.objects[string(s.key)]
	var key string
	if held != nil {
		key = held.key
	} else {
		key = string(s.key)
	}
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
				s.reports[held.node.Value()] = now
			}
		}
	})
	if held != nil && held.seen.Equal(now) {
		s.update(held, o, rm.Resource().Attributes())
	}
	return dropped
}

// add makes an object, of copies: what a batch holds may be the part of something large.
func (s *store) add(o *heapster.Object, key string) *object {
	held := &object{kind: o.Type, key: key, node: unique.Make(o.Node)}
	// The key has the names in this order, and each is found behind the one before.
	at := 0
	part := func(name string) string {
		i := strings.Index(key[at:], name)
		at += i + len(name)
		return key[at-len(name) : at]
	}
	switch o.Type {
	case heapster.Namespace, heapster.Pod, heapster.Container:
		at = len(heapster.NamespaceKey(""))
		held.namespace, held.pod, held.container = part(o.Namespace), part(o.Pod), part(o.Container)
	case heapster.SystemContainer:
		at = len(heapster.NodeKey(o.Node))
		held.container = part(o.Container)
	}
	s.objects[key] = held
	return held
}

// update takes what may change while a name stays: a pod's node, and labels. Containers have their pod's labels.
func (s *store) update(held *object, from *heapster.Object, attributes pcommon.Map) {
	if from.Node != held.node.Value() {
		held.node = unique.Make(from.Node)
	}
	if held.kind != heapster.Pod && held.kind != heapster.Node {
		return
	}
	s.packed = packLabels(s.packed[:0], attributes)
	if len(s.packed) == 0 { // a resource without labels, such as a volume's, says nothing of them
		return
	}
	if held.labels == (labelSet{}) || held.labels.packed.Value() != string(s.packed) {
		held.labels = labelSet{unique.Make(string(s.packed))}
	}
}

// put adds a value to its series. It reports false where there is no room for a new series.
func (s *store) put(o *object, p *heapster.Point) bool {
	number := s.number(p.Name)
	w, span := &o.short, s.short
	if s.long[number] {
		w, span = &o.long, s.window
	}
	e := entry{name: uint16(number), label: o.label(p.Label)}
	i := w.find(e)
	if i < 0 {
		if s.series >= s.maxSeries {
			return false
		}
		s.series++
		i = w.add(e, capacity(span, s.resolution))
	}
	w.put(i, point{p.Time.AsTime().UnixNano(), p.Value}, s.resolution, span)
	return true
}

// label is the number of a label among the object's.
func (o *object) label(text string) uint16 {
	i := slices.Index(o.resources, text)
	if i < 0 {
		i = len(o.resources)
		o.resources = append(slices.Clip(o.resources), strings.Clone(text))
	}
	return uint16(min(i, math.MaxUint16))
}

// windows calls yield for each window of an object.
func (o *object) windows(yield func(w *window)) {
	yield(&o.short)
	yield(&o.long)
}

// find calls yield for each series of an object that has a name.
func (o *object) find(number int, yield func(w *window, series int, label string)) {
	o.windows(func(w *window) {
		for i := range w.cells {
			if e := w.cells[i].entry; int(e.name) == number {
				yield(w, i, o.resources[e.label])
			}
		}
	})
}

// sweep lets go of what has not been heard of for as long as it is kept.
func (s *store) sweep(now time.Time) {
	s.swept = now
	for key, o := range s.objects {
		silent := now.Sub(o.seen)
		if silent > s.short {
			s.series -= len(o.short.cells)
			o.short = window{}
		} else {
			s.series -= o.short.compact()
		}
		s.series -= o.long.compact()
		if silent > s.window || len(o.short.cells)+len(o.long.cells) == 0 {
			s.series -= len(o.long.cells)
			delete(s.objects, key)
		}
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
	switch o.kind {
	case heapster.Pod, heapster.Container, heapster.SystemContainer:
		return s.reports[o.node.Value()].Sub(o.seen) <= settle
	}
	return true
}
