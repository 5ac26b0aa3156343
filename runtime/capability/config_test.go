package capability_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"

	"github.com/obsd-io/obsd/runtime/capability"
)

type holder struct {
	Grants capability.Config `mapstructure:"grants"`
}

func read(t *testing.T, text string) (capability.Config, error) {
	t.Helper()
	var raw map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(text), &raw))
	var h holder
	err := confmap.NewFromStringMap(raw).Unmarshal(&h)
	return h.Grants, err
}

// Grants are read as a user writes them, short and long.
func TestConfig(t *testing.T) {
	f := func(name, text string, want capability.Config) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			got, err := read(t, text)
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.NoError(t, got.Validate())
		})
	}
	log := &capability.LogGrant{Rate: 10, Burst: 100}
	f("nothing", `grants: {}`, capability.Config{})
	f("short", `grants: {log: true, metrics: true, kv: true}`, capability.Config{
		Log: log, Metrics: &capability.MetricsGrant{MaxSeries: 100}, KV: &capability.KVGrant{MaxSize: 1 << 20},
	})
	f("refused", `grants: {log: true, metrics: false, kv: false}`, capability.Config{Log: log})
	f("empty mapping", `grants: {log: {}}`, capability.Config{Log: log})
	f("long", `grants: {log: {rate: 0.5, burst: 1}, metrics: {max_series: 7}, kv: {max_size: 64KiB, ttl: 10m}}`, capability.Config{
		Log: &capability.LogGrant{Rate: 0.5, Burst: 1}, Metrics: &capability.MetricsGrant{MaxSeries: 7},
		KV: &capability.KVGrant{MaxSize: 64 << 10, TTL: 10 * time.Minute},
	})
	f("lookup", `grants: {lookup: {hosts: {file: ./hosts.csv, key: ip}, users: {file: u.NDJSON, key: id, reload_interval: 5s, max_size: 1MiB}}}`, capability.Config{
		Lookup: map[string]capability.TableGrant{
			"hosts": {File: "./hosts.csv", Key: "ip", ReloadInterval: 30 * time.Second, MaxSize: 16 << 20},
			"users": {File: "u.NDJSON", Key: "id", ReloadInterval: 5 * time.Second, MaxSize: 1 << 20},
		},
	})
	source := component.MustNewIDWithName("k8s_pods", "node")
	f("source", `grants: {lookup: {pods: {source: k8s_pods/node, key: container.id}}}`, capability.Config{
		Lookup: map[string]capability.TableGrant{"pods": {Source: &source, Key: "container.id", ReloadInterval: 30 * time.Second, MaxSize: 16 << 20}},
	})
}

func TestConfigRefused(t *testing.T) {
	f := func(name, text, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			c, err := read(t, text)
			if err == nil {
				err = c.Validate()
			}
			require.EqualError(t, err, want)
		})
	}
	f("unknown", `grants: {files: true}`, "decoding failed due to the following error(s):\n\n'grants' decoding failed due to the following error(s):\n\n'capability.Config' has invalid keys: files")
	f("unknown key", `grants: {kv: {size: 1MiB}}`, "decoding failed due to the following error(s):\n\n'grants' decoding failed due to the following error(s):\n\n'kv' has invalid keys: size")
	f("empty", `grants: {kv: }`, "decoding failed due to the following error(s):\n\n'grants' kv: empty; write true for the defaults, or a mapping")
	f("short lookup", `grants: {lookup: true}`, "decoding failed due to the following error(s):\n\n'grants' lookup: write a mapping of tables, as in {hosts: {file: ./hosts.csv, key: ip}}")
	f("empty table", `grants: {lookup: {hosts: }}`, "decoding failed due to the following error(s):\n\n'grants' lookup: hosts: write a mapping, as in {file: ./hosts.csv, key: ip}")
	f("size", `grants: {kv: {max_size: much}}`, "decoding failed due to the following error(s):\n\n'grants' decoding failed due to the following error(s):\n\n'kv.max_size' size \"much\": want a number with a unit, as in 32MiB")
	f("values", `grants: {log: {rate: 0, burst: 0}, metrics: {max_series: 0}, kv: {max_size: 1KiB, ttl: 1us}, lookup: {b: {file: x.txt, reload_interval: 1ms, max_size: 0B}, a: {}}}`,
		"log::rate: 0: want more than 0 and at most 1000000 lines a second\nlog::burst: 0: want 1 or more\nmetrics::max_series: 0: want 1 to 1000000\n"+
			"kv::max_size: 1KiB: want 4KiB to 4GiB\nkv::ttl: 1µs: want 0 (no bound), or 1ms or more\n"+
			"lookup::a::file: missing; give the path of a .csv, .json, .ndjson or .jsonl file, or a source\nlookup::a::key: missing; name the column to find rows by\n"+
			"lookup::b::file: \"x.txt\": want a name that ends in .csv, .json, .ndjson or .jsonl\nlookup::b::key: missing; name the column to find rows by\n"+
			"lookup::b::reload_interval: 1ms: want 1s or more\nlookup::b::max_size: 0B: want 1B to 4GiB")
	f("source", `grants: {lookup: {a: {source: k8s_pods, file: x.csv, key: y}, b: {source: k8s_pods}}}`,
		"lookup::a::file: there is a source as well; remove one of them\nlookup::b::key: missing; name what rows are found by, which the extension's README lists")
	f("source and interval", `grants: {lookup: {pods: {source: k8s_pods, key: k8s.pod.uid, reload_interval: 1s}}}`,
		"decoding failed due to the following error(s):\n\n'grants' decoding failed due to the following error(s):\n\n"+
			"'lookup[pods]' reload_interval: has a use with file only; the extension \"k8s_pods\" keeps its table itself")
	f("negative", `grants: {log: {rate: -1}, kv: {ttl: -1s}}`,
		"log::rate: -1: want more than 0 and at most 1000000 lines a second\nkv::ttl: -1s: want 0 (no bound), or 1ms or more")
}
