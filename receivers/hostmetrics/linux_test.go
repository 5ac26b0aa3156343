//go:build linux

package hostmetrics

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// procLine returns the fields of the line of a /proc file that begins with start.
func procLine(t *testing.T, path, start string) []string {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.HasPrefix(strings.TrimSpace(lines.Text()), start) {
			return strings.Fields(lines.Text())
		}
	}
	require.Fail(t, "no such line", "%s %q", path, start)
	return nil
}

func procNumber(t *testing.T, path, start string, field int) float64 {
	t.Helper()
	var n float64
	_, err := fmt.Sscan(procLine(t, path, start)[field], &n)
	require.NoError(t, err)
	return n
}

// TestThisMachine scrapes the machine twice and holds it against /proc.
func TestThisMachine(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	everything(cfg)
	delete(cfg.Scrapers.Network.Get().Metrics, "system.network.conntrack.count") // not every kernel has it
	delete(cfg.Scrapers.Network.Get().Metrics, "system.network.conntrack.max")
	cfg.Controller.InitialDelay = 0
	cfg.Controller.CollectionInterval = 50 * time.Millisecond
	sink := &consumertest.MetricsSink{}
	r := newTestReceiver(t, cfg, sink)
	user := func() float64 { return procNumber(t, "/proc/stat", "cpu0 ", 1) / 100 }
	userBefore := user()
	require.NoError(t, r.Start(t.Context(), nil))
	require.Eventually(t, func() bool { return len(sink.AllMetrics()) >= 3 }, time.Minute, 5*time.Millisecond)
	require.NoError(t, r.Shutdown(t.Context()))
	first, last := sink.AllMetrics()[0], sink.AllMetrics()[len(sink.AllMetrics())-1]

	require.InDelta(t, procNumber(t, "/proc/meminfo", "MemTotal:", 1)*1024, value(t, last, "system.memory.limit"), 0)
	available := procNumber(t, "/proc/meminfo", "MemAvailable:", 1) * 1024 // of now: other tests have gone on meanwhile
	require.Greater(t, value(t, last, "system.linux.memory.available"), available/4)
	require.Less(t, value(t, last, "system.linux.memory.available"), available*4)
	require.InDelta(t, float64(os.Getpagesize()), value(t, last, "system.memory.page_size"), 0)

	text, err := os.ReadFile("/proc/cpuinfo")
	require.NoError(t, err)
	cpus := strings.Count("\n"+string(text), "\nprocessor")
	require.InDelta(t, float64(cpus), value(t, last, "system.cpu.logical.count"), 0)
	const tick = 0.01
	require.GreaterOrEqual(t, value(t, last, "system.cpu.time", "cpu", "cpu0", "state", "user"), userBefore-tick)
	require.LessOrEqual(t, value(t, last, "system.cpu.time", "cpu", "cpu0", "state", "user"), user()+tick)
	require.InDelta(t, procNumber(t, "/proc/loadavg", "", 2), value(t, last, "system.cpu.load_average.15m"), 1)
	require.LessOrEqual(t, value(t, first, "system.network.io", "device", "lo", "direction", "receive"), value(t, last, "system.network.io", "device", "lo", "direction", "receive"))

	host, err := os.Hostname()
	require.NoError(t, err)
	for _, rm := range last.ResourceMetrics().All() {
		name, _ := rm.Resource().Attributes().Get("host.name")
		require.Equal(t, host, name.Str())
	}
	requireMonotonic(t, first, last, procNumber(t, "/proc/stat", "btime", 1))
}

// requireMonotonic holds each counter against its earlier value and the boot time.
func requireMonotonic(t *testing.T, first, last pmetric.Metrics, booted float64) {
	t.Helper()
	was, counters := map[string]float64{}, 0
	eachCounter(first, func(key string, dp pmetric.NumberDataPoint) { was[key] = number(dp) })
	eachCounter(last, func(key string, dp pmetric.NumberDataPoint) {
		counters++
		if !strings.Contains(key, "state:wait") && !strings.Contains(key, "state:idle") { // the kernel's own may go back, says proc(5)
			require.GreaterOrEqual(t, number(dp), was[key], key)
		}
		require.InDelta(t, booted, float64(dp.StartTimestamp()/1e9), 1, key)
		require.Greater(t, dp.Timestamp(), dp.StartTimestamp())
	})
	require.Greater(t, counters, 16)
}

func number(dp pmetric.NumberDataPoint) float64 {
	if dp.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return float64(dp.IntValue())
	}
	return dp.DoubleValue()
}

func eachCounter(md pmetric.Metrics, f func(key string, dp pmetric.NumberDataPoint)) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			if typeOf(m) != "counter" {
				continue
			}
			for _, dp := range points(m).All() {
				f(fmt.Sprint(m.Name(), dp.Attributes().AsRaw()), dp)
			}
		}
	}
}

// TestContainerWithoutFirstProcess falls back to the reader's own network where
// the host's first process cannot be read.
func TestContainerWithoutFirstProcess(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.CopyFS(root, os.DirFS(hostfs(t))))
	require.NoError(t, os.Remove(filepath.Join(root, "proc", "1", "net", "dev")))
	got := scrapeOnce(t, hostConfig(t, func(c *Config) {
		c.RootPath = root
		c.Scrapers.Network.GetOrInsertDefault()
	}))
	require.Contains(t, got, "device=container0")
	require.NotContains(t, got, "device=eth0")
}
