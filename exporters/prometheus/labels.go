package prometheus

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// label is one name and value before it is shared.
type label struct{ name, value string }

// labelSet builds the final labels of one series. Labels of ours (constant,
// job, instance, scope) come first and win; an attribute of the same name is
// exposed as `exported_<name>`, as Prometheus does when it scrapes.
type labelSet struct {
	names *namer
	all   []label
	own   int // all[:own] are ours
	keys  []string
}

func (l *labelSet) reset() { l.all, l.own = l.all[:0], 0 }

func (l *labelSet) index(name string) int {
	return slices.IndexFunc(l.all, func(have label) bool { return have.name == name })
}

// addOwn adds a label that an attribute cannot replace. The first one stays.
func (l *labelSet) addOwn(name, value string) {
	if value == "" || l.index(name) >= 0 {
		return
	}
	l.all = append(l.all, label{name, value})
	l.own = len(l.all)
}

// addAttributes adds the attributes of a point. Keys that become the same name
// are joined with a semicolon, in the order of the keys. It answers false if a
// key has no valid label name.
func (l *labelSet) addAttributes(attrs pcommon.Map, typ dto.MetricType) bool {
	l.keys = l.keys[:0]
	for key := range attrs.All() {
		l.keys = append(l.keys, key)
	}
	slices.Sort(l.keys)
	for _, key := range slices.Compact(l.keys) {
		name, ok := l.names.label(key)
		if !ok {
			return false
		}
		value, _ := attrs.Get(key)
		l.addAttribute(name, text(value), typ)
	}
	return true
}

func (l *labelSet) addAttribute(name, value string, typ dto.MetricType) {
	if value == "" {
		return
	}
	at := l.index(name)
	if reserved(name, typ) || at >= 0 && at < l.own {
		name = exported + name
		at = l.index(name)
	}
	if at >= 0 {
		l.all[at].value += ";" + value
		return
	}
	l.all = append(l.all, label{name, value})
}

func reserved(name string, typ dto.MetricType) bool {
	return name == leLabel && typ == dto.MetricType_HISTOGRAM || name == quantileLabel && typ == dto.MetricType_SUMMARY
}

// addResource adds a resource attribute that the point does not carry itself.
func (l *labelSet) addResource(key string, value pcommon.Value, typ dto.MetricType) {
	name, ok := l.names.label(key)
	if !ok || reserved(name, typ) || l.index(name) >= 0 {
		return
	}
	if v := text(value); v != "" {
		l.all = append(l.all, label{name, v})
	}
}

// finish sorts the labels by name. It answers false if two of them would have
// one name for a scraper that does not take UTF-8 names, because Prometheus
// refuses a whole scrape for that.
func (l *labelSet) finish() bool {
	slices.SortFunc(l.all, func(a, b label) int { return strings.Compare(a.name, b.name) })
	if !l.names.utf8Names() {
		return true
	}
	seen := make(map[string]struct{}, len(l.all))
	for _, have := range l.all {
		seen[escaped(have.name)] = struct{}{}
	}
	return len(seen) == len(l.all)
}

// text is a value as a label value.
func text(v pcommon.Value) string { return clean(v.AsString()) }

// clean replaces what no scraper reads: bytes that are not UTF-8, and NUL, which
// Prometheus's parsers take for the end of the page.
func clean(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// sharedLabel is one name and value that all series with it share.
type sharedLabel struct {
	pair dto.LabelPair
	key  label
	id   uint64
	refs int
}

// labelTable holds every label in use once. Most labels of a host or a service
// (job, instance, scope) are the same on thousands of series.
type labelTable struct {
	shared map[label]*sharedLabel
	nextID uint64
}

// appendKey appends the identity of labels to key. known is false if a label is
// not in the table, so that no series can have this identity.
func (t *labelTable) appendKey(key []byte, labels []label) (_ []byte, known bool) {
	for _, l := range labels {
		s, ok := t.shared[l]
		if !ok {
			return key, false
		}
		key = binary.LittleEndian.AppendUint64(key, s.id)
	}
	return key, true
}

// acquire returns the shared labels and their identity. Each acquire needs one release.
func (t *labelTable) acquire(labels []label) (pairs []*dto.LabelPair, key string) {
	id := make([]byte, 0, 8*len(labels))
	pairs = make([]*dto.LabelPair, len(labels))
	for i, l := range labels {
		s, ok := t.shared[l]
		if !ok {
			s = t.add(l)
		}
		s.refs++
		pairs[i] = &s.pair
		id = binary.LittleEndian.AppendUint64(id, s.id)
	}
	return pairs, string(id)
}

func (t *labelTable) add(l label) *sharedLabel {
	t.nextID++
	// The strings may be parts of a whole batch that must not be kept alive.
	s := &sharedLabel{key: label{strings.Clone(l.name), strings.Clone(l.value)}, id: t.nextID}
	s.pair.Name, s.pair.Value = &s.key.name, &s.key.value
	t.shared[s.key] = s
	return s
}

// release gives back what acquire returned. The pairs stay valid for a scrape
// that is still being written.
func (t *labelTable) release(pairs []*dto.LabelPair) {
	for _, p := range pairs {
		s := t.shared[label{*p.Name, *p.Value}]
		if s.refs--; s.refs == 0 {
			delete(t.shared, s.key)
		}
	}
}

// constLabels are the configured labels with their final names, sorted.
func constLabels(cfg *Config, names *namer) []label {
	out := make([]label, 0, len(cfg.ConstLabels))
	for _, key := range slices.Sorted(maps.Keys(cfg.ConstLabels)) {
		if name, ok := names.label(key); ok {
			out = append(out, label{name, clean(cfg.ConstLabels[key])})
		}
	}
	return out
}
