package main

import (
	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/sdk"
)

func init() { sdk.Logs(plugin, process) }

var plugin = sdk.Plugin{
	Name:    "json",
	Version: "1.0.0",
	Summary: "Turns a JSON object into attributes, severity, time and body.",
	Reads:   []string{"body"},
	Writes:  []string{"attributes.*", "severity", "time", "body"},
	Config: `{
		"type": "object", "additionalProperties": false,
		"properties": {
			"from": {"type": "string", "pattern": "^(body|attributes\\.[^*].*|attributes\\.\\*.+)$", "default": "body",
				"description": "the column that holds the object: body or attributes.<key>"},
			"prefix": {"type": "string", "default": "", "description": "goes before the name of each attribute"},
			"flatten": {"type": "boolean", "default": false,
				"description": "turn {\"a\":{\"b\":1}} into the attribute a.b instead of a map a"},
			"max_depth": {"type": "integer", "minimum": 1, "maximum": 64, "default": 8,
				"description": "how many keys flatten joins at most; an object that lies deeper stays a map"},
			"level_key": {"type": "string",
				"description": "the key of the severity, instead of level, severity, lvl, loglevel, log.level, severity_text; empty to look for none"},
			"level_numbers": {"enum": ["pino", "syslog", "none"], "default": "pino",
				"description": "what numbers mean as a severity: pino and bunyan (10 to 60), syslog (0 to 7), or nothing"},
			"time_key": {"type": "string",
				"description": "the key of the time, instead of time, timestamp, ts, @timestamp, t; empty to look for none"},
			"message_key": {"type": "string",
				"description": "the key of the message, instead of message, msg, log; empty to look for none"},
			"message_to_body": {"type": "boolean",
				"description": "replace the body by the message; by default where from is body"},
			"keep": {"type": "boolean", "default": false,
				"description": "leave severity, time and message among the attributes too"}
		}
	}`,
	Configure: func(p *sdk.Plugin, c sdk.JSON) error {
		current = newParser(c)
		p.Reads = []string{c.Get("from").String("body")}
		p.Writes = []string{"attributes.*", "severity", "time"}
		if current.messageToBody {
			p.Writes = append(p.Writes, "body")
		}
		return nil
	},
}

// current is the parser of the configuration in force.
var current *parser

func process(b *sdk.Batch) {
	p := current
	column := b.ColumnAt(0)
	p.column = &column
	var o sdk.Object
	for row := range b.Rows() {
		v := column.Value(row)
		if v.Type != abi.TypeString && v.Type != abi.TypeJSON {
			continue
		}
		p.text = v.Text()
		if o.Read(p.text); o.Next() {
			p.row(b.Edit(row), &o)
		}
	}
}
