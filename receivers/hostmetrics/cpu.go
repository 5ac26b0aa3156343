package hostmetrics

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v4/cpu"
)

// cpuSource reads CPU times. It keeps the last ones for the utilization.
type cpuSource struct {
	host host
	last map[string]cpu.TimesStat
}

func (s *cpuSource) scrape(ctx context.Context, p *page) error {
	var failed partial
	failed.add(2, "read cpu times", s.times(ctx, p))
	if p.wants("system.cpu.logical.count") {
		n, err := cpu.CountsWithContext(ctx, true)
		failed.add(1, "count logical cpus", err)
		if err == nil {
			p.integer("system.cpu.logical.count", uint64(n))
		}
	}
	if p.wants("system.cpu.physical.count") {
		n, err := cpu.CountsWithContext(ctx, false)
		failed.add(1, "count physical cpus", err)
		if err == nil {
			p.integer("system.cpu.physical.count", uint64(n))
		}
	}
	if p.wants("system.cpu.frequency") {
		failed.add(1, "read cpu frequency", s.frequency(ctx, p))
	}
	return failed.err()
}

func (s *cpuSource) times(ctx context.Context, p *page) error {
	if !p.wants("system.cpu.time", "system.cpu.utilization") {
		return nil
	}
	all, err := cpu.TimesWithContext(ctx, true)
	if err == nil && len(all) == 0 { // how gopsutil says that it cannot read them
		err = fmt.Errorf("%w in %s", errNothing, s.host.proc("stat"))
	}
	if err != nil {
		return err
	}
	last := s.last
	s.last = make(map[string]cpu.TimesStat, len(all))
	for _, t := range all {
		s.last[t.CPU] = t
		for _, state := range states(t) {
			p.float("system.cpu.time", state.seconds, "cpu", t.CPU, "state", state.name)
		}
		if before, ok := last[t.CPU]; ok {
			utilization(p, before, t)
		}
	}
	return nil
}

// cpuState is the time in one state.
type cpuState struct {
	name    string
	seconds float64
}

// states are the states that the machine's system tells apart.
func states(t cpu.TimesStat) []cpuState {
	all := []cpuState{{"user", t.User}, {"system", t.System}, {"idle", t.Idle}, {"interrupt", t.Irq}}
	if runtime.GOOS == "linux" {
		all = append(all, cpuState{"nice", t.Nice}, cpuState{"softirq", t.Softirq}, cpuState{"steal", t.Steal}, cpuState{"wait", t.Iowait})
	}
	return all
}

func utilization(p *page, before, after cpu.TimesStat) {
	was, is := states(before), states(after)
	elapsed := 0.0
	for i := range is {
		elapsed += is[i].seconds - was[i].seconds
	}
	for i := range is {
		share := 0.0
		if elapsed > 0 {
			// The kernel may take a little idle time back.
			share = min(max((is[i].seconds-was[i].seconds)/elapsed, 0), 1)
		}
		p.float("system.cpu.utilization", share, "cpu", after.CPU, "state", is[i].name)
	}
}

// frequency is the current clock rate. gopsutil gives the highest one, so on
// Linux the kernel's own file is read.
func (s *cpuSource) frequency(ctx context.Context, p *page) error {
	const hertz = 1e6 // in a megahertz
	if runtime.GOOS != "linux" {
		infos, err := cpu.InfoWithContext(ctx)
		for _, info := range infos {
			p.float("system.cpu.frequency", info.Mhz*hertz, "cpu", fmt.Sprint("cpu", info.CPU))
		}
		return err
	}
	text, err := os.ReadFile(s.host.proc("cpuinfo"))
	if err != nil {
		return err
	}
	number := ""
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "processor":
			number = strings.TrimSpace(value)
		case "cpu MHz": // not every architecture tells
			if mhz, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil {
				p.float("system.cpu.frequency", mhz*hertz, "cpu", "cpu"+number)
			}
		}
	}
	return nil
}
