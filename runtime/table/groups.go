package table

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/obsd-io/obsd/runtime/abi"
)

// groups finds the groups that edits and new rows make: what is alike goes to one.
type groups struct {
	leafNumbers     map[leaf]int32
	resourceNumbers map[string]int32 // by origin and attributes
	metricNumbers   map[metricKey]int32
	// detached has copies of resources, by leaf{resource, none, none}, and of scopes, by leaf{resource, scope, 0}.
	detached map[leaf]int32
}

func (g *groups) clear() {
	clear(g.leafNumbers)
	clear(g.resourceNumbers)
	clear(g.metricNumbers)
	clear(g.detached)
}

// metricKey tells metrics of one scope apart.
type metricKey struct {
	// origin is the batch's metric that it was, and whose type and metadata it has; none for one of new data points.
	origin                  int32
	name, unit, description string
	// Of one without an origin: abi.MetricGauge or abi.MetricSum, and what a sum has.
	kind, temporality uint8
	monotonic         bool
}

// metric is a metric of the batch, or one that edits or new data points made.
type metric struct {
	metricKey
	source pmetric.Metric // of origin
	made   bool
}

// key is the metric's with its name, unit and description as they are now.
func (m *metric) key() metricKey {
	if m.made {
		return m.metricKey
	}
	return metricKey{origin: m.origin, name: m.source.Name(), unit: m.source.Unit(), description: m.source.Description()}
}

// putMetric sets one of a metric's own fields.
func (v value) putMetric(f abi.Field, k *metricKey) {
	switch f {
	case abi.FieldMetricName:
		k.name = v.text
	case abi.FieldMetricUnit:
		k.unit = v.text
	case abi.FieldMetricDescription:
		k.description = v.text
	case abi.FieldMetricType:
		k.kind = uint8(v.bits)
	case abi.FieldMetricTemporality:
		k.temporality = uint8(v.bits)
	case abi.FieldMetricMonotonic:
		k.monotonic = v.bits != 0
	}
}

// readMetric takes a column of level metric.
func readMetric(f abi.Field, m pmetric.Metric, v *values, i int) int {
	switch f {
	case abi.FieldMetricName:
		return v.setString(i, m.Name())
	case abi.FieldMetricUnit:
		return v.setString(i, m.Unit())
	case abi.FieldMetricDescription:
		return v.setString(i, m.Description())
	case abi.FieldMetricType:
		v.setInt(i, int64(metricTypes[m.Type()]))
	case abi.FieldMetricTemporality:
		v.setInt(i, int64(temporality(m)))
	case abi.FieldMetricMonotonic:
		if v.setNone(i); m.Type() == pmetric.MetricTypeSum {
			v.setBool(i, m.Sum().IsMonotonic())
		}
	}
	return 0
}

// metricTypes has the number that the contract gives to each type of pdata.
var metricTypes = [...]int{
	pmetric.MetricTypeEmpty: 0,
	pmetric.MetricTypeGauge: abi.MetricGauge, pmetric.MetricTypeSum: abi.MetricSum, pmetric.MetricTypeHistogram: abi.MetricHistogram,
	pmetric.MetricTypeExponentialHistogram: abi.MetricExponentialHistogram, pmetric.MetricTypeSummary: abi.MetricSummary,
}

// temporality is 1 for delta, 2 for cumulative, as in pdata; 0 for none.
func temporality(m pmetric.Metric) pmetric.AggregationTemporality {
	switch m.Type() {
	case pmetric.MetricTypeSum:
		return m.Sum().AggregationTemporality()
	case pmetric.MetricTypeHistogram:
		return m.Histogram().AggregationTemporality()
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().AggregationTemporality()
	}
	return pmetric.AggregationTemporalityUnspecified
}

// metricKeyOf is the key of the metric that a row goes to; of other rows than data points it means nothing.
func (t *Table) metricKeyOf(row int) metricKey {
	if m := t.leaves[t.leafOf(row)].metric; m != none {
		return t.metrics[m].key()
	}
	return metricKey{origin: none}
}

// metricNumber finds or makes a metric.
func (t *Table) metricNumber(k metricKey) int32 {
	if k.origin != none && t.metrics[k.origin].key() == k {
		return k.origin
	}
	if n, ok := t.metricNumbers[k]; ok {
		return n
	}
	m := metric{metricKey: k, made: true}
	if k.origin != none {
		m.source = t.metrics[k.origin].source
	}
	n := int32(len(t.metrics))
	t.metrics = append(t.metrics, m)
	if t.metricNumbers == nil {
		t.metricNumbers = map[metricKey]int32{}
	}
	t.metricNumbers[k] = n
	return n
}

// leafNumber finds or makes a leaf.
func (t *Table) leafNumber(l leaf) int32 {
	if t.leafNumbers == nil {
		t.leafNumbers = map[leaf]int32{}
	}
	if len(t.leafNumbers) == 0 {
		for i, l := range t.leaves {
			t.leafNumbers[l] = int32(i)
		}
	}
	n, ok := t.leafNumbers[l]
	if !ok {
		n = int32(len(t.leaves))
		t.leaves = append(t.leaves, l)
		t.leafNumbers[l] = n
	}
	return n
}

// move has a row go to a leaf.
func (t *Table) move(row int, to leaf) {
	if len(t.moved) == 0 {
		t.moved = append(t.moved, t.home...)
	}
	t.moved[row] = t.leafNumber(to)
}

// detach gives copies of a leaf's resource and scope; of none, it makes empty ones.
func (t *Table) detach(l leaf) leaf {
	if t.detached == nil {
		t.detached = map[leaf]int32{}
	}
	of := leaf{l.resource, none, none}
	r, ok := t.detached[of]
	if !ok {
		made, schema := pcommon.NewResource(), ""
		if l.resource != none {
			t.resources[l.resource].resource.CopyTo(made)
			schema = t.resources[l.resource].schema
		}
		r = t.addResource(made, schema)
		t.detached[of] = r
	}
	of = leaf{l.resource, l.scope, 0}
	s, ok := t.detached[of]
	if !ok {
		made, schema := pcommon.NewInstrumentationScope(), ""
		if l.scope != none {
			t.scopes[l.scope].scope.CopyTo(made)
			schema = t.scopes[l.scope].schema
		}
		s = t.addScope(made, schema)
		t.detached[of] = s
	}
	return leaf{r, s, none}
}

// editResource finds or makes the resource that edits give.
func (t *Table) editResource(from int32, edits func(pcommon.Map)) int32 {
	base := t.resources[from]
	made := pcommon.NewResource()
	base.resource.CopyTo(made)
	edits(made.Attributes())
	if t.resourceNumbers == nil {
		t.resourceNumbers = map[string]int32{}
	}
	key := func(r pcommon.Resource) string { return resourceKey(base.origin, r.Attributes()) }
	k := key(made)
	if n, ok := t.resourceNumbers[k]; ok {
		return n
	}
	if k == key(t.resources[base.origin].resource) {
		t.resourceNumbers[k] = base.origin
		return base.origin
	}
	n := int32(len(t.resources))
	t.resources = append(t.resources, resource{resource: made, schema: base.schema, origin: base.origin})
	t.resourceNumbers[k] = n
	return n
}

// resourceKey tells resources of one origin apart: it is the same if and only if the attributes are.
func resourceKey(origin int32, m pcommon.Map) string {
	return string(appendMap(binary.AppendVarint(nil, int64(origin)), m))
}

// appendMap writes a map, sorted by key, so that it can be told from any other.
func appendMap(b []byte, m pcommon.Map) []byte {
	type entry struct {
		key   string
		value pcommon.Value
	}
	entries := make([]entry, 0, m.Len())
	for key, value := range m.All() {
		entries = append(entries, entry{key, value})
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	b = binary.AppendUvarint(b, uint64(len(entries)))
	for _, e := range entries {
		b = appendValue(appendText(b, e.key), e.value)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendValue(b []byte, v pcommon.Value) []byte {
	b = append(b, byte(v.Type()))
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return appendText(b, v.Str())
	case pcommon.ValueTypeBytes:
		return appendText(b, string(v.Bytes().AsRaw()))
	case pcommon.ValueTypeInt:
		return binary.AppendVarint(b, v.Int())
	case pcommon.ValueTypeDouble:
		return le.AppendUint64(b, math.Float64bits(v.Double()))
	case pcommon.ValueTypeBool:
		if v.Bool() {
			return append(b, 1)
		}
		return append(b, 0)
	case pcommon.ValueTypeMap:
		return appendMap(b, v.Map())
	case pcommon.ValueTypeSlice:
		b = binary.AppendUvarint(b, uint64(v.Slice().Len()))
		for _, item := range v.Slice().All() {
			b = appendValue(b, item)
		}
	}
	return b
}
