// Package sdk is what a plugin is written with: register a [Plugin] and a function over a [Batch] in init, and build with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o plugin.wasm
//
// A batch is a table of log records, data points or spans. [Batch.Column] gives a declared column, [Batch.Edit] changes a
// row, [Batch.Drop] and [Batch.Route] decide where it goes, [Batch.Copy], [Batch.NewLog], [Batch.NewPoint] and
// [Batch.NewSpan] make rows; a row that is left alone passes as it is.
//
// What a batch gives (texts, columns, edits) and what [KV] and [Lookup] answer is valid until the function returns. The
// package does not use reflection and allocates nothing for a row. Package sdktest runs the same code natively in go test.
//
// Name columns rather than read attributes.*: a column costs the host 10 to 20 ns a row, all attributes as much
// for each attribute.
package sdk

import (
	"strconv"
	"time"

	"github.com/obsd-io/obsd/runtime/abi"
)

// Plugin is what a plugin says of itself: its manifest, and its functions. See [abi.Fields] for the names of columns.
type Plugin struct {
	Name    string
	Version string
	Summary string
	Reads   []string // columns, at most abi.MaxColumns; one that a signal does not have is absent there
	Writes  []string // fields, attributes.<key>, attributes.*, resource.<key>, resource.*
	Emits   []string // signals of which it makes new rows: logs, metrics, traces
	Routes  []string // names that Route uses
	// Where is a condition, see package condition: rows for which it does not hold pass without a call.
	Where string
	// Capabilities lists what it needs of the host beyond its batches: log, metrics, kv, lookup. The user grants them.
	Capabilities []string
	// Stateful asks for a single instance, which sees all rows.
	Stateful bool
	// Config is a JSON schema of the configuration; without one only an empty configuration is accepted.
	Config string
	// Configure, if set, takes the configuration, checked against Config before. It may change p's Reads, Writes,
	// Emits and Routes. The text of its error is shown to the user.
	Configure func(p *Plugin, c JSON) error

	// Logs, Metrics and Traces take the batches of a signal; nil: the plugin does not take the signal. One function may
	// serve several, and tell them apart by [Batch.Signal].
	Logs, Metrics, Traces func(*Batch)
	// Flush is called every FlushEvery, and before the instance goes, with a batch that has no rows, for new rows from
	// what was gathered: they are made of row 0, and their resource and scope are empty. It makes the plugin Stateful.
	Flush      func(*Batch)
	FlushEvery time.Duration
}

// plugin is the program's one plugin; a guest is a single program and runs on a single thread.
var plugin struct {
	Plugin
	batch   Batch
	names   []string
	numbers map[string]Name // of names
	told    int             // how many of names the host knows
	// answers are texts that the host gave since the batch began.
	answers []byte
}

// Register registers the plugin. Call it, or one of [Logs], [Metrics] and [Traces], once, from init.
func Register(p Plugin) { plugin.Plugin = p }

// Logs registers the plugin for log records.
func Logs(p Plugin, process func(*Batch)) {
	p.Logs = process
	Register(p)
}

// Metrics registers the plugin for metric data points.
func Metrics(p Plugin, process func(*Batch)) {
	p.Metrics = process
	Register(p)
}

// Traces registers the plugin for spans.
func Traces(p Plugin, process func(*Batch)) {
	p.Traces = process
	Register(p)
}

// processOf is what takes the batches of a signal.
func (p *Plugin) processOf(signal abi.Signal) func(*Batch) {
	switch signal {
	case abi.SignalLogs:
		return p.Logs
	case abi.SignalMetrics:
		return p.Metrics
	case abi.SignalTraces:
		return p.Traces
	}
	return nil
}

// signals lists the signals that the plugin takes.
func (p *Plugin) signals() (names []string) {
	for _, signal := range []abi.Signal{abi.SignalLogs, abi.SignalMetrics, abi.SignalTraces} {
		if p.processOf(signal) != nil {
			names = append(names, abi.SignalNames[signal])
		}
	}
	return names
}

// manifest writes the manifest as JSON.
func manifest() []byte {
	p := &plugin.Plugin
	b := append([]byte(`{"name":`), quote(p.Name)...)
	b = append(append(b, `,"version":`...), quote(p.Version)...)
	b = append(append(b, `,"summary":`...), quote(p.Summary)...)
	b = appendList(append(b, `,"signals":`...), p.signals())
	b = appendList(append(b, `,"reads":`...), p.Reads)
	b = appendList(append(b, `,"writes":`...), p.Writes)
	b = appendList(append(b, `,"emits":`...), p.Emits)
	b = appendList(append(b, `,"routes":`...), p.Routes)
	b = appendList(append(b, `,"capabilities":`...), p.Capabilities)
	b = append(append(b, `,"where":`...), quote(p.Where)...)
	b = append(append(b, `,"stateful":`...), strconv.FormatBool(p.Stateful || p.Flush != nil)...)
	if p.Flush != nil {
		b = append(append(b, `,"flush":`...), quote(p.FlushEvery.String())...)
	}
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
	if len(plugin.signals()) == 0 {
		return "the plugin takes no signal: call sdk.Logs, sdk.Metrics, sdk.Traces or sdk.Register from init"
	}
	if (plugin.Flush == nil) != (plugin.FlushEvery <= 0) {
		return "the plugin has one of Flush and FlushEvery without the other"
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

// Process runs the registered plugin over a batch as laid out in package abi, for a host in the same process. A batch of
// no signal, which is a header with the time alone, is a flush.
// The scanner may read up to [ReadAhead] bytes beyond the batch, so they must be there.
func Process(batch []byte) Result {
	b := &plugin.batch
	b.begin(batch)
	process := plugin.Flush
	if b.signal != 0 {
		process = plugin.processOf(b.signal)
	}
	if process != nil {
		process(b)
	}
	return Result{Verdicts: b.verdicts, Edits: b.edit.words[:b.edit.n], Arena: b.arena, Names: plugin.names, Sets: b.sets}
}

// ReadAhead is how many bytes beyond a batch the scanner may read.
const ReadAhead = 4 * abi.Slack
