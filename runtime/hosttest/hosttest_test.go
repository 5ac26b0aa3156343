package hosttest

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/obsd-io/obsd/internal/wasmtest"
	"github.com/obsd-io/obsd/runtime/abi"
)

const manifest = `{"name":"x","signals":["logs","metrics","traces"],"reads":["body","attributes.*"],"writes":["body"],"config":{"additionalProperties":false}}`

// Where package wasmtest lays a result and its parts.
const (
	resultAt = 8192
	partsAt  = 16384
)

// pages hold the largest batch: a plugin of package wasmtest has one block, where memory ends.
const pages = 256

// opcodes of the core spec that bad plugins are made of.
var (
	loadRows  = wasmtest.Code{0x20, 0, 0x28, 2, abi.BatchRows}       // local.get 0, i32.load
	endIfNone = wasmtest.Code{0x45, 0x04, 0x40, 0x42, 0, 0x0f, 0x0b} // i32.eqz, if, i64.const 0, return, end
)

// bodyEdit is a plugin that sets the first row's body to an int; code changes the result beforehand.
func bodyEdit(name string, code ...wasmtest.Code) wasmtest.Plugin {
	r := wasmtest.Result{Edits: []uint64{abi.Edit(0, uint16(abi.FieldBody), abi.OpSet, abi.TypeInt), 0}}
	memory, packed := r.Memory()
	process := slices.Concat(loadRows, endIfNone, wasmtest.I32(resultAt), loadRows, wasmtest.Code{0x36, 2, abi.ResultRows}) // i32.store
	process = slices.Concat(append([]wasmtest.Code{process}, code...)...)
	return wasmtest.Plugin{
		Manifest: strings.Replace(manifest, `"x"`, `"`+name+`"`, 1), Pages: pages, Data: map[uint32][]byte{resultAt: memory[resultAt:]},
		Process: slices.Concat(process, wasmtest.I64(int64(packed))),
	}
}

// count adds 1 to the value of the edit.
var count = slices.Concat(wasmtest.I32(partsAt+8), wasmtest.I32(partsAt+8), wasmtest.Code{0x29, 3, 0}, wasmtest.I64(1), wasmtest.Code{0x7c, 0x37, 3, 0})

// bad has plugins, each with a fault, and what the suite says of it.
var bad = map[string]struct {
	suite Suite
	// only is the subtest that says so.
	only string
	want []string
}{
	"trap":         {Suite{Module: wasmtest.Plugin{Manifest: manifest, Pages: pages, Process: wasmtest.Unreachable()}.Module()}, "logs/no_rows", []string{`process: trap: wasm error: unreachable`}},
	"not declared": {Suite{Module: undeclared()}, "logs/one_row", []string{`sets body, which the manifest does not declare: add "body" to its writes`}},
	"state":        {Suite{Module: bodyEdit("state", count).Module()}, "logs/same_again", []string{"the second time: the result is another:", "1 rows a call: the result is another:", "in reverse"}},
	"row number":   {Suite{Module: bodyEdit("number").Module()}, "logs/same_again", []string{"1 rows a call: the result is another:", "each row alone: the result is another:"}},
	"memory": {
		Suite{Memory: 1 << 30, Module: wasmtest.Plugin{Manifest: manifest, Pages: pages, Process: slices.Concat(wasmtest.I32(1), wasmtest.Code{0x40, 0, 0x1a}, wasmtest.I64(0))}.Module()},
		"logs/memory",
		[]string{"memory grows without end: "},
	},
	"case": {
		Suite{Module: wasmtest.Plugin{Manifest: manifest, Pages: pages}.Module(), Cases: []Case{{Name: "k", Rows: []Row{{"body": "a", "attributes.k": 1}}, Want: []Row{{"body": 5, "time": 1}, {}}}}},
		"case_k",
		[]string{`row 0: body: got "a", want 5`, `row 0: attributes.k: got 1, want none`, `row 0: time: got <nil>, want 1`, "row 1 is missing: want map[]"},
	},
	"refusal": {
		Suite{Module: wasmtest.Plugin{Manifest: manifest, Pages: pages}.Module(), Refused: []Refusal{{Want: "no"}, {map[string]any{"a": 1}, "no"}}},
		"refused",
		[]string{`null: taken; want the error "no"`, "got  configure: config: additional properties 'a' not allowed\n"},
	},
}

func undeclared() []byte {
	p := bodyEdit("undeclared")
	p.Manifest = strings.Replace(p.Manifest, `"writes":["body"]`, `"writes":[]`, 1)
	return p.Module()
}

// The suite finds each fault. It runs in a process of its own, since it fails.
func TestBad(t *testing.T) {
	const variable = "HOSTTEST_BAD"
	if name := os.Getenv(variable); name != "" {
		bad[name].suite.Run(t)
		return
	}
	for name, k := range bad {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBad$/"+k.only)
			cmd.Env = append(os.Environ(), variable+"="+name)
			output, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatal("the suite finds nothing")
			}
			for _, want := range k.want {
				if !strings.Contains(string(output), want) {
					t.Errorf("want %q in:\n%.5000s", want, output)
				}
			}
		})
	}
}

func TestGood(t *testing.T) {
	Suite{
		Module: wasmtest.Plugin{Manifest: manifest, Pages: pages}.Module(),
		Cases:  []Case{{Name: "all columns", Rows: all("logs"), Want: all("logs")}, {Name: "points", Signal: "metrics", Rows: all("metrics"), Want: all("metrics")}, {Name: "spans", Signal: "traces", Rows: all("traces"), Want: all("traces")}},
	}.Run(t)
}

// all has rows with something in each column, over two resources.
func all(signal string) []Row {
	rows := []Row{fixed(signalOf(signal), 1), fixed(signalOf(signal), 2), fixed(signalOf(signal), 4)}
	rows[2]["resource.k"], rows[0]["attributes.k"] = []any{1, "x"}, map[string]any{"a": 1.5}
	if signal == "metrics" { // a sum's members are none of a gauge
		delete(rows[1], "metric.temporality")
		delete(rows[1], "metric.monotonic")
	}
	for _, r := range rows {
		for column, v := range r.plain() {
			if v == int64(0) || v == false || v == nil {
				delete(r, column)
			}
		}
	}
	return rows
}
