package influxdb

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// parsed is a line as the official decoder reads it.
type parsed struct {
	measurement string
	tags        map[string]string
	fields      map[string]any
	time        time.Time
}

// parse reads lines with the official decoder and holds them to what every
// server asks for: sorted and distinct tags, distinct fields, none in common.
func parse(lines []byte) ([]parsed, error) {
	var all []parsed
	d := lineprotocol.NewDecoderWithBytes(lines)
	for d.Next() {
		m, err := d.Measurement()
		if err != nil {
			return nil, err
		}
		p := parsed{measurement: string(m), tags: map[string]string{}, fields: map[string]any{}}
		if err := p.readTags(d); err != nil {
			return nil, err
		}
		if err := p.readFields(d); err != nil {
			return nil, err
		}
		if p.time, err = d.Time(lineprotocol.Nanosecond, time.Time{}); err != nil {
			return nil, err
		}
		if p.time.IsZero() {
			return nil, fmt.Errorf("no time in %v", p)
		}
		all = append(all, p)
	}
	return all, nil
}

func (p *parsed) readTags(d *lineprotocol.Decoder) error {
	last := ""
	for {
		k, v, err := d.NextTag()
		if err != nil || k == nil {
			return err
		}
		if string(k) <= last {
			return fmt.Errorf("tag %q behind tag %q", k, last)
		}
		if len(v) == 0 || string(k) == "time" {
			return fmt.Errorf("tag %q=%q", k, v)
		}
		last = string(k)
		p.tags[last] = string(v)
	}
}

func (p *parsed) readFields(d *lineprotocol.Decoder) error {
	for {
		k, v, err := d.NextField()
		if err != nil || k == nil {
			return err
		}
		if _, twice := p.fields[string(k)]; twice {
			return fmt.Errorf("field %q twice", k)
		}
		if _, tag := p.tags[string(k)]; tag {
			return fmt.Errorf("%q is a tag and a field", k)
		}
		p.fields[string(k)] = v.Interface()
	}
}

// splitAsServer counts the lines as InfluxDB 1 and 2 do before they parse them:
// a backslash hides the byte behind it, and once fields have begun a newline
// between quotes does not end the line.
func splitAsServer(s []byte) int {
	n, quoted, fields, equals, commas := 0, false, false, 0, 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+2 < len(s):
			i++
		case c == ' ':
			fields = true
		case fields && !quoted && c == '=':
			equals++
		case fields && !quoted && c == ',':
			commas++
		case fields && c == '"' && equals > commas:
			quoted = !quoted
		case c == '\n' && !quoted:
			n++
			fields, equals, commas = false, 0, 0
		}
	}
	return n
}

// checkRequests parses all that a sink got.
func checkRequests(t *testing.T, e *testExporter) {
	t.Helper()
	lines := 0
	for _, body := range e.sink.bodies {
		got, err := parse([]byte(body))
		require.NoError(t, err, "%q", body)
		lines += len(got)
		require.Equal(t, len(got), splitAsServer([]byte(body)), "%q", body)
		require.True(t, utf8.ValidString(body))
	}
	require.Equal(t, int64(lines), e.counts(t, "obsd_influxdb_points")["delivered"])
}

// odd makes strings from what is special somewhere.
type odd struct{ *rand.Rand }

func (o odd) text() string {
	pieces := []string{
		"", "a", "time", "le", "count", "gauge", `\`, `\\`, " ", ",", "=", `"`, "\n", "\r", "\t", "\x00", "\x7f",
		"\xff", "\xc3\x28", "é", "\u2028", "\U0001F600", "#", "_field", "0.5", "body", strings.Repeat("x", 70), "k8s.pod.uid",
	}
	var b strings.Builder
	for range o.IntN(4) {
		b.WriteString(pieces[o.IntN(len(pieces))])
	}
	if o.IntN(200) == 0 {
		b.WriteString(strings.Repeat(`\ "`, 3000))
	}
	return b.String()
}

func (o odd) float() float64 {
	pool := []float64{0, math.Copysign(0, -1), 1, -1.5, 1e300, 1e-300, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, 1e15, 1e21}
	if o.IntN(2) == 0 {
		return math.Float64frombits(o.Uint64())
	}
	return pool[o.IntN(len(pool))]
}

func (o odd) stamp() pcommon.Timestamp {
	pool := []uint64{0, 1, 1_700_000_000_000_000_000, math.MaxInt64, math.MaxInt64 - 1, math.MaxUint64}
	return pcommon.Timestamp(pool[o.IntN(len(pool))])
}

func (o odd) value(v pcommon.Value) {
	switch o.IntN(8) {
	case 0:
		v.SetInt(o.Int64())
	case 1:
		v.SetDouble(o.float())
	case 2:
		v.SetBool(true)
	case 3:
		o.attributes(v.SetEmptyMap(), 2)
	case 4:
		o.value(v.SetEmptySlice().AppendEmpty())
	case 5:
		v.SetEmptyBytes().FromRaw([]byte(o.text()))
	default:
		v.SetStr(o.text())
	}
}

func (o odd) attributes(m pcommon.Map, most int) {
	for range o.IntN(most + 1) {
		o.value(m.PutEmpty(o.text()))
	}
}

func (o odd) floats(s pcommon.Float64Slice) {
	for range o.IntN(5) {
		s.Append(o.float())
	}
}

func (o odd) counts(s pcommon.UInt64Slice) {
	for range o.IntN(6) {
		s.Append(o.Uint64() >> o.IntN(64))
	}
}

func (o odd) metrics() pmetric.Metrics {
	md := pmetric.NewMetrics()
	for range o.IntN(3) {
		rm := md.ResourceMetrics().AppendEmpty()
		o.attributes(rm.Resource().Attributes(), 8)
		for range o.IntN(3) {
			sm := rm.ScopeMetrics().AppendEmpty()
			sm.Scope().SetName(o.text())
			for range o.IntN(5) {
				m := sm.Metrics().AppendEmpty()
				m.SetName(o.text())
				m.SetUnit(o.text())
				o.points(m)
			}
		}
	}
	return md
}

func (o odd) points(m pmetric.Metric) {
	switch o.IntN(6) {
	case 0:
		m.SetEmptyGauge()
		o.number(m.Gauge().DataPoints().AppendEmpty())
	case 1:
		m.SetEmptySum().SetIsMonotonic(o.IntN(2) == 0)
		o.number(m.Sum().DataPoints().AppendEmpty())
	case 2:
		p := m.SetEmptyHistogram().DataPoints().AppendEmpty()
		o.attributes(p.Attributes(), 8)
		p.SetTimestamp(o.stamp())
		p.SetCount(o.Uint64())
		p.SetSum(o.float())
		p.SetMin(o.float())
		o.floats(p.ExplicitBounds())
		o.counts(p.BucketCounts())
	case 3:
		p := m.SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
		o.attributes(p.Attributes(), 8)
		p.SetTimestamp(o.stamp())
		p.SetScale(o.Int32() >> o.IntN(32))
		p.SetZeroThreshold(o.float())
		p.SetZeroCount(o.Uint64())
		p.Positive().SetOffset(o.Int32() >> o.IntN(32))
		o.counts(p.Positive().BucketCounts())
		p.Negative().SetOffset(-o.Int32() >> o.IntN(32))
		o.counts(p.Negative().BucketCounts())
	case 4:
		p := m.SetEmptySummary().DataPoints().AppendEmpty()
		o.attributes(p.Attributes(), 8)
		p.SetTimestamp(o.stamp())
		for range o.IntN(4) {
			q := p.QuantileValues().AppendEmpty()
			q.SetQuantile(o.float())
			q.SetValue(o.float())
		}
	}
}

func (o odd) number(p pmetric.NumberDataPoint) {
	o.attributes(p.Attributes(), 8)
	p.SetTimestamp(o.stamp())
	p.SetStartTimestamp(o.stamp())
	switch o.IntN(5) {
	case 0:
		p.SetIntValue(o.Int64())
	case 1:
		p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	case 2:
	default:
		p.SetDoubleValue(o.float())
	}
}

func (o odd) logs() plog.Logs {
	ld := plog.NewLogs()
	for range o.IntN(3) {
		rl := ld.ResourceLogs().AppendEmpty()
		o.attributes(rl.Resource().Attributes(), 8)
		sl := rl.ScopeLogs().AppendEmpty()
		o.attributes(sl.Scope().Attributes(), 3)
		for range o.IntN(6) {
			rec := sl.LogRecords().AppendEmpty()
			o.attributes(rec.Attributes(), 8)
			o.value(rec.Body())
			rec.SetTimestamp(o.stamp())
			rec.SetObservedTimestamp(o.stamp())
			rec.SetSeverityText(o.text())
			rec.SetSeverityNumber(plog.SeverityNumber(o.Int32()))
			rec.SetTraceID(pcommon.TraceID{byte(o.IntN(2))})
		}
	}
	return ld
}

// pushOdd pushes records made from a seed through an exporter made from it.
func pushOdd(t *testing.T, seed uint64) {
	o := odd{rand.New(rand.NewPCG(seed, 1))}
	e := newTestExporter(t, func(c *Config) {
		c.MetricsSchema = []string{SchemaTelegrafPrometheusV1, SchemaTelegrafPrometheusV2, SchemaOTelV1, SchemaHeapster}[o.IntN(4)]
		c.IntegerFields = o.IntN(2) == 0
		c.LogAttributes = []string{LogAttributesJSON, LogAttributesFields, LogAttributesNone}[o.IntN(3)]
		c.LogRecordDimensions = append(c.LogRecordDimensions, "a", "body", "severity_text", "trace_id", "time")
		c.PayloadMaxLines = 1 + o.IntN(5)
		c.PayloadMaxBytes = 100 + o.IntN(1000)
	}, stored)
	md, ld := o.metrics(), o.logs()
	_ = e.pushMetrics(t.Context(), md) // an error where not one point can be written
	checkRequests(t, e)
	newStamper(e.dimensions, time.Now, e.influxExporter.tel).stamp(t.Context(), ld)
	_ = e.pushLogs(t.Context(), ld)
	checkRequests(t, e)
}

func TestEveryLineParses(t *testing.T) {
	n := 2000
	if testing.Short() {
		n = 200
	}
	for seed := range n {
		pushOdd(t, uint64(seed))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzEveryLineParses(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(pushOdd)
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a b", `\`, `a\ b`, `\=`, "\xff\\", "a\nb", "#c", strings.Repeat("é", 3000)} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		if len(name) > 10_000 || len(value) > 10_000 {
			t.Skip()
		}
		e := newTestExporter(t, nil, stored)
		ld := plog.NewLogs()
		rec := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		rec.Attributes().PutStr(name, value)
		rec.Attributes().PutStr("service.name", value)
		rec.Body().SetStr(value)
		require.NoError(t, e.pushLogs(t.Context(), ld))
		checkRequests(t, e)
		got, err := parse([]byte(e.sink.bodies[0]))
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.Equal(t, strings.ToValidUTF8(value, "\uFFFD"), got[0].fields["body"])
	})
}
