package kubernetes_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/e2e/kubernetes"
)

const (
	patience  = 60 * time.Second
	pollEvery = 100 * time.Millisecond
)

// pods are one with an address of its own, which serves, and one in the node's network, which writes.
const pods = `
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: web, namespace: default, labels: {app: web}}
  spec:
    nodeName: node1
    terminationGracePeriodSeconds: 1
    containers:
    - name: http
      image: e2e.local/busybox:1
      imagePullPolicy: Never
      command: [/bin/sh, -c, 'mkdir -p /www; echo hello > /www/index.html; exec httpd -f -p 8080 -h /www']
- apiVersion: v1
  kind: Pod
  metadata: {name: writer, namespace: default}
  spec:
    nodeName: node1
    hostNetwork: true
    terminationGracePeriodSeconds: 1
    containers:
    - name: main
      image: e2e.local/busybox:1
      imagePullPolicy: Never
      command: [/bin/sh, -c, 'while true; do echo to stdout; sleep 0.2; done']
`

const staticPod = `
apiVersion: v1
kind: Pod
metadata: {name: static, namespace: default}
spec:
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  containers:
  - {name: c, image: "e2e.local/busybox:1", imagePullPolicy: Never, command: [/bin/sh, -c, 'echo static; sleep 3600']}
`

func TestCluster(t *testing.T) {
	c := kubernetes.Start(t, kubernetes.Options{})
	ctx := t.Context()
	require.NoError(t, c.Apply(ctx, pods))
	require.NoError(t, os.WriteFile(filepath.Join(c.Manifests, "static.yaml"), []byte(staticPod), 0o644))
	_, err := c.Kubectl(ctx, "wait", "--for=condition=Ready", "pod/web", "pod/writer", "--timeout=60s")
	require.NoError(t, err)

	t.Run("the test's side of the pods' logs", func(t *testing.T) {
		for glob, text := range map[string]string{"default_writer_*/main/0.log": "stdout F to stdout", "default_static-node1_*/c/0.log": "stdout F static"} {
			require.EventuallyWithT(t, func(collect *assert.CollectT) {
				found, err := filepath.Glob(filepath.Join(c.PodLogs, glob))
				require.NoError(collect, err)
				require.Len(collect, found, 1)
				content, err := os.ReadFile(found[0])
				require.NoError(collect, err)
				require.Contains(collect, string(content), text)
			}, patience, pollEvery)
		}
	})
	t.Run("the kubelet knows service accounts", func(t *testing.T) {
		status, _ := get(t, c, "", kubernetes.Kubelet+"/stats/summary")
		require.Equal(t, http.StatusUnauthorized, status)
		token, err := c.Token(ctx, "agent", `[{apiGroups: [""], resources: [nodes/stats], verbs: [get]}]`)
		require.NoError(t, err)
		require.EventuallyWithT(t, func(collect *assert.CollectT) {
			status, body := get(t, c, token, kubernetes.Kubelet+"/stats/summary")
			require.Equal(collect, http.StatusOK, status, body)
			require.Positive(collect, workingSet(t, body, "writer"), body)
		}, patience, pollEvery)
		status, _ = get(t, c, token, kubernetes.Kubelet+"/metrics")
		require.Equal(t, http.StatusForbidden, status)
	})
	t.Run("pods have addresses", func(t *testing.T) {
		ip, err := c.Kubectl(ctx, "get", "pod", "web", "-o", "jsonpath={.status.podIP}")
		require.NoError(t, err)
		status, body := get(t, c, "", "http://"+ip+":8080/")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "hello\n", body)
	})
	t.Run("servers inside and outside are reached", func(t *testing.T) {
		ip, err := c.Kubectl(ctx, "get", "pod", "web", "-o", "jsonpath={.status.podIP}")
		require.NoError(t, err)
		outside := c.Publish(t, ip+":8080")
		c.Expose(t, kubernetes.IP+":18080", outside) // and back in
		status, body := get(t, c, "", "http://"+kubernetes.IP+":18080/")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "hello\n", body)
	})
	t.Run("an executable runs inside", func(t *testing.T) {
		out, err := exec.CommandContext(ctx, c.Inside(t, "/bin/hostname")).Output()
		require.NoError(t, err)
		require.Equal(t, "node1\n", string(out))
	})
	t.Run("what a command says is in its error", func(t *testing.T) {
		_, err := c.Kubectl(ctx, "get", "pod", "nobody")
		require.EqualError(t, err, `kubectl get pod nobody: exit status 1: Error from server (NotFound): pods "nobody" not found`)
	})
}

// TestKilled kills a test that has a cluster, and sees that nothing of it runs on.
func TestKilled(t *testing.T) {
	if os.Getenv("E2E_KUBERNETES_HOLD") != "" {
		c := kubernetes.Start(t, kubernetes.Options{})
		out, err := c.Run(t.Context(), "", "cat", "/run/e2e/state/cgroups")
		require.NoError(t, err)
		fmt.Printf("cgroups %s\n", strings.Join(strings.Fields(out), " "))
		select {} // until it is killed
	}
	if os.Getenv("E2E") != "run" || kubernetes.Unsupported(t.Context()) != "" {
		t.Skip("skipped: no cluster runs here, as TestCluster says")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestKilled$", "-test.v")
	cmd.Env = append(os.Environ(), "E2E_KUBERNETES_HOLD=1", "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var cgroups []string
	lines := bufio.NewScanner(out)
	for cgroups == nil && lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "cgroups "); ok {
			cgroups = strings.Fields(rest)
		}
	}
	require.NotEmpty(t, cgroups, "the cluster started")
	require.NotEmpty(t, processes(cgroups))
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait() // killed
	require.Eventually(t, func() bool { return processes(cgroups) == "" }, patience, pollEvery)
}

// processes lists the processes of the cgroups and of those below them.
func processes(cgroups []string) string {
	var all strings.Builder
	for _, dir := range cgroups {
		_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Name() == "cgroup.procs" {
				b, _ := os.ReadFile(path)
				all.Write(b)
			}
			return nil
		})
	}
	return all.String()
}

func get(t *testing.T, c *kubernetes.Cluster, token, url string) (status int, body string) {
	t.Helper()
	client, err := c.Client(token)
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	answer, err := client.Get(url)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	b, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(b)
}

func workingSet(t *testing.T, summary, pod string) int {
	t.Helper()
	var s struct {
		Pods []struct {
			PodRef     struct{ Name string }
			Containers []struct{ Memory struct{ WorkingSetBytes int } }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(summary), &s))
	for _, p := range s.Pods {
		if p.PodRef.Name == pod && len(p.Containers) > 0 {
			return p.Containers[0].Memory.WorkingSetBytes
		}
	}
	return 0
}
