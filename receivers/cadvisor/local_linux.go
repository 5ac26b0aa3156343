package cadvisor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/cadvisor/lib/container"
	"github.com/google/cadvisor/lib/container/common"
	"github.com/google/cadvisor/lib/container/libcontainer"
	info "github.com/google/cadvisor/lib/model"
	"github.com/opencontainers/cgroups"
	"go.uber.org/zap"

	"github.com/obsd-io/obsd/internal/podtable"
)

// local reads this machine's cgroups with cAdvisor's library, at the moment of the collection. RATIONALE.md says why
// not with cAdvisor's manager.
type local struct {
	cfg    *Config
	logger *zap.Logger
	tel    *telemetry

	metrics container.MetricSet
	mounts  map[string]string // controller → where its hierarchy is mounted; "" is the only one of cgroup v2
	v2      bool
	names   *names
	network *namespaces
	host    *hostInfo
	cgroups map[string]*cgroup
	warned  map[string]struct{}
}

func newLocal(cfg *Config, logger *zap.Logger, tel *telemetry, pods *podtable.Table) (source, error) {
	l := &local{
		cfg: cfg, logger: logger, tel: tel, metrics: metricSet(cfg.MetricGroups), v2: cgroups.IsCgroup2UnifiedMode(),
		network: &namespaces{proc: filepath.Join("/", cfg.RootPath, "proc")}, cgroups: map[string]*cgroup{}, warned: map[string]struct{}{},
	}
	var err error
	if l.mounts, err = libcontainer.GetCgroupSubsystems(l.metrics); err != nil {
		return nil, fmt.Errorf("cadvisor: find cgroups: %w: mount /sys/fs/cgroup", err)
	}
	if len(l.mounts) == 0 {
		return nil, fmt.Errorf("cadvisor: find cgroups: no hierarchy of the groups %v is mounted: mount /sys/fs/cgroup", cfg.MetricGroups)
	}
	l.host = newHostInfo(logger)
	var runtimes []runtimeAPI
	if pods == nil {
		runtimes = l.runtimes()
	}
	l.names = newNames(runtimes, cfg.HousekeepingInterval, logger)
	l.names.pods = pods
	l.sayWhatIsMissing()
	return l, nil
}

// metricSet always has CPU and memory: the library reads them anyway.
func metricSet(groups []string) container.MetricSet {
	set := container.MetricSet{}
	for _, g := range groups {
		set[container.MetricKind(g)] = struct{}{}
	}
	return set
}

// runtimes are those whose sockets are there. Who names one that is not there is told.
func (l *local) runtimes() (all []runtimeAPI) {
	usual := usualEndpoints()
	for _, url := range l.cfg.RuntimeEndpoints {
		scheme, socket, err := splitEndpoint(url)
		if err != nil {
			continue // Validate has said so
		}
		if _, err := os.Stat(socket); errors.Is(err, os.ErrNotExist) && slices.Contains(usual, url) {
			continue
		}
		if scheme == "docker" {
			all = append(all, newDocker(url, socket))
			continue
		}
		client, err := newCRI(url, socket)
		if err != nil {
			l.logger.Warn("container runtime cannot be asked", zap.String("endpoint", url), zap.Error(err))
			continue
		}
		all = append(all, client)
	}
	return all
}

// sayWhatIsMissing tells once what a user without root's rights does not get.
func (l *local) sayWhatIsMissing() {
	if len(l.names.runtimes) == 0 && l.names.pods == nil {
		l.logger.Info("no container runtime's socket is here: containers and pods have the names that their cgroups' paths tell",
			zap.Strings("runtime_endpoints", l.cfg.RuntimeEndpoints))
	}
	if os.Geteuid() == 0 {
		return
	}
	var missing []string
	if l.names.pods == nil {
		missing = append(missing, "names of pods and containers, unless the runtime's socket belongs to obsd's group")
	}
	if l.metrics.HasAny(container.AllNetworkMetrics) {
		missing = append(missing, "network of pods and containers")
	}
	if l.metrics.Has(container.ProcessMetrics) || l.metrics.Has(container.ReferencedMemoryMetrics) {
		missing = append(missing, "open files and referenced memory of other users' processes")
	}
	if len(missing) == 0 {
		return
	}
	l.logger.Warn("cadvisor does not run as root: CPU, memory and disk are read, what follows is not",
		zap.Strings("missing", missing), zap.String("mend", "run obsd as root, or with CAP_SYS_PTRACE and in the group of the runtime's socket"))
}

func (l *local) machine() *info.MachineInfo { return l.host.machine }

func (l *local) close() error { return l.names.close() }

func (l *local) processList() processUpdater { return newProcessList(l.network.proc, l.mounts) }

// read reads one cgroup after the other. One that cannot be read is counted and left out; the others go on.
func (l *local) read(ctx context.Context) ([]sample, error) {
	now := time.Now()
	places := l.walk()
	if over := len(places) - l.cfg.MaxContainers; over > 0 {
		l.tel.drop(ctx, reasonLimit, over)
		l.warnOnce("limit", "more cgroups than max_containers: the last ones are not read", zap.Int("found", len(places)), zap.Int("max_containers", l.cfg.MaxContainers))
		places = places[:l.cfg.MaxContainers]
	}
	l.host.refresh(now, l.cfg.HousekeepingInterval)
	l.names.update(ctx, places, now)
	processes := l.firstProcesses(places)
	var layers map[string]layer
	if l.metrics.Has(container.DiskUsageMetrics) {
		layers = l.names.layers(ctx)
	}
	samples := make([]sample, 0, len(places))
	seen := make(map[string]struct{}, len(places))
	for _, p := range places {
		if err := ctx.Err(); err != nil {
			l.tel.drop(ctx, reasonTimeout, len(places)-len(seen))
			return samples, fmt.Errorf("cadvisor: %d of %d cgroups read: %w: raise timeout, or leave out metric_groups", len(seen), len(places), err)
		}
		seen[p.path] = struct{}{}
		if l.names.strange(p) {
			l.tel.drop(ctx, reasonUnknown, 1)
			continue
		}
		s, err := l.sample(p, processes[p.path], now)
		if err != nil {
			l.unreadable(ctx, p, err)
			continue
		}
		if size, ok := layers[p.containerID]; ok && p.kind == containerKind {
			s.spec.HasFilesystem = true
			s.stats.Filesystem = []info.FsStats{{Device: size.mountpoint, Usage: size.bytes, HasInodes: size.hasInodes, Inodes: size.inodes}}
		}
		samples = append(samples, s)
	}
	maps.DeleteFunc(l.cgroups, func(path string, _ *cgroup) bool {
		_, ok := seen[path]
		if !ok {
			delete(l.warned, path)
		}
		return !ok
	})
	return samples, nil
}

// unreadable counts a cgroup that cannot be read, and tells once; not one that went away while it was read.
func (l *local) unreadable(ctx context.Context, p place, err error) {
	if !common.CgroupExists(common.MakeCgroupPaths(l.mounts, p.path)) {
		return
	}
	l.tel.drop(ctx, reasonUnreadable, 1)
	l.warnOnce(p.path, "cgroup cannot be read, and is left out until it can", zap.String("cgroup", p.path), zap.Error(err))
}

func (l *local) sample(p place, pid int, now time.Time) (sample, error) {
	c, ok := l.cgroups[p.path]
	if !ok {
		c = &cgroup{paths: existing(common.MakeCgroupPaths(l.mounts, p.path), p.kind)}
		l.cgroups[p.path] = c
	}
	s := sample{place: p, identity: l.names.of(p), psi: l.v2, own: true}
	stats, dropped, err := c.read(l, p, pid)
	if err != nil {
		return s, err
	}
	for _, controller := range dropped {
		l.warnOnce("controller "+controller, "a controller's figures cannot be read, the others go on", zap.String("controller", controller), zap.String("cgroup", p.path))
	}
	s.stats = stats
	if now.Sub(c.specRead) >= l.cfg.HousekeepingInterval {
		if c.spec, err = common.GetSpec(c.paths, l.host, false, false); err != nil {
			return s, err
		}
		c.specRead = now
	}
	s.spec = c.spec
	l.complete(&s)
	return s, nil
}

// complete adds what the library's own reader of cgroups leaves out.
func (l *local) complete(s *sample) {
	if s.kind == rootKind && l.host.machine != nil {
		s.spec.HasMemory = true
		s.spec.Memory.Limit = l.host.machine.MemoryCapacity
		s.spec.Memory.SwapLimit = l.host.machine.SwapCapacity
	}
	if s.stats.DiskIo != nil && l.host.machine != nil {
		common.AssignDeviceNamesToDiskStats((*common.MachineInfoNamer)(l.host.machine), s.stats.DiskIo)
	}
	s.spec.HasNetwork = s.hasNetwork()
	paths := l.cgroups[s.path].paths
	if l.metrics.Has(container.OOMMetrics) {
		s.stats.OOMEvents, s.oom = oomKills(paths, l.v2)
	}
	if !l.v2 && s.kind != containerKind {
		hierarchicalFaults(paths["memory"], s.stats.Memory)
	}
	if s.created.IsZero() {
		s.created = s.spec.CreationTime
	}
}

func (l *local) warnOnce(key, message string, fields ...zap.Field) {
	if _, ok := l.warned[key]; !ok {
		l.warned[key] = struct{}{}
		l.logger.Warn(message, fields...)
	}
}
