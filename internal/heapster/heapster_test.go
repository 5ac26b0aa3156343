package heapster

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/obsd-io/obsd/internal/kubetest"
)

var update = flag.Bool("update", false, "rewrite the table in the README")

func TestIdentify(t *testing.T) {
	f := func(want Type, key string, attributes map[string]any) {
		t.Helper()
		m := pcommon.NewMap()
		require.NoError(t, m.FromRaw(attributes))
		o := Identify(m)
		require.Equal(t, want, o.Type)
		require.Equal(t, key, o.Key())
	}
	f(Unknown, "", nil)
	f(Unknown, "", map[string]any{"host.name": "a"})
	f(Unknown, "", map[string]any{"k8s.pod.name": "p"})
	f(Unknown, "", map[string]any{"k8s.namespace.name": 7})
	f(Unknown, "", map[string]any{"k8s.container.name": "c", "k8s.namespace.name": "ns"})
	f(Cluster, "cluster", map[string]any{"k8s.cluster.name": "blue"})
	f(Node, "node:n", map[string]any{"k8s.node.name": "n", "k8s.cluster.name": "blue"})
	f(SystemContainer, "node:n/container:kubelet", map[string]any{"k8s.node.name": "n", "k8s.node.system_container.name": "kubelet"})
	f(Namespace, "namespace:ns", map[string]any{"k8s.namespace.name": "ns"})
	f(Pod, "namespace:ns/pod:p", map[string]any{"k8s.namespace.name": "ns", "k8s.pod.name": "p", "k8s.node.name": "n"})
	f(Pod, "namespace:ns/pod:p", map[string]any{"k8s.namespace.name": "ns", "k8s.pod.name": "p", "k8s.volume.name": "data"})
	f(Container, "namespace:ns/pod:p/container:c", map[string]any{"k8s.namespace.name": "ns", "k8s.pod.name": "p", "k8s.container.name": "c"})
}

func TestTags(t *testing.T) {
	b := kubetest.NewBatch(time.Now()).Container("n", "ns", "p", "c", "k8s.pod.label.b", "2", "container.image.name", "web:1", "k8s.pod.label.a", "1")
	attributes := b.Metrics.ResourceMetrics().At(0).Resource().Attributes()
	o := Identify(attributes)
	tags := pcommon.NewMap()
	o.PutTags(tags, "blue", JoinLabels(attributes))
	require.Equal(t, map[string]any{
		"type": "pod_container", "cluster_name": "blue", "nodename": "n", "namespace_name": "ns", "pod_name": "p",
		"container_name": "c", "container_base_image": "web:1", "labels": "a:1,b:2",
	}, tags.AsRaw())
}

// translate writes the points of a batch as "name{label} value kind".
func translate(tr *Translator, md pmetric.Metrics) (lines []string) {
	for _, rm := range md.ResourceMetrics().All() {
		o := Identify(rm.Resource().Attributes())
		tr.Resource(&o, o.Key(), rm, func(p Point) {
			kind := "int"
			if p.Float {
				kind = "float"
			}
			if p.Cumulative {
				kind += " cumulative"
			}
			lines = append(lines, fmt.Sprintf("%s{%s} %v %s", p.Name, p.Label, p.Value, kind))
		})
	}
	slices.Sort(lines)
	return lines
}

func TestTranslate(t *testing.T) {
	at := time.Unix(1700000000, 0)
	start := at.Add(-time.Hour)
	b := kubetest.NewBatch(at)
	b.Container("n", "ns", "p", "c").Gauge("container.cpu.usage", 0.25).Sum("container.cpu.time", start, 2).
		Int("container.memory.working_set", 5).Gauge("container.uptime", 1.5).Gauge("k8s.container.cpu_request", 0.1).
		Int("k8s.container.restarts", 3).Int("container.filesystem.usage", 7).Int("unknown.metric", 1).
		Int("k8s.container.ephemeral_storage.usage", 10, "fs.type", "rootfs").
		Int("k8s.container.ephemeral_storage.usage", 1, "fs.type", "logs")
	require.Equal(t, []string{
		"cpu/request{} 100 int",
		"cpu/usage_rate{} 250 int",
		"cpu/usage{} 2e+09 int cumulative",
		"ephemeral_storage/usage{} 11 int",
		"filesystem/usage{/} 7 int",
		"filesystem/usage{logs} 1 int",
		"memory/working_set{} 5 int",
		"restart_count{} 3 int cumulative",
		"uptime{} 1500 int cumulative",
	}, translate(NewTranslator(10), b.Metrics))

	b = kubetest.NewBatch(at)
	b.Node("n").Gauge("k8s.node.cpu.utilization", 0.5).Gauge("k8s.node.allocatable_cpu", 4).Gauge("k8s.node.cpu.usage", 2)
	b.Pod("n", "ns", "p", "k8s.volume.name", "data").Int("k8s.volume.capacity", 9)
	b.Pod("n", "ns", "p").Int("k8s.volume.capacity", 9) // of no volume
	require.Equal(t, []string{
		"cpu/node_allocatable{} 4000 float",
		"cpu/node_utilization{} 0.5 float",
		"cpu/usage_rate{} 2000 int",
		"filesystem/limit{Volume:data} 9 int",
	}, translate(NewTranslator(10), b.Metrics))
}

// TestFirstInterface checks that of several interfaces the first counts, as Heapster knew the default one only.
func TestFirstInterface(t *testing.T) {
	at := time.Unix(1700000000, 0)
	b := kubetest.NewBatch(at).Node("n")
	for i, name := range []string{"eth0", "eth1"} {
		b.Sum("k8s.node.network.io", at, float64(10*i+1), "interface", name, "direction", "receive")
		b.Sum("k8s.node.network.io", at, float64(10*i+2), "interface", name, "direction", "transmit")
	}
	require.Equal(t, []string{"network/rx{} 1 int cumulative", "network/tx{} 2 int cumulative"}, translate(NewTranslator(10), b.Metrics))
}

func TestRates(t *testing.T) {
	at := time.Unix(1700000000, 0)
	start := at.Add(-time.Hour)
	tr := NewTranslator(10)
	f := func(after time.Duration, start time.Time, v float64, want ...string) {
		t.Helper()
		b := kubetest.NewBatch(at.Add(after)).Node("n").Sum("k8s.node.memory.page_faults", start, v)
		var rates []string
		for _, line := range translate(tr, b.Metrics) {
			if line != fmt.Sprintf("memory/page_faults{} %v int cumulative", v) {
				rates = append(rates, line)
			}
		}
		require.Equal(t, want, rates)
	}
	f(0, start, 100)
	f(10*time.Second, start, 150, "memory/page_faults_rate{} 5 float")
	f(10*time.Second, start, 150) // the same time
	f(5*time.Second, start, 120)  // older
	f(20*time.Second, start, 40)  // a reset that the start does not show
	f(30*time.Second, at, 50)     // another start
	f(40*time.Second, at, 50, "memory/page_faults_rate{} 0 float")
	f(-time.Hour, at, 60) // the clock was set back
	f(-time.Hour+time.Second, at, 70, "memory/page_faults_rate{} 10 float")
}

func TestRatesAreBounded(t *testing.T) {
	tr := NewTranslator(2)
	b := kubetest.NewBatch(time.Now())
	for i := range 5 {
		b.Node(fmt.Sprint(i)).Sum("k8s.node.memory.page_faults", time.Now(), 1)
	}
	require.Len(t, translate(tr, b.Metrics), 5)
	require.Len(t, tr.rates, 2)
}

func TestInt(t *testing.T) {
	for v, want := range map[float64]int64{0.4: 0, 0.5: 1, -3: 0, 1e300: math.MaxInt64, math.Inf(1): math.MaxInt64} {
		require.Equal(t, want, Int(v), "%v", v)
	}
	require.Zero(t, Int(math.NaN()))
}

// TestTable holds the table to the names of Heapster's docs/storage-schema.md.
func TestTable(t *testing.T) {
	names := map[string]bool{}
	for ours, list := range Table() {
		for _, m := range list {
			require.NotZero(t, m.Scale, ours)
			names[m.Name], names[m.Rate] = true, true
		}
	}
	for _, name := range []string{
		"uptime", "restart_count", "cpu/usage", "cpu/usage_rate", "cpu/request", "cpu/limit", "cpu/node_allocatable",
		"cpu/node_utilization", "cpu/node_reservation", "memory/usage", "memory/rss", "memory/working_set", "memory/page_faults",
		"memory/major_page_faults", "memory/page_faults_rate", "memory/major_page_faults_rate", "memory/request", "memory/limit",
		"memory/node_allocatable", "memory/node_utilization", "memory/node_reservation", "ephemeral_storage/usage",
		"ephemeral_storage/request", "ephemeral_storage/limit", "ephemeral_storage/node_allocatable", "network/rx", "network/rx_errors",
		"network/tx", "network/tx_errors", "network/rx_rate", "network/rx_errors_rate", "network/tx_rate", "network/tx_errors_rate",
		"filesystem/usage", "filesystem/limit", "filesystem/available", "filesystem/inodes", "filesystem/inodes_free",
	} {
		require.True(t, names[name], name)
	}
}

// TestReadme holds the table in the README to the one in the code.
func TestReadme(t *testing.T) {
	const begin, end = "<!-- names -->\n", "<!-- end of names -->"
	path := filepath.Join("..", "..", "processors", "k8saggregate", "README.md")
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(b), begin)
	require.True(t, ok)
	got, after, ok := strings.Cut(rest, end)
	require.True(t, ok)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(before+begin+markdown()+end+after), 0o644))
		return
	}
	require.Equal(t, markdown(), got, "run the test with -update")
}

// markdown writes the table by Heapster's names.
func markdown() string {
	rows := make(map[string][]string)
	for ours, list := range Table() {
		for _, m := range list {
			row := "`" + m.Name + "`"
			if m.Label != "" {
				row += fmt.Sprintf(", `resource_id` `%s`", strings.Replace(m.Label, VolumeLabel, VolumeLabel+"NAME", 1))
			}
			kind := "integer"
			if m.Float {
				kind = "float"
			}
			if m.Cumulative {
				kind += ", cumulative"
			}
			rate := ""
			if m.Rate != "" {
				rate = "`" + m.Rate + "`"
			}
			name := ours
			if m.Value != "" {
				name += "{" + m.Attribute + "=" + m.Value + "}"
			}
			head := fmt.Sprintf("| %s | %s | %v | %s |", row, kind, m.Scale, rate)
			rows[head] = append(rows[head], "`"+name+"`")
		}
	}
	text := "| Heapster's | type | times | a second | ours |\n| --- | --- | ---: | --- | --- |\n"
	for _, head := range slices.Sorted(maps.Keys(rows)) {
		slices.Sort(rows[head])
		text += head + " " + strings.Join(rows[head], ", ") + " |\n"
	}
	return text
}
