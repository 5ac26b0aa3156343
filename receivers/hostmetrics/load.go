package hostmetrics

import (
	"context"
	"fmt"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/load"
)

// loadSource reads the load averages.
type loadSource struct{ average bool }

func (s loadSource) scrape(ctx context.Context, p *page) error {
	avg, err := load.AvgWithContext(ctx)
	if err != nil {
		return failure(len(p.on), fmt.Errorf("read load average: %w", err))
	}
	divisor := 1.0
	if s.average {
		n, err := cpu.CountsWithContext(ctx, true)
		if err == nil && n == 0 {
			err = errNothing
		}
		if err != nil {
			return failure(len(p.on), fmt.Errorf("count logical cpus: %w", err))
		}
		divisor = float64(n)
	}
	p.float("system.cpu.load_average.1m", avg.Load1/divisor)
	p.float("system.cpu.load_average.5m", avg.Load5/divisor)
	p.float("system.cpu.load_average.15m", avg.Load15/divisor)
	return nil
}
