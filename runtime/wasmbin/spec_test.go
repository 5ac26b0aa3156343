package wasmbin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/obsd-io/obsd/runtime/wasmbin"
)

// specDir is where wazero's module has the official test suite, as wast2json writes it.
var specDir = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	return filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest"), err
})

// script is a test of the suite.
type script struct {
	Commands []struct {
		Type       string
		Line       int
		Name       string
		Filename   string
		As         string
		ModuleType string `json:"module_type"`
		Action     struct {
			Type   string
			Field  string
			Module string
			Args   []specValue
		}
	}
}

type specValue struct {
	Type     string
	LaneType string `json:"lane_type"`
	Value    any
}

// bits is a value as wazero's calls take it. A reference to something outside is its number plus 1, since 0 is null.
func (v specValue) bits(t *testing.T) []uint64 {
	if v.Type == "v128" {
		var words [2]uint64
		lanes := v.Value.([]any)
		width := 128 / len(lanes)
		for i, lane := range lanes {
			words[i*width/64] |= number(t, lane.(string), width) << (i * width % 64)
		}
		return words[:]
	}
	text, ok := v.Value.(string)
	switch {
	case !ok || text == "null":
		return []uint64{0}
	case v.Type == "externref":
		return []uint64{number(t, text, 64) + 1}
	case strings.HasSuffix(v.Type, "32"):
		return []uint64{number(t, text, 32)}
	}
	return []uint64{number(t, text, 64)}
}

func number(t *testing.T, text string, width int) uint64 {
	if strings.HasPrefix(text, "-") {
		n, err := strconv.ParseInt(text, 10, width)
		require.NoError(t, err)
		return uint64(n) & (1<<width - 1)
	}
	n, err := strconv.ParseUint(text, 10, width)
	require.NoError(t, err)
	return n
}

// world runs a script with modules as they are, or rewritten, and writes down what comes of each command.
type world struct {
	t        *testing.T
	dir      string
	inject   bool
	runtime  wazero.Runtime
	named    map[string]api.Module
	last     api.Module
	results  []string
	modules  int
	asserted int
}

func (w *world) run(s script) {
	ctx := context.Background()
	w.named = map[string]api.Module{}
	w.instantiate(filepath.Join("..", "..", "testdata", "spectest.wasm"), "spectest")
	for i, c := range s.Commands {
		outcome := ""
		switch c.Type {
		case "module":
			as := ""
			if i+1 < len(s.Commands) && s.Commands[i+1].Type == "register" {
				as = s.Commands[i+1].As
			}
			w.modules++
			outcome = w.instantiate(c.Filename, as)
			if c.Name != "" {
				w.named[c.Name] = w.last
			}
		case "register":
		case "assert_return", "action", "assert_trap", "assert_exhaustion", "assert_exception":
			m := w.last
			if c.Action.Module != "" {
				m = w.named[c.Action.Module]
			}
			w.asserted++
			if c.Action.Type == "get" {
				outcome = fmt.Sprintf("%x", m.ExportedGlobal(c.Action.Field).Get())
				break
			}
			var args []uint64
			for _, a := range c.Action.Args {
				args = append(args, a.bits(w.t)...)
			}
			outcome = call(ctx, m.ExportedFunction(c.Action.Field), args)
		case "assert_invalid", "assert_malformed", "assert_unlinkable", "assert_uninstantiable":
			if c.ModuleType == "text" {
				continue
			}
			last := w.last
			outcome = w.instantiate(c.Filename, "")
			w.last = last
			w.asserted++
			if c.Type != "assert_uninstantiable" {
				// Why a module is refused may be said in other words.
				outcome = fmt.Sprint("refused ", outcome != "")
			}
		default:
			w.t.Fatalf("command %q", c.Type)
		}
		w.results = append(w.results, fmt.Sprintf("line %d: %s: %s", c.Line, c.Type, outcome))
	}
}

// instantiate makes an instance the last one, and returns the error's text.
func (w *world) instantiate(file, as string) string {
	b, err := os.ReadFile(filepath.Join(w.dir, file))
	require.NoError(w.t, err)
	if w.inject {
		if b, err = wasmbin.Inject(b, wasmbin.Options{Initial: plenty}); err != nil {
			return err.Error()
		}
	}
	m, err := w.runtime.InstantiateWithConfig(context.Background(), b, wazero.NewModuleConfig().WithName(as))
	if err != nil {
		return trap(err)
	}
	w.last = m
	return ""
}

// call gives a function's results, bit by bit, or its trap.
func call(ctx context.Context, f api.Function, args []uint64) string {
	results, err := f.Call(ctx, args...)
	if err != nil {
		return "trap " + trap(err)
	}
	at := 0
	var out strings.Builder
	for _, typ := range f.Definition().ResultTypes() {
		switch typ {
		case api.ValueTypeI32, api.ValueTypeI64, api.ValueTypeF32, api.ValueTypeF64, api.ValueTypeExternref:
			fmt.Fprintf(&out, " %x", results[at])
		case 0x7b:
			fmt.Fprintf(&out, " %x:%x", results[at], results[at+1])
			at++
		default: // a function's address is the instance's own
			fmt.Fprintf(&out, " null=%t", results[at] == 0)
		}
		at++
	}
	return out.String()
}

func trap(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\nwasm stack trace")
	return text
}

// TestSpec holds rewritten modules to the results of the official test suite's modules as they are: all that is called,
// trapped, linked and refused.
func TestSpec(t *testing.T) {
	t.Parallel() // beside TestPlugins: the two take most of the time
	root, err := specDir()
	require.NoError(t, err)
	for _, compile := range []bool{true, false} {
		modules, asserted := 0, 0
		for _, suite := range []string{"v1", "v2", "tail-call", "extended-const"} {
			dir := filepath.Join(root, suite, "testdata")
			files, err := filepath.Glob(filepath.Join(dir, "*.json"))
			require.NoError(t, err)
			for _, file := range files {
				t.Run(fmt.Sprintf("compile=%t/%s/%s", compile, suite, filepath.Base(file)), func(t *testing.T) {
					text, err := os.ReadFile(file)
					require.NoError(t, err)
					var s script
					require.NoError(t, json.Unmarshal(text, &s))
					plain := &world{t: t, dir: dir, runtime: newRuntime(t, compile)}
					plain.run(s)
					fuelled := &world{t: t, dir: dir, runtime: newRuntime(t, compile), inject: true}
					fuelled.run(s)
					require.Len(t, fuelled.results, len(plain.results))
					for i := range plain.results {
						assert.Equal(t, plain.results[i], fuelled.results[i])
					}
					modules, asserted = modules+plain.modules, asserted+plain.asserted
				})
			}
		}
		t.Logf("compile=%t: %d modules, %d assertions", compile, modules, asserted)
		assert.GreaterOrEqual(t, modules, 1000)
		assert.GreaterOrEqual(t, asserted, 40000)
	}
}
