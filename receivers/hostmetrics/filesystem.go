package hostmetrics

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/disk"
)

// mountPatience is how long a file system may take to answer. A dead NFS server
// never answers, and must not take the other metrics with it.
const mountPatience = 5 * time.Second

// filesystemSource reads how full file systems are.
type filesystemSource struct {
	host    host
	virtual bool
	devices filter
	types   filter
	mounts  filter

	usage    func(ctx context.Context, path string) (*disk.UsageStat, error)
	patience time.Duration

	mu    sync.Mutex
	stuck map[string]struct{} // mount points whose last call has not returned
}

func newFilesystemSource(cfg *FilesystemConfig, h host) *filesystemSource {
	return &filesystemSource{
		host: h, virtual: cfg.IncludeVirtual,
		devices: filter{newMatcher(cfg.IncludeDevices.MatchType, cfg.IncludeDevices.Devices), newMatcher(cfg.ExcludeDevices.MatchType, cfg.ExcludeDevices.Devices)},
		types:   filter{newMatcher(cfg.IncludeFSTypes.MatchType, cfg.IncludeFSTypes.FSTypes), newMatcher(cfg.ExcludeFSTypes.MatchType, cfg.ExcludeFSTypes.FSTypes)},
		mounts:  filter{newMatcher(cfg.IncludeMountPoints.MatchType, cfg.IncludeMountPoints.MountPoints), newMatcher(cfg.ExcludeMountPoints.MatchType, cfg.ExcludeMountPoints.MountPoints)},
		usage:   disk.UsageWithContext, patience: mountPatience,
		stuck: map[string]struct{}{},
	}
}

func (s *filesystemSource) scrape(ctx context.Context, p *page) error {
	partitions, err := disk.PartitionsWithContext(ctx, s.virtual)
	if err != nil && len(partitions) == 0 {
		return failure(len(p.on), fmt.Errorf("list mount points: %w", err))
	}
	var failed partial
	failed.add(0, "list mount points", err)
	type mount struct{ device, point string }
	seen := map[mount]struct{}{}
	for _, part := range partitions {
		m := mount{part.Device, part.Mountpoint}
		if _, twice := seen[m]; twice || !s.allows(part) {
			continue
		}
		seen[m] = struct{}{}
		usage, err := s.measure(ctx, s.reach(part.Mountpoint))
		if err != nil {
			failed.add(len(p.on), fmt.Sprintf("measure %q", part.Mountpoint), err)
			continue
		}
		writeFilesystem(p, part, usage)
	}
	return failed.err()
}

func (s *filesystemSource) allows(part disk.PartitionStat) bool {
	return s.devices.allows(part.Device) && s.types.allows(part.Fstype) && s.mounts.allows(part.Mountpoint)
}

// reach is the path under which this process reaches a mount point of the host.
// Where the host's first process could not be read, the list is this process'
// own and has the root path already.
func (s *filesystemSource) reach(mountPoint string) string {
	sep := string(filepath.Separator)
	if s.host.root == "" || strings.HasPrefix(mountPoint+sep, filepath.Clean(s.host.root)+sep) {
		return mountPoint
	}
	return filepath.Join(s.host.root, mountPoint)
}

// measure asks one file system, and gives up on it for as long as it is silent.
func (s *filesystemSource) measure(ctx context.Context, path string) (*disk.UsageStat, error) {
	if !s.enter(path) {
		return nil, errSilent
	}
	type answer struct {
		usage *disk.UsageStat
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		usage, err := s.usage(ctx, path)
		s.leave(path)
		answers <- answer{usage, err}
	}()
	timer := time.NewTimer(s.patience)
	defer timer.Stop()
	select {
	case a := <-answers:
		return a.usage, a.err
	case <-timer.C:
		return nil, errSilent
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (s *filesystemSource) enter(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.stuck[path]; ok {
		return false
	}
	s.stuck[path] = struct{}{}
	return true
}

func (s *filesystemSource) leave(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.stuck, path)
}

func writeFilesystem(p *page, part disk.PartitionStat, u *disk.UsageStat) {
	attrs := []string{"device", part.Device, "mode", mode(part.Opts), "mountpoint", part.Mountpoint, "type", part.Fstype}
	state := func(name string) []string { return append(slices.Clone(attrs), "state", name) }
	p.integer("system.filesystem.usage", u.Used, state("used")...)
	p.integer("system.filesystem.usage", u.Free, state("free")...)
	p.integer("system.filesystem.usage", max(u.Total, u.Used+u.Free)-u.Used-u.Free, state("reserved")...)
	p.integer("system.filesystem.inodes.usage", u.InodesUsed, state("used")...)
	p.integer("system.filesystem.inodes.usage", u.InodesFree, state("free")...)
	if all := u.Used + u.Free; all > 0 {
		p.float("system.filesystem.utilization", float64(u.Used)/float64(all), attrs...)
	}
}

func mode(options []string) string {
	for _, m := range []string{"rw", "ro"} {
		if slices.Contains(options, m) {
			return m
		}
	}
	return "unknown"
}
