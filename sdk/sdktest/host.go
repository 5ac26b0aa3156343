package sdktest

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/sdk"
)

// Table is a table that a plugin can look up in.
type Table struct {
	Name string
	// Columns lists the columns that there are.
	Columns []string
	// Rows has, by the row's key, the values of columns; a column that is not there is absent.
	Rows map[string]map[string]string
}

// Line is a line that the plugin logged.
type Line struct {
	Severity sdk.Severity
	Text     string
}

// Lines returns what the plugin logged so far.
func (p *Plugin) Lines() []Line { return p.host.lines }

// Recorded returns what the plugin recorded so far in the series of that name and those attributes, keys and values in
// turn, as [sdk.Counter] takes them.
func (p *Plugin) Recorded(name string, attributes ...string) []float64 {
	want := map[string]string{}
	for i := 0; i < len(attributes); i += 2 {
		want[attributes[i]] = attributes[i+1]
	}
	for _, s := range p.host.series {
		if s.definition.Name == name && maps.Equal(s.definition.Attributes, want) {
			return s.values
		}
	}
	return nil
}

// host is the host's side of the capabilities.
type host struct {
	p      *Plugin
	lines  []Line
	series []series
	kv     map[string]entry
	tables []Table
	// lookups are the columns that have a number.
	lookups []lookup
}

type series struct {
	text       string
	definition abi.MetricDefinition
	values     []float64
}

type entry struct {
	value   string
	expires int64 // nanoseconds since 1970
}

type lookup struct {
	table  *Table
	column string
}

func (h *host) want(c abi.Capability) {
	h.p.t.Helper()
	if !slices.Contains(h.p.manifest.Capabilities, string(c)) {
		h.p.t.Fatalf("uses the capability %s, which the manifest does not declare: add it to Capabilities", c)
	}
}

// Log implements [sdk.Host].
func (h *host) Log(severity sdk.Severity, text string) {
	h.want(abi.CapabilityLog)
	h.lines = append(h.lines, Line{severity, text})
}

var metricName = regexp.MustCompile(`^[A-Za-z0-9_.]+$`)

// Metric implements [sdk.Host].
func (h *host) Metric(text string) int32 {
	h.want(abi.CapabilityMetrics)
	if i := slices.IndexFunc(h.series, func(s series) bool { return s.text == text }); i >= 0 {
		return int32(i)
	}
	s := series{text: text}
	if err := json.Unmarshal([]byte(text), &s.definition); err != nil || !metricName.MatchString(s.definition.Name) {
		h.p.t.Fatalf("a series named %q: want letters, digits, dots and underscores", s.definition.Name)
	}
	h.series = append(h.series, s)
	return int32(len(h.series) - 1)
}

// MetricRecord implements [sdk.Host].
func (h *host) MetricRecord(number int32, value float64) {
	h.want(abi.CapabilityMetrics)
	s := &h.series[number]
	if s.definition.Kind == "counter" && !(value >= 0 && value <= math.MaxFloat64) {
		h.p.t.Fatalf("counter %s: %v: want a number that is not negative", s.definition.Name, value)
	}
	s.values = append(s.values, value)
}

// KVGet implements [sdk.Host].
func (h *host) KVGet(key string) (string, bool) {
	h.want(abi.CapabilityKV)
	e, ok := h.kv[key]
	return e.value, ok && e.expires > h.p.now
}

// expires is when a time to live that starts now ends.
func (h *host) expires(ttlMillis int64) int64 {
	if left := (math.MaxInt64 - h.p.now) / 1e6; ttlMillis <= 0 || ttlMillis > left {
		return math.MaxInt64
	}
	return h.p.now + ttlMillis*1e6
}

// KVSet implements [sdk.Host].
func (h *host) KVSet(key, value string, ttlMillis int64) bool {
	h.want(abi.CapabilityKV)
	h.kv[strings.Clone(key)] = entry{strings.Clone(value), h.expires(ttlMillis)}
	return true
}

// KVAdd implements [sdk.Host].
func (h *host) KVAdd(key string, delta, ttlMillis int64) int64 {
	have, ok := h.KVGet(key)
	e := entry{expires: h.expires(ttlMillis)}
	sum := delta
	if ok && len(have) == 8 {
		sum += int64(binary.LittleEndian.Uint64([]byte(have)))
		e.expires = h.kv[key].expires
	}
	e.value = string(binary.LittleEndian.AppendUint64(nil, uint64(sum)))
	h.kv[strings.Clone(key)] = e
	return sum
}

// KVDelete implements [sdk.Host].
func (h *host) KVDelete(key string) bool {
	_, ok := h.KVGet(key)
	delete(h.kv, key)
	return ok
}

// Lookup implements [sdk.Host].
func (h *host) Lookup(table, column string) int32 {
	h.want(abi.CapabilityLookup)
	i := slices.IndexFunc(h.tables, func(t Table) bool { return t.Name == table })
	if i < 0 || !slices.Contains(h.tables[i].Columns, column) {
		return -1
	}
	l := lookup{&h.tables[i], column}
	if number := slices.Index(h.lookups, l); number >= 0 {
		return int32(number)
	}
	h.lookups = append(h.lookups, l)
	return int32(len(h.lookups) - 1)
}

// LookupGet implements [sdk.Host].
func (h *host) LookupGet(number int32, key string) (string, bool) {
	l := &h.lookups[number]
	value, ok := l.table.Rows[key][l.column]
	return value, ok
}
