package elasticsearch

import (
	"bytes"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// maxIDLength is Elasticsearch's limit for _id, in bytes. A longer one would
// have the whole request refused.
const maxIDLength = 512

// encoding is what the encoder takes from the configuration.
type encoding struct {
	ecs          bool
	index        string // static; empty: data streams
	dynamicIndex bool
	dynamicID    bool
	generatedID  bool
	writeIndex   bool // `index` instead of `create` for what is no data stream
}

// document is one document in a body:
//
//	{"create":{"_index":"logs-a-b","_id":"1"}}\n{"@timestamp":...}\n
//	^start               ^nameStart        ^source              ^end
//	                             ^nameEnd
type document struct {
	start, nameStart, nameEnd, source, end int

	// seq is the place of the record in the batch, counted from 0.
	seq int
	// id is our own _id, or empty. Its bytes are the encoder's.
	id []byte
}

// encoder appends documents to a bulk body, straight from pdata. It keeps its
// buffers from batch to batch; one goroutine uses it at a time.
//
// What the records of a scope share (resource and scope) is encoded once and
// copied into each document.
type encoder struct {
	encoding
	body []byte
	docs []document

	shared  []byte
	scratch []byte
	ids     []byte // of all documents
	wide    route  // of the scope and its resource
	begun   string // what generated ids of the scope begin with, or empty
	fields  fields
	clock   clock
	now     func() time.Time

	// reply is room for the answer.
	reply bytes.Buffer
}

func newEncoder(enc encoding) *encoder {
	return &encoder{encoding: enc, now: time.Now}
}

// reset forgets the documents and every string of the batch.
func (e *encoder) reset() {
	e.body = e.body[:0]
	clear(e.docs[:cap(e.docs)])
	e.docs, e.ids = e.docs[:0], e.ids[:0]
	e.wide, e.begun = route{}, ""
	e.fields.reset()
}

// drop forgets the documents before docs[n] and moves the rest to the front.
func (e *encoder) drop(n int) {
	if n == len(e.docs) {
		e.body, e.docs = e.body[:0], e.docs[:0]
		return
	}
	cut := e.docs[n].start
	e.body = e.body[:copy(e.body, e.body[cut:])]
	e.docs = e.docs[:copy(e.docs, e.docs[n:])]
	for i := range e.docs {
		d := &e.docs[i]
		d.start, d.nameStart, d.nameEnd = d.start-cut, d.nameStart-cut, d.nameEnd-cut
		d.source, d.end = d.source-cut, d.end-cut
	}
}

// begin starts the records of a scope.
func (e *encoder) begin(resource pcommon.Resource, resourceURL string, scope pcommon.InstrumentationScope, scopeURL string) {
	e.wide = route{}
	e.wide.read(scope.Attributes())
	e.wide.read(resource.Attributes())
	e.wide.id = ""
	e.begun = ""
	if e.generatedID {
		e.begun = textOf(scope.Attributes(), attrIDs)
	}
	if e.ecs {
		e.beginECS(resource, scope)
		return
	}
	e.shared = appendResource(e.shared[:0], resource, resourceURL)
	e.shared = appendScope(e.shared, scope, scopeURL)
}

// add appends one record.
func (e *encoder) add(lr plog.LogRecord, seq int) {
	var to route
	to.read(lr.Attributes())
	to.or(e.wide)
	if !e.dynamicIndex {
		to.index = ""
	}
	if e.index != "" {
		to.index = e.index
	}
	if to.index == "" {
		to.dataset = dataset(to.dataset, e.suffix())
		to.namespace = namespace(to.namespace)
	}
	if !e.dynamicID || len(to.id) > maxIDLength {
		to.id = ""
	}
	doc := document{start: len(e.body), seq: seq, id: e.id(lr, to.id)}
	e.appendAction(&doc, to)
	doc.source = len(e.body)
	if e.ecs {
		e.appendECS(lr, to)
	} else {
		e.appendOTel(lr, to)
	}
	e.body = append(e.body, '\n')
	doc.end = len(e.body)
	e.docs = append(e.docs, doc)
}

// id is the id of a record: its own, else the one that was generated for it, else none.
func (e *encoder) id(lr plog.LogRecord, own string) []byte {
	start := len(e.ids)
	switch {
	case own != "":
		e.ids = append(e.ids, own...)
	case e.begun != "":
		e.ids = appendID(e.ids, e.begun, lr.Flags())
	}
	return e.ids[start:len(e.ids):len(e.ids)]
}

func (e *encoder) suffix() string {
	if e.ecs {
		return ""
	}
	return otelSuffix
}

// appendAction appends the line that says what to do with the document.
func (e *encoder) appendAction(doc *document, to route) {
	b := e.body
	if to.index != "" && e.writeIndex {
		b = append(b, `{"index":{"_index":"`...)
	} else {
		b = append(b, `{"create":{"_index":"`...)
	}
	doc.nameStart = len(b)
	if to.index != "" {
		b = appendEscaped(b, to.index)
	} else {
		b = append(b, streamType+"-"...)
		b = append(b, to.dataset...)
		b = append(b, e.suffix()...)
		b = append(b, '-')
		b = append(b, to.namespace...)
	}
	doc.nameEnd = len(b)
	b = append(b, '"')
	switch {
	case to.id != "":
		b = appendString(append(b, `,"_id":`...), to.id)
	case len(doc.id) > 0:
		b = append(append(append(b, `,"_id":"`...), doc.id...), '"')
	}
	e.body = append(b, "}}\n"...)
}

// timestamp returns the record's own time, else the time it was observed, else now:
// a data stream takes no document without a time.
func (e *encoder) timestamp(lr plog.LogRecord) pcommon.Timestamp {
	switch {
	case lr.Timestamp() != 0:
		return lr.Timestamp()
	case lr.ObservedTimestamp() != 0:
		return lr.ObservedTimestamp()
	default:
		return pcommon.NewTimestampFromTime(e.now())
	}
}

// appendOTel appends the layout of otel mode. The body stands in front so that
// the start of a document, which is what a log line about it shows, tells most.
func (e *encoder) appendOTel(lr plog.LogRecord, to route) {
	b := append(e.body, `{"@timestamp":`...)
	b = e.clock.append(b, e.timestamp(lr))
	b = e.appendBody(b, lr.Body())
	if t := lr.ObservedTimestamp(); t != 0 {
		b = append(b, `,"observed_timestamp":`...)
		b = e.clock.append(b, t)
	}
	if to.index == "" {
		b = append(b, `,"data_stream":{"type":"`+streamType+`","dataset":"`...)
		b = append(append(b, to.dataset...), otelSuffix+`","namespace":"`...)
		b = append(append(b, to.namespace...), `"}`...)
	}
	b = appendTextField(b, `,"severity_text":`, lr.SeverityText())
	b = appendCountField(b, `,"severity_number":`, int64(lr.SeverityNumber()))
	b = appendTextField(b, `,"event_name":`, lr.EventName())
	if id := lr.TraceID(); !id.IsEmpty() {
		b = appendHex(append(b, `,"trace_id":`...), id[:])
	}
	if id := lr.SpanID(); !id.IsEmpty() {
		b = appendHex(append(b, `,"span_id":`...), id[:])
	}
	b = appendAttributes(b, `,"attributes":{`, lr.Attributes())
	b = appendCountField(b, `,"dropped_attributes_count":`, int64(lr.DroppedAttributesCount()))
	b = append(b, e.shared...)
	e.body = append(b, '}')
}

// appendBody appends a map or a slice as body.structured, all else as body.text.
// Elasticsearch takes only objects below body.structured, so any other slice is
// wrapped in one.
func (e *encoder) appendBody(b []byte, v pcommon.Value) []byte {
	switch v.Type() {
	case pcommon.ValueTypeEmpty:
		return b
	case pcommon.ValueTypeStr:
		b = appendString(append(b, `,"body":{"text":`...), v.Str())
	case pcommon.ValueTypeMap:
		b = appendValue(append(b, `,"body":{"structured":`...), v, 0)
	case pcommon.ValueTypeSlice:
		if allMaps(v.Slice()) {
			b = appendValue(append(b, `,"body":{"structured":`...), v, 0)
		} else {
			b = appendValue(append(b, `,"body":{"structured":{"value":`...), v, 0)
			b = append(b, '}')
		}
	default:
		b = e.appendText(append(b, `,"body":{"text":`...), v)
	}
	return append(b, '}')
}

// appendText appends any value as a string: what is no string becomes its JSON.
func (e *encoder) appendText(b []byte, v pcommon.Value) []byte {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return appendString(b, v.Str())
	case pcommon.ValueTypeBytes:
		return appendBytes(b, v.Bytes())
	case pcommon.ValueTypeDouble:
		// A string can name NaN.
		b = strconv.AppendFloat(append(b, '"'), v.Double(), 'g', -1, 64)
		return append(b, '"')
	default:
		e.scratch = appendValue(e.scratch[:0], v, 0)
		return appendString(b, string(e.scratch))
	}
}

func allMaps(s pcommon.Slice) bool {
	for _, v := range s.All() {
		if v.Type() != pcommon.ValueTypeMap {
			return false
		}
	}
	return true
}

func appendResource(b []byte, r pcommon.Resource, url string) []byte {
	b = append(b, `,"resource":{"attributes":{`...)
	b = append(appendOwn(b, r.Attributes()), '}')
	b = appendTextField(b, `,"schema_url":`, url)
	b = appendCountField(b, `,"dropped_attributes_count":`, int64(r.DroppedAttributesCount()))
	return append(b, '}')
}

func appendScope(b []byte, s pcommon.InstrumentationScope, url string) []byte {
	b = append(b, `,"scope":{"attributes":{`...)
	b = append(appendOwn(b, s.Attributes()), '}')
	b = appendTextField(b, `,"name":`, s.Name())
	b = appendTextField(b, `,"version":`, s.Version())
	b = appendTextField(b, `,"schema_url":`, url)
	b = appendCountField(b, `,"dropped_attributes_count":`, int64(s.DroppedAttributesCount()))
	return append(b, '}')
}

// appendAttributes appends an object of attributes, or nothing if there is none.
func appendAttributes(b []byte, open string, m pcommon.Map) []byte {
	was := len(b)
	b = append(b, open...)
	start := len(b)
	if b = appendOwn(b, m); len(b) == start {
		return b[:was]
	}
	return append(b, '}')
}

// appendOwn appends the members of m that are no routing attributes.
func appendOwn(b []byte, m pcommon.Map) []byte {
	start := len(b)
	seen := newKeySet(m)
	for k, v := range m.All() {
		if isRouting(k) || seen.again(k, v) {
			continue
		}
		b = appendKey(b, start, k)
		b = appendValue(b, v, 0)
	}
	return b
}

func appendTextField(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendString(append(b, name...), value)
}

func appendCountField(b []byte, name string, n int64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendInt(append(b, name...), n, 10)
}

func appendHex(b, id []byte) []byte {
	b = append(b, '"')
	for _, c := range id {
		b = append(b, hexDigits[c>>4], hexDigits[c&15])
	}
	return append(b, '"')
}
