package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// ratio is the median over the rounds of obsd's lines per CPU second divided by the peer's of the same round.
func (r result) ratio() float64 {
	ratios := make([]float64, len(r.obsd))
	for i := range r.obsd {
		ratios[i] = r.obsd[i].perCPUSecond() / r.peer[i].perCPUSecond()
	}
	return median(ratios)
}

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}

func medianOf(runs []measurement, value func(measurement) float64) float64 {
	values := make([]float64, len(runs))
	for i, m := range runs {
		values[i] = value(m)
	}
	return median(values)
}

// table writes the results as Markdown.
func table(results []result) string {
	var b strings.Builder
	b.WriteString("| work | obsd | lines (or scrapes) per CPU second: obsd | peer | ratio | floor | allocated by each: obsd | peer | peak RSS: obsd | peer | start to ready: obsd | peer |\n")
	b.WriteString("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, r := range results {
		floor := "-"
		if r.variant.floor > 0 {
			floor = fmt.Sprintf("%.0f", r.variant.floor)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %.1f | %s | %s | %s | %s | %s | %s | %s |\n", r.row, r.variant.name,
			thousands(medianOf(r.obsd, measurement.perCPUSecond)), thousands(medianOf(r.peer, measurement.perCPUSecond)), r.ratio(), floor,
			perLine(r.obsd), perLine(r.peer), megabytes(r.obsd), megabytes(r.peer), startTime(r.obsd), startTime(r.peer))
	}
	return b.String()
}

// belowFloor says in words which ratios are too low.
func belowFloor(results []result) []string {
	var low []string
	for _, r := range results {
		if ratio := r.ratio(); ratio < r.variant.floor {
			low = append(low, fmt.Sprintf("%s (%s): ratio %.1f is below the floor of %.0f", r.row, r.variant.name, ratio, r.variant.floor))
		}
	}
	return low
}

// thousands rounds to three figures, or to tenths, and sets commas: 1,230,000.
func thousands(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.1f", v)
	}
	step := 1.0
	for v/step >= 1000 {
		step *= 10
	}
	digits := fmt.Sprintf("%.0f", float64(int64(v/step+0.5))*step)
	var groups []string
	for len(digits) > 3 {
		groups = append(groups, digits[len(digits)-3:])
		digits = digits[:len(digits)-3]
	}
	groups = append(groups, digits)
	slices.Reverse(groups)
	return strings.Join(groups, ",")
}

func megabytes(runs []measurement) string {
	return fmt.Sprintf("%.0f MB", medianOf(runs, func(m measurement) float64 { return float64(m.usage.PeakRSS) / 1e6 }))
}

// perLine is the memory that was allocated for each line or scrape.
func perLine(runs []measurement) string {
	v := medianOf(runs, func(m measurement) float64 { return float64(m.allocated) / float64(m.lines) })
	if v >= 1e6 {
		return fmt.Sprintf("%.1f MB", v/1e6)
	}
	return fmt.Sprintf("%.1f kB", v/1e3)
}

func startTime(runs []measurement) string {
	seconds := medianOf(runs, func(m measurement) float64 { return m.ready.Seconds() })
	return time.Duration(seconds * float64(time.Second)).Round(10 * time.Millisecond).String()
}
