package influxdb

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/obsd-io/obsd/internal/golden"
)

const (
	startStamp = pcommon.Timestamp(1_699_999_000_000_000_000)
	pointStamp = pcommon.Timestamp(1_700_000_000_000_000_000)
)

// sampleMetrics has a metric of each type, named after it.
func sampleMetrics() pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	res := rm.Resource().Attributes()
	res.PutStr("service.name", "shop, the \"best\"")
	res.PutStr("k8s.pod.uid", "left-out-by-default")
	res.PutStr("host.name", "node 1")
	res.PutStr("empty", "")
	res.PutInt("process.pid", 42)
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName("meter")
	sm.Scope().SetVersion("1.2")
	add := func(name string) pmetric.Metric {
		m := sm.Metrics().AppendEmpty()
		m.SetName(name)
		m.SetUnit("s")
		return m
	}
	gauge(add("gauge.double")).SetDoubleValue(87.332)
	gauge(add("gauge.int")).SetIntValue(1 << 40)
	gauge(add("gauge.nan")).SetDoubleValue(math.NaN())
	gauge(add("gauge.stale")).SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	sum(add("sum.counter"), true, pmetric.AggregationTemporalityCumulative).SetIntValue(1027)
	sum(add("sum.updown"), false, pmetric.AggregationTemporalityCumulative).SetIntValue(-3)
	sum(add("sum.delta"), true, pmetric.AggregationTemporalityDelta).SetDoubleValue(1e-9)
	histogram(add("histogram"))
	exponential(add("exponential"))
	summary(add("summary"))
	p := gauge(add("collision"))
	p.SetDoubleValue(1)
	p.Attributes().PutStr("gauge", "a tag named as the field")
	p.Attributes().PutStr("collision", "a tag named as the metric")
	p.Attributes().PutStr("host.name", "the point's wins")
	p.Attributes().PutStr("time", "reserved")
	return md
}

// stamps is what each kind of data point can be told.
type stamps interface {
	SetStartTimestamp(pcommon.Timestamp)
	SetTimestamp(pcommon.Timestamp)
	Attributes() pcommon.Map
}

func stamped[P stamps](p P) P {
	p.SetStartTimestamp(startStamp)
	p.SetTimestamp(pointStamp)
	p.Attributes().PutStr("zone", `C:\x y=1,z\`)
	p.Attributes().PutBool("a", true)
	return p
}

func gauge(m pmetric.Metric) pmetric.NumberDataPoint {
	return stamped(m.SetEmptyGauge().DataPoints().AppendEmpty())
}

func sum(m pmetric.Metric, monotonic bool, temporality pmetric.AggregationTemporality) pmetric.NumberDataPoint {
	s := m.SetEmptySum()
	s.SetIsMonotonic(monotonic)
	s.SetAggregationTemporality(temporality)
	return stamped(s.DataPoints().AppendEmpty())
}

func histogram(m pmetric.Metric) {
	m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	p := stamped(m.Histogram().DataPoints().AppendEmpty())
	p.SetCount(10)
	p.SetSum(53423)
	p.SetMin(0.001)
	p.SetMax(99)
	p.ExplicitBounds().FromRaw([]float64{0.05, 0.1, 1, 1000000})
	p.BucketCounts().FromRaw([]uint64{1, 2, 3, 0, 4})
	p = stamped(m.Histogram().DataPoints().AppendEmpty())
	p.Attributes().PutStr("le", "taken")
	p.Attributes().PutStr("kind", "broken buckets")
	p.SetCount(3)
	p.ExplicitBounds().FromRaw([]float64{1, 2, 3})
	p.BucketCounts().FromRaw([]uint64{1})
}

func exponential(m pmetric.Metric) {
	m.SetEmptyExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	p := stamped(m.ExponentialHistogram().DataPoints().AppendEmpty())
	p.SetCount(21)
	p.SetSum(12.5)
	p.SetScale(1) // bounds 2^(i/2): 1, 1.41, 2, 2.83, 4
	p.SetZeroCount(4)
	p.Positive().SetOffset(0)
	p.Positive().BucketCounts().FromRaw([]uint64{1, 2, 3, 4})
	p.Negative().SetOffset(1)
	p.Negative().BucketCounts().FromRaw([]uint64{5, 2, 0})
}

func summary(m pmetric.Metric) {
	p := stamped(m.SetEmptySummary().DataPoints().AppendEmpty())
	p.SetCount(2693)
	p.SetSum(1.7560473e+07)
	for q, v := range map[float64]float64{0.5: 4773} {
		qv := p.QuantileValues().AppendEmpty()
		qv.SetQuantile(q)
		qv.SetValue(v)
	}
	qv := p.QuantileValues().AppendEmpty()
	qv.SetQuantile(0.99)
	qv.SetValue(math.NaN())
}

// sampleLogs has records with much, with little and with odd content.
func sampleLogs() plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	res := rl.Resource().Attributes()
	res.PutStr("service.name", "shop")
	res.PutStr("k8s.pod.name", "shop-1")
	res.PutStr("k8s.pod.uid", "a-b-c")
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName("not written")
	sl.Scope().Attributes().PutStr("scope.attribute", "s")
	add := func(body string) plog.LogRecord {
		rec := sl.LogRecords().AppendEmpty()
		rec.SetTimestamp(pointStamp + 1)
		rec.Body().SetStr(body)
		return rec
	}
	full := add("GET /\n\tat \"line\" 2 \\ end")
	full.SetObservedTimestamp(pointStamp + 7)
	full.SetSeverityNumber(plog.SeverityNumberWarn)
	full.SetSeverityText("warn")
	full.SetTraceID(pcommon.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	full.SetSpanID(pcommon.SpanID{1, 2, 3, 4, 5, 6, 7, 8})
	full.SetDroppedAttributesCount(2)
	a := full.Attributes()
	a.PutInt("http.response.status_code", 404)
	a.PutStr("url.path", "/a\"b\\c\n")
	a.PutDouble("duration", 0.25)
	a.PutDouble("nan", math.NaN())
	a.PutBool("cached", false)
	a.PutEmpty("nothing")
	a.PutEmptyBytes("raw").FromRaw([]byte{1, 2, 255})
	a.PutStr("body", "an attribute named as a field")
	a.PutEmptySlice("list").AppendEmpty().SetInt(1)
	a.PutEmptyMap("map").PutStr("k", "v")
	add("").Attributes().PutStr("k8s.pod.uid", "the record's wins")
	add("binary \xff\x00 garbage").Attributes().PutStr("k8s.pod.name", "of the record")
	late := add("no time")
	late.SetTimestamp(0)
	add("out of range").SetTimestamp(math.MaxUint64)
	nested := sl.LogRecords().AppendEmpty()
	nested.SetTimestamp(pointStamp)
	nested.Body().SetEmptyMap().PutInt("n", 1)
	return ld
}

func TestGoldenMetrics(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"metrics.telegraf-prometheus-v1.lp":          nil,
		"metrics.telegraf-prometheus-v1.integers.lp": func(c *Config) { c.IntegerFields = true },
		"metrics.telegraf-prometheus-v2.lp":          func(c *Config) { c.MetricsSchema = SchemaTelegrafPrometheusV2 },
		"metrics.otel-v1.lp":                         func(c *Config) { c.MetricsSchema = SchemaOTelV1 },
		"metrics.heapster.lp":                        func(c *Config) { c.MetricsSchema = SchemaHeapster },
		"metrics.ms.few-tags.lp": func(c *Config) {
			c.Precision = PrecisionMilliseconds
			c.ResourceTags = ResourceTags{Include: []string{"*.name", "process.*"}, Exclude: []string{"service.*"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestExporter(t, change, stored)
			require.NoError(t, e.pushMetrics(t.Context(), sampleMetrics()))
			golden.Require(t, name, strings.Join(e.sink.bodies, ""))
			require.Equal(t, map[string]int64{
				"delivered":       int64(strings.Count(e.sink.bodies[0], "\n")),
				"lost not_finite": 1, "skipped no_recorded_value": 1,
			}, e.counts(t, "obsd_influxdb_points"))
		})
	}
}

func TestGoldenLogs(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"logs.json.lp":   nil,
		"logs.fields.lp": func(c *Config) { c.LogAttributes = LogAttributesFields },
		"logs.none.lp": func(c *Config) {
			c.LogAttributes = LogAttributesNone
			c.LogsMeasurement = "#log lines"
			c.LogRecordDimensions = []string{"k8s.pod.uid", "severity_text", "trace_id", "span_id", "url.path", "body"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestExporter(t, change, stored)
			require.NoError(t, e.pushLogs(t.Context(), sampleLogs()))
			golden.Require(t, name, strings.Join(e.sink.bodies, ""))
			require.Equal(t, map[string]int64{"delivered": 5, "lost time_out_of_range": 1},
				e.counts(t, "obsd_influxdb_points"))
		})
	}
}

func TestChangesAreCounted(t *testing.T) {
	e := newTestExporter(t, nil, stored)
	require.NoError(t, e.pushMetrics(t.Context(), sampleMetrics()))
	require.Equal(t, map[string]int64{
		"characters_replaced": 11, // the zone of each point that is not stale
		"key_renamed":         2,  // gauge, time
		"duplicate_key":       1,  // host.name
		"not_finite":          1,  // a quantile
		"buckets_left_out":    1,
	}, e.counts(t, "obsd_influxdb_values_changed"))
}
