package hostmetrics

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/shirou/gopsutil/v4/mem"
)

// memorySource reads how memory is used.
type memorySource struct{}

// memoryState is the memory in one state.
type memoryState struct {
	name  string
	bytes uint64
}

func (memorySource) scrape(ctx context.Context, p *page) error {
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err == nil && m.Total == 0 {
		err = fmt.Errorf("%w: the machine seems to have no memory", errNothing)
	}
	if err != nil {
		return failure(len(p.on), fmt.Errorf("read memory: %w", err))
	}
	for _, s := range memoryStates(m) {
		p.integer("system.memory.usage", s.bytes, "state", s.name)
		p.float("system.memory.utilization", float64(s.bytes)/float64(m.Total), "state", s.name)
	}
	p.integer("system.memory.limit", m.Total)
	p.integer("system.memory.page_size", uint64(os.Getpagesize()))
	if runtime.GOOS == "linux" {
		p.integer("system.memory.linux.shared", m.Shared)
		p.integer("system.linux.memory.available", m.Available)
		p.integer("system.linux.memory.dirty", m.Dirty)
	}
	return nil
}

// memoryStates are the states that the machine's system tells apart. On Linux
// "used" is what is not available to new programs, as the Collector has it
// since 0.137; the others overlap with it.
func memoryStates(m *mem.VirtualMemoryStat) []memoryState {
	states := []memoryState{{"used", m.Used}, {"free", m.Free}}
	switch runtime.GOOS {
	case "linux":
		return append(states,
			memoryState{"buffered", m.Buffers}, memoryState{"cached", m.Cached},
			memoryState{"slab_reclaimable", m.Sreclaimable}, memoryState{"slab_unreclaimable", m.Sunreclaim})
	case "windows":
		return states
	default:
		return append(states, memoryState{"inactive", m.Inactive})
	}
}
