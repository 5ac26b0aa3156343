package cadvisor

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
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
	boot, memory, err := l.machine()
	if err != nil {
		return nil, err
	}
	list := make([]processInfo, 0, len(pids))
	for _, pid := range pids {
		info, err := l.process(pid, boot, memory)
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

// machine is when it booted, and how much memory it has.
func (l *processList) machine() (boot time.Time, memory uint64, err error) {
	stat, err := os.ReadFile(filepath.Join(l.proc, "stat"))
	if err != nil {
		return boot, 0, err
	}
	meminfo, err := os.ReadFile(filepath.Join(l.proc, "meminfo"))
	if err != nil {
		return boot, 0, err
	}
	return time.Unix(int64(number(stat, "btime")), 0), number(meminfo, "MemTotal:") << 10, nil
}

// number is the number after a word at the start of a line, 0 if there is none.
func number(text []byte, word string) uint64 {
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte(word)); ok {
			fields := bytes.Fields(rest)
			if len(fields) == 0 {
				return 0
			}
			n, _ := strconv.ParseUint(string(fields[0]), 10, 64)
			return n
		}
	}
	return 0
}

func (l *processList) process(pid int, boot time.Time, memory uint64) (processInfo, error) {
	dir := path.Join(l.proc, strconv.Itoa(pid))
	stat, err := os.ReadFile(path.Join(dir, "stat"))
	if err != nil {
		return processInfo{}, notThere(err)
	}
	// Field 2, the name, may hold spaces and brackets, so counting starts behind its last bracket, at field 3.
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return processInfo{}, fmt.Errorf("%s/stat: has no name in brackets", dir)
	}
	f := strings.Fields(string(stat[end+1:]))
	if len(f) < 37 {
		return processInfo{}, fmt.Errorf("%s/stat: has %d fields too few", dir, 37-len(f))
	}
	n := func(i int) uint64 { // by the number that proc(5) gives the field
		v, _ := strconv.ParseUint(f[i-3], 10, 64)
		return v
	}
	started := boot.Add(time.Duration(n(22)) * time.Second / ticks)
	used := time.Duration(n(14)+n(15)) * time.Second / ticks
	p := processInfo{
		PID: pid, PPID: int(n(4)), Status: f[0], VirtualSize: n(23), RSS: n(24) * uint64(os.Getpagesize()), Processor: int(n(39)),
		StartTime: started.UTC().Format(time.RFC3339), RunningTime: used.String(), FDCount: -1,
		User: l.user(dir), Cmd: command(dir, string(stat[open+1:end])),
	}
	if age := time.Since(started); age > 0 {
		p.PercentCPU = 100 * float64(used) / float64(age)
	}
	if memory > 0 {
		p.PercentMemory = 100 * float64(p.RSS) / float64(memory)
	}
	if fds, err := os.ReadDir(path.Join(dir, "fd")); err == nil {
		p.FDCount = len(fds)
	}
	return p, nil
}

// notThere makes an error of a process that ended while it was read one of a file that is not there.
func notThere(err error) error {
	if errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), "no such process") {
		return os.ErrNotExist
	}
	return err
}

// user is the name of the owner in this machine's list of users, or the number.
func (l *processList) user(dir string) string {
	status, err := os.ReadFile(path.Join(dir, "status"))
	if err != nil {
		return ""
	}
	uid := number(status, "Uid:")
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

// command is the command line, or the name in brackets for a kernel thread, as ps shows it.
func command(dir, name string) string {
	f, err := os.Open(path.Join(dir, "cmdline"))
	if err == nil {
		defer func() { _ = f.Close() }()
		const most = 4096
		buf, _ := bufio.NewReaderSize(f, most).Peek(most)
		if text := strings.TrimSpace(string(bytes.ReplaceAll(buf, []byte{0}, []byte{' '}))); text != "" {
			return strings.ToValidUTF8(text, "\ufffd")
		}
	}
	return "[" + strings.ToValidUTF8(name, "\ufffd") + "]"
}
