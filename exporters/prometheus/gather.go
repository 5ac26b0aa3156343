package prometheus

import (
	"sync"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// chunk is how many cells one allocation of a snapshot holds.
const chunk = 256

// cells are room for values that are used anew at each scrape, so that a scrape
// allocates nothing for each series once its snapshot has grown.
type cells[T any] struct {
	chunks []*[chunk]T
	used   int
}

func (c *cells[T]) next() *T {
	if c.used == len(c.chunks)*chunk {
		c.chunks = append(c.chunks, new([chunk]T))
	}
	at := &c.chunks[c.used/chunk][c.used%chunk]
	c.used++
	return at
}

// A cell is an exposed series and what its message points at. Each type has one
// of its own, for a page may have a hundred thousand, nearly all of one type.
type (
	gaugeCell struct {
		metric dto.Metric
		gauge  dto.Gauge
		value  float64
	}
	counterCell struct {
		metric  dto.Metric
		counter dto.Counter
		created timestamppb.Timestamp
		value   float64
	}
	untypedCell struct {
		metric  dto.Metric
		untyped dto.Untyped
		value   float64
	}
)

// familyCell is the head of one family.
type familyCell struct {
	family dto.MetricFamily
	typ    dto.MetricType
	name   metricName
	help   string
}

// snapshot is the state of the store at one scrape. It is reused after the
// response is written.
type snapshot struct {
	families   []*dto.MetricFamily
	heads      []*familyCell
	gauges     cells[gaugeCell]
	counters   cells[counterCell]
	untyped    cells[untypedCell]
	bodies     cells[dto.Metric] // of histograms and summaries
	timestamps cells[int64]
}

func (s *snapshot) reset() {
	s.families = s.families[:0]
	s.gauges.used, s.counters.used, s.untyped.used, s.bodies.used, s.timestamps.used = 0, 0, 0, 0, 0
}

func (s *snapshot) head() *familyCell {
	at := len(s.families)
	if at == len(s.heads) {
		s.heads = append(s.heads, &familyCell{})
	}
	return s.heads[at]
}

// gatherer hands the store to promhttp without the registry between, which
// would check, copy and sort every series again at each scrape. It implements
// prometheus.TransactionalGatherer.
type gatherer struct {
	store          *store
	sendTimestamps bool
	snapshots      sync.Pool
}

// Gather takes a snapshot. The caller must call done when it has written it.
func (g *gatherer) Gather() (_ []*dto.MetricFamily, done func(), err error) {
	snap, ok := g.snapshots.Get().(*snapshot)
	if !ok {
		snap = &snapshot{}
	}
	g.store.sweepLocked()
	g.fill(snap)
	return snap.families, func() { g.snapshots.Put(snap) }, nil
}

func (g *gatherer) fill(snap *snapshot) {
	g.store.mu.Lock()
	defer g.store.mu.Unlock()
	snap.reset()
	for _, fam := range g.store.sorted {
		if len(fam.byKey) == 0 {
			continue
		}
		head := snap.head()
		head.set(fam)
		for _, ser := range fam.order {
			if !ser.dead {
				head.family.Metric = append(head.family.Metric, snap.metric(ser, g.sendTimestamps))
			}
		}
		snap.families = append(snap.families, &head.family)
	}
}

func (h *familyCell) set(fam *family) {
	h.typ, h.name, h.help = fam.typ, fam.name, fam.help
	f := &h.family
	f.Name, f.Type, f.Metric = &h.name.name, &h.typ, f.Metric[:0]
	f.Help, f.Unit = nil, nil
	if h.help != "" {
		f.Help = &h.help
	}
	if h.name.unit != "" {
		f.Unit = &h.name.unit
	}
}

// metric fills the next cell. What it takes from the series is either copied or
// never changed again, so the store may go on while the snapshot is written.
func (s *snapshot) metric(ser *series, sendTimestamps bool) *dto.Metric {
	m := s.typed(ser)
	m.Label, m.TimestampMs = ser.labels, nil
	if sendTimestamps && ser.ts != 0 {
		m.TimestampMs = s.timestamps.next()
		*m.TimestampMs = nanos(ser.ts) / 1e6
	}
	return m
}

func (s *snapshot) typed(ser *series) *dto.Metric {
	switch ser.family.typ {
	case dto.MetricType_COUNTER:
		c := s.counters.next()
		c.value, c.metric.Counter = ser.value, &c.counter
		c.counter.Value, c.counter.Exemplar = &c.value, nil
		c.counter.CreatedTimestamp = c.createdAt(ser.start)
		if ser.body != nil {
			c.counter.Exemplar = ser.body.exemplar
		}
		return &c.metric
	case dto.MetricType_HISTOGRAM:
		m := s.bodies.next()
		m.Histogram, m.Summary = ser.body.histogram, nil
		return m
	case dto.MetricType_SUMMARY:
		m := s.bodies.next()
		m.Histogram, m.Summary = nil, ser.body.summary
		return m
	case dto.MetricType_UNTYPED:
		c := s.untyped.next()
		c.value, c.untyped.Value, c.metric.Untyped = ser.value, &c.value, &c.untyped
		return &c.metric
	default:
		c := s.gauges.next()
		c.value, c.gauge.Value, c.metric.Gauge = ser.value, &c.value, &c.gauge
		return &c.metric
	}
}

func (c *counterCell) createdAt(start pcommon.Timestamp) *timestamppb.Timestamp {
	if start == 0 {
		return nil
	}
	c.created.Seconds, c.created.Nanos = nanos(start)/1e9, int32(nanos(start)%1e9)
	return &c.created
}
