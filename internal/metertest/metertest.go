// Package metertest reads what a component counts about itself.
package metertest

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// Sum adds up the points of a counter that have attributes, which are given as key, value, key, value. It is 0 for a
// counter that never counted.
func Sum(t testing.TB, tel *componenttest.Telemetry, name string, attributes ...string) (n int64) {
	t.Helper()
	m, err := tel.GetMetric(name)
	if err != nil {
		return 0
	}
	data, ok := m.Data.(metricdata.Sum[int64])
	require.True(t, ok, "%s is a %T", name, m.Data)
	for _, p := range data.DataPoints {
		fits := true
		for i := 0; i < len(attributes); i += 2 {
			v, _ := p.Attributes.Value(attribute.Key(attributes[i]))
			fits = fits && v.AsString() == attributes[i+1]
		}
		if fits {
			n += p.Value
		}
	}
	return n
}
