package influxdb

import (
	"encoding/hex"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// Fields of a log line.
const (
	bodyField           = "body"
	severityNumberField = "severity_number"
	severityTextField   = "severity_text"
	observedTimeField   = "observed_time_unix_nano"
	traceIDField        = "trace_id"
	spanIDField         = "span_id"
	attributesField     = "attributes"
	droppedCountField   = "dropped_attributes_count"
)

// logEncoder holds what is reused from record to record.
type logEncoder struct {
	shared  []member // of the resource and the scope, no dimensions
	json    []byte   // the same, as members of a JSON object
	scratch []byte
	list    []member
}

// member is an attribute that is no tag.
type member struct {
	key   string
	value pcommon.Value
}

// encodeLogs encodes ld record by record.
func (b *batch) encodeLogs(ld plog.Logs) error {
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			b.sharedAttributes(rl.Resource().Attributes(), sl.Scope().Attributes())
			for _, rec := range sl.LogRecords().All() {
				b.record(rec)
				if err := b.next(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// sharedAttributes prepares what all records of a scope have in common.
func (b *batch) sharedAttributes(maps ...pcommon.Map) {
	l := &b.logs
	l.shared, b.tags.base = l.shared[:0], b.tags.base[:0]
	for _, m := range maps {
		for k, v := range m.All() {
			if b.isDimension(k) {
				b.tags.base = b.tags.add(b.tags.base, k, v.AsString())
			} else {
				l.shared = put(l.shared, k, v)
			}
		}
	}
	b.tags.base = b.tags.encodeBase(b.tags.base)
	l.json = l.json[:0]
	if b.e.logAttributes == LogAttributesJSON {
		l.json = appendMembers(l.json, l.shared)
	}
}

func (b *batch) isDimension(key string) bool {
	return slices.Contains(b.e.dimensions, key)
}

// put adds an attribute, in place of one with the same key.
func put(list []member, key string, value pcommon.Value) []member {
	if key == "" {
		return list
	}
	for i := range list {
		if list[i].key == key {
			list[i].value = value
			return list
		}
	}
	return append(list, member{key, value})
}

func (b *batch) record(rec plog.LogRecord) {
	ts, ok := b.nanos(rec.Timestamp())
	if !ok {
		b.lose(reasonTimeRange, b.e.logsMeasurement)
		return
	}
	b.recordTags(rec)
	if b.tags.bytes+2*len(b.e.logsMeasurement)+2*maxName > maxSeriesKey {
		b.lose(reasonSeriesKey, b.e.logsMeasurement)
		return
	}
	for _, key := range []string{bodyField, severityNumberField, observedTimeField, droppedCountField, attributesField} {
		b.tags.reserve(key)
	}
	typed := b.e.logAttributes == LogAttributesFields
	if typed {
		b.logs.list = b.ownAttributes(rec)
		for i := range b.logs.list {
			b.logs.list[i].key = b.fieldKey(b.logs.list[i].key)
			b.tags.reserve(b.logs.list[i].key)
		}
	}
	b.line.begin(b.e.logsMeasurement, &b.tags)
	b.fixedFields(rec)
	switch {
	case typed:
		b.attributeFields()
	case b.e.logAttributes == LogAttributesJSON:
		b.attributesJSON(rec)
	}
	b.endLine(ts)
}

// recordTags collects the dimensions of a record.
func (b *batch) recordTags(rec plog.LogRecord) {
	t := &b.tags
	t.own = t.own[:0]
	for k, v := range rec.Attributes().All() {
		if b.isDimension(k) {
			t.own = t.add(t.own, k, v.AsString())
		}
	}
	// The record's own parts stand above attributes of the same name.
	for _, name := range b.e.dimensions {
		switch name {
		case traceIDField:
			t.own = t.add(t.own, name, rec.TraceID().String())
		case spanIDField:
			t.own = t.add(t.own, name, rec.SpanID().String())
		case severityTextField:
			t.own = t.add(t.own, name, rec.SeverityText())
		}
	}
	t.own = t.unique(t.own)
	t.merge()
}

func (b *batch) fixedFields(rec plog.LogRecord) {
	if body := rec.Body(); body.Type() == pcommon.ValueTypeStr {
		b.line.string(bodyField, b.tags.value(body.Str()))
	} else {
		b.line.string(bodyField, b.tags.value(body.AsString()))
	}
	if n := rec.SeverityNumber(); n != plog.SeverityNumberUnspecified {
		b.line.whole(severityNumberField, int64(n), true)
	}
	if s := rec.SeverityText(); s != "" && !b.tagged(severityTextField) {
		b.line.string(severityTextField, b.tags.value(s))
	}
	if ts := rec.ObservedTimestamp(); ts != 0 {
		b.line.whole(observedTimeField, int64(ts), true)
	}
	if id := rec.TraceID(); !id.IsEmpty() && !b.tagged(traceIDField) {
		b.logs.scratch = hex.AppendEncode(b.logs.scratch[:0], id[:])
		b.line.bytes(traceIDField, b.logs.scratch)
	}
	if id := rec.SpanID(); !id.IsEmpty() && !b.tagged(spanIDField) {
		b.logs.scratch = hex.AppendEncode(b.logs.scratch[:0], id[:])
		b.line.bytes(spanIDField, b.logs.scratch)
	}
	if n := rec.DroppedAttributesCount(); n > 0 {
		b.line.whole(droppedCountField, int64(n), true)
	}
}

// tagged reports whether a part of the record is a tag of the line at hand.
func (b *batch) tagged(key string) bool {
	return b.tags.index(key) >= 0
}

// ownAttributes returns all attributes of a record that are no tags. The
// record's win over those of its resource and scope.
func (b *batch) ownAttributes(rec plog.LogRecord) []member {
	list := append(b.logs.list[:0], b.logs.shared...)
	for k, v := range rec.Attributes().All() {
		if !b.isDimension(k) {
			list = put(list, k, v)
		}
	}
	return list
}

// overridden reports whether a record has an attribute that its resource or
// scope has too.
func (b *batch) overridden(attributes pcommon.Map) bool {
	if len(b.logs.shared) == 0 {
		return false
	}
	for k := range attributes.All() {
		for i := range b.logs.shared {
			if b.logs.shared[i].key == k {
				return true
			}
		}
	}
	return false
}

// attributesJSON writes all attributes that are no tags as one field.
func (b *batch) attributesJSON(rec plog.LogRecord) {
	l := &b.logs
	buf := append(l.scratch[:0], '{')
	if b.overridden(rec.Attributes()) {
		l.list = b.ownAttributes(rec)
		buf = appendMembers(buf, l.list)
	} else {
		buf = append(buf, l.json...)
		for k, v := range rec.Attributes().All() {
			if k != "" && !b.isDimension(k) {
				buf = appendMember(buf, k, v)
			}
		}
	}
	l.scratch = append(buf, '}')
	switch {
	case len(l.scratch) == len("{}"):
	case len(l.scratch) > maxFieldValue:
		b.pending.changed[changeTruncated]++ // half an object is no JSON
	default:
		b.line.bytes(attributesField, l.scratch)
	}
}

// attributeFields writes each attribute as a field of its own type.
func (b *batch) attributeFields() {
	for i, a := range b.logs.list {
		if b.fieldTwice(i) {
			b.pending.changed[changeCollision]++
			continue
		}
		switch a.value.Type() {
		case pcommon.ValueTypeEmpty:
		case pcommon.ValueTypeInt:
			b.line.whole(a.key, a.value.Int(), true)
		case pcommon.ValueTypeDouble:
			if !b.line.float(a.key, a.value.Double()) {
				b.pending.changed[changeNotFinite]++
			}
		case pcommon.ValueTypeBool:
			b.line.bool(a.key, a.value.Bool())
		case pcommon.ValueTypeStr:
			b.line.string(a.key, b.tags.value(a.value.Str()))
		default:
			b.line.string(a.key, b.tags.value(a.value.AsString()))
		}
	}
}

// fieldTwice reports whether a later attribute has the same name, now that the
// names are clean.
func (b *batch) fieldTwice(i int) bool {
	for _, later := range b.logs.list[i+1:] {
		if later.key == b.logs.list[i].key {
			return true
		}
	}
	return false
}

// fieldKey names the field of an attribute, apart from the fixed fields.
func (b *batch) fieldKey(key string) string {
	switch key = b.tags.key(key); key {
	case bodyField, severityNumberField, severityTextField, observedTimeField, traceIDField, spanIDField, droppedCountField:
		b.pending.changed[changeRenamed]++
		return key + "_"
	}
	return key
}
