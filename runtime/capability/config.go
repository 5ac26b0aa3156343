package capability

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/obsd-io/obsd/runtime/bytesize"
)

// Config says what is granted to a plugin: the YAML below grants. What is nil or left out is not granted. For log,
// metrics and kv, true stands for the defaults, and false for nothing.
type Config struct {
	// Log lets the plugin write into the daemon's log.
	Log *LogGrant `mapstructure:"log"`
	// Metrics lets it have metrics of its own beside the daemon's.
	Metrics *MetricsGrant `mapstructure:"metrics"`
	// KV gives it a store of keys and values, shared by its instances and lost when the daemon stops.
	KV *KVGrant `mapstructure:"kv"`
	// Lookup gives it tables to look things up in, by the names that it asks for.
	Lookup map[string]TableGrant `mapstructure:"lookup"`
}

// LogGrant bounds what a plugin writes into the log.
type LogGrant struct {
	// Rate is how many lines a second it may write in the long run. Default 10.
	Rate float64 `mapstructure:"rate"`
	// Burst is how many lines it may write at once. Default 100.
	Burst int `mapstructure:"burst"`
}

// MetricsGrant bounds a plugin's metrics.
type MetricsGrant struct {
	// MaxSeries is how many time series it may have. Default 100.
	MaxSeries int `mapstructure:"max_series"`
}

// KVGrant bounds a plugin's store.
type KVGrant struct {
	// MaxSize is the most memory of all keys and values, with 128 bytes for each pair. What was used least recently gives
	// way. Default 1MiB.
	MaxSize bytesize.Size `mapstructure:"max_size"`
	// TTL is how long a value is kept that was set without a time to live of its own, and the most that one can ask for. 0, the
	// default, is no bound.
	TTL time.Duration `mapstructure:"ttl"`
}

// TableGrant is a table read from a file: CSV whose first line names the columns, a JSON array of objects, or a JSON
// object on each line (.ndjson, .jsonl). Or it is one that an extension has, such as k8s_pods.
type TableGrant struct {
	// File is the path.
	File string `mapstructure:"file"`
	// Source is the id of an extension that has a table, in place of a file.
	Source *component.ID `mapstructure:"source"`
	// Key names the column to find rows by.
	Key string `mapstructure:"key"`
	// ReloadInterval is how often the file is looked at; it is read again when its size or time changed. Default 30s.
	ReloadInterval time.Duration `mapstructure:"reload_interval"`
	// MaxSize is the largest file that is read. Default 16MiB; in memory it takes a few times as much.
	MaxSize bytesize.Size `mapstructure:"max_size"`
}

const (
	minStore = 4 << 10
	maxStore = 4 << 30
)

func defaultLog() *LogGrant         { return &LogGrant{Rate: 10, Burst: 100} }
func defaultMetrics() *MetricsGrant { return &MetricsGrant{MaxSeries: 100} }
func defaultKV() *KVGrant           { return &KVGrant{MaxSize: 1 << 20} }

// Unmarshal reads the configuration, with the defaults of what is granted and with true and false as short forms.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	for name, grant := range map[string]func(){
		"log":     func() { c.Log = defaultLog() },
		"metrics": func() { c.Metrics = defaultMetrics() },
		"kv":      func() { c.KV = defaultKV() },
	} {
		if !conf.IsSet(name) {
			continue
		}
		switch conf.Get(name) {
		case false:
			conf.Delete(name)
		case true:
			conf.Delete(name)
			grant()
		case nil:
			return fmt.Errorf("%s: empty; write true for the defaults, or a mapping", name)
		default:
			grant()
		}
	}
	if err := checkTables(conf.Get("lookup")); err != nil {
		return err
	}
	return conf.Unmarshal(c)
}

// checkTables refuses what is no mapping of tables, in words that say how to write one.
func checkTables(lookup any) error {
	if lookup == nil {
		return nil
	}
	tables, ok := lookup.(map[string]any)
	if !ok {
		return errors.New("lookup: write a mapping of tables, as in {hosts: {file: ./hosts.csv, key: ip}}")
	}
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		if _, ok := tables[name].(map[string]any); !ok {
			return fmt.Errorf("lookup: %s: write a mapping, as in {file: ./hosts.csv, key: ip}", name)
		}
	}
	return nil
}

// Unmarshal reads a table's configuration over the defaults.
func (t *TableGrant) Unmarshal(conf *confmap.Conf) error {
	*t = TableGrant{ReloadInterval: 30 * time.Second, MaxSize: 16 << 20}
	if err := conf.Unmarshal(t); err != nil {
		return err
	}
	for _, key := range []string{"reload_interval", "max_size"} {
		if t.Source != nil && conf.IsSet(key) {
			return fmt.Errorf("%s: has a use with file only; the extension %q keeps its table itself", key, t.Source)
		}
	}
	return nil
}

// Validate reports all that can be told without reading files.
func (c *Config) Validate() error {
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if l := c.Log; l != nil {
		if l.Rate <= 0 || l.Rate > 1e6 {
			refuse("log::rate: %v: want more than 0 and at most 1000000 lines a second", l.Rate)
		}
		if l.Burst < 1 {
			refuse("log::burst: %d: want 1 or more", l.Burst)
		}
	}
	if m := c.Metrics; m != nil && (m.MaxSeries < 1 || m.MaxSeries > 1e6) {
		refuse("metrics::max_series: %d: want 1 to 1000000", m.MaxSeries)
	}
	if k := c.KV; k != nil {
		if k.MaxSize < minStore || k.MaxSize > maxStore {
			refuse("kv::max_size: %s: want 4KiB to 4GiB", k.MaxSize)
		}
		if k.TTL < 0 || k.TTL > 0 && k.TTL < time.Millisecond {
			refuse("kv::ttl: %s: want 0 (no bound), or 1ms or more", k.TTL)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Lookup)) {
		t := c.Lookup[name]
		t.validate(func(format string, args ...any) { refuse("lookup::"+name+"::"+format, args...) })
	}
	return errors.Join(errs...)
}

func (t *TableGrant) validate(refuse func(format string, args ...any)) {
	if t.Source != nil {
		if t.File != "" {
			refuse("file: there is a source as well; remove one of them")
		}
		if t.Key == "" {
			refuse("key: missing; name what rows are found by, which the extension's README lists")
		}
		return
	}
	if t.File == "" {
		refuse("file: missing; give the path of a .csv, .json, .ndjson or .jsonl file, or a source")
	} else if _, ok := readers[strings.ToLower(filepath.Ext(t.File))]; !ok {
		refuse("file: %q: want a name that ends in .csv, .json, .ndjson or .jsonl", t.File)
	}
	if t.Key == "" {
		refuse("key: missing; name the column to find rows by")
	}
	if t.ReloadInterval < time.Second {
		refuse("reload_interval: %s: want 1s or more", t.ReloadInterval)
	}
	if t.MaxSize < 1 || t.MaxSize > maxStore {
		refuse("max_size: %s: want 1B to 4GiB", t.MaxSize)
	}
}
