package influxdb

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// stamper gives the records of one series times of their own, as InfluxDB keeps
// one point per series and time: of two records with the same tags in the same
// nanosecond the later would replace the earlier without a word.
//
// A time is moved in two steps, neither by more than is needed:
//
//   - A time that ends in zeros comes from a source that knows no more digits.
//     The digits below are filled with an offset of this process, so that after
//     a restart, or from another host, records of the same second do not meet
//     the ones already written.
//   - A time that is taken in its series moves on by a nanosecond, or as many
//     as it takes.
//
// The times taken are remembered for the last 65,536 records at least. A
// stamper may be used concurrently.
type stamper struct {
	dims  []string
	now   func() time.Time
	begun int64 // when this process began, in ms
	seed  maphash.Seed
	tel   *telemetry

	mu            sync.Mutex
	today         int64
	recent, older map[uint64]uint32 // series and time → how far on a free time was last found
	values        []string          // of the dimensions, of a scope
	own           []string          // of a record
	changed       changes
}

// remembered is the size of one generation of taken times.
const remembered = 1 << 16

func newStamper(dims []string, now func() time.Time, tel *telemetry) *stamper {
	return &stamper{
		dims: dims, now: now, begun: now().UnixMilli(), seed: maphash.MakeSeed(), tel: tel,
		recent: make(map[uint64]uint32), older: make(map[uint64]uint32),
		values: make([]string, len(dims)), own: make([]string, len(dims)),
	}
}

// stamp sets the time of each record in ld.
func (s *stamper) stamp(ctx context.Context, ld plog.Logs) {
	s.mu.Lock()
	s.today = s.now().UnixNano()
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			clear(s.values)
			s.take(s.values, rl.Resource().Attributes())
			s.take(s.values, sl.Scope().Attributes())
			for _, rec := range sl.LogRecords().All() {
				rec.SetTimestamp(s.time(rec))
			}
		}
	}
	var moved changes
	moved[changeMoved] = s.changed[changeMoved]
	s.changed = changes{}
	s.mu.Unlock()
	s.tel.altered(ctx, &moved)
}

// take sets the values of the dimensions that attributes hold, as they will
// stand in the tags.
func (s *stamper) take(values []string, attributes pcommon.Map) {
	for k, v := range attributes.All() {
		for i, dim := range s.dims {
			if dim != k {
				continue
			}
			if value := v.AsString(); value != "" {
				values[i] = text{changed: &s.changed}.tagValue(value)
			}
		}
	}
}

// time returns the time at which rec is to be stored.
func (s *stamper) time(rec plog.LogRecord) pcommon.Timestamp {
	ts := int64(rec.Timestamp())
	if ts == 0 {
		ts = int64(rec.ObservedTimestamp())
	}
	if ts == 0 {
		ts = s.today
	}
	if ts < 0 { // out of range: counted where it is encoded
		return rec.Timestamp()
	}
	copy(s.own, s.values)
	s.take(s.own, rec.Attributes())
	for i, dim := range s.dims {
		switch dim {
		case traceIDField:
			override(s.own, i, rec.TraceID().String())
		case spanIDField:
			override(s.own, i, rec.SpanID().String())
		case severityTextField:
			override(s.own, i, text{changed: &s.changed}.tagValue(rec.SeverityText()))
		}
	}
	return pcommon.Timestamp(s.claim(s.series(s.own), ts+s.offset(ts)))
}

func override(values []string, i int, value string) {
	if value != "" {
		values[i] = value
	}
}

// offset fills the digits that a time does not have.
func (s *stamper) offset(ts int64) int64 {
	switch {
	case ts%1e9 == 0:
		return s.begun % 1e6 * 1e3
	case ts%1e6 == 0:
		return s.begun % 1e3 * 1e3
	case ts%1e3 == 0:
		return s.begun % 1e3
	}
	return 0
}

func (s *stamper) series(values []string) uint64 {
	var sum uint64
	for _, value := range values {
		sum = mix(sum, maphash.String(s.seed, value))
	}
	return sum
}

// mix joins two hashes. Two series that fall together cost a nanosecond, not a
// record.
func mix(a, b uint64) uint64 {
	a = (a ^ b) * 0x9e3779b97f4a7c15
	return a ^ a>>29
}

// claim returns the first free time of a series from ts on, and takes it.
func (s *stamper) claim(series uint64, ts int64) int64 {
	first := mix(series, uint64(ts))
	step, taken := s.get(first)
	if !taken {
		s.put(first, 1)
		return ts
	}
	s.changed[changeMoved]++
	at := ts
	for {
		at += int64(step)
		key := mix(series, uint64(at))
		if step, taken = s.get(key); !taken {
			s.put(key, 1)
			s.put(first, uint32(min(at+1-ts, 1<<31)))
			return at
		}
	}
}

func (s *stamper) get(key uint64) (uint32, bool) {
	if step, ok := s.recent[key]; ok {
		return step, true
	}
	step, ok := s.older[key]
	if ok {
		s.put(key, step) // still in use
	}
	return step, ok
}

func (s *stamper) put(key uint64, step uint32) {
	if len(s.recent) >= remembered {
		s.recent, s.older = s.older, s.recent
		clear(s.recent)
	}
	s.recent[key] = step
}
