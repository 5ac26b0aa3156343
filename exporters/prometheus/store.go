package prometheus

import (
	"slices"
	"strings"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Reasons why a point is not exposed, the values of the `reason` attribute of
// obsd_prometheus_dropped_series.
const (
	reasonDuplicate   = "duplicate"
	reasonType        = "type_conflict"
	reasonName        = "name_conflict"
	reasonLabel       = "label_conflict"
	reasonBadName     = "invalid_name"
	reasonBadLabel    = "invalid_label"
	reasonBadPoint    = "invalid_point"
	reasonScale       = "unsupported_scale"
	reasonTemporality = "unsupported_temporality"
	reasonOrder       = "out_of_order"
	reasonExpired     = "expired"
	reasonMaxSeries   = "max_series"
)

// minPatience is how long a series' sender must at least be silent before
// another sender may take the series over.
const minPatience = 30 * time.Second

// series is one exposed time series with its latest point.
type series struct {
	family *family
	labels []*dto.LabelPair // shared, never changed
	key    string           // identity of labels within the family
	id     uint64           // the OpenTelemetry stream that owns the series
	seen   time.Time        // when the last new point came
	gap    time.Duration    // between the last two new points
	ts     pcommon.Timestamp
	start  pcommon.Timestamp
	value  float64
	body   *body // nil for a plain number without exemplar
	dead   bool
}

// body is what only some series have. The dto messages are never changed once
// they are here, because a scrape may be writing them.
type body struct {
	histogram *dto.Histogram
	summary   *dto.Summary
	exemplar  *dto.Exemplar
	native    *nativeState // running total of a delta exponential histogram
}

// family is all series of one metric name.
type family struct {
	name    metricName
	help    string
	typ     dto.MetricType
	byKey   map[string]*series
	order   []*series // in the order in which they came
	dead    int       // series in order that are removed
	samples []string  // names of the lines it writes, reserved in the store

	// targets has the one series of each job and instance; for target_info only.
	targets map[string]*series
}

// tombstone remembers the last point of an expired series, so that a sender
// that repeats it for ever does not bring the series back.
type tombstone struct {
	ts      pcommon.Timestamp
	touched time.Time
}

// store holds all series. Its methods need the lock, except where they say otherwise.
type store struct {
	mu         sync.Mutex
	expiration time.Duration
	maxSeries  int
	escaping   bool // names may still be escaped on the way out

	families  map[string]*family
	sorted    []*family
	samples   map[string]*family
	byID      map[uint64]*series
	labels    labelTable
	tombs     map[uint64]tombstone
	expired   int64 // series so far
	keyBuffer []byte
}

func newStore(cfg *Config, names *namer) *store {
	return &store{
		expiration: cfg.MetricExpiration,
		maxSeries:  cfg.MaxSeries,
		escaping:   names.utf8Names(),
		families:   map[string]*family{},
		samples:    map[string]*family{},
		byID:       map[uint64]*series{},
		labels:     labelTable{shared: map[label]*sharedLabel{}},
		tombs:      map[uint64]tombstone{},
	}
}

// stats are the numbers of series held now and expired so far. It takes the lock.
func (s *store) stats() (held, expired int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.byID)), s.expired
}

// sweepLocked is sweep with the lock taken.
func (s *store) sweepLocked() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(time.Now())
}

// point is what the store needs to know of a point to find its series.
type point struct {
	id        uint64
	ts, start pcommon.Timestamp
	delta     bool
	now       time.Time
}

// update decides whether a point of a known series is new. A point with the
// time of the one before replaces its value but does not keep the series alive.
func (s *store) update(ser *series, p point) (reason string) {
	switch {
	case p.ts != 0 && p.ts < ser.ts, p.delta && p.ts != 0 && p.ts == ser.ts:
		return reasonOrder
	case p.ts == 0 || p.ts > ser.ts:
		ser.gap = p.now.Sub(ser.seen)
		ser.seen, ser.ts = p.now, p.ts
	}
	return ""
}

// metric describes the family that a point belongs to.
type metric struct {
	name metricName
	help string
	typ  dto.MetricType
}

// claim finds or makes the series for a stream that does not own one yet.
func (s *store) claim(m metric, labels []label, p point) (_ *series, reason string) {
	if tomb, ok := s.tombs[p.id]; ok && p.ts != 0 && p.ts <= tomb.ts {
		s.tombs[p.id] = tombstone{ts: tomb.ts, touched: p.now}
		return nil, reasonExpired
	}
	fam := s.families[m.name.name]
	if fam != nil && fam.typ != m.typ {
		if len(fam.byKey) > 0 {
			return nil, reasonType
		}
		s.dropFamily(fam)
		fam = nil
	}
	if fam != nil {
		key, known := s.labels.appendKey(s.keyBuffer[:0], labels)
		s.keyBuffer = key
		if known {
			if have := fam.byKey[string(key)]; have != nil {
				return s.takeOver(have, p)
			}
		}
	}
	if s.maxSeries > 0 && len(s.byID) >= s.maxSeries {
		return nil, reasonMaxSeries
	}
	if fam == nil {
		if fam = s.addFamily(m); fam == nil {
			return nil, reasonName
		}
	}
	return s.add(fam, labels, p), ""
}

func (s *store) add(fam *family, labels []label, p point) *series {
	ser := &series{family: fam, id: p.id, seen: p.now, ts: p.ts, start: p.start}
	ser.labels, ser.key = s.labels.acquire(labels)
	fam.byKey[ser.key] = ser
	fam.order = append(fam.order, ser)
	s.byID[p.id] = ser
	delete(s.tombs, p.id)
	return ser
}

// takeOver gives a series to another stream that has the same name and labels,
// if the owner seems gone: the newcomer started after the owner's last point,
// or the owner has missed two of its own intervals. Otherwise two senders feed
// one series, and swapping between them would make nonsense of both.
func (s *store) takeOver(ser *series, p point) (_ *series, reason string) {
	restarted := !p.delta && p.start != 0 && ser.ts != 0 && p.start > ser.ts
	silent := p.now.Sub(ser.seen) > max(minPatience, 2*ser.gap)
	if !restarted && !silent {
		return nil, reasonDuplicate
	}
	delete(s.byID, ser.id)
	delete(s.tombs, p.id)
	s.byID[p.id] = ser
	ser.id, ser.seen, ser.gap, ser.ts, ser.start = p.id, p.now, 0, p.ts, p.start
	ser.value, ser.body = 0, nil
	return ser, ""
}

// claimTarget is claim for target_info, which has one series for each job and
// instance: a join on the two would fail while an old and a new one stand side by side.
func (s *store) claimTarget(m metric, labels []label, p point) (_ *series, reason string) {
	key := targetKey(labels)
	if fam := s.families[m.name.name]; fam != nil && fam.targets[key] != nil {
		ser, reason := s.takeOver(fam.targets[key], p)
		if reason != "" {
			return nil, reason
		}
		delete(fam.byKey, ser.key)
		s.labels.release(ser.labels)
		ser.labels, ser.key = s.labels.acquire(labels)
		fam.byKey[ser.key] = ser
		return ser, ""
	}
	ser, reason := s.claim(m, labels, p)
	if reason != "" {
		return nil, reason
	}
	if ser.family.targets == nil {
		ser.family.targets = map[string]*series{}
	}
	ser.family.targets[key] = ser
	return ser, ""
}

func targetKey(labels []label) (key string) {
	for _, l := range labels {
		if l.name == jobLabel || l.name == instanceLabel {
			key += l.name + "\xff" + l.value + "\xff"
		}
	}
	return key
}

// target is targetKey of a series' labels.
func (s *series) target() (key string) {
	for _, l := range s.labels {
		if *l.Name == jobLabel || *l.Name == instanceLabel {
			key += *l.Name + "\xff" + *l.Value + "\xff"
		}
	}
	return key
}

// addFamily returns nil if a line of the new family would look like one of another.
func (s *store) addFamily(m metric) *family {
	fam := &family{name: m.name, help: strings.Clone(clean(m.help)), typ: m.typ, byKey: map[string]*series{}}
	fam.samples = s.sampleNames(m)
	for _, name := range fam.samples {
		if s.samples[name] != nil {
			return nil
		}
	}
	for _, name := range fam.samples {
		s.samples[name] = fam
	}
	s.families[m.name.name] = fam
	at, _ := slices.BinarySearchFunc(s.sorted, m.name.name, func(f *family, name string) int {
		return strings.Compare(f.name.name, name)
	})
	s.sorted = slices.Insert(s.sorted, at, fam)
	return fam
}

// dropFamily removes a family that has no series any more.
func (s *store) dropFamily(fam *family) {
	s.forget(fam)
	s.sorted = slices.DeleteFunc(s.sorted, func(have *family) bool { return have == fam })
}

func (s *store) forget(fam *family) {
	delete(s.families, fam.name.name)
	for _, name := range fam.samples {
		delete(s.samples, name)
	}
}

// sampleNames lists the names of the lines that a family writes, as the
// scraper with the fewest allowed characters sees them.
func (s *store) sampleNames(m metric) []string {
	name := m.name.name
	if s.escaping {
		name = escaped(name)
	}
	switch m.typ {
	case dto.MetricType_HISTOGRAM:
		return []string{name, name + "_bucket", name + "_count", name + "_sum"}
	case dto.MetricType_SUMMARY:
		return []string{name, name + "_count", name + "_sum"}
	default:
		return []string{name}
	}
}

// remove takes a series out. Its place in the family's order is freed by compact.
func (s *store) remove(ser *series) {
	delete(s.byID, ser.id)
	delete(ser.family.byKey, ser.key)
	s.labels.release(ser.labels)
	if targets := ser.family.targets; targets != nil && targets[ser.target()] == ser {
		delete(targets, ser.target())
	}
	ser.dead = true
	ser.family.dead++
}

// sweep removes what has expired by now, and families without series.
func (s *store) sweep(now time.Time) {
	for _, fam := range s.sorted {
		if s.expiration > 0 {
			s.sweepFamily(fam, now)
		}
		fam.compact()
	}
	s.sorted = slices.DeleteFunc(s.sorted, func(fam *family) bool {
		if len(fam.order) == 0 {
			s.forget(fam)
		}
		return len(fam.order) == 0
	})
	for id, tomb := range s.tombs {
		if now.Sub(tomb.touched) > s.expiration {
			delete(s.tombs, id)
		}
	}
}

func (s *store) sweepFamily(fam *family, now time.Time) {
	for _, ser := range fam.order {
		if ser.dead || now.Sub(ser.seen) <= s.expiration {
			continue
		}
		if ser.ts != 0 && (s.maxSeries == 0 || len(s.tombs) < s.maxSeries) {
			s.tombs[ser.id] = tombstone{ts: ser.ts, touched: now}
		}
		s.remove(ser)
		s.expired++
	}
}

func (f *family) compact() {
	if f.dead == 0 {
		return
	}
	f.order = slices.DeleteFunc(f.order, func(ser *series) bool { return ser.dead })
	f.dead = 0
}
