package hostmetrics

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shirou/gopsutil/v4/disk"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/collector/scraper/scraperhelper"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// only runs one scraper; the others are named so that they stay off.
func only(set func(*Scrapers)) func(*Config) {
	return func(c *Config) { set(&c.Scrapers) }
}

func TestOptions(t *testing.T) {
	for name, tc := range map[string]struct {
		edit       func(*Config)
		want, miss []string
	}{
		"virtual file systems and binds are left out": {
			edit: only(func(s *Scrapers) { s.Filesystem = configoptional.Some(FilesystemConfig{}) }),
			want: []string{
				"device=/dev/nvme0n1p1 mode=rw mountpoint=/ type=ext4 state=used 1800 since",
				"device=/dev/sda mode=ro mountpoint=/mnt/with space type=xfs state=free",
				"mountpoint=/boot/efi type=vfat",
			},
			miss: []string{"tmpfs", "nfs4", "proc", "/var/lib/containers/hosts", "utilization"},
		},
		"virtual file systems": {
			edit: only(func(s *Scrapers) { s.Filesystem = configoptional.Some(FilesystemConfig{IncludeVirtual: true}) }),
			want: []string{"type=tmpfs", "type=nfs4", "type=ext4"},
		},
		"file system types": {
			edit: only(func(s *Scrapers) {
				s.Filesystem = configoptional.Some(FilesystemConfig{IncludeFSTypes: FSTypeMatch{FSTypes: []string{"ext4", "xfs"}}, ExcludeFSTypes: FSTypeMatch{FSTypes: []string{"xfs"}}})
			}),
			want: []string{"type=ext4"}, miss: []string{"type=xfs", "type=vfat"},
		},
		"file system devices": {
			edit: only(func(s *Scrapers) {
				s.Filesystem = configoptional.Some(FilesystemConfig{IncludeDevices: DeviceMatch{Devices: []string{"^/dev/nvme", "sda$"}, MatchType: "regexp"}, ExcludeDevices: DeviceMatch{Devices: []string{"/dev/nvme0n1p2"}}})
			}),
			want: []string{"device=/dev/nvme0n1p1", "device=/dev/sda"}, miss: []string{"nvme0n1p2"},
		},
		"mount points": {
			edit: only(func(s *Scrapers) {
				s.Filesystem = configoptional.Some(FilesystemConfig{IncludeMountPoints: MountPointMatch{"regexp", []string{"^/.*"}}, ExcludeMountPoints: MountPointMatch{"regexp", []string{"^/mnt/"}}})
			}),
			want: []string{"mountpoint=/ ", "mountpoint=/boot/efi"}, miss: []string{"/mnt/"},
		},
		"disks": {
			edit: only(func(s *Scrapers) {
				s.Disk = configoptional.Some(DiskConfig{Include: DeviceMatch{"regexp", []string{"^nvme"}}, Exclude: DeviceMatch{"strict", []string{"nvme0n1p1"}}})
			}),
			want: []string{"device=nvme0n1 direction=read"}, miss: []string{"sda", "nvme0n1p1", "loop0"},
		},
		"interfaces": {
			edit: only(func(s *Scrapers) {
				s.Network = configoptional.Some(NetworkConfig{Exclude: InterfaceMatch{"", []string{"lo", "docker0"}}})
			}),
			want: []string{"device=eth0 direction=receive 1000000"}, miss: []string{"device=lo", "docker0", "container0"},
		},
		"chosen interfaces": {
			edit: only(func(s *Scrapers) {
				s.Network = configoptional.Some(NetworkConfig{Include: InterfaceMatch{"regexp", []string{"^d"}}, Metrics: Metrics{"system.network.connections": {}}})
			}),
			want: []string{"device=docker0"}, miss: []string{"eth0", "connections"},
		},
		"load per cpu": {
			edit: only(func(s *Scrapers) { s.Load = configoptional.Some(LoadConfig{CPUAverage: true}) }),
			want: []string{"1m [{thread}] gauge Double\n  0.25\n", "15m [{thread}] gauge Double\n  1.5\n"},
		},
		"metrics off": {
			edit: only(func(s *Scrapers) {
				s.CPU = configoptional.Some(CPUConfig{Metrics: Metrics{"system.cpu.time": {Enabled: false}}})
			}),
			want: []string{"system.cpu.logical.count [{cpu}] sum Int\n  2 since 1700000000\n"}, miss: []string{"system.cpu.time"},
		},
		"resource": {
			edit: only(func(s *Scrapers) { s.Load = configoptional.Some(LoadConfig{}) }),
			want: []string{"resource map[host.name:node-7 os.type:" + runtime.GOOS + "]"},
		},
		"bare resource": {
			edit: func(c *Config) { c.ResourceAttributes = ResourceAttributes{} },
			want: []string{"resource map[] "}, miss: []string{"node-7"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := scrapeOnce(t, hostConfig(t, tc.edit))
			for _, want := range tc.want {
				require.Contains(t, got, want)
			}
			for _, miss := range tc.miss {
				require.NotContains(t, got, miss)
			}
		})
	}
}

// TestUtilization sets the clock of the captured host forward by ten seconds.
func TestUtilization(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.CopyFS(root, os.DirFS(hostfs(t))))
	cfg := hostConfig(t, everything, func(c *Config) { c.RootPath = root })
	cpu := started(t, cfg, zap.NewNop())[0]
	_, err := cpu.scrape(t.Context())
	require.NoError(t, err)

	stat := filepath.Join(root, "proc", "stat")
	text, err := os.ReadFile(stat)
	require.NoError(t, err)
	moved := strings.Replace(string(text), "cpu0 20000 150 10000 400000", "cpu0 20600 150 10100 400300", 1)
	require.NoError(t, os.WriteFile(stat, []byte(moved), 0o600))
	md, err := cpu.scrape(t.Context())
	require.NoError(t, err)
	var out strings.Builder
	render(&out, md)
	for _, want := range []string{"cpu=cpu0 state=user 0.6\n", "cpu=cpu0 state=system 0.1\n", "cpu=cpu0 state=idle 0.3\n", "cpu=cpu1 state=user 0\n"} {
		require.Contains(t, out.String(), want)
	}
}

// TestFailingScrapers reads a host of which half is missing.
func TestFailingScrapers(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.CopyFS(root, os.DirFS(hostfs(t))))
	for _, gone := range []string{"proc/stat", "proc/meminfo", "proc/diskstats", "proc/1/net/tcp"} {
		require.NoError(t, os.Remove(filepath.Join(root, gone)))
	}
	tel := componenttest.NewTelemetry()
	core, logs := observer.New(zap.DebugLevel)
	set := receivertest.NewNopSettings(component.MustNewType("host_metrics"))
	set.TelemetrySettings = tel.NewTelemetrySettings()
	set.Logger = zap.New(core)
	ticks := make(chan time.Time)
	sink := &consumertest.MetricsSink{}
	cfg := hostConfig(t, everything, func(c *Config) { c.RootPath = root; c.Controller.InitialDelay = 0 })
	r, err := newReceiver(cfg, set, sink, scraperhelper.WithTickerChannel(ticks))
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	for range 3 { // a tick is taken only after the scrape before it
		ticks <- time.Now()
	}
	require.NoError(t, r.Shutdown(t.Context()))

	seen := map[string]bool{}
	for _, md := range sink.AllMetrics() {
		for _, rm := range md.ResourceMetrics().All() {
			for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
				seen[m.Name()] = true
			}
		}
	}
	require.True(t, seen["system.cpu.load_average.1m"])
	require.True(t, seen["system.network.io"])
	require.True(t, seen["system.cpu.logical.count"])
	require.False(t, seen["system.network.connections"])
	require.False(t, seen["system.memory.usage"])

	warnings := map[string]int{}
	for _, entry := range logs.FilterLevelExact(zap.WarnLevel).FilterMessageSnippet("some host metrics cannot be read").All() {
		warnings[fmt.Sprint(entry.ContextMap()["scraper"])]++
	}
	require.Equal(t, map[string]int{"cpu": 1, "memory": 1, "disk": 1, "filesystem": 1, "network": 1}, warnings)
	require.Zero(t, logs.FilterLevelExact(zap.ErrorLevel).Len(), "the controller's lines are debug lines")
	require.Positive(t, errored(t, tel, "memory"))
	require.Zero(t, errored(t, tel, "load"))
	require.NoError(t, tel.Shutdown(t.Context()))
}

// errored is otelcol_scraper_errored_metric_points of one scraper.
func errored(t *testing.T, tel *componenttest.Telemetry, kind string) (n int64) {
	t.Helper()
	m, err := tel.GetMetric("otelcol_scraper_errored_metric_points")
	require.NoError(t, err)
	for _, dp := range m.Data.(metricdata.Sum[int64]).DataPoints {
		if v, _ := dp.Attributes.Value("scraper"); v.AsString() == kind {
			n += dp.Value
		}
	}
	return n
}

func TestFailureTexts(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "proc"), 0o700))
	gone := func(path string) string {
		return "open " + filepath.Join(root, "proc", path) + ": no such file or directory"
	}
	want := map[string]string{
		"cpu":        "read cpu times: nothing to read in " + filepath.Join(root, "proc", "stat") + "; count logical cpus: " + gone("stat"),
		"memory":     "read memory: couldn't read " + filepath.Join(root, "proc", "meminfo") + ": " + gone("meminfo"),
		"disk":       "read disk counters: " + gone("diskstats"),
		"filesystem": "list mount points: " + gone("self/mounts"),
		"network":    "read interface counters: " + gone("net/dev") + "; count tcp connections: " + gone("net/tcp"),
	}
	for _, s := range started(t, hostConfig(t, func(c *Config) { c.RootPath = root }), zap.NewNop()) {
		md, err := s.scrape(t.Context())
		if s.name == "load" { // the kernel tells it without a file
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, want[s.name], s.name)
		require.Zero(t, md.DataPointCount(), s.name)
	}
}

func TestWarnsAgainAfterAllWasWell(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	s := &kindScraper{logger: zap.New(core), warned: map[string]struct{}{}}
	for _, err := range []error{errNothing, errNothing, nil, nil, errNothing, errSilent, errNothing} {
		s.report(err)
	}
	var got []string
	for _, e := range logs.All() {
		got = append(got, e.Level.String())
	}
	require.Equal(t, []string{"warn", "info", "warn", "warn"}, got)
}

func TestRootPathMissing(t *testing.T) {
	cfg := hostConfig(t, func(c *Config) { c.RootPath = "/no/such/root" })
	r := newTestReceiver(t, cfg, &consumertest.MetricsSink{})
	require.EqualError(t, r.Start(t.Context(), componenttest.NewNopHost()),
		`hostmetrics: open root_path "/no/such/root": stat /no/such/root/proc: no such file or directory: mount the host's root directory there`)
	require.NoError(t, r.Shutdown(t.Context()))
}

func newTestReceiver(t *testing.T, cfg *Config, sink *consumertest.MetricsSink, options ...scraperhelper.ControllerOption) receiver.Metrics {
	t.Helper()
	r, err := newReceiver(cfg, receivertest.NewNopSettings(component.MustNewType("host_metrics")), sink, options...)
	require.NoError(t, err)
	return r
}

// TestTwoHosts reads two hosts at once, which needs root paths of their own.
func TestTwoHosts(t *testing.T) {
	other := t.TempDir()
	require.NoError(t, os.CopyFS(other, os.DirFS(hostfs(t))))
	require.NoError(t, os.WriteFile(filepath.Join(other, "etc", "hostname"), []byte("node-8\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(other, "proc", "loadavg"), []byte("9 9 9 1/2 3\n"), 0o600))
	for _, tc := range []struct {
		root, name string
		load       float64
	}{{hostfs(t), "node-7", 0.5}, {other, "node-8", 9}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for range 50 {
				cfg := hostConfig(t, func(c *Config) { c.RootPath = tc.root; c.Scrapers.Load.GetOrInsertDefault() })
				md, err := started(t, cfg, zap.NewNop())[0].scrape(t.Context())
				require.NoError(t, err)
				name, _ := md.ResourceMetrics().At(0).Resource().Attributes().Get("host.name")
				require.Equal(t, tc.name, name.Str())
				require.InDelta(t, tc.load, value(t, md, "system.cpu.load_average.1m"), 0)
			}
		})
	}
}

// value is the value of the one point of a metric that has the attributes.
func value(t *testing.T, md pmetric.Metrics, name string, attrs ...string) float64 {
	t.Helper()
	for _, rm := range md.ResourceMetrics().All() {
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			for _, dp := range points(m).All() {
				if m.Name() == name && hasAll(dp, attrs) {
					if dp.ValueType() == pmetric.NumberDataPointValueTypeInt {
						return float64(dp.IntValue())
					}
					return dp.DoubleValue()
				}
			}
		}
	}
	require.Fail(t, "no such point", "%s %v", name, attrs)
	return 0
}

func hasAll(dp pmetric.NumberDataPoint, attrs []string) bool {
	for i := 0; i+1 < len(attrs); i += 2 {
		if v, ok := dp.Attributes().Get(attrs[i]); !ok || v.Str() != attrs[i+1] {
			return false
		}
	}
	return true
}

func TestSilentFilesystem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFilesystemSource(&FilesystemConfig{}, host{root: hostfs(t)})
		dead, calls := make(chan struct{}), atomic.Int64{}
		src.usage = func(ctx context.Context, path string) (*disk.UsageStat, error) {
			if strings.HasSuffix(path, "with space") {
				calls.Add(1)
				<-dead
			}
			return fixedUsage(ctx, path)
		}
		ctx := src.host.context(t.Context())
		for range 3 {
			p := newPage(selected(filesystemMetrics(), nil), pcommon.NewResource(), "", 0, 0)
			begin := time.Now()
			err := src.scrape(ctx, p)
			require.EqualError(t, err, `measure "/mnt/with space": no answer: the file system hangs, and is left out until it answers`)
			require.LessOrEqual(t, time.Since(begin), mountPatience)
			require.Equal(t, 5+5, p.metrics().DataPointCount(), "the other two file systems")
		}
		require.EqualValues(t, 1, calls.Load(), "a file system that hangs is not asked again")
		close(dead)
		synctest.Wait()
		require.NoError(t, src.scrape(ctx, newPage(selected(filesystemMetrics(), nil), pcommon.NewResource(), "", 0, 0)))
	})
}

func TestTimeoutEndsAMeasurement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newFilesystemSource(&FilesystemConfig{}, host{})
		dead := make(chan struct{})
		defer close(dead)
		src.usage = func(context.Context, string) (*disk.UsageStat, error) { <-dead; return nil, errNothing }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := src.measure(ctx, "/")
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestReach(t *testing.T) {
	for _, tc := range []struct{ root, mount, want string }{
		{"", "/data", "/data"},
		{"/hostfs", "/data", "/hostfs/data"},
		{"/hostfs", "/", "/hostfs"},
		{"/hostfs", "/hostfs/data", "/hostfs/data"},
		{"/hostfs/", "/hostfs", "/hostfs"},
		{"/hostfs", "/hostfsdata", "/hostfs/hostfsdata"},
	} {
		s := newFilesystemSource(&FilesystemConfig{}, host{root: tc.root})
		require.Equal(t, tc.want, s.reach(tc.mount), tc.mount)
	}
}

func TestLifecycle(t *testing.T) {
	f := NewFactory()
	require.Equal(t, "host_metrics", f.Type().String())
	for _, start := range []bool{false, true} {
		r, err := f.CreateMetrics(t.Context(), receivertest.NewNopSettings(f.Type()), f.CreateDefaultConfig(), consumertest.NewNop())
		require.NoError(t, err)
		if start {
			require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
		}
		require.NoError(t, r.Shutdown(t.Context()))
		require.NoError(t, r.Shutdown(t.Context()))
	}
}

func TestReadStates(t *testing.T) {
	counts := map[string]uint64{}
	require.NoError(t, readStates(strings.NewReader("heading\n 0: a b 01 c\n short\n 1: a b FF c\n 2: a b 0B\n"), counts))
	require.Equal(t, map[string]uint64{"ESTABLISHED": 1, "CLOSING": 1}, counts)
	require.Error(t, readStates(errReader{}, counts))
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("torn") }

func FuzzReadStates(f *testing.F) {
	text, err := os.ReadFile(filepath.Join("testdata", "hostfs", "proc", "1", "net", "tcp"))
	require.NoError(f, err)
	f.Add(string(text))
	f.Add("")
	f.Fuzz(func(t *testing.T, table string) {
		if len(table) > 1<<16 {
			t.Skip("larger than the fuzzer needs")
		}
		counts := map[string]uint64{}
		_ = readStates(strings.NewReader(table), counts) // a line may be too long for the scanner
		total := uint64(0)
		for _, n := range counts {
			total += n
		}
		require.LessOrEqual(t, total, uint64(strings.Count(table, "\n")+1))
	})
}
