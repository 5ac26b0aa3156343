package capability

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// metered is a plugin's metrics over a real meter.
type metered struct {
	*Metrics
	reader *sdkmetric.ManualReader
}

func newMetered(t testing.TB, g MetricsGrant) metered {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	r, err := newRefusals("wasm/x", meter)
	require.NoError(t, err)
	return metered{newMetrics(g, "wasm/x", meter, r), reader}
}

// values has each number series, as name{attributes}.
func (m metered) values(t testing.TB) map[string]float64 {
	t.Helper()
	var rm metricdata.ResourceMetrics
	require.NoError(t, m.reader.Collect(t.Context(), &rm))
	out := map[string]float64{}
	id := func(name string, set attribute.Set) string {
		var parts []string
		for _, kv := range set.ToSlice() {
			parts = append(parts, string(kv.Key)+"="+kv.Value.String())
		}
		return name + "{" + strings.Join(parts, ",") + "}"
	}
	for _, sm := range rm.ScopeMetrics {
		for _, mm := range sm.Metrics {
			switch d := mm.Data.(type) {
			case metricdata.Sum[float64]:
				for _, p := range d.DataPoints {
					out[id(mm.Name, p.Attributes)] = p.Value
				}
			case metricdata.Gauge[float64]:
				for _, p := range d.DataPoints {
					out[id(mm.Name, p.Attributes)] = p.Value
				}
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					out[id(mm.Name, p.Attributes)] = p.Sum
				}
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					out[id(mm.Name, p.Attributes)] = float64(p.Value)
				}
			}
		}
	}
	return out
}

func TestMetrics(t *testing.T) {
	m := newMetered(t, MetricsGrant{MaxSeries: 10})
	series := func(text string) int32 { return m.Series([]byte(text)) }
	get := series(`{"name":"hits","kind":"counter","unit":"{hit}","description":"Hits.","attributes":{"method":"GET"}}`)
	put := series(`{"name":"hits","kind":"counter","unit":"{hit}","description":"Hits.","attributes":{"method":"PUT"}}`)
	size := series(`{"name":"size","kind":"gauge"}`)
	took := series(`{"name":"took.time_s","kind":"histogram","unit":"s"}`)
	require.Equal(t, []int32{0, 1, 2, 3}, []int32{get, put, size, took})
	require.Equal(t, size, series(`{"name":"size","kind":"gauge"}`), "the same text gives the same number")
	m.Record(get, 1)
	m.Record(get, 2)
	m.Record(put, 5)
	m.Record(size, -7)
	m.Record(size, 7)
	m.Record(took, 0.25)
	m.Record(took, 0.5)
	for _, bad := range []float64{-1, math.NaN(), math.Inf(1)} {
		m.Record(get, bad)
	}
	m.Record(took, math.NaN())
	m.Record(-1, 1)
	m.Record(4, 1)
	require.Equal(t, map[string]float64{
		"obsd_plugin_hits{method=GET,plugin=wasm/x}": 3, "obsd_plugin_hits{method=PUT,plugin=wasm/x}": 5,
		"obsd_plugin_size{plugin=wasm/x}": 7, "obsd_plugin_took.time_s{plugin=wasm/x}": 0.75,
		"obsd_wasm_refused_host_calls{capability=metrics,plugin=wasm/x,reason=value}": 6,
	}, m.values(t))
}

func TestMetricsRefused(t *testing.T) {
	m := newMetered(t, MetricsGrant{MaxSeries: 2})
	require.Zero(t, m.Series([]byte(`{"name":"a","kind":"counter"}`)))
	bad := []string{
		``, `[]`, `{"name":"b"}`, `{"name":"b","kind":"timer"}`, `{"name":"","kind":"gauge"}`, `{"name":"b c","kind":"gauge"}`,
		`{"name":"b","kind":"gauge","color":"red"}`, `{"name":"b","kind":"gauge"} {}`, `{"name":"b","kind":"gauge","attributes":{"plugin":"other"}}`,
		`{"name":"a","kind":"gauge"}`, `{"name":"a","kind":"counter","unit":"s"}`, `{"name":"a","kind":"counter","description":"d"}`,
		`{"name":"` + strings.Repeat("n", 201) + `","kind":"gauge"}`, `{"name":"b","kind":"gauge"}` + strings.Repeat(" ", maxDefinition),
	}
	for _, text := range bad {
		require.EqualValues(t, -1, m.Series([]byte(text)), text)
	}
	require.EqualValues(t, 1, m.Series([]byte(`{"name":"b","kind":"gauge"}`)))
	require.EqualValues(t, -1, m.Series([]byte(`{"name":"c","kind":"gauge"}`)))
	require.EqualValues(t, 1, m.Series([]byte(`{"name":"b","kind":"gauge"}`)), "what is there stays")
	require.Equal(t, map[string]float64{
		"obsd_wasm_refused_host_calls{capability=metrics,plugin=wasm/x,reason=definition}": float64(len(bad)),
		"obsd_wasm_refused_host_calls{capability=metrics,plugin=wasm/x,reason=series}":     1,
	}, m.values(t))
}

func TestMetricsConcurrently(t *testing.T) {
	m := newMetered(t, MetricsGrant{MaxSeries: 50})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 500 {
				n := m.Series(fmt.Appendf(nil, `{"name":"m%d","kind":"counter"}`, i%50))
				m.Record(n, 1)
			}
		})
	}
	wg.Wait()
	for i := range 50 {
		require.EqualValues(t, 40, m.values(t)[fmt.Sprintf("obsd_plugin_m%d{plugin=wasm/x}", i)])
	}
}

func FuzzSeries(f *testing.F) {
	f.Add([]byte(`{"name":"hits","kind":"counter","attributes":{"method":"GET"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m := newMetered(t, MetricsGrant{MaxSeries: 1})
		m.Record(m.Series(text), 1)
		for name := range m.values(t) {
			require.True(t, strings.HasPrefix(name, "obsd_"), name)
		}
	})
}

func BenchmarkMetrics(b *testing.B) {
	m := newMetered(b, MetricsGrant{MaxSeries: 10})
	for _, kind := range []string{"counter", "gauge", "histogram"} {
		text := fmt.Appendf(nil, `{"name":"%s","kind":"%s"}`, kind, kind)
		n := m.Series(text)
		b.Run("record "+kind, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Record(n, 1)
			}
		})
	}
	text := []byte(`{"name":"counter","kind":"counter"}`)
	b.Run("series", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.Series(text)
		}
	})
}
