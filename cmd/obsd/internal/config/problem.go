package config

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong with a configuration: where it is, and how to mend it.
type Problem struct {
	// Source is the file as the user named it, `--set KEY`, or the built-in default.
	Source string
	// Line is the line in Source, from 1; 0 where there is none to name.
	Line int
	// Key is the path of the key, with dots, as `--set` takes it. Empty for a whole source.
	Key string
	// Text says what is wrong and what to do.
	Text string
}

// String is `file:line: key: text`, the form that editors and terminals make a link of.
func (p Problem) String() string {
	var b strings.Builder
	if p.Source != "" {
		b.WriteString(p.Source)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Text)
	return b.String()
}

// Problems is every problem that was found, in the order of the files. It is the error of a configuration that is not used.
type Problems []Problem

// Error is one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// sort puts the problems in the order of the sources and lines, and drops those said twice.
func (ps Problems) sort(sources []*source) Problems {
	rank := func(name string) int {
		return slices.IndexFunc(sources, func(s *source) bool { return s.name == name })
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if d := rank(a.Source) - rank(b.Source); d != 0 {
			return d
		}
		if d := a.Line - b.Line; d != 0 {
			return d
		}
		return strings.Compare(a.Key+a.Text, b.Key+b.Text)
	})
	return slices.Compact(ps)
}
