package config

import (
	"strconv"
	"strings"
)

// nearest returns the name that a typo most likely meant, or "" if none is near.
func nearest(typo string, names []string) string {
	best, found := 1+max(1, len(typo)/3), ""
	for _, name := range names {
		d := distance(fold(typo), fold(name))
		if d < best {
			best, found = d, name
		}
	}
	return found
}

// fold makes spellings equal that people mix up: otelcol ids went from `filelog` to `file_log`.
func fold(s string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(s))
}

// distance is how many single-letter edits or swaps of neighbours turn a into b.
func distance(a, b string) int {
	before, prev := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev = prev, row
	}
	return prev[len(b)]
}

// otherwise ends a sentence about an unknown name: with the one that was meant, or with all there are.
func otherwise(typo string, names []string, all string) string {
	if near := nearest(typo, names); near != "" {
		return ", did you mean " + strconv.Quote(near) + "?"
	}
	if len(names) == 0 {
		return ""
	}
	return "; " + all + " " + list(names)
}
