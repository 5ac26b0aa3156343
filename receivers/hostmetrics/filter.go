package hostmetrics

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
)

const (
	matchStrict = "strict"
	matchRegexp = "regexp"
)

// DeviceMatch names devices.
type DeviceMatch struct {
	// MatchType is strict (also when empty) or regexp.
	MatchType string `mapstructure:"match_type"`
	// Devices are the names or patterns.
	Devices []string `mapstructure:"devices"`
}

// InterfaceMatch names network interfaces.
type InterfaceMatch struct {
	// MatchType is strict (also when empty) or regexp.
	MatchType string `mapstructure:"match_type"`
	// Interfaces are the names or patterns.
	Interfaces []string `mapstructure:"interfaces"`
}

// FSTypeMatch names file system types.
type FSTypeMatch struct {
	// MatchType is strict (also when empty) or regexp.
	MatchType string `mapstructure:"match_type"`
	// FSTypes are the names or patterns.
	FSTypes []string `mapstructure:"fs_types"`
}

// MountPointMatch names mount points.
type MountPointMatch struct {
	// MatchType is strict (also when empty) or regexp.
	MatchType string `mapstructure:"match_type"`
	// MountPoints are the names or patterns.
	MountPoints []string `mapstructure:"mount_points"`
}

func (m DeviceMatch) check(key string) error { return checkMatch(key, m.MatchType, m.Devices) }

func (m InterfaceMatch) check(key string) error { return checkMatch(key, m.MatchType, m.Interfaces) }

func (m FSTypeMatch) check(key string) error { return checkMatch(key, m.MatchType, m.FSTypes) }

func (m MountPointMatch) check(key string) error { return checkMatch(key, m.MatchType, m.MountPoints) }

func checkMatch(key, matchType string, patterns []string) error {
	switch matchType {
	case "", matchStrict:
		return nil
	case matchRegexp:
	default:
		return fmt.Errorf("%s::match_type: %q is unknown: use %s or %s", key, matchType, matchStrict, matchRegexp)
	}
	var errs []error
	for i, p := range patterns {
		if _, err := regexp.Compile(p); err != nil {
			errs = append(errs, fmt.Errorf("%s[%d]: %w: mend the pattern", key, i, err))
		}
	}
	return errors.Join(errs...)
}

// filter lets names through that include has, or that include leaves open, and
// exclude has not.
type filter struct{ include, exclude matcher }

func (f filter) allows(name string) bool {
	return (f.include.empty() || f.include.has(name)) && !f.exclude.has(name)
}

// matcher is one list of names or patterns.
type matcher struct {
	exact    []string
	patterns []*regexp.Regexp
}

// newMatcher takes what checkMatch has passed.
func newMatcher(matchType string, list []string) (m matcher) {
	if matchType != matchRegexp {
		m.exact = list
		return m
	}
	for _, p := range list {
		if re, err := regexp.Compile(p); err == nil {
			m.patterns = append(m.patterns, re)
		}
	}
	return m
}

func (m matcher) empty() bool { return len(m.exact) == 0 && len(m.patterns) == 0 }

func (m matcher) has(name string) bool {
	return slices.Contains(m.exact, name) ||
		slices.ContainsFunc(m.patterns, func(re *regexp.Regexp) bool { return re.MatchString(name) })
}
