package hostmetrics

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v4/common"
	gopsutilhost "github.com/shirou/gopsutil/v4/host"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// host is the machine that one receiver reads: its own, or one whose root
// directory is mounted at root.
type host struct{ root string }

// context carries the paths that gopsutil reads. They belong to the call and not
// to the process, so two receivers can read two hosts.
func (h host) context(ctx context.Context) context.Context {
	if h.root == "" {
		return ctx
	}
	return context.WithValue(ctx, common.EnvKey, common.EnvMap{
		common.HostProcEnvKey: filepath.Join(h.root, "proc"),
		common.HostSysEnvKey:  filepath.Join(h.root, "sys"),
		common.HostEtcEnvKey:  filepath.Join(h.root, "etc"),
		common.HostVarEnvKey:  filepath.Join(h.root, "var"),
		common.HostRunEnvKey:  filepath.Join(h.root, "run"),
		common.HostDevEnvKey:  filepath.Join(h.root, "dev"),
	})
}

// proc is a path under the host's /proc. Without a root path gopsutil's
// HOST_PROC variable counts here as well.
func (h host) proc(elem ...string) string {
	base := filepath.Join(h.root, "proc")
	if env := os.Getenv(string(common.HostProcEnvKey)); h.root == "" {
		base = "/proc"
		if env != "" {
			base = env
		}
	}
	return filepath.Join(append([]string{base}, elem...)...)
}

// procNet is a path under /proc/net. That is the reader's own network, so in a
// container with the host's root the first process' view is taken instead.
func (h host) procNet(name string) string {
	if h.root != "" {
		if path := h.proc("1", "net", name); readable(path) {
			return path
		}
	}
	return h.proc("net", name)
}

func readable(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	return f.Close() == nil
}

// check says early and clearly that the root path is not there.
func (h host) check() error {
	if h.root == "" {
		return nil
	}
	if _, err := os.Stat(h.proc()); err != nil {
		return fmt.Errorf("hostmetrics: open root_path %q: %w: mount the host's root directory there", h.root, err)
	}
	return nil
}

// bootTime is when the counters of the host began. On Linux it is read here,
// because gopsutil's function keeps what it learns for the whole process.
func (h host) bootTime(ctx context.Context) (pcommon.Timestamp, error) {
	if runtime.GOOS != "linux" {
		seconds, err := gopsutilhost.BootTimeWithContext(ctx)
		return pcommon.Timestamp(seconds * 1e9), err
	}
	f, err := os.Open(h.proc("stat"))
	if err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20) // the line of interrupts is long
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "btime "); ok {
			seconds, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32)
			return pcommon.Timestamp(seconds * 1e9), errors.Join(err, f.Close())
		}
	}
	return 0, errors.Join(fmt.Errorf("%s has no btime", h.proc("stat")), lines.Err(), f.Close())
}

// name is the host's name. A container has one of its own, so with a root path
// the host's file counts.
func (h host) name() (string, error) {
	if h.root != "" {
		if text, err := os.ReadFile(filepath.Join(h.root, "etc", "hostname")); err == nil {
			if name := strings.TrimSpace(string(text)); name != "" {
				return name, nil
			}
		}
	}
	return os.Hostname()
}

// resource is what the data is about.
func (h host) resource(cfg ResourceAttributes) (pcommon.Resource, error) {
	res := pcommon.NewResource()
	if cfg.OSType.Enabled {
		res.Attributes().PutStr("os.type", runtime.GOOS)
	}
	if !cfg.HostName.Enabled {
		return res, nil
	}
	name, err := h.name()
	if err != nil {
		return res, err
	}
	res.Attributes().PutStr("host.name", name)
	return res, nil
}
