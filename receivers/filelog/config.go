package filelog

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"go.opentelemetry.io/collector/component"

	"github.com/obsd-io/obsd/internal/resume"
)

// Values of the options that name one of a few words.
const (
	startAtBeginning = "beginning"
	startAtEnd       = "end"

	behaviorSplit    = "split"
	behaviorTruncate = "truncate"

	formatAuto   = "auto"
	formatDocker = "docker"
	formatCRI    = "cri"
	formatPlain  = "plain"
)

// Config is what an operator may set for one file_log receiver.
type Config struct {
	// Include lists the globs of the files to read. `**` stands for any number of folders, `{a,b}` for a choice. Required.
	Include []string `mapstructure:"include"`

	// Exclude lists the globs of files to leave out, although Include matches them.
	Exclude []string `mapstructure:"exclude"`

	// ExcludeOlderThan leaves out files last written longer ago than this; they are taken up when they are written again. 0 takes all.
	ExcludeOlderThan time.Duration `mapstructure:"exclude_older_than"`

	// StartAt says where to begin in files that stand there at the very first start: `beginning` or `end`.
	// Files that appear later are read from their beginning, and files with a stored position go on from it.
	StartAt string `mapstructure:"start_at"`

	// StorageID is the storage extension that keeps the positions over restarts. Without it they are kept in memory only.
	StorageID *component.ID `mapstructure:"storage"`

	// PollInterval is how often files are looked at for new lines, and folders for new files.
	PollInterval time.Duration `mapstructure:"poll_interval"`

	// MaxLogSize is the longest body of one record, joined partial lines included. `1MiB`, `64KiB` or a number of bytes.
	MaxLogSize ByteSize `mapstructure:"max_log_size"`

	// MaxLogSizeBehavior says what becomes of a longer line: `split` makes several records of it, `truncate` keeps the first part and counts the rest as cut.
	MaxLogSizeBehavior string `mapstructure:"max_log_size_behavior"`

	// Format is how lines are written: `auto` finds it out for each file, or `docker`, `cri`, `plain`.
	Format string `mapstructure:"format"`

	// IncludeFileName sets the resource attribute `log.file.name`.
	IncludeFileName bool `mapstructure:"include_file_name"`

	// IncludeFilePath sets the resource attribute `log.file.path`.
	IncludeFilePath bool `mapstructure:"include_file_path"`

	// ForceFlushPeriod is how long a last line without a newline in a plain file may stay quiet before it is sent as it is. 0 waits for the newline.
	ForceFlushPeriod time.Duration `mapstructure:"force_flush_period"`

	// MaxConcurrentFiles is how many files are kept open. More may be followed: the others are opened when they grow.
	MaxConcurrentFiles int `mapstructure:"max_concurrent_files"`

	// Readers is how many files are read at the same time. 0 takes one for each processor that obsd may use.
	Readers int `mapstructure:"readers"`

	// RotateWait is how long a rotated or deleted file must stay quiet, after it was read to its end, before it is closed.
	RotateWait time.Duration `mapstructure:"rotate_wait"`

	// MaxBatchSize is how many bytes are read from a file at once; the lines in them make one batch.
	MaxBatchSize ByteSize `mapstructure:"max_batch_size"`

	// MaxDeletedSize is how many bytes of deleted, not yet delivered files may be held on disk by keeping them open.
	// Beyond it the oldest is let go and its unread bytes are counted as lost.
	MaxDeletedSize ByteSize `mapstructure:"max_deleted_size"`

	// RetryOnFailure says how a batch that the pipeline refused is sent again.
	RetryOnFailure resume.RetryConfig `mapstructure:"retry_on_failure"`
}

func createDefaultConfig() component.Config {
	return &Config{
		StartAt:            startAtEnd,
		PollInterval:       200 * time.Millisecond,
		MaxLogSize:         1 << 20,
		MaxLogSizeBehavior: behaviorSplit,
		Format:             formatAuto,
		IncludeFileName:    true,
		ForceFlushPeriod:   500 * time.Millisecond,
		MaxConcurrentFiles: 1024,
		RotateWait:         5 * time.Second,
		MaxBatchSize:       256 << 10,
		MaxDeletedSize:     1 << 30,
		RetryOnFailure:     resume.NewRetryConfig(0),
	}
}

// Validate returns all that is wrong with the configuration at once.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(c.Include) == 0 {
		bad("include: no glob given: name the files to read, such as /var/log/*.log")
	}
	errs = append(errs, validateGlobs("include", c.Include), validateGlobs("exclude", c.Exclude))
	errs = append(errs,
		oneOf("start_at", c.StartAt, startAtBeginning, startAtEnd),
		oneOf("max_log_size_behavior", c.MaxLogSizeBehavior, behaviorSplit, behaviorTruncate),
		oneOf("format", c.Format, formatAuto, formatDocker, formatCRI, formatPlain))
	if c.PollInterval <= 0 {
		bad("poll_interval: %v: must be more than 0, such as 200ms", c.PollInterval)
	}
	if c.MaxLogSize < minLogSize {
		bad("max_log_size: %d: must be at least %d bytes", c.MaxLogSize, minLogSize)
	}
	if c.MaxBatchSize < minBatchSize || c.MaxBatchSize > maxBatchSize {
		bad("max_batch_size: %d: must be from %d bytes to %d bytes", c.MaxBatchSize, minBatchSize, maxBatchSize)
	}
	if c.MaxConcurrentFiles < 1 {
		bad("max_concurrent_files: %d: must be at least 1", c.MaxConcurrentFiles)
	}
	errs = append(errs,
		notNegative("exclude_older_than", int64(c.ExcludeOlderThan)),
		notNegative("force_flush_period", int64(c.ForceFlushPeriod)),
		notNegative("rotate_wait", int64(c.RotateWait)),
		notNegative("readers", int64(c.Readers)),
		notNegative("max_deleted_size", int64(c.MaxDeletedSize)),
		c.RetryOnFailure.Check())
	return errors.Join(errs...)
}

const (
	minLogSize   = 64
	minBatchSize = 4 << 10
	maxBatchSize = 64 << 20
)

func validateGlobs(key string, globs []string) error {
	var errs []error
	for i, glob := range globs {
		switch {
		case glob == "":
			errs = append(errs, fmt.Errorf("%s[%d]: empty glob: name a file or remove the entry", key, i))
		case !doublestar.ValidatePattern(filepath.ToSlash(glob)):
			errs = append(errs, fmt.Errorf("%s[%d]: %q is not a glob: check that [ and { are closed", key, i, glob))
		}
	}
	return errors.Join(errs...)
}

func oneOf(key, value string, words ...string) error {
	if slices.Contains(words, value) {
		return nil
	}
	return fmt.Errorf("%s: %q: must be %s", key, value, strings.Join(words, " or "))
}

func notNegative(key string, value int64) error {
	if value < 0 {
		return fmt.Errorf("%s: must not be negative", key)
	}
	return nil
}

// ByteSize is a number of bytes, written as a plain number or with a unit: 512KiB, 1MiB, 2GiB, 100KB.
type ByteSize int64

// UnmarshalText reads a size with or without a unit.
func (s *ByteSize) UnmarshalText(text []byte) error {
	value := strings.TrimSpace(string(text))
	digits := strings.TrimRight(value, "KkMmGgTtIiBb ")
	unit, ok := unitFactor(strings.ToLower(strings.TrimSpace(value[len(digits):])))
	number, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil || !(number >= 0 && number*unit <= 1<<62) {
		return fmt.Errorf("%q is not a size: write a number of bytes, or a number with KiB, MiB or GiB", value)
	}
	*s = ByteSize(number * unit)
	return nil
}

func unitFactor(unit string) (float64, bool) {
	switch unit {
	case "", "b":
		return 1, true
	case "k", "kb":
		return 1e3, true
	case "m", "mb":
		return 1e6, true
	case "g", "gb":
		return 1e9, true
	case "ki", "kib":
		return 1 << 10, true
	case "mi", "mib":
		return 1 << 20, true
	case "gi", "gib":
		return 1 << 30, true
	}
	return 0, false
}
