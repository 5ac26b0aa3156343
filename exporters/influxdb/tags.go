package influxdb

import (
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Tags for the instrumentation scope.
const (
	scopeNameTag    = "otel.library.name"
	scopeVersionTag = "otel.library.version"
)

// tag is one tag of a line. key and value are clean. encoded is the tag as it
// stands in a line, comma first, where it was worth encoding ahead.
type tag struct {
	key, value, encoded string
}

func (t tag) append(buf []byte) []byte {
	buf = append(buf, ',')
	buf = appendEscaped(buf, t.key, true)
	buf = append(buf, '=')
	return appendEscaped(buf, t.value, true)
}

// encodedLen is how many bytes append appends.
func (t tag) encodedLen() int {
	n := len(",=") + len(t.key) + len(t.value)
	for _, s := range [...]string{t.key, t.value} {
		for i := 0; i < len(s); i++ {
			if c := s[i]; c == ',' || c == ' ' || c == '=' {
				n++
			}
		}
	}
	return n
}

func byKey(a, b tag) int { return strings.Compare(a.key, b.key) }

// tagset builds the tags of lines. It is reused from line to line.
type tagset struct {
	text
	base []tag // of the resource and scope, sorted by key, encoded
	own  []tag // of the data point
	all  []tag // both, sorted by key, each key once
	buf  []byte
	// joined is base, encoded; unmixed says that all is nothing but base.
	joined  string
	unmixed bool
	bytes   int // upper bound of the encoded length of all
}

// setBase takes the tags of a resource and a scope. keep says which attributes
// of the resource become tags.
func (t *tagset) setBase(resource pcommon.Map, scope pcommon.InstrumentationScope, keep func(string) bool) {
	t.base = t.base[:0]
	for k, v := range resource.All() {
		if keep(k) {
			t.base = t.add(t.base, k, v.AsString())
		}
	}
	t.base = t.add(t.base, scopeNameTag, scope.Name())
	t.base = t.add(t.base, scopeVersionTag, scope.Version())
	t.base = t.encodeBase(t.base)
}

// encodeBase sorts list and encodes its tags, all into one string.
func (t *tagset) encodeBase(list []tag) []tag {
	list = t.unique(list)
	t.buf = t.buf[:0]
	for i := range list {
		t.buf = list[i].append(t.buf)
	}
	t.joined = string(t.buf)
	end := 0
	for i := range list {
		start := end
		end += list[i].encodedLen()
		list[i].encoded = t.joined[start:end]
	}
	return list
}

// set takes the tags of a data point and merges them with the base. Where both
// have a key the point's value stays, as points may differ in it.
func (t *tagset) set(attributes pcommon.Map) {
	t.own = t.own[:0]
	for k, v := range attributes.All() {
		s := ""
		if v.Type() == pcommon.ValueTypeStr {
			s = v.Str()
		} else {
			s = v.AsString()
		}
		t.own = t.add(t.own, k, s)
	}
	t.own = t.unique(t.own)
	t.merge()
}

// add appends a tag, cleaned. A tag without key or value cannot be written and
// means the same as no tag.
func (t *tagset) add(list []tag, key, value string) []tag {
	if key == "" || value == "" {
		return list
	}
	return append(list, tag{key: t.key(key), value: t.tagValue(value)})
}

// unique sorts list and keeps the last of equal keys.
func (t *tagset) unique(list []tag) []tag {
	if len(list) < 2 {
		return list
	}
	if !slices.IsSortedFunc(list, byKey) {
		slices.SortStableFunc(list, byKey)
	}
	n := 1
	for i := 1; i < len(list); i++ {
		if list[i].key == list[n-1].key {
			t.changed[changeCollision]++
			n--
		}
		list[n] = list[i]
		n++
	}
	return list[:n]
}

func (t *tagset) merge() {
	t.unmixed = len(t.own) == 0
	if t.unmixed {
		t.all, t.bytes = append(t.all[:0], t.base...), len(t.joined)
		return
	}
	t.all, t.bytes = t.all[:0], 0
	base, own := t.base, t.own
	for len(base) > 0 || len(own) > 0 {
		switch {
		case len(own) == 0 || len(base) > 0 && base[0].key < own[0].key:
			t.push(base[0])
			base = base[1:]
		default:
			if len(base) > 0 && base[0].key == own[0].key {
				t.changed[changeCollision]++
				base = base[1:]
			}
			t.push(own[0])
			own = own[1:]
		}
	}
}

func (t *tagset) push(g tag) {
	t.all = append(t.all, g)
	if g.encoded != "" {
		t.bytes += len(g.encoded)
		return
	}
	t.bytes += 2 * (len(g.key) + len(g.value) + 1)
}

// reserve makes sure that no tag has the name of a field: the tag is renamed,
// so that neither is lost.
func (t *tagset) reserve(field string) {
	i := t.index(field)
	if i < 0 {
		return
	}
	t.changed[changeRenamed]++
	t.unmixed = false
	g := tag{key: field + "_", value: t.all[i].value}
	t.all = slices.Delete(t.all, i, i+1)
	for t.index(g.key) >= 0 {
		g.key += "_"
	}
	t.all = slices.Insert(t.all, t.place(g.key), g)
}

// index returns where key stands in all, or -1. There are few tags, and most
// differ in length, so looking at each is the fastest way.
func (t *tagset) index(key string) int {
	for i := range t.all {
		if t.all[i].key == key {
			return i
		}
	}
	return -1
}

// place returns where a tag with a new key belongs in all.
func (t *tagset) place(key string) int {
	i, _ := slices.BinarySearchFunc(t.all, key, func(g tag, key string) int { return strings.Compare(g.key, key) })
	return i
}
