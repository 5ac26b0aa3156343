package cadvisor

import (
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// render writes a line for each point: the metric, its kind, the attributes, the value and the times; and a line for each
// resource.
func render(m pmetric.Metrics) string {
	var out strings.Builder
	for _, rm := range m.ResourceMetrics().All() {
		fmt.Fprintf(&out, "resource %s\n", attributes(rm.Resource().Attributes()))
		var lines []string
		for _, sm := range rm.ScopeMetrics().All() {
			for _, metric := range sm.Metrics().All() {
				lines = append(lines, points(metric)...)
			}
		}
		slices.Sort(lines)
		out.WriteString(strings.Join(lines, ""))
	}
	return out.String()
}

func points(m pmetric.Metric) (lines []string) {
	kind, all := "gauge", m.Gauge().DataPoints
	if m.Type() == pmetric.MetricTypeSum {
		kind, all = "sum", m.Sum().DataPoints
	}
	for _, dp := range all().All() {
		value := fmt.Sprint(dp.IntValue())
		if dp.ValueType() == pmetric.NumberDataPointValueTypeDouble {
			value = fmt.Sprint(dp.DoubleValue())
		}
		start := ""
		if dp.StartTimestamp() != 0 {
			start = " since " + dp.StartTimestamp().AsTime().Format("15:04:05")
		}
		unit := ""
		if m.Unit() != "" {
			unit = " " + m.Unit()
		}
		lines = append(lines, fmt.Sprintf("  %s %s %s %s%s at %s%s\n", m.Name(), kind, attributes(dp.Attributes()), value, unit, dp.Timestamp().AsTime().Format("15:04:05.0"), start))
	}
	return lines
}

func attributes(m pcommon.Map) string {
	var all []string
	for k, v := range m.All() {
		all = append(all, k+"="+v.AsString())
	}
	slices.Sort(all)
	return "{" + strings.Join(all, ",") + "}"
}
