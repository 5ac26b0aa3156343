package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/obsd-io/obsd/internal/wasmtest"
	"github.com/obsd-io/obsd/plugins/builtin"
	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/table"
)

const resultManifest = `{"name":"x","signals":["logs"],"reads":["body"],"writes":["attributes.a","time"],"routes":["r"]}`

func TestLoadErrors(t *testing.T) {
	set := componenttest.NewNopTelemetrySettings()
	c := configFor(t, nil)
	c.Module = filepath.Join(t.TempDir(), "none.wasm")
	_, err := tryLoad(t, c, set)
	require.EqualError(t, err, `plugin "wasm/x": module: open `+c.Module+`: no such file or directory`)
	c.Module = "builtin:nothing"
	_, err = Load(t.Context(), testID, set, c)
	require.ErrorContains(t, err, `plugin "wasm/x": module: builtin:nothing: `)
	if len(builtin.Names()) > 0 {
		require.ErrorContains(t, c.Validate(), "module: builtin:nothing: there is no such bundled plugin; there are accesslog")
	}
	_, err = tryLoad(t, configFor(t, wasmtest.Plugin{Manifest: `{"name":"x","signals":["logs"],"reads":["boby"]}`}.Module()), set)
	require.ErrorContains(t, err, `plugin "wasm/x": manifest: reads: unknown column "boby"`)
	c = configFor(t, stamp(1).Module())
	c.Config = map[string]any{"a": 1}
	_, err = tryLoad(t, c, set)
	require.EqualError(t, err, `plugin "wasm/x": configure: config: additional properties 'a' not allowed`)
	c = configFor(t, stamp(1).Module())
	c.OnError, c.DeadLetter.Path = DeadLetter, filepath.Join(t.TempDir(), "none", "dead.json")
	_, err = tryLoad(t, c, set)
	require.EqualError(t, err, `plugin "wasm/x": dead_letter::path: open `+c.DeadLetter.Path+`: no such file or directory`)
}

// A folder for compiled code that others may write to is not used, since what lies there is run.
func TestCacheFolder(t *testing.T) {
	c := configFor(t, stamp(1).Module())
	base := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(base, "wasm"), 0o700))
	require.NoError(t, os.Chmod(filepath.Join(base, "wasm"), 0o777))
	t.Setenv("CACHE_DIRECTORY", base)
	core, seen := observer.New(zap.WarnLevel)
	set := componenttest.NewNopTelemetrySettings()
	set.Logger = zap.New(core)
	e, err := Load(t.Context(), testID, set, c)
	require.NoError(t, err)
	require.NoError(t, e.Close(t.Context()))
	require.Contains(t, fmt.Sprint(seen.All()[0].ContextMap()["error"]), "can be written by others (mode 777): chmod 700 it")
}

// What a plugin returned is applied, and rows of a long batch are cut into several calls.
func TestRun(t *testing.T) {
	result := wasmtest.Result{
		Rows: 256, Verdicts: append([]uint16{1, 2}, make([]uint16, 254)...),
		Edits: []uint64{abi.Edit(3, abi.NameInline, abi.OpSetAttribute, abi.TypeSlice), abi.Cell(0, 4), abi.Edit(3, 0, abi.OpExt, abi.TypeString), abi.Cell(0, 1)},
		Arena: "a",
	}
	c := configFor(t, wasmtest.Plugin{Manifest: resultManifest, Result: &result}.Module())
	c.OnError = Fail
	e := mustLoad(t, c)
	require.Equal(t, []string{"r"}, e.Manifest().Routes)
	ld := numbered(256)
	require.NoError(t, e.Run(t.Context(), table.LogsOf(ld), func(rows *table.Table) error {
		require.Equal(t, []uint16{abi.Drop, abi.Route, abi.Keep}, rows.Verdicts[:3])
		return nil
	}))
	v, _ := recordsOf(ld).At(3).Attributes().Get("a")
	require.Equal(t, "line", v.Str())
	p := e.Page()
	require.Equal(t, map[string]int64{"kept": 254, "dropped": 1, "routed": 1, "skipped": 0}, p.Rows["logs"])
	require.Equal(t, map[string]int64{"r": 1, "dead_letter": 0}, p.Routed)
	require.Equal(t, int64(1), p.Edits)
}

// Calls grow as the plugin proves fast, up to a bound, and shrink where it is slow or takes much fuel.
func TestRowsPerCall(t *testing.T) {
	v := &version{callFuel: 4_000_000, callTime: time.Millisecond}
	require.Equal(t, startRows, v.rowsPerCall())
	v.learn(256, 256*500*time.Nanosecond, 256*1000)
	require.Equal(t, maxRows, v.rowsPerCall())
	v.learn(maxRows, time.Second, maxRows*1000) // one slow call counts for little
	require.Equal(t, maxRows, v.rowsPerCall())
	for range 100 {
		v.learn(100, 100*20*time.Microsecond, 100*1000)
	}
	require.InDelta(t, 50, v.rowsPerCall(), 1)
	for range 200 {
		v.learn(1, time.Second, 1000)
	}
	require.Equal(t, 1, v.rowsPerCall())
	v = &version{callFuel: 4_000_000, callTime: time.Millisecond}
	for range 100 {
		v.learn(100, 100*time.Microsecond, 100*20_000)
	}
	require.InDelta(t, 100, v.rowsPerCall(), 1, "half of a call's fuel")
}

// Long lines are cut into calls by their bytes: a guest's memory has no room for more.
func TestLongLines(t *testing.T) {
	c := configFor(t, stamp(7).Module())
	c.OnError = Fail
	e := mustLoad(t, c)
	ld := numbered(16)
	for _, r := range recordsOf(ld).All() {
		r.Body().SetStr(strings.Repeat("x", 100_000))
	}
	left, err := settleLogs(t.Context(), e, ld)
	require.NoError(t, err)
	require.Equal(t, 16, left)
	require.Greater(t, e.Page().Calls, int64(1))
	for _, r := range recordsOf(ld).All() {
		require.EqualValues(t, 7, r.Timestamp())
	}
}

// A plugin that fails costs the rows to blame what on_error says, and nothing else.
func TestOnError(t *testing.T) {
	faults := map[byte]struct{ kind, text string }{
		wasmtest.FaultTrap:    {"trap", `plugin "wasm/x": process: trap: wasm error: unreachable`},
		wasmtest.FaultGarbage: {"bad output", `plugin "wasm/x": process: bad output: `},
		wasmtest.FaultForever: {"timeout", `plugin "wasm/x": process: timeout: 1 records `},
		wasmtest.FaultMemory:  {"memory", `plugin "wasm/x": process: memory: limits.memory (4 MiB) reached: `},
	}
	for fault, want := range faults {
		for policy, lost := range map[OnError]int64{Pass: 0, Drop: 1, Fail: 10} {
			t.Run(want.kind+" "+string(policy), func(t *testing.T) {
				tel, set := newTelemetry(t)
				c := configFor(t, stamp(7).Module())
				c.OnError, c.Limits.Memory = policy, 4<<20
				e, err := tryLoad(t, c, set)
				require.NoError(t, err)
				ld := numbered(10)
				recordsOf(ld).At(6).Body().SetStr(string(fault) + " poison")
				left, err := settleLogs(t.Context(), e, ld)
				if policy == Fail {
					require.ErrorContains(t, err, "Permanent error: "+want.text)
					require.True(t, consumererror.IsPermanent(err))
				} else {
					require.NoError(t, err)
					require.Equal(t, int(10-lost), left)
					for _, r := range recordsOf(ld).All() {
						require.Equal(t, r.Body().Str()[0] != fault, r.Timestamp() == 7, r.Body().Str())
					}
					require.Len(t, tel.errorLogs(), 1)
					require.Contains(t, tel.errorLogs()[0], "a plugin failed; the rows concerned follow on_error: "+want.text)
				}
				p := e.Page()
				require.Equal(t, map[string]int64{want.kind: 1}, p.Errors)
				if lost > 0 {
					require.Equal(t, []Lost{{"logs", want.kind, lost}}, p.Lost)
				}
			})
		}
	}
}

// Whatever rows a plugin fails on, and however: those follow on_error, all others are worked on.
func TestRandomFaults(t *testing.T) {
	c := configFor(t, stamp(7).Module())
	c.OnError, c.Circuit.Failures, c.Limits.Memory, c.Limits.TimePerRecord = Drop, 100_000, 4<<20, 20*time.Microsecond
	e := mustLoad(t, c)
	faults := []byte{wasmtest.FaultTrap, wasmtest.FaultGarbage, wasmtest.FaultMemory, wasmtest.FaultForever}
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 1))
		n := 1 + r.IntN(600)
		ld := numbered(n)
		poison := map[int]bool{}
		for range r.IntN(8) {
			i := r.IntN(n)
			poison[i] = true
			recordsOf(ld).At(i).Body().SetStr(string(faults[r.IntN(len(faults)-b2i(seed > 0))])) // one that never returns takes its time
		}
		left, err := settleLogs(t.Context(), e, ld)
		require.NoError(t, err)
		require.Equal(t, n-len(poison), left, "seed %d", seed)
		at := 0
		for i := range n {
			if poison[i] {
				continue
			}
			record := recordsOf(ld).At(at)
			require.Equal(t, fmt.Sprint("line ", i), record.Body().Str(), "seed %d", seed)
			require.EqualValues(t, 7, record.Timestamp(), "seed %d", seed)
			at++
		}
	}
}

// The search for poison rows is bounded: beyond it rows fail together, and then the circuit opens.
func TestManyPoisonRows(t *testing.T) {
	c := configFor(t, stamp(7).Module())
	c.OnError, c.Circuit.Failures = Drop, 1000
	load := func() *Engine {
		e := mustLoad(t, c)
		e.current.Load().callTime = time.Hour // so that a call that was held up does not have the next ones cut smaller
		return e
	}
	e := load()
	bodies := make([]string, 256)
	for i := range bodies {
		bodies[i] = []string{"ok", "!"}[i%2]
	}
	left, err := settleLogs(t.Context(), e, logs(bodies...))
	require.NoError(t, err)
	require.Greater(t, left, 32) // each row found costs two calls, of maxSearches
	require.Less(t, left, 128)
	require.LessOrEqual(t, e.Page().Calls, int64(maxSearches+1)) // the first one has all the rows

	c.Circuit.Failures, c.Circuit.Backoff, c.Circuit.MaxBackoff = 10, time.Hour, time.Hour
	e = load()
	left, err = settleLogs(t.Context(), e, logs(bodies...))
	require.NoError(t, err)
	require.Equal(t, 10, left) // up to the tenth poison row
	require.Equal(t, "open", e.Page().Circuit)
	require.Equal(t, map[string]int64{"trap": 10, "circuit open": 1}, e.Page().Errors)
	left, err = settleLogs(t.Context(), e, logs("ok"))
	require.NoError(t, err)
	require.Zero(t, left)
}

// time_per_batch ends a batch, whatever each call may take.
func TestTimePerBatch(t *testing.T) {
	tel, set := newTelemetry(t)
	s := stamp(7)
	s.Spin = 100_000
	c := configFor(t, s.Module())
	c.OnError, c.Limits.TimePerRecord, c.Limits.TimePerBatch = Drop, time.Millisecond, time.Millisecond
	e, err := tryLoad(t, c, set)
	require.NoError(t, err)
	left, err := settleLogs(t.Context(), e, numbered(2000))
	require.NoError(t, err)
	require.Less(t, left, 2000)
	require.Equal(t, []string{`a plugin failed; the rows concerned follow on_error: plugin "wasm/x": process: timeout: ran over limits.time_per_batch (1ms)`}, tel.errorLogs())
}

// Rows for which one of the two conditions does not hold never reach the plugin, so that it cannot fail on them.
func TestWhere(t *testing.T) {
	s := stamp(7)
	s.Manifest = `{"name":"x","signals":["logs"],"reads":["body"],"writes":["time"],"where":"not HasPrefix(body, \"!\")"}`
	c := configFor(t, s.Module())
	c.OnError, c.Where = Fail, `body != "no"`
	e := mustLoad(t, c)
	ld := logs("yes", "! poison", "no", "yes")
	left, err := settleLogs(t.Context(), e, ld)
	require.NoError(t, err)
	require.Equal(t, 4, left)
	var stamped []bool
	for _, r := range recordsOf(ld).All() {
		stamped = append(stamped, r.Timestamp() == 7)
	}
	require.Equal(t, []bool{true, false, false, true}, stamped)
	require.Equal(t, map[string]int64{"kept": 2, "dropped": 0, "routed": 0, "skipped": 2}, e.Page().Rows["logs"])

	c = configFor(t, stamp(7).Module())
	c.Where = "nonsense =="
	_, err = tryLoad(t, c, componenttest.NewNopTelemetrySettings())
	require.ErrorContains(t, err, `plugin "wasm/x": where: `)
}

// A batch whose caller gave up is the caller's to send again: no policy, no count.
func TestCanceled(t *testing.T) {
	c := configFor(t, stamp(1).Module())
	c.OnError = Drop
	e := mustLoad(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := settleLogs(ctx, e, numbered(1))
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, consumererror.IsPermanent(err))
	require.Empty(t, e.Page().Errors)
}

// Several batches at once share the instances; each keeps its own rows.
func TestConcurrently(t *testing.T) {
	c := configFor(t, stamp(7).Module())
	c.OnError, c.Circuit.Failures = Drop, 100_000
	e := mustLoad(t, c)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				ld := numbered(5)
				if poison := (g+i)%7 == 0; poison {
					recordsOf(ld).At(2).Body().SetStr("!")
				}
				left, err := settleLogs(context.Background(), e, ld)
				if want := 5 - b2i((g+i)%7 == 0); err != nil || left != want {
					t.Errorf("%d rows left, want %d: %v", left, want, err)
				}
				for _, r := range recordsOf(ld).All() {
					if r.Timestamp() != 7 {
						t.Errorf("%q was not worked on", r.Body().Str())
					}
				}
			}
		})
	}
	wg.Wait()
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
