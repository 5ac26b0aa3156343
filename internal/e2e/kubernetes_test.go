package e2e_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/obsd-io/obsd/internal/e2e/daemon"
	"github.com/obsd-io/obsd/internal/e2e/kubernetes"
)

// cluster is what the tests with Kubernetes share.
type cluster struct {
	*kubernetes.Cluster
	outside string // obsd
	binary  string // the same, run inside
}

// TestKubernetes runs obsd on a real node: as a process of the node, with the kubelet and containerd beside it.
func TestKubernetes(t *testing.T) {
	started := time.Now()
	c := &cluster{Cluster: kubernetes.Start(t, kubernetes.Options{})}
	if took := time.Since(started); took > slowStart {
		t.Skipf("the node took %s to get ready, where 5 s are usual: a kubelet that starves reads its containers too seldom to compare with", took)
	}
	var err error
	c.outside, err = daemon.Binary(t.Context(), t.TempDir())
	require.NoError(t, err)
	c.binary = c.Inside(t, c.outside)
	require.NoError(t, c.Apply(t.Context(), kubernetesPods))
	_, err = c.Kubectl(t.Context(), "wait", "--for=condition=Ready", "pod/web", "pod/busy", "pod/fragile", "--timeout=60s")
	require.NoError(t, err)
	tests := map[string]func(*testing.T, *cluster){
		"cadvisor":            testCadvisor,
		"cadvisor as nobody":  testCadvisorAsNobody,
		"cadvisor Prometheus": testCadvisorPrometheus,
		"kubelet":             testKubelet,
		"kubelet restarts":    testKubeletRestarts,
		"kubectl top":         testKubectlTop,
		"cadvisor processes":  testCadvisorProcesses,
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tests[name](t, c)
		})
	}
}

// kubernetesPods are one with an address of its own, one in the node's network that uses CPU, and one to be killed.
const kubernetesPods = `
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
      livenessProbe: {exec: {command: [/bin/true]}, periodSeconds: 1}
      resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 32Mi}}
- apiVersion: v1
  kind: Pod
  metadata: {name: busy, namespace: default}
  spec:
    nodeName: node1
    hostNetwork: true
    terminationGracePeriodSeconds: 1
    containers:
    - name: main
      image: e2e.local/busybox:1
      imagePullPolicy: Never
      command: [/bin/sh, -c, 'while true; do for i in 1 2 3 4 5 6 7 8 9; do :; done; usleep 1000; done']
      resources: {limits: {cpu: 100m}}
- apiVersion: v1
  kind: Pod
  metadata: {name: fragile, namespace: default}
  spec:
    nodeName: node1
    terminationGracePeriodSeconds: 1
    containers:
    - {name: main, image: "e2e.local/busybox:1", imagePullPolicy: Never, command: [/bin/sleep, "100000"]}
`

// start runs obsd inside the cluster on a file of testdata. Its file exporter writes to OUT, whose path is returned.
func (c *cluster) start(t *testing.T, binary, config string, more env) (d *daemon.Daemon, out string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", config))
	require.NoError(t, err)
	out = filepath.Join(publicDir(t), "out.json")
	vars := []string{"OUT=" + out}
	for name, value := range more {
		vars = append(vars, name+"="+value)
	}
	d, err = daemon.Start(t.Context(), daemon.Settings{Binary: binary, Config: string(text), Env: vars, Dir: publicDir(t)})
	t.Cleanup(func() {
		if d.Running() {
			if err := d.Kill(); err != nil {
				t.Error(err)
			}
		}
		if t.Failed() {
			t.Logf("log of obsd:\n%s", d.Log())
		}
	})
	require.NoError(t, err)
	return d, out
}

// publicDir is a folder that all users may use: not every obsd is root.
func publicDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	require.NoError(t, os.Chmod(dir, 0o777))
	return dir
}

// clusterPatience is how long something may take to show in a cluster, whose kubelet reads a container every 10 to 15 s and
// shares two cores with the rest of a control plane and with other tests.
const clusterPatience = 3 * time.Minute

// slowStart is how long a node may take to get ready before the machine counts as too slow for these tests.
const slowStart = 40 * time.Second

// reading is a value at a time.
type reading struct {
	at    time.Time
	value float64
}

// series are the readings of a metric of one resource, in the order of time. Points are told apart by their attributes.
type series map[string][]reading

// collected reads what the file exporter wrote: the series by "resource attributes" and "metric".
func collected(t assert.TestingT, out string, identity ...string) map[string]map[string]series {
	all := map[string]map[string]series{}
	b, err := os.ReadFile(out)
	if err != nil {
		assert.ErrorIs(t, err, os.ErrNotExist)
		return all
	}
	b = b[:bytes.LastIndexByte(b, '\n')+1] // the last line may be half written
	for line := range bytes.Lines(b) {
		metrics, err := new(pmetric.JSONUnmarshaler).UnmarshalMetrics(line)
		if !assert.NoError(t, err) {
			return all
		}
		for _, rm := range metrics.ResourceMetrics().All() {
			var parts []string
			for _, key := range identity {
				part := "" // where the resource has no such attribute
				if value, ok := rm.Resource().Attributes().Get(key); ok {
					part = value.AsString()
				}
				parts = append(parts, part)
			}
			key := strings.Join(parts, "/")
			if all[key] == nil {
				all[key] = map[string]series{}
			}
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					addReadings(all[key], m)
				}
			}
		}
	}
	return all
}

func addReadings(to map[string]series, m pmetric.Metric) {
	var points pmetric.NumberDataPointSlice
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		points = m.Gauge().DataPoints()
	case pmetric.MetricTypeSum:
		points = m.Sum().DataPoints()
	default:
		return
	}
	if to[m.Name()] == nil {
		to[m.Name()] = series{}
	}
	for _, dp := range points.All() {
		value := dp.DoubleValue()
		if dp.ValueType() == pmetric.NumberDataPointValueTypeInt {
			value = float64(dp.IntValue())
		}
		attrs, err := json.Marshal(dp.Attributes().AsRaw()) // in the order of the keys
		if err != nil {
			panic(err)
		}
		key := string(attrs)
		to[m.Name()][key] = append(to[m.Name()][key], reading{dp.Timestamp().AsTime(), value})
	}
}

// around finds the readings before and after a time.
func around(readings []reading, at time.Time) (before, after reading, ok bool) {
	for i := 1; i < len(readings); i++ {
		if !readings[i-1].at.After(at) && !readings[i].at.Before(at) {
			return readings[i-1], readings[i], true
		}
	}
	return before, after, false
}

// cpuOfSummary is the CPU time of a container in a kubelet's summary.
func cpuOfSummary(t assert.TestingT, summary, pod, container string) (reading, bool) {
	var s struct {
		Pods []struct {
			PodRef     struct{ Name string }
			Containers []struct {
				Name string
				CPU  struct {
					Time                 time.Time
					UsageCoreNanoSeconds float64
				}
			}
		}
	}
	if !assert.NoError(t, json.Unmarshal([]byte(summary), &s)) {
		return reading{}, false
	}
	for _, p := range s.Pods {
		for _, c := range p.Containers {
			if p.PodRef.Name == pod && c.Name == container {
				return reading{c.CPU.Time, c.CPU.UsageCoreNanoSeconds / 1e9}, true
			}
		}
	}
	return reading{}, false
}
