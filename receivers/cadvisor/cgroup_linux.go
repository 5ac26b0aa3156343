package cadvisor

import (
	"bufio"
	"bytes"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/cadvisor/lib/container/libcontainer"
	info "github.com/google/cadvisor/lib/model"
	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/fs"
	"github.com/opencontainers/cgroups/fs2"
)

// cgroup is one cgroup that is read again and again.
type cgroup struct {
	paths    map[string]string // by controller; "" on cgroup v2
	handler  *libcontainer.Handler
	pid      int // whose network namespace is read, 0 for none
	spec     info.ContainerSpec
	specRead time.Time
}

// existing leaves out controllers that do not have the cgroup. The root has no count of processes.
func existing(paths map[string]string, k kind) map[string]string {
	for controller, dir := range paths {
		if _, err := os.Stat(dir); err != nil || (k == rootKind && controller == "pids") {
			delete(paths, controller)
		}
	}
	return paths
}

// read reads the figures. Of cgroup v1 it gives up controllers that cannot be read, and tells which, so that one that is
// not there does not take the others with it; cgroup v2 is read as a user without rights reads it, which forgives the same.
func (c *cgroup) read(l *local, p place, pid int) (stats *info.ContainerStats, dropped []string, err error) {
	if len(c.paths) == 0 {
		return nil, nil, os.ErrNotExist
	}
	if c.handler == nil || c.pid != pid {
		if err := c.open(l, p, pid); err != nil {
			return nil, nil, err
		}
	}
	stats, err = c.handler.GetStats()
	if err == nil || l.v2 {
		return stats, nil, err
	}
	for controller, dir := range c.paths {
		m, bad := fs.NewManager(&cgroups.Cgroup{Name: p.path, Resources: &cgroups.Resources{}}, map[string]string{controller: dir})
		if bad == nil {
			_, bad = m.GetStats()
		}
		if bad != nil {
			dropped = append(dropped, controller)
			err = bad
		}
	}
	if len(dropped) == 0 || len(dropped) == len(c.paths) {
		return nil, nil, err
	}
	for _, controller := range dropped {
		delete(c.paths, controller)
	}
	slices.Sort(dropped)
	if err := c.open(l, p, pid); err != nil {
		return nil, nil, err
	}
	stats, err = c.handler.GetStats()
	return stats, dropped, err
}

func (c *cgroup) open(l *local, p place, pid int) error {
	settings := &cgroups.Cgroup{Name: p.path, Resources: &cgroups.Resources{}, Rootless: l.v2}
	var manager cgroups.Manager
	var err error
	if l.v2 {
		manager, err = fs2.NewManager(settings, c.paths[""])
	} else {
		manager, err = fs.NewManager(settings, c.paths)
	}
	if err != nil {
		return err
	}
	c.handler, c.pid = libcontainer.NewHandler(manager, filepath.Join("/", l.cfg.RootPath), pid, l.metrics), pid
	return nil
}

// maxDepth is how deep below its root a hierarchy is walked; Kubernetes in a container makes about ten levels.
const maxDepth = 32

// walk lists the cgroups to read: the root, pods, containers, and the raw ones that are asked for, sorted by path. Of
// cgroup v1 the hierarchies of CPU and memory count: a container is in both, unless one of them is not mounted.
func (l *local) walk() []place {
	found := map[string]place{}
	for _, controller := range []string{"", "cpuacct", "memory"} {
		if mount, ok := l.mounts[controller]; ok {
			l.walkFrom(mount, "/", maxDepth, found)
		}
	}
	if len(found) == 0 { // neither CPU nor memory is asked for
		for _, mount := range l.mounts {
			l.walkFrom(mount, "/", maxDepth, found)
		}
	}
	places := make([]place, 0, len(found))
	for _, p := range found {
		places = append(places, p)
	}
	slices.SortFunc(places, func(a, b place) int { return strings.Compare(a.path, b.path) })
	return places
}

func (l *local) walkFrom(mount, at string, depth int, found map[string]place) {
	p := classify(at)
	switch {
	case p.kind == ignoredKind || depth == 0:
		return
	case p.kind != rawKind || within(at, l.cfg.RawCgroups):
		found[at] = p
	}
	if p.kind == containerKind { // what a container makes below itself is its own affair
		return
	}
	dir, err := os.Open(filepath.Join(mount, at))
	if err != nil {
		return // it is gone, or not for our eyes
	}
	entries, _ := dir.ReadDir(-1)
	_ = dir.Close()
	for _, e := range entries {
		if e.IsDir() {
			l.walkFrom(mount, path.Join(at, e.Name()), depth-1, found)
		}
	}
}

// firstProcess is a process of the cgroup as seen from here: 0 if there is none, or only in other namespaces.
func firstProcess(paths map[string]string) int {
	for _, dir := range paths {
		f, err := os.Open(filepath.Join(dir, "cgroup.procs"))
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(f)
		var pid int
		if lines.Scan() {
			pid, _ = strconv.Atoi(lines.Text())
		}
		_ = f.Close()
		if pid > 0 {
			return pid
		}
	}
	return 0
}

// oomKills is how many processes the kernel has killed for want of memory, which it counts in a file of the cgroup.
func oomKills(paths map[string]string, v2 bool) (uint64, bool) {
	if v2 {
		return counterIn(paths[""], "memory.events", "oom_kill ")
	}
	return counterIn(paths["memory"], "memory.oom_control", "oom_kill ")
}

// hierarchicalFaults puts the page faults of the cgroups below in, which the library leaves out of cgroup v1's.
func hierarchicalFaults(dir string, m *info.MemoryStats) {
	if m == nil {
		return
	}
	if n, ok := counterIn(dir, "memory.stat", "total_pgfault "); ok {
		m.ContainerData.Pgfault, m.HierarchicalData.Pgfault = n, n
	}
	if n, ok := counterIn(dir, "memory.stat", "total_pgmajfault "); ok {
		m.ContainerData.Pgmajfault, m.HierarchicalData.Pgmajfault = n, n
	}
}

// counterIn is the number behind a word at the start of a line of a cgroup's file.
func counterIn(dir, file, word string) (uint64, bool) {
	if dir == "" {
		return 0, false
	}
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0, false
	}
	for line := range bytes.Lines(b) {
		if value, ok := bytes.CutPrefix(line, []byte(word)); ok {
			n, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
