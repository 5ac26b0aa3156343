package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/obsd-io/obsd/internal/e2e/cache"
)

const cgroupRoot = "/sys/fs/cgroup"

// cgroupPrefix begins the names of a cluster's cgroups; the id of the test's process follows.
const cgroupPrefix = "obsd-e2e-k8s-"

// Unsupported says why no cluster can run on this machine, or nothing.
func Unsupported(ctx context.Context) string {
	if runtime.GOOS != "linux" {
		return "it needs Linux"
	}
	if os.Geteuid() != 0 {
		return "it needs root, for namespaces, mounts and cgroups"
	}
	if !cgroupV1() {
		return "it needs cgroup v1 at " + cgroupRoot + ", and this machine has another: boot with systemd.unified_cgroup_hierarchy=0"
	}
	if !cache.CanInstallPackages() {
		return "it takes etcd, containerd and runc from Debian's packages, and there is no apt-get"
	}
	own, err := ownCgroups()
	if err != nil {
		return err.Error()
	}
	if err := probeCgroup(own); err != nil {
		return "cgroups cannot be made: " + err.Error()
	}
	if _, err := exec.LookPath("unshare"); err != nil {
		return "" // the package that has it will be installed
	}
	out, err := exec.CommandContext(ctx, "unshare", "--mount", "--cgroup", "--pid", "--net", "--uts", "--fork", "--mount-proc", "true").CombinedOutput()
	if err != nil {
		return "namespaces cannot be made: " + strings.TrimSpace(string(out))
	}
	return ""
}

// ownCgroups lists the folders of this process's cgroup in each hierarchy of cgroup v1, and in the unified one beside them.
func ownCgroups() ([]string, error) {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	var dirs []string
	for line := range strings.Lines(string(b)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			return nil, fmt.Errorf("/proc/self/cgroup: %q has too few fields", line)
		}
		hierarchy := strings.TrimPrefix(fields[1], "name=")
		if hierarchy == "" {
			hierarchy = "unified"
		}
		dir := filepath.Join(cgroupRoot, hierarchy, fields[2])
		if _, err := os.Stat(dir); err == nil {
			dirs = append(dirs, dir)
		}
	}
	if len(dirs) == 0 {
		return nil, errors.New("this process's cgroup is not below " + cgroupRoot)
	}
	return dirs, nil
}

func probeCgroup(own []string) error {
	dir := filepath.Join(own[0], cgroupPrefix+"probe-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return os.Remove(dir)
}

// makeCgroups makes a cgroup below our own in each hierarchy, and removes those of tests that were killed.
func makeCgroups() ([]string, error) {
	own, err := ownCgroups()
	if err != nil {
		return nil, err
	}
	if err := removeCgroups(abandoned(own)); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s%d-%d", cgroupPrefix, os.Getpid(), time.Now().UnixNano())
	var made []string
	for _, parent := range own {
		dir := filepath.Join(parent, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return made, err
		}
		made = append(made, dir)
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} { // empty in a new cgroup, which then takes no process
			b, err := os.ReadFile(filepath.Join(parent, file))
			if err != nil {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, file), b, 0o644); err != nil {
				return made, err
			}
		}
	}
	return made, nil
}

// abandoned lists the cgroups of test processes that are no more.
func abandoned(parents []string) (dirs []string) {
	for _, parent := range parents {
		found, _ := filepath.Glob(filepath.Join(parent, cgroupPrefix+"*-*"))
		for _, dir := range found {
			number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), cgroupPrefix), "-")
			pid, err := strconv.Atoi(number)
			if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs
}

// removeCgroups removes cgroups with all below them, when their processes are gone; killed ones take a moment.
func removeCgroups(dirs []string) error {
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var err error
		for _, dir := range dirs {
			err = errors.Join(err, removeTree(dir))
		}
		if err == nil || time.Now().After(deadline) {
			return err
		}
		<-tick.C
	}
}

// removeTree removes the folders of a cgroup, leaves first; its files go with them.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if e.IsDir() {
			err = errors.Join(err, removeTree(filepath.Join(dir, e.Name())))
		}
	}
	if err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
