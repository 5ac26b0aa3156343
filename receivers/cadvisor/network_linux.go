package cadvisor

import (
	"os"
	"path"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/google/cadvisor/lib/container"
	"github.com/google/cadvisor/lib/container/common"
)

// namespaces tells the network namespaces of processes apart.
type namespaces struct{ proc string }

// of is the number of the namespace of a process.
func (n *namespaces) of(pid int) (uint64, bool) {
	fi, err := os.Stat(filepath.Join(n.proc, strconv.Itoa(pid), "ns", "net"))
	if err != nil {
		return 0, false
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return st.Ino, true
}

// firstProcesses says in whose network each cgroup is: the machine's first process for the root, for a pod its sandbox,
// which holds the namespace of all its containers, and for a container outside of pods its own. A pod in the node's network
// has none of its own: the node's counters are not its.
func (l *local) firstProcesses(places []place) map[string]int {
	if !l.metrics.HasAny(container.AllNetworkMetrics) {
		return nil
	}
	host, ok := l.network.of(1)
	if !ok { // not for a user's eyes
		return map[string]int{"/": 1}
	}
	processes := map[string]int{"/": 1}
	for _, p := range places {
		if p.kind != containerKind {
			continue
		}
		owner := p.path
		if p.uid != "" {
			owner = path.Dir(p.path)
			if _, done := processes[owner]; done && !l.names.of(p).sandbox {
				continue
			}
		}
		pid := firstProcess(common.MakeCgroupPaths(l.mounts, p.path))
		if own, ok := l.network.of(pid); pid > 0 && ok && own != host {
			processes[owner] = pid
		}
	}
	return processes
}
