package engine

import (
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/docker/go-units"

	"github.com/obsd-io/obsd/plugins/builtin"
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
)

// Config is how a plugin is used, the same for processor and connector.
type Config struct {
	// Module names the plugin: builtin:<name> for a bundled one, or the path of a .wasm file.
	Module string `mapstructure:"module"`
	// Digest, sha256:<64 hex digits>, refuses any other bytes.
	Digest string `mapstructure:"digest"`
	// Config is the plugin's own configuration. It is checked against the schema in the plugin's manifest.
	Config map[string]any `mapstructure:"config"`
	// OnError says what happens to rows that a plugin failed on (a trap, a timeout, a bad result):
	// pass sends them on unchanged, drop loses and counts them, fail refuses the batch. Default pass.
	OnError OnError `mapstructure:"on_error"`
	// Limits bound what the plugin may use.
	Limits Limits `mapstructure:"limits"`
}

// Limits bound what a plugin may use.
type Limits struct {
	// Memory is the most memory of one instance, as in 32MiB. Default 32MiB; Go plugins start with 4.
	Memory ByteSize `mapstructure:"memory"`
	// TimePerBatch bounds one call of the plugin, which gets at most 256 rows. Default 100ms.
	// 0 switches the bound off: Go plugins then run several times faster, but one that never returns halts the daemon.
	TimePerBatch time.Duration `mapstructure:"time_per_batch"`
	// Instances is how many batches the plugin may work on at once. Default: as many as the daemon has processors.
	Instances int `mapstructure:"instances"`
}

// ByteSize is a number of bytes, written with a unit: 512KiB, 32MiB, 1GiB.
type ByteSize int64

// UnmarshalText reads a size with github.com/docker/go-units, in powers of 1,024.
func (b *ByteSize) UnmarshalText(text []byte) error {
	n, err := units.RAMInBytes(string(text))
	if err != nil {
		return fmt.Errorf("size %q: want a number with a unit, as in 32MiB", text)
	}
	*b = ByteSize(n)
	return nil
}

// MarshalText is the reverse of UnmarshalText.
func (b ByteSize) MarshalText() ([]byte, error) { return []byte(units.BytesSize(float64(b))), nil }

const (
	minMemory = 64 << 10 // one page
	maxMemory = 4 << 30
)

// NewConfig returns the defaults.
func NewConfig() Config {
	return Config{
		OnError: Pass,
		Limits:  Limits{Memory: 32 << 20, TimePerBatch: 100 * time.Millisecond, Instances: runtime.GOMAXPROCS(0)},
	}
}

// Validate reports all that can be told without loading the module.
func (c *Config) Validate() error {
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	scheme, _, found := strings.Cut(c.Module, "://")
	switch {
	case c.Module == "":
		refuse("module: missing; give builtin:<name> (%s) or the path of a .wasm file", builtinNames())
	case strings.HasPrefix(c.Module, builtinPrefix):
		// Without any bundled plugin the binary was built without make, which is for the start to say.
		if _, err := builtin.Module(c.Module[len(builtinPrefix):]); err != nil && len(builtin.Names()) > 0 {
			refuse("module: %w", err)
		}
	case found:
		refuse("module: %q: %s:// is not supported; give builtin:<name> or the path of a .wasm file", c.Module, scheme)
	}
	if c.Digest != "" {
		if sum, ok := strings.CutPrefix(c.Digest, digestPrefix); !ok || !isSHA256(sum) {
			refuse("digest: %q: want sha256: and 64 hex digits", c.Digest)
		}
	}
	if c.OnError != Pass && c.OnError != Drop && c.OnError != Fail {
		refuse("on_error: %q: want pass, drop or fail", c.OnError)
	}
	if c.Limits.Memory < minMemory || c.Limits.Memory > maxMemory {
		refuse("limits::memory: %s: want 64KiB to 4GiB", units.BytesSize(float64(c.Limits.Memory)))
	}
	if c.Limits.TimePerBatch < 0 {
		refuse("limits::time_per_batch: %s: want 0 (no bound) or more", c.Limits.TimePerBatch)
	}
	if c.Limits.Instances < 1 {
		refuse("limits::instances: %d: want 1 or more", c.Limits.Instances)
	}
	return errors.Join(errs...)
}

func isSHA256(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32
}
