package cadvisor

import (
	"bytes"
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

// processList reads /proc at the moment it is asked. What containers there are it knows from the last collection.
type processList struct {
	proc   string
	mounts []string // the hierarchies where a container's processes are listed, the first that has them counts

	mu    sync.Mutex
	paths map[string]string // what a container may be called → the path of its cgroup
	users map[uint64]string
}

// maxProcesses is the most processes of a container that are listed.
const maxProcesses = 10000

// ticks is the kernel's USER_HZ, which is 100 wherever Go runs on Linux.
const ticks = 100

func newProcessList(proc string, mounts map[string]string) *processList {
	l := &processList{proc: proc, users: map[uint64]string{}}
	for _, controller := range []string{"", "pids", "cpuacct", "cpu", "memory"} {
		if dir, ok := mounts[controller]; ok {
			l.mounts = append(l.mounts, dir)
		}
	}
	return l
}

// update takes over what the last collection saw.
func (l *processList) update(samples []sample) {
	paths := make(map[string]string, 2*len(samples))
	for i := range samples {
		s := &samples[i]
		paths[s.path] = s.path
		if s.containerID != "" {
			paths[s.containerID] = s.path
		}
		if s.podName != "" && s.container != "" {
			paths[s.namespace+"/"+s.podName+"/"+s.container] = s.path
		} else if s.container != "" {
			paths[s.container] = s.path
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paths = paths
}

func (l *processList) processes(name string) ([]processInfo, error) {
	l.mu.Lock()
	at, ok := l.paths[name]
	if !ok {
		at, ok = l.paths["/"+name] // the path of a cgroup, whose first slash is the URL's
	}
	l.mu.Unlock()
	if !ok {
		return nil, errNoContainer
	}
	pids, err := l.pids(at)
	if err != nil {
		return nil, err
	}
	fs, err := procfs.NewFS(l.proc)
	if err != nil {
		return nil, err
	}
	boot, memory, err := thisMachine(fs)
	if err != nil {
		return nil, err
	}
	list := make([]processInfo, 0, len(pids))
	for _, pid := range pids {
		info, err := l.process(fs, pid, boot, memory)
		if errors.Is(err, os.ErrNotExist) {
			continue // it has ended
		}
		if err != nil {
			return nil, err
		}
		info.CgroupPath = at
		list = append(list, info)
	}
	return list, nil
}

// pids lists the processes of a cgroup and of those below it.
func (l *processList) pids(at string) (pids []int, err error) {
	for _, mount := range l.mounts {
		pids, err = l.pidsBelow(filepath.Join(mount, at), nil)
		if err == nil {
			break
		}
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil, errNoContainer
	}
	slices.Sort(pids)
	return pids, err
}

func (l *processList) pidsBelow(dir string, pids []int) ([]int, error) {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return nil, err
	}
	for field := range bytes.FieldsSeq(b) {
		if pid, err := strconv.Atoi(string(field)); err == nil && pid > 0 && len(pids) < maxProcesses {
			pids = append(pids, pid)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if below, err := l.pidsBelow(filepath.Join(dir, e.Name()), pids); err == nil {
			pids = below
		}
	}
	return pids, nil
}

// thisMachine is when it booted, and how many bytes of memory it has.
func thisMachine(fs procfs.FS) (boot time.Time, memory uint64, err error) {
	stat, err := fs.Stat()
	if err != nil {
		return boot, 0, err
	}
	meminfo, err := fs.Meminfo()
	if err != nil {
		return boot, 0, err
	}
	if meminfo.MemTotalBytes != nil {
		memory = *meminfo.MemTotalBytes
	}
	return time.Unix(int64(stat.BootTime), 0), memory, nil
}

// process reads one process. The error is [os.ErrNotExist] if it has ended.
func (l *processList) process(fs procfs.FS, pid int, boot time.Time, memory uint64) (processInfo, error) {
	proc, err := fs.Proc(pid)
	if err != nil {
		return processInfo{}, err
	}
	stat, err := proc.Stat()
	if errors.Is(err, syscall.ESRCH) {
		err = os.ErrNotExist
	}
	if err != nil {
		return processInfo{}, err
	}
	started := boot.Add(time.Duration(stat.Starttime) * time.Second / ticks)
	used := time.Duration(stat.UTime+stat.STime) * time.Second / ticks
	p := processInfo{
		PID: pid, PPID: stat.PPID, Status: stat.State, VirtualSize: uint64(stat.VirtualMemory()), RSS: uint64(stat.ResidentMemory()), Processor: int(stat.Processor),
		StartTime: started.UTC().Format(time.RFC3339), RunningTime: used.String(), FDCount: -1,
		User: l.user(proc), Cmd: command(proc, stat.Comm),
	}
	if age := time.Since(started); age > 0 {
		p.PercentCPU = 100 * float64(used) / float64(age)
	}
	if memory > 0 {
		p.PercentMemory = 100 * float64(p.RSS) / float64(memory)
	}
	if n, err := proc.FileDescriptorsLen(); err == nil {
		p.FDCount = n
	}
	return p, nil
}

// user is the name of the owner in this machine's list of users, or the number.
func (l *processList) user(proc procfs.Proc) string {
	status, err := proc.NewStatus()
	if err != nil {
		return ""
	}
	uid := status.UIDs[0]
	l.mu.Lock()
	defer l.mu.Unlock()
	if name, ok := l.users[uid]; ok {
		return name
	}
	name := strconv.FormatUint(uid, 10)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	const most = 10000
	if len(l.users) < most {
		l.users[uid] = name
	}
	return name
}

// command is the beginning of the command line, or the name in brackets for a kernel thread, as ps shows it.
func command(proc procfs.Proc, name string) string {
	const most = 4096
	words, _ := proc.CmdLine() // one that is not for our eyes is shown by its name
	text := strings.TrimSpace(strings.Join(words, " "))
	if text == "" {
		text = "[" + name + "]"
	}
	return strings.ToValidUTF8(text[:min(len(text), most)], "\ufffd")
}
