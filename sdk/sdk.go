// Package sdk is all that a plugin author imports: register a [Plugin] and a function over a [Batch] in init, and
// build with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o plugin.wasm
//
// A batch is a table. [Batch.Column] gives a declared column, [Batch.Edit] changes a row, [Batch.Drop] and
// [Batch.Route] decide where it goes; a row that is left alone passes as it is.
//
// What a batch gives (texts, columns, edits) is valid until the function returns. The package does not use
// reflection and allocates nothing for a row. Package sdktest runs the same code natively in go test.
//
// Name columns rather than read attributes.*: a column costs the host 10 to 20 ns a row, all attributes as much
// for each attribute.
package sdk

import (
	"strconv"

	"github.com/obsd-io/obsd/runtime/abi"
)

// Plugin is what a plugin says of itself: its manifest, and what takes its configuration.
// See [abi.Manifest] for the names of columns.
type Plugin struct {
	Name    string
	Version string
	Summary string
	Reads   []string // columns, at most abi.MaxColumns
	Writes  []string // body, time, severity, attributes.<key>, attributes.*
	Routes  []string // names that Route uses
	// Stateful asks for a single instance.
	Stateful bool
	// Config is a JSON schema of the configuration; without one only an empty configuration is accepted.
	Config string
	// Configure, if set, takes the configuration, checked against Config before. It may change p's Reads, Writes and
	// Routes. The text of its error is shown to the user.
	Configure func(p *Plugin, c JSON) error
}

// Name is a string that host and plugin know by number: a key, or a value that recurs.
type Name uint16

// plugin is the program's one plugin; a guest is a single program and runs on a single thread.
var plugin struct {
	Plugin
	process func(*Batch)
	batch   Batch
	names   []string
	numbers map[string]Name // of names
	told    int             // how many of names the host knows
}

// Logs registers the plugin for log records. Call it once, from init.
func Logs(p Plugin, process func(*Batch)) {
	plugin.Plugin, plugin.process = p, process
}

// NameOf numbers a string, for example in a package's var block. The same string always has the same number.
// An instance can number at most abi.MaxNames strings, and NameOf panics on one more: where keys come from records,
// keep count, and give those beyond a bound with [Inline].
func NameOf(s string) Name {
	if n, ok := plugin.numbers[s]; ok {
		return n
	}
	if len(plugin.names) == abi.MaxNames {
		panic("BUG: sdk.NameOf: " + strconv.Itoa(abi.MaxNames) + " names are taken, none is left for " + strconv.Quote(s) +
			": give keys that are not bounded in number with sdk.Inline")
	}
	if plugin.numbers == nil {
		plugin.numbers = map[string]Name{}
	}
	n := Name(len(plugin.names))
	plugin.names, plugin.numbers[s] = append(plugin.names, s), n
	return n
}

// manifest writes the manifest as JSON.
func manifest() []byte {
	p := &plugin.Plugin
	b := append([]byte(`{"signals":["logs"],"name":`), quote(p.Name)...)
	b = append(append(b, `,"version":`...), quote(p.Version)...)
	b = append(append(b, `,"summary":`...), quote(p.Summary)...)
	b = appendList(append(b, `,"reads":`...), p.Reads)
	b = appendList(append(b, `,"writes":`...), p.Writes)
	b = appendList(append(b, `,"routes":`...), p.Routes)
	b = append(append(b, `,"stateful":`...), strconv.FormatBool(p.Stateful)...)
	if p.Config != "" {
		b = append(append(b, `,"config":`...), p.Config...)
	}
	return append(b, '}')
}

func appendList(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, quote(s)...)
	}
	return append(b, ']')
}

// configure returns the error text for the user, or "".
func configure(config []byte) string {
	if plugin.process == nil {
		return "the plugin registers nothing: call sdk.Logs from init"
	}
	if plugin.Configure == nil {
		return ""
	}
	c, err := ParseJSON(config)
	if err == nil {
		err = plugin.Configure(&plugin.Plugin, c)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// Result is what a batch came to, for a host in the same process: the parts of abi's result, which lie in the
// plugin's buffers until the next call. Names has the names announced so far.
type Result struct {
	Verdicts []uint16
	Edits    []uint64
	Arena    []byte
	Names    []string
	Sets     []uint64
}

// Manifest returns the registered plugin's manifest as JSON, for a host in the same process such as sdktest.
func Manifest() []byte { return manifest() }

// Configure hands a configuration to the registered plugin, for a host in the same process; "" is success.
func Configure(config []byte) string { return configure(config) }

// Process runs the registered plugin over a batch as laid out in package abi, for a host in the same process.
// The scanner may read up to [ReadAhead] bytes beyond the batch, so they must be there.
func Process(batch []byte) Result {
	b := &plugin.batch
	b.begin(batch)
	plugin.process(b)
	return Result{Verdicts: b.verdicts, Edits: b.words[:b.edit.n], Arena: b.arena, Names: plugin.names, Sets: b.sets}
}

// ReadAhead is how many bytes beyond a batch the scanner may read.
const ReadAhead = 4 * abi.Slack
