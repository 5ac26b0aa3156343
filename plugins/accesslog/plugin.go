package main

import (
	"time"

	"github.com/obsd-io/obsd/sdk"
)

func init() { sdk.Logs(plugin, process) }

var plugin = sdk.Plugin{
	Name:    "accesslog",
	Version: "1.0.0",
	Summary: "Parses nginx and Apache access logs (common and combined format) into HTTP attributes.",
	Reads:   []string{"body", "time"},
	Writes: []string{
		"time", "severity",
		"attributes.client.address", "attributes.user.name",
		"attributes.http.request.method", "attributes.url.path", "attributes.url.query", "attributes.network.protocol.version",
		"attributes.http.response.status_code", "attributes.http.response.body.size",
		"attributes.http.request.header.referer", "attributes.user_agent.original",
	},
	Config: `{
		"type": "object", "additionalProperties": false,
		"properties": {"from": {
			"type": "string", "pattern": "^(body|attributes\\.[^*].*|attributes\\.\\*.+)$",
			"description": "the column that holds the line: body or attributes.<key>"}}
	}`,
	Configure: func(p *sdk.Plugin, c sdk.JSON) error {
		p.Reads = []string{c.Get("from").String("body"), "time"}
		return nil
	},
}

// Attribute names of the OpenTelemetry semantic conventions 1.37.
var (
	statusCode = sdk.NameOf("http.response.status_code")
	bodySize   = sdk.NameOf("http.response.body.size")
	// keys are those of a line's texts.
	keys = []sdk.Name{
		clientAddress:   sdk.NameOf("client.address"),
		userName:        sdk.NameOf("user.name"),
		requestMethod:   sdk.NameOf("http.request.method"),
		urlPath:         sdk.NameOf("url.path"),
		urlQuery:        sdk.NameOf("url.query"),
		protocolVersion: sdk.NameOf("network.protocol.version"),
		referer:         sdk.NameOf("http.request.header.referer"),
		userAgent:       sdk.NameOf("user_agent.original"),
	}
)

// Texts of a line.
const (
	clientAddress = iota
	userName
	requestMethod
	urlPath
	urlQuery
	protocolVersion
	referer
	userAgent
	texts
)

// line is an access-log line.
type line struct {
	texts  [texts]sdk.Span // one of length 0 is absent
	status int64
	size   int64 // -1: absent
	time   int64 // nanoseconds since 1970
	fields [fields]sdk.Span
}

func process(b *sdk.Batch) {
	lines, times := b.ColumnAt(0), b.ColumnAt(1)
	var l line
	for row := range b.Rows() {
		text := lines.Text(row)
		if !l.plain(text) && !l.any(text) {
			continue
		}
		e := b.Edit(row)
		e.Slices(keys, &lines, l.texts[:])
		recorded, _ := times.Int(row)
		l.write(e, recorded)
	}
}

// write writes what is not text. recorded is the record's own time, 0 if it has none.
func (l *line) write(e *sdk.Edit, recorded int64) {
	e.Int(statusCode, l.status)
	if l.size >= 0 {
		e.Int(bodySize, l.size)
	}
	e.Severity(severity(l.status))
	// The line has whole seconds. A record's own time within that second's reach is the same moment, told better.
	if d := recorded - l.time; recorded == 0 || d < 0 || d >= 2*int64(time.Second) {
		e.Int(sdk.Time, l.time)
	}
}

// severity is error from 500 on, warn from 400 on, else info. (Without jumps, see sdk.Text.)
func severity(status int64) sdk.Severity {
	return sdk.SeverityInfo + sdk.Severity((399-status)>>63&4+(499-status)>>63&4)
}
