package bench

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/obsd-io/obsd/bench/sink"
	"github.com/obsd-io/obsd/internal/e2e/backend"
	"github.com/obsd-io/obsd/internal/e2e/daemon"
	"github.com/obsd-io/obsd/internal/porttest"
)

// shipped is the folder of what is shipped for Kubernetes.
const shipped = "../deploy/kubernetes"

// TestGateway holds the gateway that is shipped, whole and with the environment that it is shipped with, to 250 MB: it watches a cluster
// of 5,000 pods and 500 nodes, all of which report to it, and Prometheus scrapes it. It tells what that takes of a core at rest, which is
// when nothing changes in the cluster: no pod begins or ends, while nodes report, state is told and Prometheus scrapes as ever.
func TestGateway(t *testing.T) {
	const most = 250e6      // 207 to 230 MB were measured
	const mostOfCore = 0.08 // of a usual one; 4.8 to 5.2 % were measured, while others were busy on the machine
	backend.Need(t)
	elasticsearch, err := sink.Start()
	require.NoError(t, err)
	t.Cleanup(func() { _ = elasticsearch.Close() })
	scrape, otlp := freeAddr(t), freeAddr(t)
	config := gatewayConfig(t, map[string]string{
		"exporters.prometheus.endpoint": scrape, "receivers.otlp.protocols.grpc.endpoint": otlp,
		"extensions.model.endpoint": "127.0.0.1:0", "extensions.health_check.endpoint": "127.0.0.1:0",
	})
	env := append(gatewayEnv(t), "KUBECONFIG="+clusterAPI(t, streaming), "POD_NAMESPACE=obsd", "ELASTICSEARCH="+elasticsearch.URL)
	d := daemon.StartFor(t, config, env...)
	interval := shippedInterval(t)
	nodes := startAgents(t, otlp, interval)
	page := func() int { return lines(t, "http://"+scrape+"/metrics") }
	const told = clusterPods * 9 // lines, and more
	for end := time.Now().Add(8 * time.Minute); page() <= told || nodes.sent.Load() <= 2*clusterNodes; time.Sleep(time.Second) {
		if time.Now().Before(end) {
			continue
		}
		if sent := nodes.sent.Load(); sent <= 2*clusterNodes {
			t.Skipf("%d nodes sent %d batches in 8 minutes, where they have 8,000 to send: this machine is too slow for them", clusterNodes, sent)
		}
		require.Greater(t, page(), told, "lines of the page after 8 minutes")
	}
	core := newCore(t)
	before, err := d.Usage()
	require.NoError(t, err)
	began, sent, points := time.Now(), nodes.sent.Load(), nodes.points.Load()
	for range 3 { // scrapes, as often as state is told
		for range 10 {
			time.Sleep(interval / 10)
			core.measure(t)
		}
		require.NotZero(t, page(), "lines of the page")
	}
	after, err := d.Usage()
	require.NoError(t, err)
	share := (after.CPU - before.CPU).Seconds() / time.Since(began).Seconds()
	t.Logf("at most %d MB; %.1f %% of a core here", after.PeakRSS/1e6, 100*share)
	t.Logf("%d lines; %d batches (%d failed) with %d points in %v", page(), nodes.sent.Load()-sent, nodes.failed.Load(), nodes.points.Load()-points,
		time.Since(began).Round(time.Second))
	require.Zero(t, nodes.failed.Load(), "reports that the gateway refused")
	require.LessOrEqual(t, float64(after.PeakRSS), most)
	if core == nil {
		t.Log("what that is of a usual core is not known: this Go came without the text that its speed is measured with")
		return
	}
	usual := share * core.speed() / usualCore
	t.Logf("a core here unpacks %.0f MB/s, so that is %.1f %% of one that unpacks %.0f MB/s", core.speed()/1e6, 100*usual, usualCore/1e6)
	require.LessOrEqual(t, usual, mostOfCore)
}

// lines counts those of a page. It is cut off where it takes longer than the server's timeout, or there is none.
func lines(t *testing.T, url string) int {
	t.Helper()
	answer, err := http.Get(url) //nolint:noctx,gosec // it ends with the test, whose address it is
	if err != nil {
		t.Log(err)
		return 0
	}
	defer func() { _ = answer.Body.Close() }()
	text, _ := io.ReadAll(answer.Body)
	return strings.Count(string(text), "\n")
}

// shippedYAML reads a configuration that is shipped.
func shippedYAML(t *testing.T, file string) (config map[string]any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(shipped, file))
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &config))
	return config
}

// shippedInterval is how often nodes report, and state is told.
func shippedInterval(t *testing.T) time.Duration {
	t.Helper()
	interval := func(file, receiver string) string {
		return shippedYAML(t, file)["receivers"].(map[string]any)[receiver].(map[string]any)["collection_interval"].(string)
	}
	reports := interval("node/obsd.yaml", "kubelet")
	require.Equal(t, reports, interval("gateway/obsd.yaml", "k8s_cluster"))
	d, err := time.ParseDuration(reports)
	require.NoError(t, err)
	return d
}

// gatewayConfig writes the shipped configuration with other addresses, for an API server that a kubeconfig names.
func gatewayConfig(t *testing.T, set map[string]string) (path string) {
	t.Helper()
	config := shippedYAML(t, "gateway/obsd.yaml")
	for _, key := range []string{"extensions.k8s_leader_elector", "receivers.k8s_cluster", "receivers.k8s_events", "receivers.probe.kubernetes"} {
		set[key+".auth_type"] = "kubeConfig"
	}
	for key, value := range set {
		at, keys := config, strings.Split(key, ".")
		for _, k := range keys[:len(keys)-1] {
			if at[k] == nil {
				at[k] = map[string]any{}
			}
			at = at[k].(map[string]any)
		}
		at[keys[len(keys)-1]] = value
	}
	reader := config["service"].(map[string]any)["telemetry"].(map[string]any)["metrics"].(map[string]any)
	reader["level"] = "none"
	delete(reader, "readers")
	text, err := yaml.Marshal(config)
	require.NoError(t, err)
	path = filepath.Join(t.TempDir(), "obsd.yaml")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

// gatewayEnv is the environment that the shipped Deployment sets for the runtime.
func gatewayEnv(t *testing.T) (env []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(shipped, "gateway", "deployment.yaml"))
	require.NoError(t, err)
	deployment, _, _ := strings.Cut(string(text), "\n---\n")
	var d appsv1.Deployment
	require.NoError(t, yaml.Unmarshal([]byte(deployment), &d))
	for _, e := range d.Spec.Template.Spec.Containers[0].Env {
		if strings.HasPrefix(e.Name, "GO") {
			env = append(env, e.Name+"="+e.Value)
		}
	}
	require.Len(t, env, 3)
	return env
}

func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := porttest.Reserve()
	require.NoError(t, err)
	return addr
}
