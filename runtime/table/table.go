// Package table lays a signal out as a table of columns for a plugin, and applies the plugin's result back to pdata.
//
// A [Plan] is made once for each plugin from its manifest. A [Session] belongs to one instance: it keeps the names
// that host and guest have agreed on, and the scratch of the batch in flight. [Logs] is a plog.Logs as flat rows.
//
//	Logs.Reset → Session.Measure → Session.Encode (into guest memory) → guest → Session.Apply → Logs.Verdicts
//
// # Ownership
//
// Encode copies what the plugin reads into guest memory. Apply takes values that are slices of an input column as
// substrings of the record's own string, and copies all else out of guest memory: nothing keeps a view of it.
package table

import (
	"errors"
	"fmt"
	"strings"

	"github.com/obsd-io/obsd/runtime/abi"
)

// field is what a column holds.
type field uint8

const (
	fieldBody field = iota
	fieldTime
	fieldObservedTime
	fieldSeverityNumber
	fieldSeverityText
	fieldAttribute
	fieldAttributes
	fieldResource
)

const (
	attributePrefix = "attributes."
	resourcePrefix  = "resource."
	allAttributes   = "attributes.*"
)

// plainFields are the columns without a key.
var plainFields = map[string]field{
	"body":            fieldBody,
	"time":            fieldTime,
	"observed_time":   fieldObservedTime,
	"severity_number": fieldSeverityNumber,
	"severity_text":   fieldSeverityText,
	allAttributes:     fieldAttributes,
}

type column struct {
	field field
	key   string // of fieldAttribute and fieldResource
}

func (c column) level() abi.Level {
	if c.field == fieldResource {
		return abi.LevelResource
	}
	return abi.LevelRow
}

// Plan is what a manifest allows, compiled. It is immutable and may be shared.
type Plan struct {
	columns []column
	routes  int

	writesBody, writesTime, writesSeverity, writesAll bool
	writes                                            map[string]bool // attribute keys
}

// NewPlan reads the columns, permissions and routes of a manifest. Its error lists every name that is not known.
func NewPlan(m *abi.Manifest) (*Plan, error) {
	p := &Plan{routes: len(m.Routes), writes: map[string]bool{}}
	var errs []error
	for _, name := range m.Reads {
		c, err := parseColumn(name)
		errs = append(errs, err)
		p.columns = append(p.columns, c)
	}
	for _, name := range m.Writes {
		errs = append(errs, p.allow(name))
	}
	return p, errors.Join(errs...)
}

func parseColumn(name string) (column, error) {
	if f, ok := plainFields[name]; ok {
		return column{field: f}, nil
	}
	if key, ok := strings.CutPrefix(name, attributePrefix); ok && key != "" {
		return column{field: fieldAttribute, key: key}, nil
	}
	if key, ok := strings.CutPrefix(name, resourcePrefix); ok && key != "" && key != "*" {
		return column{field: fieldResource, key: key}, nil
	}
	return column{}, fmt.Errorf("manifest: reads: unknown column %q; known are body, time, observed_time, severity_number, severity_text, attributes.<key>, attributes.*, resource.<key>", name)
}

func (p *Plan) allow(name string) error {
	key, attribute := strings.CutPrefix(name, attributePrefix)
	switch {
	case name == "body":
		p.writesBody = true
	case name == "time":
		p.writesTime = true
	case name == "severity":
		p.writesSeverity = true
	case name == allAttributes:
		p.writesAll = true
	case attribute && key != "":
		p.writes[key] = true
	default:
		return fmt.Errorf("manifest: writes: unknown %q; known are body, time, severity, attributes.<key>, attributes.*", name)
	}
	return nil
}
