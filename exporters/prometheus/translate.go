package prometheus

import (
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/prometheus/model/value"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

const (
	serviceName      = "service.name"
	serviceNamespace = "service.namespace"
	serviceInstance  = "service.instance.id"
	hostName         = "host.name"
	targetInfo       = "target_info"
	targetInfoHelp   = "Target metadata"
	// originalType is where receivers of Prometheus data keep the type it had.
	originalType = "prometheus.type"
)

// translator writes batches into the store. One serves one batch at a time.
type translator struct {
	cfg      *Config
	names    *namer
	store    *store
	hash     hasher
	constant []label
	now      time.Time

	resource     pcommon.Map
	scope        pcommon.InstrumentationScope
	scopeSchema  string
	resourceHash uint64
	scopeHash    uint64
	accepted     bool // the resource has a point that is exposed

	otelName   string
	metric     metric
	metricHash uint64
	delta      bool
	labels     labelSet
	dropped    map[string]dropped // by reason
}

// consume writes one batch. It takes the store's lock for one metric at a time,
// so that a large batch does not hold up a scrape.
func (t *translator) consume(md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		t.resource, t.accepted = rm.Resource().Attributes(), false
		t.resourceHash = t.hash.attributes(t.resource)
		for _, sm := range rm.ScopeMetrics().All() {
			t.beginScope(sm)
			for _, m := range sm.Metrics().All() {
				t.writeLocked(m)
			}
		}
		if t.accepted {
			t.writeTargetInfo()
		}
	}
}

func (t *translator) beginScope(sm pmetric.ScopeMetrics) {
	t.scope, t.scopeSchema = sm.Scope(), sm.SchemaUrl()
	h := mix(t.hash.text(t.scope.Name()), t.hash.text(t.scope.Version()))
	h = mix(h, t.hash.text(t.scopeSchema))
	t.scopeHash = mix(mix(h, t.hash.attributes(t.scope.Attributes())), t.resourceHash)
}

func (t *translator) writeLocked(m pmetric.Metric) {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	t.write(m)
}

func (t *translator) write(m pmetric.Metric) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		t.writeNumbers(m, gaugeType(m), pmetric.AggregationTemporalityCumulative, m.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		typ := dto.MetricType_GAUGE
		if m.Sum().IsMonotonic() {
			typ = dto.MetricType_COUNTER
		}
		t.writeNumbers(m, typ, m.Sum().AggregationTemporality(), m.Sum().DataPoints())
	case pmetric.MetricTypeHistogram:
		points := m.Histogram().DataPoints()
		if t.begin(m, dto.MetricType_HISTOGRAM, m.Histogram().AggregationTemporality(), points.Len()) {
			for _, dp := range points.All() {
				t.writeHistogram(dp)
			}
		}
	case pmetric.MetricTypeExponentialHistogram:
		points := m.ExponentialHistogram().DataPoints()
		if t.begin(m, dto.MetricType_HISTOGRAM, m.ExponentialHistogram().AggregationTemporality(), points.Len()) {
			for _, dp := range points.All() {
				t.writeNative(dp)
			}
		}
	case pmetric.MetricTypeSummary:
		points := m.Summary().DataPoints()
		if t.begin(m, dto.MetricType_SUMMARY, pmetric.AggregationTemporalityCumulative, points.Len()) {
			for _, dp := range points.All() {
				t.writeSummary(dp)
			}
		}
	default:
		t.otelName = m.Name()
		t.drop(reasonBadPoint, 1)
	}
}

func gaugeType(m pmetric.Metric) dto.MetricType {
	if original, ok := m.Metadata().Get(originalType); ok && original.Str() == "unknown" {
		return dto.MetricType_UNTYPED
	}
	return dto.MetricType_GAUGE
}

// begin prepares for the points of one metric; false means that all of them are dropped.
func (t *translator) begin(m pmetric.Metric, typ dto.MetricType, temporality pmetric.AggregationTemporality, points int) bool {
	t.otelName = m.Name()
	if temporality == pmetric.AggregationTemporalityUnspecified {
		t.drop(reasonTemporality, points)
		return false
	}
	name := t.names.metric(metricKey{m.Name(), m.Unit(), typ})
	if !name.valid {
		t.drop(reasonBadName, points)
		return false
	}
	t.metric = metric{name: name, help: m.Description(), typ: typ}
	t.delta = temporality == pmetric.AggregationTemporalityDelta
	kind := uint64(m.Type())<<8 | uint64(temporality)<<4 | uint64(typ)
	h := mix(mix(t.hash.text(m.Name()), t.hash.text(m.Unit())), kind)
	t.metricHash = mix(h, t.scopeHash)
	return true
}

// dropped is how many points of a batch were dropped for one reason, and the
// first metric that met it.
type dropped struct {
	metric string
	points int
}

func (t *translator) drop(reason string, points int) {
	if points == 0 {
		return
	}
	if t.dropped == nil {
		t.dropped = map[string]dropped{}
	}
	d, ok := t.dropped[reason]
	if !ok {
		d.metric = t.otelName
	}
	d.points += points
	t.dropped[reason] = d
}

// find returns the series of a point, made if need be, or nil if the point is
// dropped (and counted) or says that its series has ended.
func (t *translator) find(attrs pcommon.Map, ts, start pcommon.Timestamp, ended bool) (ser *series, fresh bool) {
	p := point{id: mix(t.metricHash, t.hash.attributes(attrs)), ts: ts, start: start, delta: t.delta, now: t.now}
	ser = t.store.byID[p.id]
	if ended {
		if ser != nil && (ts == 0 || ts >= ser.ts) {
			t.store.remove(ser)
		}
		return nil, false
	}
	reason := ""
	if ser != nil {
		reason = t.store.update(ser, p)
	} else {
		fresh = true
		if reason = t.pointLabels(attrs); reason == "" {
			ser, reason = t.store.claim(t.metric, t.labels.all, p)
		}
	}
	if reason != "" {
		t.drop(reason, 1)
		return nil, false
	}
	t.accepted = true
	return ser, fresh
}

func (t *translator) writeNumbers(m pmetric.Metric, typ dto.MetricType, temporality pmetric.AggregationTemporality, points pmetric.NumberDataPointSlice) {
	if !t.begin(m, typ, temporality, points.Len()) {
		return
	}
	for _, dp := range points.All() {
		t.writeNumber(dp)
	}
}

func (t *translator) writeNumber(dp pmetric.NumberDataPoint) {
	var v float64
	switch dp.ValueType() {
	case pmetric.NumberDataPointValueTypeInt:
		v = float64(dp.IntValue())
	case pmetric.NumberDataPointValueTypeDouble:
		v = dp.DoubleValue()
	default:
		if !dp.Flags().NoRecordedValue() {
			t.drop(reasonBadPoint, 1)
			return
		}
	}
	ended := dp.Flags().NoRecordedValue() || value.IsStaleNaN(v)
	ser, fresh := t.find(dp.Attributes(), dp.Timestamp(), dp.StartTimestamp(), ended)
	if ser == nil {
		return
	}
	if t.delta && !fresh {
		ser.value += v
	} else {
		ser.value, ser.start = v, dp.StartTimestamp()
	}
	if t.metric.typ == dto.MetricType_COUNTER && dp.Exemplars().Len() > 0 {
		if ex := t.lastExemplar(dp.Exemplars()); ex != nil {
			ser.body = &body{exemplar: ex}
		}
	}
}

// pointLabels builds the labels of a point into t.labels.
func (t *translator) pointLabels(attrs pcommon.Map) (reason string) {
	l := &t.labels
	t.ownLabels()
	if !t.cfg.WithoutScopeInfo {
		t.scopeLabels()
	}
	if !l.addAttributes(attrs, t.metric.typ) {
		return reasonBadLabel
	}
	if t.cfg.ResourceToTelemetry.Enabled {
		for key, v := range t.resource.All() {
			l.addResource(key, v, t.metric.typ)
		}
	} else {
		for _, key := range t.cfg.PromoteResourceAttributes {
			if v, ok := t.resource.Get(key); ok {
				l.addResource(key, v, t.metric.typ)
			}
		}
	}
	if !l.finish() {
		return reasonLabel
	}
	return ""
}

// ownLabels starts a label set with the constant labels, job and instance.
func (t *translator) ownLabels() {
	t.labels.reset()
	for _, c := range t.constant {
		t.labels.addOwn(c.name, c.value)
	}
	t.labels.addOwn(jobLabel, job(t.resource))
	t.labels.addOwn(instanceLabel, instance(t.resource))
}

func (t *translator) scopeLabels() {
	l := &t.labels
	l.addOwn(scopePrefix+"name", clean(t.scope.Name()))
	l.addOwn(scopePrefix+"version", clean(t.scope.Version()))
	l.addOwn(scopePrefix+"schema_url", clean(t.scopeSchema))
	for key, v := range t.scope.Attributes().All() {
		if key == "name" || key == "version" || key == "schema_url" {
			continue
		}
		if name, ok := t.names.label(scopePrefix + key); ok {
			l.addOwn(name, text(v))
		}
	}
}

// job is service.namespace/service.name, or what there is of it.
func job(resource pcommon.Map) string {
	name := resourceText(resource, serviceName)
	if namespace := resourceText(resource, serviceNamespace); namespace != "" && name != "" {
		return namespace + "/" + name
	}
	return name
}

// instance is service.instance.id, or the host where the data is about a host.
func instance(resource pcommon.Map) string {
	if id := resourceText(resource, serviceInstance); id != "" {
		return id
	}
	return resourceText(resource, hostName)
}

func resourceText(m pcommon.Map, key string) string {
	if v, ok := m.Get(key); ok {
		return text(v)
	}
	return ""
}

// writeTargetInfo exposes the resource attributes as the labels of one
// target_info series for each job and instance.
func (t *translator) writeTargetInfo() {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	name := t.names.targetInfo
	t.otelName, t.delta = targetInfo, false
	t.metric = metric{name: metricName{name: name, valid: true}, help: targetInfoHelp, typ: dto.MetricType_GAUGE}
	p := point{id: mix(t.hash.text(name), t.resourceHash), now: t.now}
	if ser := t.store.byID[p.id]; ser != nil {
		t.store.update(ser, p)
		return
	}
	t.ownLabels()
	own := len(t.labels.all)
	if t.labels.index(jobLabel) < 0 && t.labels.index(instanceLabel) < 0 {
		return
	}
	for key, v := range t.resource.All() {
		if key != serviceName && key != serviceNamespace && key != serviceInstance {
			t.labels.addResource(key, v, dto.MetricType_GAUGE)
		}
	}
	if len(t.labels.all) == own {
		return
	}
	if !t.labels.finish() {
		t.drop(reasonLabel, 1)
		return
	}
	ser, reason := t.store.claimTarget(t.metric, t.labels.all, p)
	if reason != "" {
		t.drop(reason, 1)
		return
	}
	ser.value = 1
}
