package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"

	"github.com/obsd-io/obsd/runtime/bytesize"
)

func TestConfigErrors(t *testing.T) {
	f := func(name string, change func(*Config), want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			c := NewConfig()
			c.Module = "x.wasm"
			change(&c)
			require.EqualError(t, c.Validate(), want)
		})
	}
	f("scheme", func(c *Config) { c.Module = "ftp://example.com/x.wasm" },
		`module: "ftp://example.com/x.wasm": ftp:// is not supported; give builtin:<name>, the path of a .wasm file, https://… or oci://registry/repository:tag`)
	f("poll", func(c *Config) { c.PollInterval = time.Minute },
		"poll_interval: has a use with https:// and tags of oci:// only, and without a digest")
	f("poll often", func(c *Config) { c.Module, c.PollInterval = "https://example.com/x.wasm", time.Millisecond },
		"poll_interval: 1ms: want 0 (never) or at least 1s")
	f("digest", func(c *Config) { c.Digest = "md5:0" }, `digest: "md5:0": want sha256: and 64 hex digits`)
	f("policy", func(c *Config) { c.OnError = "ignore" }, `on_error: "ignore": want pass, drop, fail or dead_letter`)
	f("no bound", func(c *Config) { c.Limits.TimePerBatch = 0 },
		"limits: a time of 0 is no bound, and a plugin is always bounded: leave time_per_record and time_per_batch out for their defaults, or raise them to at most 10ms and 1m0s")
	f("limits", func(c *Config) { c.Limits = Limits{Memory: 1, TimePerRecord: time.Second, TimePerBatch: -1} },
		"limits::memory: 1B: want 64KiB to 4GiB\nlimits::time_per_record: 1s: want 1µs to 10ms\n"+
			"limits::time_per_batch: -1ns: want 1s to 1m0s\nlimits::instances: 0: want 1 to 1024")
	f("dead letter", func(c *Config) { c.DeadLetter = DeadLetterFile{Path: "x", MaxSize: 1, MaxFiles: -1} },
		"dead_letter::path: on_error is pass, so that no row would come here; set on_error: dead_letter\n"+
			"dead_letter::max_size: 1B: want 64KiB or more\ndead_letter::max_files: -1: want 0 to 1000")
	f("circuit", func(c *Config) { c.Circuit = Circuit{Backoff: time.Minute, MaxBackoff: time.Second} },
		"circuit::failures: 0: want 1 to 100000\ncircuit::window: 0s: want 1s to 24h0m0s\ncircuit::max_backoff: 1s: want 1m0s to 24h0m0s")
	f("swap", func(c *Config) { c.Swap = Swap{ShadowBatches: -1, Probation: -1} },
		"swap::shadow_batches: -1: want 0 to 1000\nswap::probation: -1ns: want 0s to 24h0m0s")
	c := NewConfig()
	require.ErrorContains(t, c.Validate(), "module: missing; give builtin:<name>, the path of a .wasm file, ")
	c.Module = "x.wasm"
	require.NoError(t, c.Validate())
}

func TestConfigFromYAML(t *testing.T) {
	c := NewConfig()
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"module": "x.wasm", "limits": map[string]any{"memory": "64MiB", "time_per_batch": "1s"}, "config": map[string]any{"a": []any{1}},
		"grants": map[string]any{"kv": true}, "on_error": "dead_letter", "dead_letter": map[string]any{"path": "x", "max_size": "1MiB"},
		"circuit": map[string]any{"failures": 7}, "swap": map[string]any{"watch": false},
	}).Unmarshal(&c))
	require.Equal(t, Limits{Memory: 64 << 20, TimePerRecord: 50 * time.Microsecond, TimePerBatch: time.Second, Instances: c.Limits.Instances}, c.Limits)
	require.Equal(t, map[string]any{"a": []any{1}}, c.Config)
	require.Equal(t, DeadLetterFile{Path: "x", MaxSize: 1 << 20, MaxFiles: 3}, c.DeadLetter)
	require.Equal(t, Circuit{Failures: 7, Window: time.Minute, Backoff: 5 * time.Second, MaxBackoff: 5 * time.Minute}, c.Circuit)
	require.Equal(t, Swap{ShadowBatches: 3, Probation: time.Minute}, c.Swap)
	require.Equal(t, bytesize.Size(1<<20), c.Grants.KV.MaxSize)
	require.NoError(t, c.Validate())
	err := confmap.NewFromStringMap(map[string]any{"limits": map[string]any{"memory": "much"}}).Unmarshal(&c)
	require.ErrorContains(t, err, `size "much": want a number with a unit, as in 32MiB`)
}
