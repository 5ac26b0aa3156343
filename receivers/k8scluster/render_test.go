package k8scluster

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// series is one point as a test sees it.
type series struct {
	resource, metric, attributes, value, unit, kind string
	at                                              pcommon.Timestamp
	ended                                           bool
}

// key tells a series from others.
func (s series) key() string { return s.resource + " " + s.metric + s.attributes }

// each calls do for each point, in the order of the batch.
func each(md pmetric.Metrics, do func(series)) {
	for _, rm := range md.ResourceMetrics().All() {
		resource := attributesText(rm.Resource().Attributes())
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				points, kind := pmetric.NumberDataPointSlice{}, "gauge"
				if m.Type() == pmetric.MetricTypeSum {
					points, kind = m.Sum().DataPoints(), "sum"
				} else {
					points = m.Gauge().DataPoints()
				}
				for _, dp := range points.All() {
					s := series{resource: resource, metric: m.Name(), value: number(dp), unit: m.Unit(), kind: kind, at: dp.Timestamp()}
					s.ended = dp.Flags().NoRecordedValue()
					if dp.Attributes().Len() > 0 {
						s.attributes = attributesText(dp.Attributes())
					}
					do(s)
				}
			}
		}
	}
}

// render writes metrics as text: a line for each resource, and one for each point below it. Times are left out.
func render(md pmetric.Metrics) string {
	var b strings.Builder
	last := ""
	each(md, func(s series) {
		if s.resource != last {
			last = s.resource
			fmt.Fprintf(&b, "%s\n", s.resource)
		}
		fmt.Fprintf(&b, "  %s\n", strings.Join(strings.Fields(s.metric+" "+s.attributes+" "+s.value+" "+s.unit+" "+s.kind), " "))
	})
	return b.String()
}

func number(dp pmetric.NumberDataPoint) string {
	switch {
	case dp.Flags().NoRecordedValue():
		return "ended"
	case dp.ValueType() == pmetric.NumberDataPointValueTypeInt:
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
