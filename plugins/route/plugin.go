package main

import (
	"errors"
	"math/bits"
	"regexp"
	"slices"
	"strconv"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/sdk"
	"github.com/obsd-io/obsd/sdk/condition"
)

func init() { sdk.Register(plugin) }

var plugin = sdk.Plugin{
	Name:    "route",
	Version: "1.0.0",
	Summary: "Sends log records, data points and spans to routes by rules on their fields, attributes and resource.",
	Config: `{
		"type": "object", "additionalProperties": false, "required": ["rules"],
		"properties": {
			"rules": {"type": "array", "minItems": 1,
				"description": "what goes where, in order",
				"items": {"type": "object", "additionalProperties": false, "required": ["when", "to"],
					"properties": {
						"when": {"type": "string", "minLength": 1, "description": "a condition, such as severity_number >= SEVERITY_NUMBER_ERROR"},
						"to": {"type": "array", "items": {"type": "string", "minLength": 1},
							"description": "the routes that a record goes to; none drops it"}
					}}},
			"match": {"enum": ["first", "all"], "default": "first",
				"description": "whether the first rule that matches decides, or the routes of all that match are joined"}
		}
	}`,
	Configure: configure,
	Logs:      process,
	Metrics:   process,
	Traces:    process,
}

// rule is where the records go that a condition holds for.
type rule struct {
	when *condition.Condition
	to   uint64 // a bit for each route
}

// router is a configuration that was read.
type router struct {
	rules   []rule
	all     bool // match: all
	columns int
	rows    condition.Rows
}

// current is the router of the configuration in force.
var current *router

// configure reads the rules. The routes are numbered in the order of their first appearance.
func configure(p *sdk.Plugin, c sdk.JSON) error {
	parser := condition.Parser{Regexp: compile}
	r := &router{all: c.Get("match").String("first") == "all"}
	var routes []string
	var errs []error
	c.Get("rules").Items(func(item sdk.JSON) bool {
		number := "rule " + strconv.Itoa(len(r.rules)+1) + ": "
		when := item.Get("when").String("")
		parsed, err := parser.Parse(when)
		if err != nil {
			errs = append(errs, errors.New(number+"when: "+err.Error()+"; in: "+when))
		}
		next := rule{when: parsed}
		for _, name := range item.Get("to").Strings() {
			i := slices.Index(routes, name)
			if i < 0 {
				i = len(routes)
				routes = append(routes, name)
			}
			if i == abi.MaxSetRoutes {
				errs = append(errs, errors.New(number+"to: "+name+" is one route more than the "+strconv.Itoa(abi.MaxSetRoutes)+" that there may be"))
			}
			next.to |= 1 << i
		}
		r.rules = append(r.rules, next)
		return true
	})
	if len(parser.Columns) > abi.MaxColumns {
		errs = append(errs, errors.New("the rules read "+strconv.Itoa(len(parser.Columns))+" different fields, more than the "+strconv.Itoa(abi.MaxColumns)+" that there may be"))
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	r.columns = len(parser.Columns)
	p.Reads, p.Routes = parser.Columns, routes
	current = r
	return nil
}

func compile(pattern string) (func(string) bool, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	return re.MatchString, nil
}

func process(b *sdk.Batch) {
	r := current
	r.rows.Reset(b, r.columns)
	for row := range b.Rows() {
		r.rows.Row = row
		if set, ok := r.routes(); ok {
			send(b, row, set)
		}
	}
}

// routes decides on a row; false if no rule matches.
func (r *router) routes() (set uint64, ok bool) {
	for i := range r.rules {
		if !r.rows.Match(r.rules[i].when) {
			continue
		}
		if !r.all {
			return r.rules[i].to, true
		}
		set, ok = set|r.rules[i].to, true
	}
	return set, ok
}

func send(b *sdk.Batch, row int, set uint64) {
	switch {
	case set == 0:
		b.Drop(row)
	case set&(set-1) == 0:
		b.Route(row, bits.TrailingZeros64(set))
	default:
		b.RouteSet(row, set)
	}
}
