package engine_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/obsd-io/obsd/internal/wasmtest"
	"github.com/obsd-io/obsd/plugins/builtin"
	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/runtime/engine"
	"github.com/obsd-io/obsd/runtime/table"
)

const manifest = `{"name":"x","signals":["logs"],"reads":["body"],"writes":["attributes.a"],"routes":["r"]}`

// write puts a plugin's module into a file and returns a configuration for it.
func write(t testing.TB, p wasmtest.Plugin) engine.Config {
	t.Helper()
	if p.Manifest == "" {
		p.Manifest = manifest
	}
	path := filepath.Join(t.TempDir(), "x.wasm")
	require.NoError(t, os.WriteFile(path, p.Module(), 0o600))
	c := engine.NewConfig()
	c.Module, c.Limits.TimePerBatch = path, 50*time.Millisecond
	return c
}

func load(t testing.TB, c engine.Config, set component.TelemetrySettings) (*engine.Engine, error) {
	t.Helper()
	t.Setenv("CACHE_DIRECTORY", t.TempDir())
	require.NoError(t, c.Validate())
	e, err := engine.Load(t.Context(), component.MustNewIDWithName("wasm", "x"), set, &c)
	if err == nil {
		t.Cleanup(func() { require.NoError(t, e.Close(context.Background())) })
	}
	return e, err
}

func logs(n int) plog.Logs {
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for i := range n {
		records.AppendEmpty().Body().SetStr(fmt.Sprint("line ", i))
	}
	return ld
}

func TestConfigErrors(t *testing.T) {
	f := func(name string, change func(*engine.Config), want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			c := engine.NewConfig()
			c.Module = "x.wasm"
			change(&c)
			require.EqualError(t, c.Validate(), want)
		})
	}
	f("scheme", func(c *engine.Config) { c.Module = "https://example.com/x.wasm" },
		`module: "https://example.com/x.wasm": https:// is not supported; give builtin:<name> or the path of a .wasm file`)
	f("digest", func(c *engine.Config) { c.Digest = "md5:0" }, `digest: "md5:0": want sha256: and 64 hex digits`)
	f("policy", func(c *engine.Config) { c.OnError = "ignore" }, `on_error: "ignore": want pass, drop or fail`)
	f("limits", func(c *engine.Config) { c.Limits = engine.Limits{Memory: 1, TimePerBatch: -1} },
		"limits::memory: 1B: want 64KiB to 4GiB\nlimits::time_per_batch: -1ns: want 0 (no bound) or more\nlimits::instances: 0: want 1 or more")
	c := engine.NewConfig()
	require.ErrorContains(t, c.Validate(), "module: missing; give builtin:<name> (")
}

func TestConfigFromYAML(t *testing.T) {
	c := engine.NewConfig()
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"module": "x.wasm", "limits": map[string]any{"memory": "64MiB", "time_per_batch": "1s"}, "config": map[string]any{"a": []any{1}},
	}).Unmarshal(&c))
	require.Equal(t, engine.ByteSize(64<<20), c.Limits.Memory)
	require.Equal(t, time.Second, c.Limits.TimePerBatch)
	require.Equal(t, map[string]any{"a": []any{1}}, c.Config)
	err := confmap.NewFromStringMap(map[string]any{"limits": map[string]any{"memory": "much"}}).Unmarshal(&c)
	require.ErrorContains(t, err, `size "much": want a number with a unit, as in 32MiB`)
}

func TestLoadErrors(t *testing.T) {
	set := componenttest.NewNopTelemetrySettings()
	c := write(t, wasmtest.Plugin{})
	c.Module = filepath.Join(t.TempDir(), "none.wasm")
	_, err := load(t, c, set)
	require.EqualError(t, err, `plugin "wasm/x": module: stat `+c.Module+`: no such file or directory`)
	c.Module = t.TempDir()
	_, err = load(t, c, set)
	require.EqualError(t, err, `plugin "wasm/x": module: `+c.Module+`: want a file of at most 256 MiB`)
	c.Module = "builtin:nothing"
	_, err = engine.Load(t.Context(), component.MustNewIDWithName("wasm", "x"), set, &c)
	require.ErrorContains(t, err, `plugin "wasm/x": module: builtin:nothing: `)
	if len(builtin.Names()) > 0 {
		require.EqualError(t, c.Validate(), "module: builtin:nothing: there is no such bundled plugin; there are accesslog, json, route")
	}
	_, err = load(t, write(t, wasmtest.Plugin{Manifest: `{"name":"x","signals":["logs"],"reads":["boby"]}`}), set)
	require.ErrorContains(t, err, `plugin "wasm/x": manifest: reads: unknown column "boby"; known are body, `)
	c = write(t, wasmtest.Plugin{})
	c.Config = map[string]any{"a": 1}
	_, err = load(t, c, set)
	require.EqualError(t, err, `plugin "wasm/x": configure: config: additional properties 'a' not allowed`)
}

func TestDigest(t *testing.T) {
	set := componenttest.NewNopTelemetrySettings()
	c := write(t, wasmtest.Plugin{})
	module, err := os.ReadFile(c.Module)
	require.NoError(t, err)
	sum := sha256.Sum256(module)
	c.Digest = "sha256:" + hex.EncodeToString(sum[:])
	_, err = load(t, c, set)
	require.NoError(t, err)
	good := c.Digest
	c.Digest = "sha256:" + strings.Repeat("00", 32)
	_, err = load(t, c, set)
	require.EqualError(t, err, `plugin "wasm/x": digest: `+c.Module+` is `+good+`, the configuration wants `+c.Digest+`: it is not the module that was meant, or it was built anew`)
}

// A folder for compiled code that others may write to is not used, since what lies there is run.
func TestCacheFolder(t *testing.T) {
	c := write(t, wasmtest.Plugin{})
	base := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(base, "wasm"), 0o700))
	require.NoError(t, os.Chmod(filepath.Join(base, "wasm"), 0o777))
	t.Setenv("CACHE_DIRECTORY", base)
	core, seen := observer.New(zap.WarnLevel)
	set := componenttest.NewNopTelemetrySettings()
	set.Logger = zap.New(core)
	e, err := engine.Load(t.Context(), component.MustNewID("wasm"), set, &c)
	require.NoError(t, err)
	require.NoError(t, e.Close(t.Context()))
	require.Equal(t, 1, seen.Len())
	require.Contains(t, fmt.Sprint(seen.All()[0].ContextMap()["error"]), "can be written by others (mode 777): chmod 700 it")
}

// What a plugin returned is applied, and rows of a long batch are cut into several calls.
func TestLogs(t *testing.T) {
	result := wasmtest.Result{
		Rows: 256, Verdicts: append([]uint16{1, 2}, make([]uint16, 254)...),
		Edits: []uint64{abi.Edit(3, abi.NameInline, abi.OpSetAttribute, abi.TypeSlice), abi.Cell(0, 4), abi.Edit(3, 0, abi.OpExt, abi.TypeString), abi.Cell(0, 1)},
		Arena: "a",
	}
	c := write(t, wasmtest.Plugin{Result: &result})
	c.OnError = engine.Fail
	e, err := load(t, c, componenttest.NewNopTelemetrySettings())
	require.NoError(t, err)
	require.Equal(t, []string{"r"}, e.Manifest().Routes)
	ld := logs(512)
	require.NoError(t, e.Logs(t.Context(), ld, func(rows *table.Logs) error {
		require.Equal(t, []uint16{abi.Drop, abi.Route, abi.Keep}, rows.Verdicts[:3])
		require.Equal(t, rows.Verdicts[:256], rows.Verdicts[256:])
		return nil
	}))
	for _, row := range []int{3, 259} {
		v, _ := ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(row).Attributes().Get("a")
		require.Equal(t, "line", v.Str())
	}
}

// Long lines are cut into calls by their bytes: here two, of 8 rows each, where a call takes 256 short ones.
func TestLongLines(t *testing.T) {
	result := wasmtest.Result{Rows: 8, Verdicts: []uint16{abi.Drop, 0, 0, 0, 0, 0, 0, 0}}
	c := write(t, wasmtest.Plugin{Result: &result, Alloc: wasmtest.I32(1 << 20), Pages: 64})
	c.OnError = engine.Fail
	e, err := load(t, c, componenttest.NewNopTelemetrySettings())
	require.NoError(t, err)
	ld := logs(16)
	for _, r := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
		r.Body().SetStr(strings.Repeat("x", 100_000))
	}
	require.NoError(t, e.Logs(t.Context(), ld, func(rows *table.Logs) error {
		require.Equal(t, append(result.Verdicts, result.Verdicts...), rows.Verdicts)
		return nil
	}))
}

// A plugin that traps or returns garbage costs its rows what on_error says, and nothing else.
func TestOnError(t *testing.T) {
	short := wasmtest.Result{Rows: 7}
	plugins := map[string]struct {
		p          wasmtest.Plugin
		kind, text string
	}{
		"trap":    {wasmtest.Plugin{Process: wasmtest.Unreachable()}, "trap", `plugin "wasm/x": process: trap: wasm error: unreachable`},
		"garbage": {wasmtest.Plugin{Result: &short}, "bad output", `plugin "wasm/x": process: bad output: the result is for 7 rows, the batch has 10`},
		"loop":    {wasmtest.Plugin{Process: wasmtest.Forever()}, "timeout", `plugin "wasm/x": process: timeout: ran over limits.time_per_batch (50ms)`},
	}
	for name, tc := range plugins {
		for policy, lost := range map[engine.OnError]int64{engine.Pass: 0, engine.Drop: 10, engine.Fail: 10} {
			t.Run(name+" "+string(policy), func(t *testing.T) {
				tel := componenttest.NewTelemetry()
				t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
				core, seen := observer.New(zap.ErrorLevel)
				set := tel.NewTelemetrySettings()
				set.Logger = zap.New(core)
				c := write(t, tc.p)
				c.OnError = policy
				e, err := load(t, c, set)
				require.NoError(t, err)
				left := -1
				err = e.Logs(t.Context(), logs(10), func(rows *table.Logs) error {
					left = rows.Rows()
					for _, v := range rows.Verdicts {
						if v == abi.Drop {
							left--
						}
					}
					return nil
				})
				if policy == engine.Fail {
					require.EqualError(t, err, "Permanent error: "+tc.text)
					require.True(t, consumererror.IsPermanent(err))
				} else {
					require.NoError(t, err)
					require.Equal(t, int(10-lost), left)
					require.Equal(t, 1, seen.Len())
					require.Equal(t, tc.text, seen.All()[0].ContextMap()["error"])
				}
				require.Equal(t, int64(1), counter(t, tel, "obsd_wasm_errors", tc.kind))
				if lost > 0 {
					require.Equal(t, lost, counter(t, tel, "obsd_wasm_lost_log_records", tc.kind))
				}
			})
		}
	}
}

// counter is a counter's value for a kind of failure of plugin wasm/x.
func counter(t *testing.T, tel *componenttest.Telemetry, name, kind string) int64 {
	t.Helper()
	m, err := tel.GetMetric(name)
	require.NoError(t, err)
	for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
		k, _ := p.Attributes.Value("kind")
		id, _ := p.Attributes.Value("plugin")
		if k.AsString() == kind && id.AsString() == "wasm/x" {
			return p.Value
		}
	}
	return 0
}

// A batch whose caller gave up is the caller's to send again: no policy, no count.
func TestCanceled(t *testing.T) {
	c := write(t, wasmtest.Plugin{Process: wasmtest.Forever()})
	c.OnError, c.Limits.TimePerBatch = engine.Drop, time.Minute
	e, err := load(t, c, componenttest.NewNopTelemetrySettings())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	err = e.Logs(ctx, logs(1), func(*table.Logs) error { return nil })
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.False(t, consumererror.IsPermanent(err))
}

// Several batches at once share the instances; each keeps its own rows.
func TestConcurrently(t *testing.T) {
	result := wasmtest.Result{Rows: 5, Edits: []uint64{abi.Edit(4, uint16(abi.FieldTime), abi.OpSet, abi.TypeInt), 7}}
	c := write(t, wasmtest.Plugin{Manifest: `{"name":"x","signals":["logs"],"reads":["body"],"writes":["time"]}`, Result: &result})
	c.OnError = engine.Fail
	e, err := load(t, c, componenttest.NewNopTelemetrySettings())
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				ld := logs(5)
				if err := e.Logs(context.Background(), ld, func(*table.Logs) error { return nil }); err != nil {
					t.Error(err)
				}
				for i, r := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
					if edited := r.Timestamp() == 7; edited != (i == 4) {
						t.Errorf("record %d: time %d", i, r.Timestamp())
					}
				}
			}
		})
	}
	wg.Wait()
}
