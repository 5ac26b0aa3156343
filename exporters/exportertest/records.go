package exportertest

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"
)

// batch says which records to make: the marks [from, to), and how.
type batch struct {
	from, to int
	// pad adds this many bytes to every record.
	pad int
	// foreign fills the record with everything that is hard to encode.
	foreign bool
}

// target is an exporter with its signal hidden.
type target struct {
	component.Component
	push func(ctx context.Context, b batch) error
}

func markOf(i int) string { return fmt.Sprintf("mark%06dx", i) }

// newTarget creates the exporter for one signal.
func newTarget(ctx context.Context, signal pipeline.Signal, f exporter.Factory, set exporter.Settings, cfg component.Config) (*target, error) {
	switch signal {
	case pipeline.SignalLogs:
		exp, err := f.CreateLogs(ctx, set, cfg)
		if err != nil {
			return nil, err
		}
		return &target{exp, func(ctx context.Context, b batch) error { return exp.ConsumeLogs(ctx, logs(b)) }}, nil
	case pipeline.SignalMetrics:
		exp, err := f.CreateMetrics(ctx, set, cfg)
		if err != nil {
			return nil, err
		}
		return &target{exp, func(ctx context.Context, b batch) error { return exp.ConsumeMetrics(ctx, metrics(b)) }}, nil
	case pipeline.SignalTraces:
		exp, err := f.CreateTraces(ctx, set, cfg)
		if err != nil {
			return nil, err
		}
		return &target{exp, func(ctx context.Context, b batch) error { return exp.ConsumeTraces(ctx, traces(b)) }}, nil
	default:
		return nil, fmt.Errorf("exportertest: suite: signal %q is not known", signal)
	}
}

// at is the time of record i: all different, none in the future.
func at(i int) pcommon.Timestamp {
	return pcommon.NewTimestampFromTime(time.Unix(1_750_000_000, 0).Add(time.Duration(i) * time.Millisecond))
}

// fill writes the attributes of record i.
func (b batch) fill(m pcommon.Map, i int) {
	m.PutStr("suite.mark", markOf(i))
	if b.pad > 0 {
		m.PutStr("suite.pad", strings.Repeat("p", b.pad))
	}
	if b.foreign {
		fillForeign(m)
	}
}

// fillForeign writes keys and values that break careless encoders.
func fillForeign(m pcommon.Map) {
	m.PutStr("", "empty key")
	m.PutStr("empty value", "")
	m.PutStr("control \x00\x01\x1f\x7f\r\n\t\"\\,= key", "control \x00\x01\x1f\x7f\r\n\t\"\\,= value")
	m.PutStr("invalid \xff\xfe\xc0\x80\xed\xa0\x80 utf8", "invalid \xff\xfe\xc0\x80\xed\xa0\x80 utf8")
	m.PutStr("separators", "\u2028\u2029\ufffd\U0001F600</script>")
	m.PutStr("long", strings.Repeat("\\", 70_000))
	m.PutDouble("nan", math.NaN())
	m.PutDouble("inf", math.Inf(1))
	m.PutDouble("minus inf", math.Inf(-1))
	m.PutDouble("minus zero", math.Copysign(0, -1))
	m.PutDouble("smallest", math.SmallestNonzeroFloat64)
	m.PutDouble("largest", math.MaxFloat64)
	m.PutInt("min", math.MinInt64)
	m.PutInt("max", math.MaxInt64)
	m.PutBool("bool", true)
	m.PutEmpty("nothing")
	m.PutEmptyBytes("bytes").FromRaw([]byte{0, 255, 10})
	m.PutEmptyMap("empty map")
	m.PutEmptySlice("empty slice")
	deep := m.PutEmptyMap("deep")
	for range 50 {
		deep = deep.PutEmptySlice("s").AppendEmpty().SetEmptyMap()
	}
	deep.PutStr("same", "1")
	m.PutStr("a", "scalar")
	m.PutStr("a.b", "and object")
}

func logs(b batch) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "suite")
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName("exportertest")
	for i := b.from; i < b.to; i++ {
		lr := sl.LogRecords().AppendEmpty()
		lr.SetTimestamp(at(i))
		lr.SetSeverityNumber(plog.SeverityNumberInfo)
		lr.SetSeverityText("INFO")
		lr.Body().SetStr("hello " + markOf(i))
		b.fill(lr.Attributes(), i)
	}
	if b.foreign {
		fillForeign(rl.Resource().Attributes())
		fillForeign(sl.Scope().Attributes())
		foreignLogs(sl.LogRecords())
		ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		ld.ResourceLogs().AppendEmpty()
	}
	return ld
}

// foreignLogs adds a record for each odd body and time.
func foreignLogs(records plog.LogRecordSlice) {
	records.AppendEmpty()
	records.AppendEmpty().Body().SetStr("\x00\xff\n\r\u2028")
	records.AppendEmpty().Body().SetDouble(math.NaN())
	records.AppendEmpty().Body().SetInt(math.MinInt64)
	records.AppendEmpty().Body().SetEmptyBytes().FromRaw([]byte{0, 1, 2})
	fillForeign(records.AppendEmpty().Body().SetEmptyMap())
	records.AppendEmpty().Body().SetEmptySlice().AppendEmpty().SetStr("\xff")
	last := records.AppendEmpty()
	last.SetTimestamp(math.MaxUint64)
	last.SetSeverityNumber(math.MaxInt32)
	last.SetSeverityText("\xff\"\n")
	last.SetEventName("\x00")
}

func metrics(b batch) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "suite")
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName("exportertest")
	m := sm.Metrics().AppendEmpty()
	m.SetName("suite.load")
	points := m.SetEmptyGauge().DataPoints()
	for i := b.from; i < b.to; i++ {
		dp := points.AppendEmpty()
		dp.SetTimestamp(at(i))
		dp.SetDoubleValue(float64(i) + 0.5)
		b.fill(dp.Attributes(), i)
	}
	if b.foreign {
		fillForeign(rm.Resource().Attributes())
		foreignMetrics(sm.Metrics())
		md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	}
	return md
}

// foreignMetrics adds metrics of every kind, with and without sense.
func foreignMetrics(ms pmetric.MetricSlice) {
	add := func(name string) pmetric.Metric {
		m := ms.AppendEmpty()
		m.SetName(name)
		m.SetUnit("\xff")
		return m
	}
	add("").SetEmptyGauge().DataPoints().AppendEmpty()
	add("nan\n").SetEmptyGauge().DataPoints().AppendEmpty().SetDoubleValue(math.NaN())
	add("inf ,=").SetEmptySum().DataPoints().AppendEmpty().SetDoubleValue(math.Inf(1))
	add("int").SetEmptySum().DataPoints().AppendEmpty().SetIntValue(math.MinInt64)
	add("no points").SetEmptyGauge()
	h := add("histogram").SetEmptyHistogram().DataPoints().AppendEmpty()
	h.ExplicitBounds().FromRaw([]float64{1, 2, 3})
	h.BucketCounts().FromRaw([]uint64{1})
	h.SetSum(math.NaN())
	e := add("exponential").SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
	e.SetScale(math.MaxInt32)
	e.Positive().SetOffset(math.MaxInt32)
	e.Positive().BucketCounts().FromRaw([]uint64{1, math.MaxUint64})
	q := add("summary").SetEmptySummary().DataPoints().AppendEmpty()
	q.SetTimestamp(math.MaxUint64)
	q.QuantileValues().AppendEmpty().SetQuantile(math.NaN())
}

func traces(b batch) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "suite")
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName("exportertest")
	for i := b.from; i < b.to; i++ {
		span := ss.Spans().AppendEmpty()
		span.SetName("work")
		span.SetTraceID(pcommon.TraceID{1, 2, byte(i >> 8), byte(i)})
		span.SetSpanID(pcommon.SpanID{3, 4, byte(i >> 8), byte(i)})
		span.SetStartTimestamp(at(i))
		span.SetEndTimestamp(at(i + 1))
		b.fill(span.Attributes(), i)
	}
	if b.foreign {
		fillForeign(rs.Resource().Attributes())
		ss.Spans().AppendEmpty().SetName("\xff\x00")
		ss.Spans().AppendEmpty().Events().AppendEmpty().SetName("\xff")
	}
	return td
}
