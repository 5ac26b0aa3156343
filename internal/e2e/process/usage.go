package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process has used since its start.
type Usage struct {
	// CPU is user plus system time of all threads, in steps of 10 ms (the kernel's clock tick).
	CPU time.Duration
	// PeakRSS is the most resident memory it ever had, in bytes.
	PeakRSS int64
}

// tick is the kernel's USER_HZ, which is 100 on every architecture that Go runs Linux on.
const tick = 10 * time.Millisecond

// Usage reads /proc/PID/stat and /proc/PID/status, so it works on Linux only and while the program runs.
func (p *Process) Usage() (Usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
	if err != nil {
		return Usage{}, fmt.Errorf("process %q: read usage: %w", p.set.Name, err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return Usage{}, fmt.Errorf("process %q: read usage: %w", p.set.Name, err)
	}
	cpu, err := parseCPU(string(stat))
	if err != nil {
		return Usage{}, fmt.Errorf("process %q: read usage: %w", p.set.Name, err)
	}
	rss, err := parsePeakRSS(string(status))
	if err != nil {
		return Usage{}, fmt.Errorf("process %q: read usage: %w", p.set.Name, err)
	}
	return Usage{CPU: cpu, PeakRSS: rss}, nil
}

// parseCPU adds fields 14 and 15 (utime, stime) of /proc/PID/stat. Field 2, the name, may hold spaces and brackets, so
// counting starts behind its last bracket.
func parseCPU(stat string) (time.Duration, error) {
	_, rest, ok := lastCut(stat, ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0, fmt.Errorf("stat: %q has too few fields", stat)
	}
	var sum time.Duration
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("stat: %w", err)
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

func lastCut(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func parsePeakRSS(status string) (int64, error) {
	for line := range strings.Lines(status) {
		value, ok := strings.CutPrefix(line, "VmHWM:")
		if !ok {
			continue
		}
		kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("status: VmHWM: %w", err)
		}
		return kb << 10, nil
	}
	return 0, fmt.Errorf("status: no VmHWM (the process has ended)")
}
