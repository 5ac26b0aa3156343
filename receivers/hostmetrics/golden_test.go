package hostmetrics

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shirou/gopsutil/v4/disk"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/obsd-io/obsd/internal/golden"
)

func hostfs(tb testing.TB) string {
	tb.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", "hostfs"))
	require.NoError(tb, err)
	return path
}

// hostConfig reads the captured host under testdata/hostfs.
func hostConfig(tb testing.TB, edit ...func(*Config)) *Config {
	tb.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.RootPath = hostfs(tb)
	for _, f := range edit {
		f(cfg)
	}
	return cfg
}

// everything switches every metric on.
func everything(c *Config) {
	on := func(defs []definition) Metrics {
		m := Metrics{}
		for _, d := range defs {
			m[d.name] = Toggle{Enabled: true}
		}
		return m
	}
	c.Scrapers.CPU = configoptional.Some(CPUConfig{Metrics: on(cpuMetrics())})
	c.Scrapers.Memory = configoptional.Some(MemoryConfig{Metrics: on(memoryMetrics())})
	c.Scrapers.Load = configoptional.Some(LoadConfig{Metrics: on(loadMetrics())})
	c.Scrapers.Disk = configoptional.Some(DiskConfig{Metrics: on(diskMetrics())})
	c.Scrapers.Filesystem = configoptional.Some(FilesystemConfig{Metrics: on(filesystemMetrics())})
	c.Scrapers.Network = configoptional.Some(NetworkConfig{Metrics: on(networkMetrics())})
}

// fixedUsage stands in for statfs, which knows nothing of the captured host.
func fixedUsage(_ context.Context, path string) (*disk.UsageStat, error) {
	n := uint64(len(filepath.Base(path)))
	return &disk.UsageStat{Total: 1000 * n, Used: 300 * n, Free: 600 * n, InodesUsed: 10 * n, InodesFree: 90 * n}, nil
}

// started returns the configured scrapers, started.
func started(tb testing.TB, cfg *Config, logger *zap.Logger) []*kindScraper {
	tb.Helper()
	all := cfg.scrapers("1.2.3", logger)
	for _, s := range all {
		if src, ok := s.source.(*filesystemSource); ok && cfg.RootPath != "" {
			src.usage = fixedUsage
		}
		require.NoError(tb, s.start(tb.Context(), componenttest.NewNopHost()))
	}
	return all
}

// scrapeOnce scrapes what cfg runs and renders it.
func scrapeOnce(t *testing.T, cfg *Config) string {
	t.Helper()
	var out strings.Builder
	for _, s := range started(t, cfg, zap.NewNop()) {
		md, err := s.scrape(t.Context())
		require.NoError(t, err)
		render(&out, md)
	}
	return out.String()
}

// render writes metrics as text, one line for a metric and one for each point.
// Times other than the start are left out.
func render(out *strings.Builder, md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		fmt.Fprintf(out, "resource %v schema %s\n", rm.Resource().Attributes().AsRaw(), rm.SchemaUrl())
		for _, sm := range rm.ScopeMetrics().All() {
			fmt.Fprintf(out, "scope %s %s\n", sm.Scope().Name(), sm.Scope().Version())
			for _, m := range sm.Metrics().All() {
				fmt.Fprintf(out, "%s\n", head(m))
				for _, dp := range points(m).All() {
					fmt.Fprintf(out, "  %s\n", line(dp))
				}
			}
		}
	}
}

func head(m pmetric.Metric) string {
	return fmt.Sprintf("%s [%s] %s %s", m.Name(), m.Unit(), typeOf(m), points(m).At(0).ValueType())
}

func typeOf(m pmetric.Metric) string {
	switch {
	case m.Type() == pmetric.MetricTypeGauge:
		return "gauge"
	case m.Sum().AggregationTemporality() != pmetric.AggregationTemporalityCumulative:
		return "wrong temporality"
	case m.Sum().IsMonotonic():
		return "counter"
	default:
		return "sum"
	}
}

func points(m pmetric.Metric) pmetric.NumberDataPointSlice {
	if m.Type() == pmetric.MetricTypeGauge {
		return m.Gauge().DataPoints()
	}
	return m.Sum().DataPoints()
}

func line(dp pmetric.NumberDataPoint) string {
	var attrs []string
	for k, v := range dp.Attributes().All() {
		attrs = append(attrs, k+"="+v.AsString())
	}
	value := fmt.Sprint(dp.DoubleValue())
	if dp.ValueType() == pmetric.NumberDataPointValueTypeInt {
		value = fmt.Sprint(dp.IntValue())
	}
	if dp.StartTimestamp() != 0 {
		value += fmt.Sprintf(" since %d", dp.StartTimestamp()/1e9)
	}
	return strings.Join(append(attrs, value), " ")
}

// TestGolden reads the captured host with every metric on. The page size is the
// testing machine's own and left out.
func TestGolden(t *testing.T) {
	cfg := hostConfig(t, everything)
	delete(cfg.Scrapers.Memory.Get().Metrics, "system.memory.page_size")
	golden.Require(t, "want.txt", scrapeOnce(t, cfg))
}

// TestCatalog holds the names, units, types and defaults against those of the
// Collector's hostmetrics receiver v0.165.0.
func TestCatalog(t *testing.T) {
	const want = `
cpu system.cpu.frequency [Hz] gauge Double off
cpu system.cpu.logical.count [{cpu}] sum Int on
cpu system.cpu.physical.count [{cpu}] sum Int off
cpu system.cpu.time [s] counter Double on
cpu system.cpu.utilization [1] gauge Double off
disk system.disk.io [By] counter Int on
disk system.disk.io_time [s] counter Double on
disk system.disk.merged [{operations}] counter Int on
disk system.disk.operation_time [s] counter Double on
disk system.disk.operations [{operations}] counter Int on
disk system.disk.pending_operations [{operations}] sum Int on
disk system.disk.weighted_io_time [s] counter Double on
filesystem system.filesystem.inodes.usage [{inodes}] sum Int on
filesystem system.filesystem.usage [By] sum Int on
filesystem system.filesystem.utilization [1] gauge Double off
load system.cpu.load_average.15m [{thread}] gauge Double on
load system.cpu.load_average.1m [{thread}] gauge Double on
load system.cpu.load_average.5m [{thread}] gauge Double on
memory system.linux.memory.available [By] sum Int off
memory system.linux.memory.dirty [By] sum Int off
memory system.memory.limit [By] sum Int off
memory system.memory.linux.shared [By] sum Int off
memory system.memory.page_size [By] gauge Int off
memory system.memory.usage [By] sum Int on
memory system.memory.utilization [1] gauge Double off
network system.network.connections [{connections}] sum Int on
network system.network.conntrack.count [{entries}] sum Int off
network system.network.conntrack.max [{entries}] sum Int off
network system.network.dropped [{packets}] counter Int on
network system.network.errors [{errors}] counter Int on
network system.network.io [By] counter Int on
network system.network.packets [{packets}] counter Int on
`
	on := map[string]bool{}
	for _, s := range started(t, hostConfig(t), zap.NewNop()) {
		for name := range s.on {
			on[name] = true
		}
	}
	var got []string
	for _, s := range started(t, hostConfig(t, everything), zap.NewNop()) {
		for range 2 { // utilization needs two readings
			md, err := s.scrape(t.Context())
			require.NoError(t, err)
			for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
				require.NotEmpty(t, m.Description())
				state := "off"
				if on[m.Name()] {
					state = "on"
				}
				got = append(got, s.name+" "+head(m)+" "+state)
			}
		}
	}
	slices.Sort(got)
	require.Equal(t, strings.Fields(want), strings.Fields(strings.Join(slices.Compact(got), "\n")))
}
