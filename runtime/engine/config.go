package engine

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/obsd-io/obsd/runtime/bytesize"
	"github.com/obsd-io/obsd/runtime/capability"
	"github.com/obsd-io/obsd/runtime/source"
)

// OnError says what happens to rows whose plugin failed.
type OnError string

// Policies.
const (
	// Pass sends the rows on unchanged.
	Pass OnError = "pass"
	// Drop loses the rows; they are counted.
	Drop OnError = "drop"
	// Fail refuses the whole batch with a permanent error.
	Fail OnError = "fail"
	// DeadLetter puts the rows aside, with the reason: into a pipeline or a file.
	DeadLetter OnError = "dead_letter"
)

// Config is how a plugin is used, the same for processor and connector.
type Config struct {
	// Module names the plugin: builtin:<name> for a bundled one, the path of a .wasm file, https://…, or
	// oci://registry/repository:tag (or @sha256:… of the manifest).
	Module string `mapstructure:"module"`
	// Digest, sha256:<64 hex digits>, refuses any other bytes.
	Digest string `mapstructure:"digest"`
	// Verify asks for a signature of the module by one of several keys.
	Verify source.Verify `mapstructure:"verify"`
	// Remote says how https:// and oci:// modules are fetched.
	Remote source.Remote `mapstructure:"remote"`
	// PollInterval is how often https:// or a tag of oci:// is asked for another module. Default 0: at start only.
	PollInterval time.Duration `mapstructure:"poll_interval"`
	// Config is the plugin's own configuration. It is checked against the schema in the plugin's manifest.
	Config map[string]any `mapstructure:"config"`
	// Where is a condition in a subset of OTTL: rows for which it does not hold never reach the plugin, and pass as they
	// are. It comes on top of the plugin's own, which its manifest may have.
	Where string `mapstructure:"where"`
	// OnError says what happens to rows that a plugin failed on (a trap, a timeout, a bad result):
	// pass sends them on unchanged, drop loses and counts them, fail refuses the batch, dead_letter puts them aside with
	// the reason: into the pipelines of a connector's route dead_letter, or else into the file of dead_letter::path.
	// Default pass.
	OnError OnError `mapstructure:"on_error"`
	// DeadLetter is the file for rows that the plugin failed on.
	DeadLetter DeadLetterFile `mapstructure:"dead_letter"`
	// Limits bound what the plugin may use.
	Limits Limits `mapstructure:"limits"`
	// Grants says which of the capabilities in the plugin's manifest it gets. Default: none.
	Grants capability.Config `mapstructure:"grants"`
	// Circuit says when a plugin that keeps failing is left alone for a while.
	Circuit Circuit `mapstructure:"circuit"`
	// Swap says how a changed module takes the place of the running one.
	Swap Swap `mapstructure:"swap"`
}

// DeadLetterFile is a file of rows that a plugin failed on: one row a line, as OTLP/JSON, with attributes
// obsd.dead_letter.* that say why.
type DeadLetterFile struct {
	// Path is the file; its folder must be there. Each component needs one of its own.
	Path string `mapstructure:"path"`
	// MaxSize is how large the file may grow before it is set aside as path.1. Default 64MiB.
	MaxSize bytesize.Size `mapstructure:"max_size"`
	// MaxFiles is how many such older files are kept: path.1, the newest, to path.<max_files>. Default 3.
	MaxFiles int `mapstructure:"max_files"`
}

// Limits bound what a plugin may use.
type Limits struct {
	// Memory is the most memory of one instance, as in 32MiB. Default 32MiB; Go plugins start with 4.
	Memory bytesize.Size `mapstructure:"memory"`
	// TimePerRecord is how long the plugin may take for a record, where one of more than 1 KiB counts as one for each
	// KiB; a call gets it for all its records together, and 2 ms. Time is counted as fuel, so it is no exact clock, and no
	// call gets more than keeps the garbage collector waiting for 10 ms. 1us to 10ms, default 50us.
	TimePerRecord time.Duration `mapstructure:"time_per_record"`
	// TimePerBatch bounds all calls for one batch together. The rows that are left when it ends follow on_error. 1ms to
	// 1m, default 100ms.
	TimePerBatch time.Duration `mapstructure:"time_per_batch"`
	// Instances is how many batches the plugin may work on at once. Default: as many as the daemon has processors.
	Instances int `mapstructure:"instances"`
}

// Circuit says when a plugin that keeps failing is left alone. While the circuit is open all rows follow on_error and the
// component reports a recoverable error; after a back-off one batch tries the plugin again.
type Circuit struct {
	// Failures within Window open the circuit. One row that the plugin fails on is one failure. Default 50.
	Failures int `mapstructure:"failures"`
	// Window is the time in which failures are counted together. Default 1m.
	Window time.Duration `mapstructure:"window"`
	// Backoff is how long the circuit stays open at first; each failed trial doubles it. Default 5s.
	Backoff time.Duration `mapstructure:"backoff"`
	// MaxBackoff is the longest back-off. Default 5m.
	MaxBackoff time.Duration `mapstructure:"max_backoff"`
}

// Swap says how a changed module takes the place of the running one, without a restart.
type Swap struct {
	// Watch looks for changes: of a file at once, of a remote module every poll_interval. Default true.
	Watch bool `mapstructure:"watch"`
	// ShadowBatches is on copies of how many batches a new module is tried before it serves: it must not fail on rows that
	// the running one manages. 0 tries none. Default 3.
	ShadowBatches int `mapstructure:"shadow_batches"`
	// Probation is how long the former module is kept ready after a swap: it comes back at once if the new one fails on rows
	// that the former manages. 0 keeps none. Default 1m.
	Probation time.Duration `mapstructure:"probation"`
}

// Bounds of the configuration.
const (
	minMemory        = 64 << 10 // one page
	maxMemory        = 4 << 30
	minDeadLetter    = 64 << 10
	maxOldFiles      = 1000
	minTimePerRecord = time.Microsecond
	maxTimePerRecord = 10 * time.Millisecond // no call gets more
	minTimePerBatch  = time.Millisecond
	maxTimePerBatch  = time.Minute
	maxFailures      = 100_000
	minWindow        = time.Second
	minBackoff       = 100 * time.Millisecond
	maxBackoff       = 24 * time.Hour
	maxShadowBatches = 1000
	maxProbation     = 24 * time.Hour
)

// NewConfig returns the defaults.
func NewConfig() Config {
	return Config{
		Remote:     source.Remote{Timeout: time.Minute},
		OnError:    Pass,
		DeadLetter: DeadLetterFile{MaxSize: 64 << 20, MaxFiles: 3},
		Limits: Limits{
			Memory: 32 << 20, TimePerRecord: 50 * time.Microsecond, TimePerBatch: 100 * time.Millisecond,
			Instances: runtime.GOMAXPROCS(0),
		},
		Circuit: Circuit{Failures: 50, Window: time.Minute, Backoff: 5 * time.Second, MaxBackoff: 5 * time.Minute},
		Swap:    Swap{Watch: true, ShadowBatches: 3, Probation: time.Minute},
	}
}

// problems collects what Validate finds.
type problems []error

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Errorf(format, args...)) }

// duration refuses a time outside of its bounds.
func (p *problems) duration(path string, got, low, high time.Duration) {
	if got < low || got > high {
		p.add("%s: %s: want %s to %s", path, got, low, high)
	}
}

// number refuses a number outside of its bounds.
func (p *problems) number(path string, got, low, high int) {
	if got < low || got > high {
		p.add("%s: %d: want %d to %d", path, got, low, high)
	}
}

// Validate reports all that can be told without loading the module.
func (c *Config) Validate() error {
	var p problems
	from := c.source()
	if err := from.Validate(); err != nil {
		p = append(p, err)
	}
	if c.PollInterval != 0 && !from.Polled() {
		p.add("poll_interval: has a use with https:// and tags of oci:// only, and without a digest")
	}
	if c.PollInterval < 0 || c.PollInterval > 0 && c.PollInterval < time.Second {
		p.add("poll_interval: %s: want 0 (never) or at least 1s", c.PollInterval)
	}
	switch c.OnError {
	case Pass, Drop, Fail, DeadLetter:
	default:
		p.add("on_error: %q: want pass, drop, fail or dead_letter", c.OnError)
	}
	if c.DeadLetter.Path != "" && c.OnError != DeadLetter {
		p.add("dead_letter::path: on_error is %s, so that no row would come here; set on_error: dead_letter", c.OnError)
	}
	if c.DeadLetter.MaxSize < minDeadLetter {
		p.add("dead_letter::max_size: %s: want %s or more", c.DeadLetter.MaxSize, bytesize.Size(minDeadLetter))
	}
	p.number("dead_letter::max_files", c.DeadLetter.MaxFiles, 0, maxOldFiles)
	c.Limits.check(&p)
	p.number("circuit::failures", c.Circuit.Failures, 1, maxFailures)
	p.duration("circuit::window", c.Circuit.Window, minWindow, maxBackoff)
	p.duration("circuit::backoff", c.Circuit.Backoff, minBackoff, maxBackoff)
	p.duration("circuit::max_backoff", c.Circuit.MaxBackoff, max(c.Circuit.Backoff, minBackoff), maxBackoff)
	p.number("swap::shadow_batches", c.Swap.ShadowBatches, 0, maxShadowBatches)
	p.duration("swap::probation", c.Swap.Probation, 0, maxProbation)
	return errors.Join(p...)
}

func (l *Limits) check(p *problems) {
	if l.Memory < minMemory || l.Memory > maxMemory {
		p.add("limits::memory: %s: want %s to %s", l.Memory, bytesize.Size(minMemory), bytesize.Size(maxMemory))
	}
	if l.TimePerRecord == 0 || l.TimePerBatch == 0 {
		p.add("limits: a time of 0 is no bound, and a plugin is always bounded: leave time_per_record and time_per_batch out for their defaults, or raise them to at most %s and %s", maxTimePerRecord, maxTimePerBatch)
	} else {
		p.duration("limits::time_per_record", l.TimePerRecord, minTimePerRecord, maxTimePerRecord)
		p.duration("limits::time_per_batch", l.TimePerBatch, max(l.TimePerRecord, minTimePerBatch), maxTimePerBatch)
	}
	p.number("limits::instances", l.Instances, 1, 1024)
}

// source is the part of the configuration that says where the module comes from, without a cache.
func (c *Config) source() source.Settings {
	return source.Settings{Module: c.Module, Digest: c.Digest, Verify: c.Verify, Remote: c.Remote}
}
