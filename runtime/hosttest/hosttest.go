// Package hosttest is the conformance suite of plugins: it runs a module in the very host and table that the daemon has,
// and holds it to the contract of runtime/abi. Any plugin, in any language, passes it in a few lines:
//
//	func TestConformance(t *testing.T) {
//		hosttest.Suite{Path: "plugin.wasm", Config: map[string]any{"from": "body"}}.Run(t)
//	}
//
// It needs no knowledge of what a plugin is for. It loads the module, reads the manifest, and lays batches out for each
// signal that stands there: without rows, with one and with many, with nothing in any column and with values of each type
// in all of them, with text that is not UTF-8 and with megabytes of it, with many resources and scopes. The host checks
// each result. Then it compares: the same batch comes out the same again, on another instance, cut into calls of any
// size, and (unless the manifest says stateful) row by row. Memory must not grow from batch to batch. All of this happens
// within the daemon's default limits.
//
// What a plugin is for stands in [Case]: rows, and what they come to.
package hosttest

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/host"
)

// DefaultMemory is the daemon's default of limits::memory.
const DefaultMemory = 32 << 20

// Suite is a module and what is to be tried with it.
type Suite struct {
	// Module is the wasm binary; Path, if Module is nil, the file that holds it.
	Module []byte
	Path   string
	// Config is the plugin's configuration.
	Config map[string]any
	// Rows are typical rows, from which the batches are made that are compared; without them they are made up.
	Rows []Row
	// Cases are what rows come to.
	Cases []Case
	// Refused are configurations that the plugin does not take.
	Refused []Refusal
	// Memory is the limit of one instance in bytes, by default the daemon's.
	Memory int64

	cache string // a folder for compiled code, since a suite loads its module several times
}

// Case is what some rows come to, in one batch on a fresh instance.
type Case struct {
	Name string
	// Signal is logs, metrics or traces; by default logs.
	Signal string
	Rows   []Row
	// Want is all that comes out: by routes in their order, first those rows that are kept; a row that is dropped is not
	// there, one of a set is there once for each of its routes.
	Want []Row
}

// Refusal is a configuration that the plugin does not take, and the error that the user sees, without the plugin's name.
type Refusal struct {
	Config map[string]any
	Want   string
}

// Run runs the suite as subtests of t.
func (s Suite) Run(t *testing.T) {
	t.Helper()
	s.cache = t.TempDir()
	c := &checks{suite: s, guest: s.load(t)}
	c.run(t)
}

// Apply loads the plugin, gives it the rows of one signal in one batch, and returns what comes out, as Case.Want has it.
func (s Suite) Apply(t testing.TB, signal string, rows ...Row) []Row {
	t.Helper()
	g := s.load(t)
	out, err := g.process(t, g.acquire(t), build(signalOf(signal), rows), 0)
	if err != nil {
		t.Fatal(err)
	}
	return out.rows()
}

// module is the binary.
func (s Suite) module(t testing.TB) []byte {
	t.Helper()
	if s.Module != nil {
		return s.Module
	}
	b, err := os.ReadFile(s.Path)
	if err != nil {
		t.Fatalf("hosttest: module: %v", err)
	}
	return b
}

// signalOf is a signal's number; logs for "".
func signalOf(name string) abi.Signal {
	for i, have := range abi.SignalNames {
		if have != "" && have == name {
			return abi.Signal(i)
		}
	}
	if name != "" {
		panic("BUG: hosttest: no signal " + name)
	}
	return abi.SignalLogs
}

// checks is the suite under way.
type checks struct {
	suite Suite
	guest *guest
}

func (c *checks) run(t *testing.T) {
	t.Run("manifest", c.manifest)
	t.Run("refused configurations", c.refusals)
	for _, name := range c.guest.plugin.Manifest().Signals {
		signal := signalOf(name)
		t.Run(name, func(t *testing.T) { c.signal(t, signal) })
	}
	for _, k := range c.suite.Cases {
		t.Run("case "+k.Name, func(t *testing.T) { c.expect(t, k) })
	}
}

// manifest checks that a second load says the same.
func (c *checks) manifest(t *testing.T) {
	first, again := c.guest.plugin.Manifest(), c.suite.load(t).plugin.Manifest()
	if !reflect.DeepEqual(first, again) {
		t.Errorf("the manifest differs from one load to the next:\n%+v\n%+v", first, again)
	}
}

// refusals checks that what the plugin does not take is an error with a text, and that an unknown key is one if the
// schema says so.
func (c *checks) refusals(t *testing.T) {
	for _, r := range c.suite.Refused {
		c.refuses(t, r.Config, r.Want)
	}
	if schema, ok := c.guest.plugin.Manifest().Config.(map[string]any); ok && schema["additionalProperties"] == false {
		config := map[string]any{"no_such_key": true}
		maps.Copy(config, c.suite.Config)
		c.refuses(t, config, "configure: config: additional properties 'no_such_key' not allowed")
	}
}

func (c *checks) refuses(t *testing.T, config map[string]any, want string) {
	t.Helper()
	s := c.suite
	s.Config = config
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.open(t)
	if err == nil {
		t.Errorf("%s: taken; want the error %q", text, want)
		return
	}
	if got := strings.TrimPrefix(err.Error(), `plugin "`+pluginName+`": `); got != want {
		t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
	}
}

// expect runs a case. A load of its own gives it a fresh instance.
func (c *checks) expect(t *testing.T, k Case) {
	g := c.suite.load(t)
	out, err := g.process(t, g.acquire(t), build(signalOf(k.Signal), k.Rows), 0)
	if err != nil {
		t.Fatal(err)
	}
	got := out.rows()
	for i := range max(len(got), len(k.Want)) {
		switch {
		case i >= len(got):
			t.Errorf("row %d is missing: want %v", i, k.Want[i])
		case i >= len(k.Want):
			t.Errorf("row %d is one too many: %v", i, got[i])
		default:
			compare(t, i, got[i], k.Want[i])
		}
	}
}

// compare reports the columns in which two rows differ.
func compare(t *testing.T, row int, got, want Row) {
	t.Helper()
	want = want.plain()
	for _, column := range slices.Sorted(maps.Keys(want)) {
		if w := want[column]; !reflect.DeepEqual(got[column], w) {
			t.Errorf("row %d: %s: got %#v, want %#v", row, column, got[column], w)
		}
	}
	for _, column := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[column]; !ok {
			t.Errorf("row %d: %s: got %#v, want none", row, column, got[column])
		}
	}
}

// limits are the daemon's defaults.
func (s Suite) limits() host.Limits {
	l := host.Limits{Memory: DefaultMemory, Instances: 4}
	if s.Memory > 0 {
		l.Memory = s.Memory
	}
	return l
}
