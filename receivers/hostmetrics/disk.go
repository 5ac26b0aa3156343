package hostmetrics

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/shirou/gopsutil/v4/disk"
)

// diskSource reads what block devices do.
type diskSource struct{ devices filter }

func newDiskSource(cfg *DiskConfig) diskSource {
	return diskSource{devices: filter{
		include: newMatcher(cfg.Include.MatchType, cfg.Include.Devices),
		exclude: newMatcher(cfg.Exclude.MatchType, cfg.Exclude.Devices),
	}}
}

func (s diskSource) scrape(ctx context.Context, p *page) error {
	all, err := disk.IOCountersWithContext(ctx)
	if err != nil {
		return failure(len(p.on), fmt.Errorf("read disk counters: %w", err))
	}
	for _, device := range slices.Sorted(maps.Keys(all)) {
		if s.devices.allows(device) {
			writeDisk(p, device, all[device])
		}
	}
	return nil
}

func writeDisk(p *page, device string, c disk.IOCountersStat) {
	read := []string{"device", device, "direction", "read"}
	write := []string{"device", device, "direction", "write"}
	p.integer("system.disk.io", c.ReadBytes, read...)
	p.integer("system.disk.io", c.WriteBytes, write...)
	p.integer("system.disk.operations", c.ReadCount, read...)
	p.integer("system.disk.operations", c.WriteCount, write...)
	p.float("system.disk.io_time", seconds(c.IoTime), "device", device)
	p.float("system.disk.operation_time", seconds(c.ReadTime), read...)
	p.float("system.disk.operation_time", seconds(c.WriteTime), write...)
	p.float("system.disk.weighted_io_time", seconds(c.WeightedIO), "device", device)
	p.integer("system.disk.pending_operations", c.IopsInProgress, "device", device)
	p.integer("system.disk.merged", c.MergedReadCount, read...)
	p.integer("system.disk.merged", c.MergedWriteCount, write...)
}

func seconds(milliseconds uint64) float64 {
	return float64(milliseconds) / float64(time.Second/time.Millisecond)
}
