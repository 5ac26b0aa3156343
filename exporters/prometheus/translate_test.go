package prometheus

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/prometheus/otlptranslator"
	"github.com/prometheus/prometheus/model/value"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

const (
	delta      = pmetric.AggregationTemporalityDelta
	cumulative = pmetric.AggregationTemporalityCumulative
	undecided  = pmetric.AggregationTemporalityUnspecified
)

// lines are the sample lines of an exposition, without comments and target_info.
func lines(body string) []string {
	var out []string
	for line := range strings.Lines(body) {
		if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, targetInfo) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

func TestNumbers(t *testing.T) {
	for name, tc := range map[string]struct {
		batches []*build
		want    []string
		dropped map[string]int64
	}{
		"the latest gauge stands": {
			batches: []*build{newBuild().gauge("g", 1, 1), newBuild().gauge("g", 2, 2)},
			want:    []string{"g 2"},
		},
		"the latest of one batch stands": {
			batches: []*build{newBuild().gauge("g", 1, 1).gauge("g", 2, 2)},
			want:    []string{"g 2"},
		},
		"an older gauge is counted": {
			batches: []*build{newBuild().gauge("g", 2, 2), newBuild().gauge("g", 1, 1)},
			want:    []string{"g 2"},
			dropped: map[string]int64{reasonOrder: 1},
		},
		"a correction of the same time is taken": {
			batches: []*build{newBuild().gauge("g", 2, 2), newBuild().gauge("g", 3, 2)},
			want:    []string{"g 3"},
		},
		"the order of attributes does not matter": {
			batches: []*build{newBuild().gauge("g", 1, 1, "a", "1", "b", "2"), newBuild().gauge("g", 2, 2, "b", "2", "a", "1")},
			want:    []string{`g{a="1",b="2"} 2`},
		},
		"cumulative counter": {
			batches: []*build{newBuild().sum("c", cumulative, true, 5, 0, 1), newBuild().sum("c", cumulative, true, 7, 0, 2)},
			want:    []string{"c_total 7"},
		},
		"a counter that starts again": {
			batches: []*build{newBuild().sum("c", cumulative, true, 5, 0, 1), newBuild().sum("c", cumulative, true, 1, 2, 3)},
			want:    []string{"c_total 1"},
		},
		"delta counter adds up": {
			batches: []*build{newBuild().sum("c", delta, true, 5, 0, 1), newBuild().sum("c", delta, true, 7, 1, 2), newBuild().sum("c", delta, true, 1, 5, 6)},
			want:    []string{"c_total 13"},
		},
		"a delta sent twice is counted": {
			batches: []*build{newBuild().sum("c", delta, true, 5, 0, 1), newBuild().sum("c", delta, true, 5, 0, 1)},
			want:    []string{"c_total 5"},
			dropped: map[string]int64{reasonOrder: 1},
		},
		"delta up-down sum adds up": {
			batches: []*build{newBuild().sum("u", delta, false, 5, 0, 1), newBuild().sum("u", delta, false, -7, 1, 2)},
			want:    []string{"u -2"},
		},
		"up-down sum": {
			batches: []*build{newBuild().sum("u", cumulative, false, 5, 0, 1)},
			want:    []string{"u 5"},
		},
		"a sum without temporality": {
			batches: []*build{newBuild().sum("c", undecided, true, 5, 0, 1)},
			dropped: map[string]int64{reasonTemporality: 1},
		},
		"a staleness marker ends the series": {
			batches: []*build{newBuild().gauge("g", 1, 1), newBuild().gauge("g", math.Float64frombits(value.StaleNaN), 2)},
		},
		"a staleness marker of nothing": {
			batches: []*build{newBuild().gauge("g", math.Float64frombits(value.StaleNaN), 2)},
		},
		"an old staleness marker is too late": {
			batches: []*build{newBuild().gauge("g", 1, 3), newBuild().gauge("g", math.Float64frombits(value.StaleNaN), 2)},
			want:    []string{"g 1"},
		},
		"a series may come back after its end": {
			batches: []*build{newBuild().gauge("g", 1, 1), newBuild().gauge("g", math.Float64frombits(value.StaleNaN), 2), newBuild().gauge("g", 4, 4)},
			want:    []string{"g 4"},
		},
		"attributes that become one name are joined": {
			batches: []*build{newBuild().gauge("g", 1, 1, "a.b", "x", "a_b", "y", "a b", "z")},
			want:    []string{`g{a_b="z;x;y"} 1`},
		},
		"attributes of reserved names": {
			batches: []*build{newBuild("service.name", "s").gauge("g", 1, 1, "job", "mine", "__name__", "n", "1st", "d", "otel_scope_x", "o")},
			want:    []string{`g{exported_job="mine",exported_name="n",job="s",key_1st="d",otel_scope_x="o"} 1`},
		},
		"text that is not UTF-8": {
			batches: []*build{newBuild().gauge("g", 1, 1, "a", "x\xffy")},
			want:    []string{"g{a=\"x\uFFFDy\"} 1"},
		},
		"an attribute that can be no label": {
			batches: []*build{newBuild().gauge("g", 1, 1, "日本", "x")},
			dropped: map[string]int64{reasonBadLabel: 1},
		},
		"a name that can be none": {
			batches: []*build{newBuild().gauge("日本", 1, 1).gauge("", 1, 1).gauge("ok", 1, 1)},
			want:    []string{"ok 1"},
			dropped: map[string]int64{reasonBadName: 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			for _, b := range tc.batches {
				r.push(t, b.md)
			}
			require.Equal(t, tc.want, lines(r.text(t)))
			if tc.dropped == nil {
				tc.dropped = map[string]int64{}
			}
			require.Equal(t, tc.dropped, r.dropped(t))
		})
	}
}

func (b *build) histogram(temporality pmetric.AggregationTemporality, bounds []float64, counts []uint64, sum float64, start, ts int) *build {
	h := b.metric("h").SetEmptyHistogram()
	h.SetAggregationTemporality(temporality)
	dp := h.DataPoints().AppendEmpty()
	dp.ExplicitBounds().FromRaw(bounds)
	dp.BucketCounts().FromRaw(counts)
	for _, c := range counts {
		dp.SetCount(dp.Count() + c)
	}
	dp.SetSum(sum)
	dp.SetStartTimestamp(at(start))
	dp.SetTimestamp(at(ts))
	return b
}

func (b *build) edit(f func(pmetric.Metric)) *build {
	f(b.scope.Metrics().At(b.scope.Metrics().Len() - 1))
	return b
}

func TestHistograms(t *testing.T) {
	bounds := []float64{1, 2}
	for name, tc := range map[string]struct {
		batches []*build
		want    []string
		dropped map[string]int64
	}{
		"cumulative": {
			batches: []*build{newBuild().histogram(cumulative, bounds, []uint64{1, 2, 3}, 9, 0, 1), newBuild().histogram(cumulative, bounds, []uint64{2, 2, 3}, 10, 0, 2)},
			want:    []string{`h_bucket{le="1"} 2`, `h_bucket{le="2"} 4`, `h_bucket{le="+Inf"} 7`, `h_sum 10`, `h_count 7`},
		},
		"delta adds up": {
			batches: []*build{newBuild().histogram(delta, bounds, []uint64{1, 2, 3}, 9, 0, 1), newBuild().histogram(delta, bounds, []uint64{1, 0, 1}, 4, 1, 2)},
			want:    []string{`h_bucket{le="1"} 2`, `h_bucket{le="2"} 4`, `h_bucket{le="+Inf"} 8`, `h_sum 13`, `h_count 8`},
		},
		"delta with other bounds starts anew": {
			batches: []*build{newBuild().histogram(delta, bounds, []uint64{1, 2, 3}, 9, 0, 1), newBuild().histogram(delta, []float64{5}, []uint64{1, 0}, 4, 1, 2)},
			want:    []string{`h_bucket{le="5"} 1`, `h_bucket{le="+Inf"} 1`, `h_sum 4`, `h_count 1`},
		},
		"ended": {
			batches: []*build{
				newBuild().histogram(cumulative, bounds, []uint64{1, 2, 3}, 9, 0, 1),
				newBuild().histogram(cumulative, nil, nil, 0, 0, 2).edit(func(m pmetric.Metric) {
					m.Histogram().DataPoints().At(0).SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
				}),
			},
		},
		"more counts than bounds":   {batches: []*build{newBuild().histogram(cumulative, bounds, []uint64{1, 2, 3, 4}, 9, 0, 1)}, dropped: map[string]int64{reasonBadPoint: 1}},
		"bounds without counts":     {batches: []*build{newBuild().histogram(cumulative, bounds, nil, 9, 0, 1)}, dropped: map[string]int64{reasonBadPoint: 1}},
		"equal bounds":              {batches: []*build{newBuild().histogram(cumulative, []float64{1, 1}, []uint64{1, 2, 3}, 9, 0, 1)}, dropped: map[string]int64{reasonBadPoint: 1}},
		"a bound that is no number": {batches: []*build{newBuild().histogram(cumulative, []float64{math.NaN()}, []uint64{1, 2}, 9, 0, 1)}, dropped: map[string]int64{reasonBadPoint: 1}},
		"a count that does not fit": {
			batches: []*build{newBuild().histogram(cumulative, bounds, []uint64{1, 2, 3}, 9, 0, 1).edit(func(m pmetric.Metric) {
				m.Histogram().DataPoints().At(0).SetCount(99)
			})},
			dropped: map[string]int64{reasonBadPoint: 1},
		},
		"a quantile twice": {
			batches: []*build{newBuild().with(func(b *build) {
				dp := b.metric("s").SetEmptySummary().DataPoints().AppendEmpty()
				dp.QuantileValues().AppendEmpty().SetQuantile(0.5)
				dp.QuantileValues().AppendEmpty().SetQuantile(0.5)
			})},
			dropped: map[string]int64{reasonBadPoint: 1},
		},
		"a number without a value": {
			batches: []*build{newBuild().with(func(b *build) {
				b.metric("n").SetEmptyGauge().DataPoints().AppendEmpty()
			})},
			dropped: map[string]int64{reasonBadPoint: 1},
		},
		"a metric without data": {
			batches: []*build{newBuild().with(func(b *build) { b.metric("n") })},
			dropped: map[string]int64{reasonBadPoint: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			for _, b := range tc.batches {
				r.push(t, b.md)
			}
			require.Equal(t, tc.want, lines(r.text(t)))
			if tc.dropped == nil {
				tc.dropped = map[string]int64{}
			}
			require.Equal(t, tc.dropped, r.dropped(t))
		})
	}
}

func (b *build) with(f func(*build)) *build { f(b); return b }

// exponential is one point of an exponential histogram.
type exponential struct {
	temporality   pmetric.AggregationTemporality
	scale, offset int32
	counts        []uint64
	zero          uint64
	threshold     float64
	negative      []uint64
}

func (b *build) native(e exponential, start, ts int) *build {
	h := b.metric("h").SetEmptyExponentialHistogram()
	h.SetAggregationTemporality(e.temporality)
	dp := h.DataPoints().AppendEmpty()
	dp.SetScale(e.scale)
	dp.Positive().SetOffset(e.offset)
	dp.Positive().BucketCounts().FromRaw(e.counts)
	dp.Negative().SetOffset(e.offset)
	dp.Negative().BucketCounts().FromRaw(e.negative)
	dp.SetZeroCount(e.zero)
	dp.SetZeroThreshold(e.threshold)
	dp.SetCount(e.zero)
	for _, c := range append(e.counts, e.negative...) {
		dp.SetCount(dp.Count() + c)
	}
	dp.SetSum(float64(dp.Count()))
	dp.SetStartTimestamp(at(start))
	dp.SetTimestamp(at(ts))
	return b
}

func TestNativeHistograms(t *testing.T) {
	for name, tc := range map[string]struct {
		batches []exponential
		want    string
		dropped map[string]int64
	}{
		"delta adds up": {
			batches: []exponential{
				{temporality: delta, scale: 0, offset: 0, counts: []uint64{1, 2}, zero: 1, negative: []uint64{1}},
				{temporality: delta, scale: 0, offset: 1, counts: []uint64{1, 5}},
			},
			want: "schema 0 zero 1 count 11 + 1:1 2:3 3:5 - 1:1",
		},
		"delta of a coarser scale": {
			batches: []exponential{
				{temporality: delta, scale: 1, offset: -2, counts: []uint64{1, 2, 3, 4}},
				{temporality: delta, scale: 0, offset: -1, counts: []uint64{10, 20}},
			},
			want: "schema 0 zero 0 count 40 + 0:13 1:27 -",
		},
		"delta of a finer scale": {
			batches: []exponential{
				{temporality: delta, scale: 0, offset: -1, counts: []uint64{10, 20}},
				{temporality: delta, scale: 1, offset: -2, counts: []uint64{1, 2, 3, 4}},
			},
			want: "schema 0 zero 0 count 40 + 0:13 1:27 -",
		},
		"delta of another zero bucket starts anew": {
			batches: []exponential{
				{temporality: delta, counts: []uint64{1}, zero: 3, threshold: 0.1},
				{temporality: delta, counts: []uint64{2}, zero: 4, threshold: 0.2},
			},
			want: "schema 0 zero 4 count 6 + 1:2 -",
		},
		"far apart": {
			batches: []exponential{
				{temporality: delta, offset: -1 << 29, counts: []uint64{1}},
				{temporality: delta, offset: 1 << 29, counts: []uint64{1}},
			},
			want: fmt.Sprintf("schema 0 zero 0 count 2 + %d:1 %d:1 -", -1<<29+1, 1<<29+1),
		},
		"too fine":         {batches: []exponential{{temporality: cumulative, scale: 20, offset: -4096, counts: []uint64{1, 1}}}, want: "schema 8 zero 0 count 2 + 0:2 -"},
		"too coarse":       {batches: []exponential{{temporality: cumulative, scale: -5, counts: []uint64{1}}}, dropped: map[string]int64{reasonScale: 1}},
		"beyond any float": {batches: []exponential{{temporality: cumulative, offset: math.MaxInt32, counts: []uint64{1}}}, dropped: map[string]int64{reasonBadPoint: 1}},
		"bad threshold":    {batches: []exponential{{temporality: cumulative, counts: []uint64{1}, threshold: math.NaN()}}, dropped: map[string]int64{reasonBadPoint: 1}},
		"a count beyond Prometheus": {
			batches: []exponential{{temporality: cumulative, counts: []uint64{math.MaxUint64}}},
			dropped: map[string]int64{reasonBadPoint: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			for i, e := range tc.batches {
				r.push(t, newBuild().native(e, i, i+1).md)
			}
			body, contentType := r.scrape(t, acceptProto)
			parse(t, body, contentType)
			require.Equal(t, tc.want, r.describeNative())
			if tc.dropped == nil {
				tc.dropped = map[string]int64{}
			}
			require.Equal(t, tc.dropped, r.dropped(t))
		})
	}
}

// describeNative writes the one native histogram held, with absolute bucket counts.
func (r *rig) describeNative() string {
	for _, ser := range r.store.byID {
		h := ser.body.histogram
		out := fmt.Sprintf("schema %d zero %d count %d +", h.GetSchema(), h.GetZeroCount(), h.GetSampleCount())
		for pass, deltas := range [][]int64{h.PositiveDelta, h.NegativeDelta} {
			spans := h.PositiveSpan
			if pass == 1 {
				spans = h.NegativeSpan
				out += " -"
			}
			index, count := int64(0), int64(0)
			for _, span := range spans {
				index += int64(span.GetOffset())
				for range span.GetLength() {
					count += deltas[0]
					deltas = deltas[1:]
					out += fmt.Sprintf(" %d:%d", index, count)
					index++
				}
			}
		}
		return out
	}
	return ""
}

func TestExemplars(t *testing.T) {
	r := newRig(t)
	b := newBuild().sum("c", cumulative, true, 5, 0, 10)
	exemplars := b.scope.Metrics().At(0).Sum().DataPoints().At(0).Exemplars()
	add := func(ts int, v float64, attrs ...string) {
		e := exemplars.AppendEmpty()
		e.SetDoubleValue(v)
		e.SetTimestamp(at(ts))
		putAll(e.FilteredAttributes(), attrs)
	}
	add(9, 1, "kept", "x", "long", strings.Repeat("é", 130), "room", strings.Repeat("é", 119))
	add(8, 2, "older", "x")
	add(10, 3) // nothing to link to
	add(10, math.NaN(), "a", "no number")
	r.push(t, b.md)
	body, contentType := r.scrape(t, acceptOpenMetrics)
	require.Equal(t, 1, parse(t, body, contentType).exemplars)
	require.Equal(t, []string{`c_total 5.0 # {kept="x",room="` + strings.Repeat("é", 119) + `"} 1.0 1.700000009e+09`}, lines(body))

	// The next point has none of its own: the last one stands until then.
	r.push(t, newBuild().sum("c", cumulative, true, 6, 0, 11).md)
	body, _ = r.scrape(t, acceptOpenMetrics)
	require.Contains(t, body, `c_total 6.0 # {kept="x"`)
}

func TestIntegerExemplarAndIDs(t *testing.T) {
	r := newRig(t)
	b := newBuild().sum("c", cumulative, true, 5, 0, 10)
	e := b.scope.Metrics().At(0).Sum().DataPoints().At(0).Exemplars().AppendEmpty()
	e.SetIntValue(4)
	e.SetTraceID(pcommon.TraceID{1})
	e.SetSpanID(pcommon.SpanID{2})
	e.FilteredAttributes().PutStr("trace_id", "not twice")
	r.push(t, b.md)
	body, _ := r.scrape(t, acceptOpenMetrics)
	require.Equal(t, []string{`c_total 5.0 # {trace_id="01000000000000000000000000000000",span_id="0200000000000000"} 4.0`}, lines(body))
}

func TestResourceLabels(t *testing.T) {
	for name, tc := range map[string]struct {
		resource []string
		edit     func(*Config)
		want     []string
	}{
		"job and instance":          {resource: []string{"service.namespace", "ns", "service.name", "n", "service.instance.id", "i", "host.name", "h"}, want: []string{`g{instance="i",job="ns/n"} 1`}},
		"host stands in":            {resource: []string{"service.name", "n", "host.name", "h"}, want: []string{`g{instance="h",job="n"} 1`}},
		"a namespace alone":         {resource: []string{"service.namespace", "ns"}, want: []string{`g 1`}},
		"promoted by default":       {resource: []string{"k8s.pod.name", "p", "k8s.pod.uid", "u"}, want: []string{`g{k8s_pod_name="p"} 1`}},
		"workloads are promoted":    {resource: []string{"k8s.deployment.name", "d", "k8s.deployment.uid", "u"}, want: []string{`g{k8s_deployment_name="d"} 1`}},
		"promoted by name":          {resource: []string{"k8s.pod.name", "p", "a", "1"}, edit: func(c *Config) { c.PromoteResourceAttributes = []string{"a", "absent"} }, want: []string{`g{a="1"} 1`}},
		"none promoted":             {resource: []string{"k8s.pod.name", "p"}, edit: func(c *Config) { c.PromoteResourceAttributes = nil }, want: []string{`g 1`}},
		"all":                       {resource: []string{"a", "1", "b.c", "2"}, edit: func(c *Config) { c.ResourceToTelemetry.Enabled = true }, want: []string{`g{a="1",b_c="2"} 1`}},
		"const labels win":          {resource: []string{"service.name", "n"}, edit: func(c *Config) { c.ConstLabels = map[string]string{"job": "ours", "x y": "z"} }, want: []string{`g{job="ours",x_y="z"} 1`}},
		"utf-8 names are kept":      {resource: []string{"a.b", "1"}, edit: utf8All, want: []string{`g{a_b="1"} 1`}},
		"no suffixes, the old flag": {edit: func(c *Config) { c.AddMetricSuffixes = false }, want: []string{`g 1`}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) {
				if tc.edit != nil {
					tc.edit(c)
				}
			})
			r.push(t, newBuild(tc.resource...).gauge("g", 1, 1).md)
			require.Equal(t, tc.want, lines(r.text(t)))
		})
	}
}

func utf8All(c *Config) {
	c.ResourceToTelemetry.Enabled = true
	c.TranslationStrategy = otlptranslator.NoTranslation
}
