package prometheus

import (
	"sync"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// chunk is how many cells one allocation of a snapshot holds.
const chunk = 256

// cell is one exposed series and everything its message points at, so that a
// scrape allocates nothing for each series once its snapshot has grown.
type cell struct {
	metric    dto.Metric
	counter   dto.Counter
	gauge     dto.Gauge
	untyped   dto.Untyped
	created   timestamppb.Timestamp
	value     float64
	timestamp int64
}

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
	families []*dto.MetricFamily
	heads    []*familyCell
	cells    []*[chunk]cell
	used     int
}

func (s *snapshot) cell() *cell {
	if s.used == len(s.cells)*chunk {
		s.cells = append(s.cells, new([chunk]cell))
	}
	c := &s.cells[s.used/chunk][s.used%chunk]
	s.used++
	return c
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
	snap.families, snap.used = snap.families[:0], 0
	for _, fam := range g.store.sorted {
		if len(fam.byKey) == 0 {
			continue
		}
		head := snap.head()
		head.set(fam)
		for _, ser := range fam.order {
			if !ser.dead {
				head.family.Metric = append(head.family.Metric, snap.cell().set(ser, g.sendTimestamps))
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

// set fills the cell. What it takes from the series is either copied or never
// changed again, so the store may go on while the snapshot is written.
func (c *cell) set(ser *series, sendTimestamps bool) *dto.Metric {
	m := &c.metric
	m.Label, m.TimestampMs = ser.labels, nil
	m.Counter, m.Gauge, m.Untyped, m.Histogram, m.Summary = nil, nil, nil, nil, nil
	if sendTimestamps && ser.ts != 0 {
		c.timestamp = nanos(ser.ts) / 1e6
		m.TimestampMs = &c.timestamp
	}
	c.value = ser.value
	switch ser.family.typ {
	case dto.MetricType_COUNTER:
		m.Counter = &c.counter
		c.counter.Value, c.counter.Exemplar = &c.value, nil
		c.counter.CreatedTimestamp = c.createdAt(ser.start)
		if ser.body != nil {
			c.counter.Exemplar = ser.body.exemplar
		}
	case dto.MetricType_HISTOGRAM:
		m.Histogram = ser.body.histogram
	case dto.MetricType_SUMMARY:
		m.Summary = ser.body.summary
	case dto.MetricType_UNTYPED:
		m.Untyped = &c.untyped
		c.untyped.Value = &c.value
	default:
		m.Gauge = &c.gauge
		c.gauge.Value = &c.value
	}
	return m
}

func (c *cell) createdAt(start pcommon.Timestamp) *timestamppb.Timestamp {
	if start == 0 {
		return nil
	}
	c.created.Seconds, c.created.Nanos = nanos(start)/1e9, int32(nanos(start)%1e9)
	return &c.created
}
