package influxdb

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

func testStamper(t testing.TB, begun time.Time, dims ...string) *stamper {
	e := newTestExporter(t, nil, stored)
	return newStamper(dims, func() time.Time { return begun }, e.influxExporter.tel)
}

// records makes one batch with a record for each time, all of one series.
func records(service string, times ...int64) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", service)
	sl := rl.ScopeLogs().AppendEmpty()
	for _, ts := range times {
		sl.LogRecords().AppendEmpty().SetTimestamp(pcommon.Timestamp(ts))
	}
	return ld
}

func times(ld plog.Logs) []int64 {
	var got []int64
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, rec := range sl.LogRecords().All() {
				got = append(got, int64(rec.Timestamp()))
			}
		}
	}
	return got
}

func TestStamper(t *testing.T) {
	const s = int64(1_700_000_000_000_000_000)
	const odd = s + 123_456_789
	for _, tt := range []struct {
		name     string
		in, want []int64
	}{
		{"all different, in nanoseconds", []int64{odd, odd + 5, odd + 1}, []int64{odd, odd + 5, odd + 1}},
		{"all the same", []int64{odd, odd, odd}, []int64{odd, odd + 1, odd + 2}},
		{"moved onto one that follows", []int64{odd, odd, odd + 1, odd + 1, odd}, []int64{odd, odd + 1, odd + 2, odd + 3, odd + 4}},
		{"seconds", []int64{s, s}, []int64{s + 123_000, s + 123_001}},
		{"milliseconds", []int64{s + 1e6}, []int64{s + 1e6 + 123_000}},
		{"microseconds", []int64{s + 1e3}, []int64{s + 1e3 + 123}},
		{"no time", []int64{0}, []int64{odd}},
		{"out of range", []int64{-5}, []int64{-5}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st := testStamper(t, testTime, "service.name")
			ld := records("a", tt.in...)
			st.stamp(t.Context(), ld)
			require.Equal(t, tt.want, times(ld))
		})
	}
}

func TestStamperTellsSeriesApart(t *testing.T) {
	const ts = int64(1_700_000_000_000_000_001)
	st := testStamper(t, testTime, "service.name", "pod", "severity_text", "trace_id", "span_id")
	ld := records("a", ts, ts, ts, ts, ts, ts, ts)
	recs := ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	recs.At(1).Attributes().PutStr("pod", "p")
	recs.At(2).Attributes().PutStr("service.name", "") // as if it were not there
	recs.At(3).Attributes().PutStr("service.name", "b")
	recs.At(4).SetSeverityText("warn")
	recs.At(5).SetTraceID(pcommon.TraceID{1})
	recs.At(6).SetSpanID(pcommon.SpanID{1})
	st.stamp(t.Context(), ld)
	require.Equal(t, []int64{ts, ts, ts + 1, ts, ts, ts, ts}, times(ld))
	again := records("b", ts, ts)
	st.stamp(t.Context(), again)
	require.Equal(t, []int64{ts + 1, ts + 2}, times(again), "a later batch")
}

// TestStamperAgreesWithTags: two records get one time only if their lines
// differ in a tag.
func TestStamperAgreesWithTags(t *testing.T) {
	for seed := range uint64(300) {
		o := odd{rand.New(rand.NewPCG(seed, 2))}
		e := newTestExporter(t, func(c *Config) {
			c.LogRecordDimensions = []string{"", "a", "time", "severity_text", "trace_id", "body", "é"}[1:]
			c.LogAttributes = LogAttributesNone
		}, stored)
		st := newStamper(e.dimensions, func() time.Time { return testTime }, e.influxExporter.tel)
		for range 10 {
			ld := o.logs()
			for _, rl := range ld.ResourceLogs().All() {
				for _, sl := range rl.ScopeLogs().All() {
					for _, rec := range sl.LogRecords().All() {
						rec.SetTimestamp(pcommon.Timestamp(1_700_000_000_000_000_001 + o.IntN(3)))
					}
				}
			}
			st.stamp(t.Context(), ld)
			require.NoError(t, e.pushLogs(t.Context(), ld))
		}
		seen := map[string]bool{}
		for _, body := range e.sink.bodies {
			lines, err := parse([]byte(body))
			require.NoError(t, err)
			for _, p := range lines {
				key := fmt.Sprint(p.tags, p.time.UnixNano())
				require.False(t, seen[key], "seed %d: %s twice", seed, key)
				seen[key] = true
			}
		}
	}
}

func TestRestartDoesNotOverwrite(t *testing.T) {
	const second = int64(1_700_000_000_000_000_000)
	all := make([]int64, 900)
	for i := range all {
		all[i] = second
	}
	seen := map[int64]bool{}
	for process := range 50 {
		ld := records("a", all...)
		testStamper(t, testTime.Add(time.Duration(process)*1234*time.Millisecond), "service.name").stamp(t.Context(), ld)
		for _, ts := range times(ld) {
			require.False(t, seen[ts])
			require.True(t, ts >= second && ts < second+int64(time.Second), "the second stays")
			seen[ts] = true
		}
	}
}

func TestStamperMemoryIsBounded(t *testing.T) {
	st := testStamper(t, testTime, "service.name")
	batch := make([]int64, 1000)
	for i := range 1000 {
		for j := range batch {
			batch[j] = int64(1_700_000_000_000_000_001) + int64(i*1000+j)*7
		}
		st.stamp(t.Context(), records("a", batch...))
	}
	require.LessOrEqual(t, len(st.recent)+len(st.older), 2*remembered)
	require.GreaterOrEqual(t, len(st.recent)+len(st.older), remembered)
}
