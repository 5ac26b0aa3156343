package kubelet

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// render writes metrics as text: a line for each resource, and one for each point below it. Times are those of the test
// and are left out.
func render(md pmetric.Metrics) string {
	var b strings.Builder
	for _, rm := range md.ResourceMetrics().All() {
		fmt.Fprintf(&b, "%s\n", attributesText(rm.Resource().Attributes()))
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				for _, p := range points(m) {
					fmt.Fprintf(&b, "  %s %s\n", m.Name(), strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s", p.attributes, p.value, m.Unit(), p.kind)), " "))
				}
			}
		}
	}
	return b.String()
}

type pointText struct{ attributes, value, kind string }

func points(m pmetric.Metric) (out []pointText) {
	numbers := func(list pmetric.NumberDataPointSlice, kind string) {
		for _, dp := range list.All() {
			out = append(out, pointText{attributesText(dp.Attributes()), number(dp), kind})
		}
	}
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		numbers(m.Gauge().DataPoints(), "gauge")
	case pmetric.MetricTypeSum:
		kind := "sum"
		if m.Sum().IsMonotonic() {
			kind = "counter"
		}
		numbers(m.Sum().DataPoints(), kind)
	case pmetric.MetricTypeHistogram:
		for _, dp := range m.Histogram().DataPoints().All() {
			out = append(out, pointText{attributesText(dp.Attributes()), fmt.Sprintf("count=%d sum=%v bounds=%v counts=%v", dp.Count(), dp.Sum(),
				dp.ExplicitBounds().AsRaw(), dp.BucketCounts().AsRaw()), "histogram"})
		}
	case pmetric.MetricTypeSummary:
		for _, dp := range m.Summary().DataPoints().All() {
			text := fmt.Sprintf("count=%d sum=%v", dp.Count(), dp.Sum())
			for _, q := range dp.QuantileValues().All() {
				text += fmt.Sprintf(" %v=%v", q.Quantile(), q.Value())
			}
			out = append(out, pointText{attributesText(dp.Attributes()), text, "summary"})
		}
	default:
		out = append(out, pointText{kind: "empty"})
	}
	return out
}

func number(dp pmetric.NumberDataPoint) string {
	if dp.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return strconv.FormatInt(dp.IntValue(), 10)
	}
	return strconv.FormatFloat(dp.DoubleValue(), 'g', -1, 64) + "f"
}

func attributesText(m pcommon.Map) string {
	var list []string
	for k, v := range m.All() {
		list = append(list, k+"="+v.AsString())
	}
	sort.Strings(list)
	return "{" + strings.Join(list, ", ") + "}"
}

// value returns the only point of a metric of the resource with these attributes, and false if there is none.
func value(t *testing.T, md pmetric.Metrics, name string, attributes ...string) (pmetric.NumberDataPoint, bool) {
	t.Helper()
	for _, rm := range md.ResourceMetrics().All() {
		fits := true
		for i := 0; i < len(attributes); i += 2 {
			v, ok := rm.Resource().Attributes().Get(attributes[i])
			fits = fits && ok && v.AsString() == attributes[i+1]
		}
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if fits && m.Name() == name {
					var list pmetric.NumberDataPointSlice
					if m.Type() == pmetric.MetricTypeSum {
						list = m.Sum().DataPoints()
					} else {
						list = m.Gauge().DataPoints()
					}
					require.Equal(t, 1, list.Len())
					return list.At(0), true
				}
			}
		}
	}
	return pmetric.NumberDataPoint{}, false
}
