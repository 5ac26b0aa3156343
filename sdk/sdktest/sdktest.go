// Package sdktest runs a plugin natively, inside go test: no wasm, no host. A plugin's test file stands beside its
// source, in package main, and runs what that registered:
//
//	func TestDrop(t *testing.T) {
//		got := sdktest.New(t, `{}`).Run(sdktest.Log{Body: "health check"})
//		if !got[0].Dropped { t.Error("not dropped") }
//	}
//
// What the host would refuse fails the test: an edit that the manifest does not declare, a value of a wrong type, rows out of
// order, a new data point without a name or value, a capability that is not declared. The manifest's where is the host's to
// evaluate: here every row reaches the plugin.
//
// The host's functions are there too: see [Plugin.Lines], [Plugin.Recorded] and [Table]. The key-value store is a map with
// the clock of [Plugin.SetNow]; a test reads and writes it as the plugin does, with [sdk.KV].
package sdktest

import (
	"encoding/json"
	"testing"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/sdk"
)

// Outcome is what became of a row.
type Outcome struct {
	Dropped bool
	Routes  []string
	// New has the rows that were made of it, in their order.
	New []Made
}

// Made is a row that the plugin made: one of Log, Point and Span.
type Made struct {
	Log    *Log
	Point  *Point
	Span   *Span
	Routes []string
}

// Result is what became of a log record.
type Result struct {
	Log
	Outcome
}

// PointResult is what became of a data point.
type PointResult struct {
	Point
	Outcome
}

// SpanResult is what became of a span.
type SpanResult struct {
	Span
	Outcome
}

// Plugin is the registered plugin, configured, and its host.
type Plugin struct {
	t        testing.TB
	manifest abi.Manifest
	keys     []string // host's names of attribute keys
	now      int64
	host     host
}

// Configure hands the registered plugin a configuration as JSON and returns what it says of it; "" is success.
// The manifest's schema is the host's to check, so it plays no part here.
func Configure(config string) string { return sdk.Configure([]byte(config)) }

// New configures the registered plugin; a refusal fails the test. The tables are what the plugin can look up in.
func New(t testing.TB, config string, tables ...Table) *Plugin {
	t.Helper()
	p := &Plugin{t: t}
	p.host = host{p: p, tables: tables, kv: map[string]entry{}}
	p.read()
	sdk.SetHost(&p.host)
	if text := Configure(config); text != "" {
		t.Fatalf("configure: %s", text)
	}
	p.read()
	return p
}

// read reads the manifest.
func (p *Plugin) read() {
	p.t.Helper()
	p.manifest = abi.Manifest{}
	if err := json.Unmarshal(sdk.Manifest(), &p.manifest); err != nil {
		p.t.Fatalf("manifest: %v\n%s", err, sdk.Manifest())
	}
}

// SetNow sets the time, in nanoseconds since 1970, that the plugin sees as Batch.Now and that the host goes by.
func (p *Plugin) SetNow(now int64) { p.now = now }

// Run gives the plugin one batch and returns what became of each record. The logs stay as they are.
func (p *Plugin) Run(logs ...Log) []Result {
	p.t.Helper()
	results := make([]Result, len(logs))
	rows, outcomes := p.run(abi.SignalLogs, rowsOf(logs))
	for i, r := range rows {
		results[i] = Result{*r.(*Log), outcomes[i]}
	}
	return results
}

// RunPoints is Run for data points.
func (p *Plugin) RunPoints(points ...Point) []PointResult {
	p.t.Helper()
	results := make([]PointResult, len(points))
	rows, outcomes := p.run(abi.SignalMetrics, rowsOf(points))
	for i, r := range rows {
		results[i] = PointResult{*r.(*Point), outcomes[i]}
	}
	return results
}

// RunSpans is Run for spans.
func (p *Plugin) RunSpans(spans ...Span) []SpanResult {
	p.t.Helper()
	results := make([]SpanResult, len(spans))
	rows, outcomes := p.run(abi.SignalTraces, rowsOf(spans))
	for i, r := range rows {
		results[i] = SpanResult{*r.(*Span), outcomes[i]}
	}
	return results
}

// Flush has the plugin flush, and returns the rows that it makes.
func (p *Plugin) Flush() []Made {
	p.t.Helper()
	if p.manifest.Flush == "" {
		p.t.Fatalf("the plugin has no Flush")
	}
	_, outcomes := p.run(0, nil)
	return outcomes[0].New
}

// Loop lays one batch out and returns a function that runs the plugin over it, for benchmarks and for
// testing.AllocsPerRun. What the plugin decides is not looked at.
func (p *Plugin) Loop(logs ...Log) func() { return p.loop(abi.SignalLogs, rowsOf(logs)) }

// LoopPoints is Loop for data points.
func (p *Plugin) LoopPoints(points ...Point) func() {
	return p.loop(abi.SignalMetrics, rowsOf(points))
}

// LoopSpans is Loop for spans.
func (p *Plugin) LoopSpans(spans ...Span) func() { return p.loop(abi.SignalTraces, rowsOf(spans)) }

func rowsOf[R any, P interface {
	*R
	row
}](rows []R) []row {
	list := make([]row, len(rows))
	for i := range rows {
		list[i] = P(&rows[i])
	}
	return list
}

func (p *Plugin) loop(signal abi.Signal, rows []row) func() {
	p.t.Helper()
	batch := p.encode(signal, rows)
	sdk.SetHost(&p.host)
	sdk.Process(batch)
	le.PutUint32(batch[abi.BatchNamesCount:], 0) // the names of keys cross once
	le.PutUint32(batch[abi.BatchNamesFirst:], uint32(len(p.keys)))
	return func() { sdk.Process(batch) }
}

// run runs the plugin over a batch, and returns its rows as they became. A flush is a batch of signal 0.
func (p *Plugin) run(signal abi.Signal, rows []row) ([]row, []Outcome) {
	p.t.Helper()
	sdk.SetHost(&p.host)
	out := newOutput(p, signal, rows, sdk.Process(p.encode(signal, rows)))
	out.judge()
	out.edit()
	return out.rows, out.outcomes
}
