package cadvisor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

// TestThisMachine reads the machine that the test runs on, whatever it is.
func TestThisMachine(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.Node = "here"
	cfg.RuntimeEndpoints = nil
	c := started(t, cfg)
	_, err := c.scrape(t.Context())
	require.NoError(t, err)
	require.EventuallyWithT(t, func(collect *assert.CollectT) { // the second collection has a rate
		got, err := c.scrape(t.Context())
		require.NoError(collect, err)
		text := render(got)
		require.Contains(collect, text, "resource {k8s.node.name=here}\n")
		require.Contains(collect, text, "k8s.node.cpu.usage gauge {}")
		require.Contains(collect, text, "k8s.node.memory.available gauge {}")
	}, 20*time.Second, 50*time.Millisecond)
}

func TestThisMachinePrometheusNames(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.Names = namesPrometheus
	cfg.RuntimeEndpoints = nil
	got, err := started(t, cfg).scrape(t.Context())
	require.NoError(t, err)
	text := render(got)
	require.Contains(t, text, "container_cpu_usage_seconds_total sum {cpu=total,id=/}")
	require.Contains(t, text, "machine_cpu_cores gauge {}")
}

// TestProcesses lists this process and a child of it.
func TestProcesses(t *testing.T) {
	child := exec.CommandContext(t.Context(), "sleep", "60")
	require.NoError(t, child.Start())
	t.Cleanup(func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	})
	mount := t.TempDir()
	dir := filepath.Join(mount, "kubepods", "pod"+uid, id)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "below"), 0o755))
	write := func(path string, pids ...int) {
		text := ""
		for _, pid := range pids {
			text += fmt.Sprintln(pid)
		}
		require.NoError(t, os.WriteFile(filepath.Join(path, "cgroup.procs"), []byte(text), 0o644))
	}
	const gone = 1 << 30
	write(dir, os.Getpid(), 0, gone) // 0 is a process of another namespace
	write(filepath.Join(dir, "below"), child.Process.Pid)
	list := newProcessList("/proc", map[string]string{"": mount})
	path := "/kubepods/pod" + uid + "/" + id
	list.update([]sample{{place: classify(path), identity: identity{podName: "web-1", namespace: "shop", container: "nginx"}}})

	server := httptest.NewServer(func() http.Handler {
		mux := http.NewServeMux()
		mux.Handle(psPattern, psHandler(list))
		return mux
	}())
	t.Cleanup(server.Close)
	for _, name := range []string{"shop/web-1/nginx", id, path} {
		answer, err := http.Get(server.URL + "/api/v1/cadvisor/ps/" + name)
		require.NoError(t, err)
		var got []processInfo
		require.NoError(t, json.NewDecoder(answer.Body).Decode(&got), name)
		require.NoError(t, answer.Body.Close())
		require.Len(t, got, 2, name)
		pids := map[int]processInfo{got[0].PID: got[0], got[1].PID: got[1]}
		self := pids[os.Getpid()]
		require.Positive(t, self.RSS)
		require.Positive(t, self.FDCount)
		require.NotEmpty(t, self.User)
		require.Equal(t, path, self.CgroupPath)
		require.Equal(t, "sleep 60", pids[child.Process.Pid].Cmd)
		require.Equal(t, os.Getpid(), pids[child.Process.Pid].PPID)
	}
	answer, err := http.Get(server.URL + "/api/v1/cadvisor/ps/shop/web-1/other")
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusNotFound, answer.StatusCode)
}

// handlers is an extension that serves process lists.
type handlers struct {
	component.StartFunc
	component.ShutdownFunc
	served map[string]http.Handler
}

// Handle implements what the receiver asks.
func (h *handlers) Handle(pattern string, handler http.Handler) (func(), error) {
	h.served[pattern] = handler
	return func() { delete(h.served, pattern) }, nil
}

type extensions struct {
	all map[component.ID]component.Component
}

// GetExtensions implements component.Host.
func (e *extensions) GetExtensions() map[component.ID]component.Component { return e.all }

func TestModel(t *testing.T) {
	model := component.MustNewID("model")
	start := func(all map[component.ID]component.Component) (*collector, error) {
		set := receivertest.NewNopSettings(NewFactory().Type())
		tel, err := newTelemetry(set.MeterProvider.Meter(scope), "cadvisor")
		require.NoError(t, err)
		cfg := createDefaultConfig().(*Config)
		cfg.RuntimeEndpoints = nil
		cfg.Model = &model
		c := &collector{cfg: cfg, set: set.TelemetrySettings, tel: tel}
		return c, c.start(t.Context(), &extensions{all})
	}
	_, err := start(nil)
	require.EqualError(t, err, `cadvisor: model: there is no extension "model": add it to service::extensions`)
	_, err = start(map[component.ID]component.Component{model: &struct {
		component.StartFunc
		component.ShutdownFunc
	}{}})
	require.EqualError(t, err, `cadvisor: model: the extension "model" serves no process lists: name one of type model`)

	extension := &handlers{served: map[string]http.Handler{}}
	c, err := start(map[component.ID]component.Component{model: extension})
	require.NoError(t, err)
	require.Contains(t, extension.served, psPattern)
	require.NoError(t, c.shutdown(t.Context()))
	require.Empty(t, extension.served)
}
