package table

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/obsd-io/obsd/runtime/abi"
)

// Columns that have no abi.Field: what can only be read, what has a key, and absent for what a signal does not have.
const (
	columnPointCount abi.Field = 0x100 + iota
	columnPointSum
	columnPointMin
	columnPointMax
	columnPointBuckets
	columnSpanDuration
	columnScopeName
	columnScopeVersion
	columnAttribute
	columnAttributes
	columnResource
	columnResources
	columnScopeAttribute
	columnAbsent
)

// readOnly numbers the columns of abi.Fields that have no field.
var readOnly = map[string]abi.Field{
	"point.count": columnPointCount, "point.sum": columnPointSum, "point.min": columnPointMin, "point.max": columnPointMax,
	"point.buckets": columnPointBuckets, "span.duration": columnSpanDuration,
	"scope.name": columnScopeName, "scope.version": columnScopeVersion,
}

type column struct {
	field   abi.Field
	level   abi.Level
	signals uint8  // has the bit 1<<signal of each signal that has it
	key     string // of columnAttribute, columnResource and columnScopeAttribute
}

// isMap says whether an entry is a map.
func (c column) isMap() bool { return c.field == columnAttributes || c.field == columnResources }

const (
	// fields is above every abi.Field, signals above every abi.Signal.
	fields  = abi.FieldSpanStatusMessage + 1
	signals = len(abi.SignalNames)
)

// keys says which keys may be written.
type keys struct {
	all  bool
	some map[string]bool
}

func (k *keys) allow(key string) {
	if k.some == nil {
		k.some = map[string]bool{}
	}
	k.some[key] = true
}

func (k *keys) has(key string) bool { return k.all || k.some[key] }

// Plan is what a manifest allows, compiled. It is immutable and may be shared.
type Plan struct {
	columns [signals][]column // of each signal
	levels  [signals][4]bool  // whether a column has that level, and so an index
	routes  int
	emits   [signals]bool

	writes               [fields]bool
	attributes, resource keys
}

// NewPlan reads signals, columns, permissions and routes of a manifest. Its error lists every name that is not known.
func NewPlan(m *abi.Manifest) (*Plan, error) {
	p := &Plan{routes: len(m.Routes)}
	var errs []error
	takes := uint8(0)
	for _, name := range m.Signals {
		s, err := parseSignal("signals", name)
		errs = append(errs, err)
		takes |= 1 << s
	}
	for _, name := range m.Emits {
		s, err := parseSignal("emits", name)
		errs = append(errs, err)
		p.emits[s] = true
	}
	for _, name := range m.Reads {
		c, ok := parseColumn(name)
		if !ok || c.signals&takes == 0 {
			errs = append(errs, fmt.Errorf("manifest: reads: unknown column %q; known are %s", name, strings.Join(readable(takes), ", ")))
		}
		p.read(c)
	}
	for _, name := range m.Writes {
		if !p.allow(name, takes) {
			errs = append(errs, fmt.Errorf("manifest: writes: unknown %q; known are %s", name, strings.Join(writable(takes), ", ")))
		}
	}
	return p, errors.Join(errs...)
}

func parseSignal(what, name string) (abi.Signal, error) {
	for s := abi.SignalLogs; int(s) < signals; s++ {
		if abi.SignalNames[s] == name {
			return s, nil
		}
	}
	return 0, fmt.Errorf("manifest: %s: unknown %q; known are %s", what, name, strings.Join(abi.SignalNames[abi.SignalLogs:], ", "))
}

func parseColumn(name string) (column, bool) {
	const all = 1<<abi.SignalLogs | 1<<abi.SignalMetrics | 1<<abi.SignalTraces
	for _, info := range abi.Fields {
		if info.Column != name || name == "" {
			continue
		}
		f := info.Field
		if f == 0 {
			f = readOnly[name]
		}
		return column{field: f, level: info.Level, signals: info.Signals}, true
	}
	for _, p := range []struct {
		prefix   string
		key, all abi.Field
		level    abi.Level
	}{
		{abi.AttributePrefix, columnAttribute, columnAttributes, abi.LevelRow},
		{abi.ResourcePrefix, columnResource, columnResources, abi.LevelResource},
		{abi.ScopeAttributePrefix, columnScopeAttribute, 0, abi.LevelScope},
	} {
		key, ok := strings.CutPrefix(name, p.prefix)
		switch {
		case !ok || key == "" || key == "*" && p.all == 0:
		case key == "*":
			return column{field: p.all, level: p.level, signals: all}, true
		default:
			return column{field: p.key, level: p.level, signals: all, key: key}, true
		}
	}
	return column{}, false
}

// read adds a column for each signal.
func (p *Plan) read(c column) {
	for s := abi.SignalLogs; int(s) < signals; s++ {
		of := c
		if c.signals&(1<<s) == 0 {
			of = column{field: columnAbsent, level: abi.LevelResource}
		}
		p.columns[s] = append(p.columns[s], of)
		p.levels[s][of.level] = p.levels[s][of.level] || of.field != columnAbsent
	}
}

// allow adds a permission; false says that none of the signals has such a thing to write.
func (p *Plan) allow(name string, takes uint8) (ok bool) {
	for _, info := range abi.Fields {
		if info.Write == name && name != "" && info.Signals&takes != 0 {
			p.writes[info.Field], ok = true, true
		}
	}
	if ok {
		return true
	}
	if key, is := strings.CutPrefix(name, abi.AttributePrefix); is && key != "" {
		p.attributes.allow(key)
		p.attributes.all = p.attributes.all || name == abi.AllAttributes
		return true
	}
	if key, is := strings.CutPrefix(name, abi.ResourcePrefix); is && key != "" {
		p.resource.allow(key)
		p.resource.all = p.resource.all || name == abi.AllResource
		return true
	}
	return false
}

// readable lists the columns of signals, as an error shows them.
func readable(takes uint8) (names []string) {
	for _, info := range abi.Fields {
		if info.Signals&takes != 0 && info.Column != "" {
			names = append(names, info.Column)
		}
	}
	return append(names, abi.AttributePrefix+"<key>", abi.AllAttributes, abi.ResourcePrefix+"<key>", abi.AllResource, abi.ScopeAttributePrefix+"<key>")
}

// writable lists what can be written of signals.
func writable(takes uint8) (names []string) {
	for _, info := range abi.Fields {
		if info.Signals&takes != 0 && info.Write != "" && !slices.Contains(names, info.Write) {
			names = append(names, info.Write)
		}
	}
	return append(names, abi.AttributePrefix+"<key>", abi.AllAttributes, abi.ResourcePrefix+"<key>", abi.AllResource)
}
