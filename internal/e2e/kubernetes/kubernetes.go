// Package kubernetes gives tests a real one-node cluster: kube-apiserver, kubelet and kubectl built from their Go modules,
// with Debian's etcd, containerd, runc and network plugins, in mount, pid, net, uts and cgroup namespaces of their own. It
// is ready in about five seconds, and nothing of it is left when the test ends or is killed.
//
// It needs Linux with cgroup v1, root, and Debian's apt-get; [Unsupported] says what is missing. There is no DNS, no way
// out to other networks, and no image but busybox and what [Cluster.ImportImage] brings. Without [Options.Full] nothing
// schedules pods, so that each names its node, and Deployments and Services do nothing.
package kubernetes

import (
	"context"
	_ "embed" // what the node runs
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/obsd-io/obsd/internal/e2e/backend"
	"github.com/obsd-io/obsd/internal/e2e/process"
)

// Where things are in every cluster; the addresses exist in its network namespace only, see [Cluster.DialContext].
const (
	// Node is the name of the only node.
	Node = "node1"
	// IP is the node's address.
	IP = "10.123.0.1"
	// API is the URL of the API server.
	API = "https://" + IP
	// Kubelet is the URL of the kubelet.
	Kubelet = "https://" + IP + ":10250"
	// Busybox is the image that pods may run, with `imagePullPolicy: Never`.
	Busybox = "e2e.local/busybox:1"
	// ContainerdSocket is where containerd answers, as seen from inside.
	ContainerdSocket = "/run/containerd/containerd.sock"
)

//go:embed node.sh
var nodeScript []byte

//go:embed containerd.toml
var containerdConfig []byte

//go:embed kubelet.yaml
var kubeletConfig []byte

// Options says how a cluster differs from the smallest one.
type Options struct {
	// Full also runs the controller manager, the scheduler and kube-proxy: Deployments and Services then work.
	Full bool
}

// Cluster is a running cluster. Its methods may be called from several goroutines.
type Cluster struct {
	// CA is the file with the certificate authority of the API server and the kubelet.
	CA string
	// PodLogs is the folder that is /var/log/pods inside.
	PodLogs string
	// Manifests is the folder of static pods: the kubelet runs what is copied there.
	Manifests string

	state   string
	cgroups []string
	process *process.Process
	init    string // the process id of the namespaces' first process, seen from here
	client  dialer
}

// readyTimeout is how long it may take until the node is ready, on a machine that is busy with other tests.
const readyTimeout = 3 * time.Minute

// Start starts a cluster that ends with the test, and waits until its node is ready. It skips the test where [backend.Need]
// does, and where no cluster can run.
func Start(t testing.TB, opts Options) *Cluster {
	t.Helper()
	backend.Need(t)
	if reason := Unsupported(t.Context()); reason != "" {
		t.Skip("e2e: skipped, no cluster can run here: " + reason)
	}
	built, err := install(t.Context(), os.Stderr, opts.Full)
	if err != nil {
		t.Fatal(err)
	}
	state := t.TempDir()
	c := &Cluster{
		CA: filepath.Join(state, "pki", "ca.crt"), PodLogs: filepath.Join(state, "varlog", "pods"), Manifests: filepath.Join(state, "manifests"),
		state: state,
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.logs(10))
		}
		if err := c.down(); err != nil {
			t.Errorf("e2e: end Kubernetes: %v", err)
		}
	})
	if err := c.start(t.Context(), built); err != nil {
		t.Fatalf("e2e: start Kubernetes: %v\n%s", err, c.logs(4))
	}
	return c
}

func (c *Cluster) start(ctx context.Context, built folders) error {
	if err := c.writeState(); err != nil {
		return err
	}
	var err error
	c.process, err = process.Start(process.Settings{
		Name: "kubernetes", Path: filepath.Join(c.state, "node.sh"), Args: []string{"enter"}, Dir: c.state, Log: filepath.Join(c.state, "node.log"),
		Env: []string{"STATE=" + c.state, "CACHE=" + built.base, "FULL=" + built.full},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	err = c.process.WaitReady(ctx, func(context.Context) error {
		_, err := os.Stat(filepath.Join(c.state, "ready"))
		return err
	})
	if err != nil {
		return err
	}
	if err := c.findInit(); err != nil {
		return err
	}
	if err := c.writeInside(built); err != nil {
		return err
	}
	return c.Namespace(ctx, "default")
}

// writeState fills the folder that the node finds its settings, keys and cgroups in.
func (c *Cluster) writeState() error {
	err := os.MkdirAll(filepath.Join(c.state, "log"), 0o755)
	if err != nil {
		return err
	}
	if c.cgroups, err = makeCgroups(); err != nil {
		return err
	}
	files := []struct {
		name    string
		content []byte
		mode    os.FileMode
	}{
		{"node.sh", nodeScript, 0o755},
		{"containerd.toml.in", containerdConfig, 0o644},
		{"kubelet.yaml.in", kubeletConfig, 0o644},
		{"cgroups", []byte(strings.Join(c.cgroups, "\n") + "\n"), 0o644},
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(c.state, f.name), f.content, f.mode); err != nil {
			return err
		}
	}
	return writeKeys(c.state)
}

// findInit finds the only child of the process that we started.
func (c *Cluster) findInit() error {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", c.process.PID()))
	if err != nil {
		return err
	}
	c.init = strings.TrimSpace(string(children))
	if c.init == "" {
		return fmt.Errorf("the namespaces have no first process")
	}
	return nil
}

// down ends all processes. What the cluster mounted went with its namespace, so the state folder can be removed.
func (c *Cluster) down() error {
	c.client.close()
	if c.process != nil {
		if err := c.process.Kill(); err != nil {
			return err
		}
	}
	return removeCgroups(c.cgroups)
}

// logs is the end of the log of each program.
func (c *Cluster) logs(lines int) string {
	var b strings.Builder
	names, _ := filepath.Glob(filepath.Join(c.state, "log", "*.log"))
	for _, name := range append([]string{filepath.Join(c.state, "node.log")}, names...) {
		content, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		all := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
		fmt.Fprintf(&b, "end of %s:\n%s\n", filepath.Base(name), strings.Join(all[max(0, len(all)-lines):], "\n"))
	}
	return b.String()
}
