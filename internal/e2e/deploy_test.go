package e2e_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/e2e/backend"
	"github.com/obsd-io/obsd/internal/e2e/daemon"
	"github.com/obsd-io/obsd/internal/e2e/kubernetes"
	"github.com/obsd-io/obsd/internal/image"
)

// deployment is obsd deployed on a cluster as its manifests say, with the servers that it writes to.
type deployment struct {
	*kubernetes.Cluster
	whole         *testing.T // the test that all others are parts of
	elasticsearch *backend.Elasticsearch
	prometheus    *backend.Prometheus
	registry      *backend.Registry
	scraped       map[string]bool // the gateway's pods that Prometheus scrapes
}

// TestDeployment runs obsd's own image by its own manifests, with the rights that they give, and reads what arrives.
func TestDeployment(t *testing.T) {
	started := time.Now()
	d := &deployment{Cluster: kubernetes.Start(t, kubernetes.Options{Full: true}), whole: t, scraped: map[string]bool{}}
	if took := time.Since(started); took > slowStart {
		t.Skipf("the node took %s to get ready, where 10 s are usual: nothing that is deployed on it would get ready in time", took)
	}
	d.elasticsearch = backend.StartElasticsearch(t, backend.ElasticsearchOptions{})
	d.prometheus = backend.StartPrometheus(t, backend.PrometheusOptions{Rules: "../../examples/service-monitor/rules.yaml"})
	certificate, key := d.ServerCertificate()
	d.registry = backend.StartRegistry(t, certificate, key)
	d.Expose(t, kubernetes.IP+":9200", strings.TrimPrefix(d.elasticsearch.URL, "http://"))
	d.Expose(t, kubernetes.IP+":5000", d.registry.Address)
	binary, err := daemon.Binary(t.Context(), t.TempDir())
	require.NoError(t, err)
	require.NoError(t, d.ImportImage(t.Context(), image.Obsd(image.Repository+":e2e", binary)))
	t.Cleanup(func() {
		if t.Failed() {
			d.tell(t)
		}
	})
	d.kubectl(t, "create", "namespace", "obsd")
	d.configMapPlugin(t, mine(1))
	require.NoError(t, d.registry.Push(t.Context(), "plugins/theirs", "1", theirs(1)))
	d.kubectl(t, "apply", "-k", "testdata/deploy")
	require.NoError(t, d.Apply(t.Context(), shop))
	require.NoError(t, d.Apply(t.Context(), web))
	d.rolledOut(t, "obsd", "daemonset/obsd-node")
	d.rolledOut(t, "obsd", "deployment/obsd-gateway")
	d.rolledOut(t, "default", "deployment/shop")
	require.NoError(t, d.prometheus.AddTarget(d.Publish(t, "10.96.7.9:9464"), map[string]string{"job": "node"}))
	d.scrapeGateways(t)

	t.Run("logs have identity and metadata", func(t *testing.T) { testDeployedLogs(t, d) })
	t.Run("metrics", func(t *testing.T) { testDeployedMetrics(t, d) })
	t.Run("plugins", func(t *testing.T) { testPlugins(t, d) })
	t.Run("killed", func(t *testing.T) { testKilled(t, d) })
	t.Run("two gateways", func(t *testing.T) { testTwoGateways(t, d) })
	t.Run("rolled", func(t *testing.T) { testRolled(t, d) })
	t.Run("cadvisor", func(t *testing.T) { testDeployedCadvisor(t, d) })
	t.Run("plugins after the roll", func(t *testing.T) { testPluginsOffline(t, d) })
	t.Run("rights", func(t *testing.T) { testRights(t, d) })
}

// shopLines is how many lines each pod of the shop writes, at about 20 a second. It lives on afterwards.
const shopLines = 1500

// shop is a Deployment of two pods that write numbered lines.
var shop = fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: e2e.local/busybox:1
        imagePullPolicy: Never
        command: [/bin/sh, -c, 'i=0; while [ $i -lt %d ]; do i=$((i+1)); echo "order $i"; usleep 50000; done; exec sleep 1000000']
        resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 32Mi}}
`, shopLines)

// web is a Deployment of two pods that serve, and that count as available ten seconds after they are ready.
const web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 2
  minReadySeconds: 10
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {obsd.io/probe: "true", obsd.io/probe-port: "8080", obsd.io/probe-path: /index.html}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: http
        image: e2e.local/busybox:1
        imagePullPolicy: Never
        command: [/bin/sh, -c, 'mkdir -p /www; echo hello > /www/index.html; exec httpd -f -p 8080 -h /www']
        livenessProbe: {exec: {command: [/bin/true]}, periodSeconds: 1, failureThreshold: 1000} # late is not dead
        ports: [{containerPort: 8080}]
`

func (d *deployment) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := d.Kubectl(t.Context(), args...)
	require.NoError(t, err)
	return out
}

func (d *deployment) rolledOut(t *testing.T, namespace, what string) {
	t.Helper()
	d.kubectl(t, "-n", namespace, "rollout", "status", what, "--timeout="+clusterPatience.String())
}

// tell logs what is known of obsd's pods.
func (d *deployment) tell(t *testing.T) {
	for _, args := range [][]string{
		{"-n", "obsd", "get", "pods", "-o", "wide"},
		{"-n", "obsd", "get", "events"},
		{"-n", "obsd", "logs", "-l", "app.kubernetes.io/name=obsd", "--prefix", "--tail=30"},
	} {
		out, err := d.Run(t.Context(), "", "kubectl", args...)
		t.Logf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// order is a line of the shop.
var order = regexp.MustCompile(`^order (\d+)$`)

// orders are the numbers of the lines that have arrived, by the name of the pod, and how often each has.
func (d *deployment) orders(collect *assert.CollectT, t *testing.T) map[string]map[int]int {
	all := map[string]map[int]int{}
	err := d.elasticsearch.Each(t.Context(), "logs-*", "", func(source json.RawMessage) error {
		var doc struct {
			Body     struct{ Text string }
			Resource struct{ Attributes map[string]any }
		}
		if err := json.Unmarshal(source, &doc); err != nil {
			return err
		}
		if m := order.FindStringSubmatch(doc.Body.Text); m != nil {
			pod, _ := doc.Resource.Attributes["k8s.pod.name"].(string)
			if all[pod] == nil {
				all[pod] = map[int]int{}
			}
			n, _ := strconv.Atoi(m[1])
			all[pod][n]++
		}
		return nil
	})
	require.NoError(collect, err)
	return all
}

func testDeployedLogs(t *testing.T, d *deployment) {
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		docs, err := d.elasticsearch.Documents(t.Context(), "logs-*", `resource.attributes.k8s.container.name:main`)
		require.NoError(collect, err)
		require.NotEmpty(collect, docs)
		attributes, ok := docs[0]["resource"].(map[string]any)["attributes"].(map[string]any)
		require.True(collect, ok)
		for name, want := range map[string]string{
			"k8s.namespace.name": "^default$", "k8s.pod.name": "^shop-", "k8s.pod.uid": "^[0-9a-f-]{36}$", "k8s.node.name": "^node1$",
			"k8s.deployment.name": "^shop$", "k8s.pod.label.app": "^shop$", "container.image.name": "^e2e.local/busybox",
		} {
			require.Regexp(collect, want, attributes[name], name)
		}
	}, clusterPatience, time.Second)
}

func testDeployedMetrics(t *testing.T, d *deployment) {
	d.queries(t,
		`container_memory_working_set_bytes{k8s_namespace_name="default", k8s_container_name="main"} > 0`,
		`k8s_node_cpu_time_seconds_total{k8s_node_name="node1"} > 0`,
		`prober_probe_total`,
		`k8s_cluster_memory_working_set_bytes > 0`,
		`k8s_node_memory_utilization_ratio{k8s_node_name="node1"} > 0`,
		`k8s_cluster_cpu_utilization_ratio > 0`,
		// Of what both the kubelet and the API server know one of the two tells.
		`max(count by (k8s_pod_name, k8s_container_name) (k8s_container_memory_request_bytes{k8s_namespace_name="default"})) == 1`,
		`max(count by (k8s_pod_name, k8s_container_name) (k8s_container_restarts{k8s_namespace_name="default"})) == 1`,
		`k8s_deployment_available{k8s_namespace_name="default", k8s_deployment_name="web"} == 2`,
		`k8s_node_condition_ready{k8s_node_name="node1"} == 1`,
		`count(probe_up{k8s_namespace_name="default", k8s_pod_name=~"web-.*"} == 1) == 2`,
	)
}

// queries waits until each query has an answer that is not empty.
func (d *deployment) queries(t *testing.T, queries ...string) {
	t.Helper()
	for _, query := range queries {
		require.EventuallyWithT(t, func(collect *assert.CollectT) {
			samples, err := d.prometheus.Query(t.Context(), query)
			require.NoError(collect, err)
			require.NotEmpty(collect, samples, query)
		}, clusterPatience, time.Second)
	}
}

// testKilled kills a container, then its pod: both show in the state of the workload, in an alert, and as events.
func testKilled(t *testing.T, d *deployment) {
	pod, id, _ := strings.Cut(strings.Fields(d.kubectl(t, "get", "pods", "-l", "app=web", "-o",
		`jsonpath={range .items[*]}{.metadata.name}={.status.containerStatuses[0].containerID}{"\n"}{end}`))[0], "=containerd://")
	d.queries(t, fmt.Sprintf(`k8s_container_restarts{k8s_pod_name=%q} == 0`, pod))
	_, err := d.Run(t.Context(), "", "ctr", "task", "kill", "--signal", "KILL", id)
	require.NoError(t, err)
	d.queries(t,
		fmt.Sprintf(`k8s_container_restarts{k8s_pod_name=%q} == 1`, pod),
		`min_over_time(k8s_deployment_available{k8s_namespace_name="default", k8s_deployment_name="web"}[10m]) == 1`,
		fmt.Sprintf(`ALERTS{alertname="ContainerRestarted", alertstate="firing", k8s_pod_name=%q}`, pod),
		`k8s_deployment_available{k8s_namespace_name="default", k8s_deployment_name="web"} == 2`,
	)
	d.kubectl(t, "delete", "pod", pod, "--wait=false")
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		docs, err := d.elasticsearch.Documents(t.Context(), "logs-*", fmt.Sprintf(`attributes.k8s.event.reason:Killing AND resource.attributes.k8s.pod.name:"%s"`, pod))
		require.NoError(collect, err)
		require.Len(collect, docs, 1)
		require.Equal(collect, "Stopping container http", docs[0]["body"].(map[string]any)["text"])
	}, clusterPatience, time.Second)
	d.queries(t, `count(k8s_pod_phase{k8s_namespace_name="default", k8s_pod_name=~"web-.*"} == 2) == 2`)
}

// testRolled has the agent replaced while pods write, by one that reads the cgroups itself and whose registry is down, and counts
// every line.
func testRolled(t *testing.T, d *deployment) {
	before := d.kubectl(t, "-n", "obsd", "get", "pods", "-l", "app.kubernetes.io/component=node", "-o", "name")
	d.registry.Stop()
	d.kubectl(t, "apply", "-k", "testdata/deploy-cadvisor")
	d.rolledOut(t, "obsd", "daemonset/obsd-node")
	require.NotEqual(t, before, d.kubectl(t, "-n", "obsd", "get", "pods", "-l", "app.kubernetes.io/component=node", "-o", "name"))
	doubled := 0
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		all := d.orders(collect, t)
		require.Len(collect, all, 2)
		doubled = 0
		for pod, numbers := range all {
			require.Len(collect, numbers, shopLines, pod)
			for _, times := range numbers {
				doubled += times - 1
			}
		}
	}, 2*clusterPatience, time.Second)
	t.Logf("%d lines doubled", doubled)
}

// testRights sees that nothing that obsd asked for was refused.
func testRights(t *testing.T, d *deployment) {
	log := d.kubectl(t, "-n", "obsd", "logs", "-l", "app.kubernetes.io/name=obsd", "--prefix", "--tail=-1")
	require.Contains(t, log, "obsd-node-")
	require.Contains(t, log, "obsd-gateway-")
	require.NotRegexp(t, `(?i)forbidden|unauthorized`, log)
}

// testDeployedCadvisor sees that each figure has one source: CPU and memory the cgroups, network and file systems the kubelet.
func testDeployedCadvisor(t *testing.T, d *deployment) {
	const web = `k8s_namespace_name="default", k8s_pod_name=~"web-.*"`
	const cadvisor, kubelet = `otel_scope_name=~".*/receivers/cadvisor"`, `otel_scope_name=~".*/receivers/kubelet"`
	d.queries(t,
		`count(container_cpu_time_seconds_total{`+web+`, k8s_container_name="http", `+cadvisor+`}) == 2`,
		`count(k8s_pod_memory_working_set_bytes{`+web+`, `+cadvisor+`} > 0) == 2`,
		`k8s_node_memory_available_bytes{k8s_node_name="node1", `+cadvisor+`} > 0`,
		`count(container_memory_working_set_bytes{`+web+`}) == 2`, // no sandbox, no kubelet
		`count(k8s_pod_cpu_usage{`+web+`}) == 2`,
		`count(k8s_node_cpu_usage) == 1`,
		`count(container_memory_working_set_bytes{k8s_deployment_name="web"}) == 2`,
		`count(count by (k8s_pod_name) (k8s_pod_network_io_bytes_total{`+web+`, `+kubelet+`})) == 2`,
		`container_filesystem_usage_bytes{`+web+`, `+kubelet+`}`,
		`k8s_pod_memory_request_bytes{k8s_namespace_name="default", k8s_pod_name=~"shop-.*"} > 0`,
		`k8s_node_memory_utilization_ratio{k8s_node_name="node1"} > 0`,
		`k8s_cluster_memory_working_set_bytes > 0`,
	)
	samples, err := d.prometheus.Query(t.Context(), `{__name__=~"container_cpu_.*|container_memory_.*|container_disk_.*", k8s_container_name=""}`)
	require.NoError(t, err)
	require.Empty(t, samples, "containers without a name")
}
