package capability

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"regexp"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/obsd-io/obsd/runtime/abi"
)

const (
	// metricPrefix stands before the name of each metric of a plugin.
	metricPrefix = "obsd_plugin_"
	// maxDefinition is the longest definition of a series in bytes.
	maxDefinition = 4 << 10
)

// metricName is what a definition may name; with the prefix it stays below OpenTelemetry's 255 characters.
var metricName = regexp.MustCompile(`^[A-Za-z0-9_.]{1,200}$`)

// Metrics are a plugin's own metrics. A series is found by its number in a list that only grows, so that recording
// takes no lock.
type Metrics struct {
	plugin string
	meter  metric.Meter
	most   int

	badText, overLimit, badValue *refusal

	mu          sync.Mutex
	numbers     map[string]int32 // by definition text
	instruments map[string]instrument
	series      atomic.Pointer[[]series]
}

// instrument is a metric: its first definition stands.
type instrument struct {
	kind, unit, description string
	add                     metric.Float64Counter
	set                     metric.Float64Gauge
	record                  metric.Float64Histogram
}

// series is an instrument with attributes.
type series struct {
	instrument
	addOptions    []metric.AddOption
	recordOptions []metric.RecordOption
}

func newMetrics(g MetricsGrant, plugin string, meter metric.Meter, refused *refusals) *Metrics {
	m := &Metrics{
		plugin: plugin, meter: meter, most: g.MaxSeries,
		badText: refused.of(abi.CapabilityMetrics, "definition"), overLimit: refused.of(abi.CapabilityMetrics, "series"),
		badValue: refused.of(abi.CapabilityMetrics, "value"),
		numbers:  map[string]int32{}, instruments: map[string]instrument{},
	}
	m.series.Store(&[]series{})
	return m
}

// Series gives the number of the series that a definition (see [abi.MetricDefinition]) stands for, or -1.
// It does not keep the text.
func (m *Metrics) Series(definition []byte) int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n, ok := m.numbers[string(definition)]; ok {
		return n
	}
	list := *m.series.Load()
	if len(list) >= m.most {
		m.overLimit.count()
		return -1
	}
	s, ok := m.define(definition)
	if !ok {
		m.badText.count()
		return -1
	}
	// Readers of the old list see no further than its length.
	list = append(list, s)
	m.series.Store(&list)
	n := int32(len(list) - 1)
	m.numbers[string(definition)] = n
	return n
}

func (m *Metrics) define(definition []byte) (series, bool) {
	if len(definition) > maxDefinition {
		return series{}, false
	}
	dec := json.NewDecoder(bytes.NewReader(definition))
	dec.DisallowUnknownFields()
	var d abi.MetricDefinition
	if err := dec.Decode(&d); err != nil || dec.More() || !metricName.MatchString(d.Name) {
		return series{}, false
	}
	if _, taken := d.Attributes["plugin"]; taken {
		return series{}, false
	}
	i, ok := m.instrument(d)
	if !ok {
		return series{}, false
	}
	attributes := []attribute.KeyValue{attribute.String("plugin", m.plugin)}
	for k, v := range d.Attributes {
		attributes = append(attributes, attribute.String(k, v))
	}
	set := metric.WithAttributeSet(attribute.NewSet(attributes...))
	return series{instrument: i, addOptions: []metric.AddOption{set}, recordOptions: []metric.RecordOption{set}}, true
}

// instrument finds or makes the metric of a definition, which must agree with its first one.
func (m *Metrics) instrument(d abi.MetricDefinition) (instrument, bool) {
	if i, ok := m.instruments[d.Name]; ok {
		return i, i.kind == d.Kind && i.unit == d.Unit && i.description == d.Description
	}
	i := instrument{kind: d.Kind, unit: d.Unit, description: d.Description}
	name, unit, description := metricPrefix+d.Name, metric.WithUnit(d.Unit), metric.WithDescription(d.Description)
	var err error
	switch d.Kind {
	case "counter":
		i.add, err = m.meter.Float64Counter(name, unit, description)
	case "gauge":
		i.set, err = m.meter.Float64Gauge(name, unit, description)
	case "histogram":
		i.record, err = m.meter.Float64Histogram(name, unit, description)
	default:
		return i, false
	}
	if err != nil {
		return i, false
	}
	m.instruments[d.Name] = i
	return i, true
}

// Record gives a series a value: added to a counter, set of a gauge, recorded in a histogram.
func (m *Metrics) Record(number int32, value float64) {
	list := *m.series.Load()
	if number < 0 || int(number) >= len(list) {
		m.badValue.count()
		return
	}
	ctx := context.Background()
	s := &list[number]
	switch {
	case math.IsNaN(value) || math.IsInf(value, 0) || s.add != nil && value < 0:
		m.badValue.count()
	case s.add != nil:
		s.add.Add(ctx, value, s.addOptions...)
	case s.set != nil:
		s.set.Record(ctx, value, s.recordOptions...)
	default:
		s.record.Record(ctx, value, s.recordOptions...)
	}
}
