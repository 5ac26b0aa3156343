package cadvisor

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// insideV2 makes the test binary the part of TestCgroupV2 that runs where version 2 is mounted.
const insideV2 = "OBSD_TEST_CGROUP_V2"

// TestCgroupV2 reads a real hierarchy of version 2, mounted in a mount namespace of its own. Where a machine's controllers belong to
// version 1 it has CPU, pressure and processes only.
func TestCgroupV2(t *testing.T) {
	if os.Getenv(insideV2) != "" {
		readV2(t)
		return
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("skipped: mounting takes root and unshare of util-linux")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	const script = `mount --make-rprivate / && { umount -R /sys/fs/cgroup || true; } && mount -t cgroup2 none /sys/fs/cgroup && echo mounted &&
exec "$0" -test.run='^TestCgroupV2$' -test.v`
	cmd := exec.CommandContext(t.Context(), unshare, "--mount", "sh", "-c", script, self)
	cmd.Env = append(os.Environ(), insideV2+"=1")
	out, err := cmd.CombinedOutput()
	if !strings.Contains(string(out), "mounted\n") {
		t.Skipf("skipped: cgroup v2 cannot be mounted here: %s", out)
	}
	require.NoError(t, err, "%s", out)
}

// readV2 puts a process that works into a cgroup, and reads that.
func readV2(t *testing.T) {
	name := fmt.Sprintf("obsd-test-%d", os.Getpid())
	dir := filepath.Join("/sys/fs/cgroup", name)
	require.NoError(t, os.Mkdir(dir, 0o755))
	child := exec.CommandContext(t.Context(), "sh", "-c", "while :; do :; done")
	require.NoError(t, child.Start())
	t.Cleanup(func() {
		_ = child.Process.Kill()
		_ = child.Wait()
		require.Eventually(t, func() bool { return os.Remove(dir) == nil }, 20*time.Second, 10*time.Millisecond, "the cgroup is empty")
	})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cgroup.procs"), fmt.Appendln(nil, child.Process.Pid), 0o644))

	cfg := createDefaultConfig().(*Config)
	cfg.Node, cfg.RuntimeEndpoints, cfg.RawCgroups = "here", nil, []string{"/" + name}
	cfg.MetricGroups = []string{"cpu", "memory", "pressure", "process"}
	c := started(t, cfg)
	require.EventuallyWithT(t, func(collect *assert.CollectT) { // the second collection has a rate
		got, err := c.scrape(t.Context())
		require.NoError(collect, err)
		_, text, found := strings.Cut(render(got), "k8s.node.system_container.name=/"+name+"}\n")
		require.True(collect, found)
		for _, line := range []string{"container.cpu.time sum {}", "container.cpu.usage gauge {}", "container.process.count gauge {} 1", "container.psi.time sum"} {
			require.Contains(collect, text, line)
		}
		require.Regexp(collect, `container\.cpu\.usage gauge \{\} [01]\.\d*[1-9]`, text)
	}, 30*time.Second, 200*time.Millisecond)
}
