package filelog

import "go.opentelemetry.io/otel/sdk/metric/metricdata"

// sumPoints adds the points of a metric up, or those with one reason only.
func sumPoints(m metricdata.Metrics, reason string) int64 {
	var points []metricdata.DataPoint[int64]
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		points = data.DataPoints
	case metricdata.Gauge[int64]:
		points = data.DataPoints
	}
	var sum int64
	for _, p := range points {
		if v, _ := p.Attributes.Value("reason"); reason == "" || v.AsString() == reason {
			sum += p.Value
		}
	}
	return sum
}
