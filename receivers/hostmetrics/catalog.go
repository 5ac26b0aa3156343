package hostmetrics

import "slices"

// kind is how the values of a metric relate to each other over time.
type kind int

const (
	gauge   kind = iota // a reading
	sum                 // an amount that may go up and down
	counter             // a total since boot
)

// definition is one metric: name, unit, type and whether it is on by default
// follow the Collector's hostmetrics receiver, so dashboards hold for both.
type definition struct {
	name, unit  string
	kind        kind
	float       bool
	on          bool
	description string
}

func cpuMetrics() []definition {
	return []definition{
		{"system.cpu.time", "s", counter, true, true, "Time each logical CPU spent in each state."},
		{"system.cpu.logical.count", "{cpu}", sum, false, true, "Logical CPUs that are available."},
		{"system.cpu.physical.count", "{cpu}", sum, false, false, "Physical CPU cores that are available."},
		{"system.cpu.utilization", "1", gauge, true, false, "Share of the time since the last scrape that each logical CPU spent in each state."},
		{"system.cpu.frequency", "Hz", gauge, true, false, "Current clock rate of each logical CPU."},
	}
}

func memoryMetrics() []definition {
	return []definition{
		{"system.memory.usage", "By", sum, false, true, "Bytes of memory in each state."},
		{"system.memory.utilization", "1", gauge, true, false, "Share of the memory in each state."},
		{"system.memory.limit", "By", sum, false, false, "Bytes of memory that the machine has."},
		{"system.memory.page_size", "By", gauge, false, false, "Size of a memory page."},
		{"system.memory.linux.shared", "By", sum, false, false, "Bytes of shared memory, with those of tmpfs file systems."},
		{"system.linux.memory.available", "By", sum, false, false, "Bytes that new programs can have without swapping, as Linux estimates it."},
		{"system.linux.memory.dirty", "By", sum, false, false, "Bytes that wait to be written to disk."},
	}
}

func loadMetrics() []definition {
	return []definition{
		{"system.cpu.load_average.1m", "{thread}", gauge, true, true, "Average load over one minute."},
		{"system.cpu.load_average.5m", "{thread}", gauge, true, true, "Average load over five minutes."},
		{"system.cpu.load_average.15m", "{thread}", gauge, true, true, "Average load over fifteen minutes."},
	}
}

func diskMetrics() []definition {
	return []definition{
		{"system.disk.io", "By", counter, false, true, "Bytes read from and written to each disk."},
		{"system.disk.operations", "{operations}", counter, false, true, "Reads and writes of each disk."},
		{"system.disk.io_time", "s", counter, true, true, "Time each disk was busy."},
		{"system.disk.operation_time", "s", counter, true, true, "Time that reads and writes took, added up."},
		{"system.disk.weighted_io_time", "s", counter, true, true, "Time each disk was busy, times the length of its queue."},
		{"system.disk.pending_operations", "{operations}", sum, false, true, "Reads and writes that each disk has yet to end."},
		{"system.disk.merged", "{operations}", counter, false, true, "Reads and writes that were merged with a neighbour."},
	}
}

func filesystemMetrics() []definition {
	return []definition{
		{"system.filesystem.usage", "By", sum, false, true, "Bytes of each file system in each state."},
		{"system.filesystem.inodes.usage", "{inodes}", sum, false, true, "Inodes of each file system in each state."},
		{"system.filesystem.utilization", "1", gauge, true, false, "Share of each file system that is used."},
	}
}

func networkMetrics() []definition {
	return []definition{
		{"system.network.packets", "{packets}", counter, false, true, "Packets that each interface received and sent."},
		{"system.network.dropped", "{packets}", counter, false, true, "Packets that each interface dropped."},
		{"system.network.errors", "{errors}", counter, false, true, "Errors of each interface."},
		{"system.network.io", "By", counter, false, true, "Bytes that each interface received and sent."},
		{"system.network.connections", "{connections}", sum, false, true, "TCP connections in each state."},
		{"system.network.conntrack.count", "{entries}", sum, false, false, "Entries of the connection tracking table."},
		{"system.network.conntrack.max", "{entries}", sum, false, false, "Entries that the connection tracking table may have."},
	}
}

// selected returns the definitions that cfg leaves or switches on.
func selected(all []definition, cfg Metrics) map[string]definition {
	on := map[string]definition{}
	for _, d := range all {
		if toggle, ok := cfg[d.name]; ok && !toggle.Enabled || !ok && !d.on {
			continue
		}
		on[d.name] = d
	}
	return on
}

func names(all []definition) []string {
	out := make([]string, 0, len(all))
	for _, d := range all {
		out = append(out, d.name)
	}
	slices.Sort(out)
	return out
}
