package elasticsearch

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Attributes that say where a record goes. They are not part of the document.
const (
	attrIndex     = "elasticsearch.index"
	attrID        = "elasticsearch.document_id"
	attrDataset   = "data_stream.dataset"
	attrNamespace = "data_stream.namespace"
	attrType      = "data_stream.type"
)

const (
	streamType       = "logs"
	defaultDataset   = "generic"
	defaultNamespace = "default"

	// otelSuffix ends the dataset in otel mode, so that Elasticsearch's own
	// index template logs-*.otel-* applies.
	otelSuffix = ".otel"

	// maxStreamPart bounds a dataset and a namespace, in bytes.
	maxStreamPart = 100
)

// route is where a record goes: an index, or else a data stream.
type route struct {
	index     string
	dataset   string
	namespace string
	id        string
}

// isRouting reports whether an attribute is one of those above.
func isRouting(key string) bool {
	if len(key) < len(attrType) || (key[0] != 'd' && key[0] != 'e') {
		return false
	}
	switch key {
	case attrIndex, attrID, attrIDs, attrDataset, attrNamespace, attrType:
		return true
	}
	return false
}

// read fills what is still empty in r from attributes.
func (r *route) read(m pcommon.Map) {
	for k, v := range m.All() {
		if isRouting(k) {
			r.set(k, v)
		}
	}
}

func (r *route) set(key string, v pcommon.Value) {
	var field *string
	switch key {
	case attrIndex:
		field = &r.index
	case attrID:
		field = &r.id
	case attrDataset:
		field = &r.dataset
	case attrNamespace:
		field = &r.namespace
	default: // The type is always logs, and what generated ids begin with is the encoder's to read.
		return
	}
	if *field == "" {
		*field = v.AsString()
	}
}

// or fills what is still empty in r from a wider route. A document's id is its
// own.
func (r *route) or(wider route) {
	if r.index == "" {
		r.index = wider.index
	}
	if r.dataset == "" {
		r.dataset = wider.dataset
	}
	if r.namespace == "" {
		r.namespace = wider.namespace
	}
}

// dataset returns a legal dataset: lower case, without the bytes that
// Elasticsearch refuses and without "-", which parts the name of a stream.
func dataset(s, suffix string) string {
	s = strings.TrimSuffix(s, suffix)
	if s == "" {
		return defaultDataset
	}
	return sanitize(s, "-\\/*?\"<>| ,#:", maxStreamPart-len(suffix))
}

// namespace returns a legal namespace.
func namespace(s string) string {
	if s == "" {
		return defaultNamespace
	}
	return sanitize(s, "\\/*?\"<>| ,#:", maxStreamPart)
}

// sanitize lowers s, replaces what is not allowed with "_" and cuts it.
func sanitize(s, refused string, limit int) string {
	if len(s) <= limit && isPlain(s) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(refused, r) {
			return '_'
		}
		return unicode.ToLower(r)
	}, s)
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// isPlain reports whether s needs no look at its runes.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '.' {
			return false
		}
	}
	return true
}
