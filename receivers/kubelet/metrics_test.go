package kubelet

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/obsd-io/obsd/internal/golden"
)

var testTime = time.Date(2026, 11, 23, 14, 20, 32, 0, time.UTC)

// desk writes summaries as a target does, one after the other.
type desk struct {
	cfg *Config
	s   *summary
	w   *writer
}

func newDesk(t testing.TB, change func(*Config)) *desk {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	if change != nil {
		change(cfg)
	}
	require.NoError(t, cfg.Validate())
	cfg = cfg.lists()
	return &desk{cfg: cfg, s: &summary{names: newNames()}, w: newWriter(cfg, newCatalog(cfg.Metrics), "test")}
}

func (d *desk) write(t testing.TB, b []byte, meta *metadata, at time.Time) pmetric.Metrics {
	t.Helper()
	require.NoError(t, d.s.decode(b))
	md, points := d.w.write(d.s, meta, "fallback", at)
	require.Equal(t, md.DataPointCount(), points)
	return md
}

func (d *desk) pods(t testing.TB, b []byte) *metadata {
	t.Helper()
	list := podList{cfg: &d.cfg.Metadata, names: d.s.names}
	m, err := list.decode(b)
	require.NoError(t, err)
	return m
}

func everyMetric(c *Config) {
	c.Metrics = map[string]Toggle{}
	for _, name := range metricNames() {
		c.Metrics[name] = Toggle{Enabled: true}
	}
	c.MetricGroups = []string{groupContainer, groupPod, groupNode, groupVolume, groupSystem}
	c.AllInterfaces = AllInterfaces{Pod: true, Node: true}
	c.Metadata = MetadataConfig{Source: sourceKubelet, Labels: []string{"*"}, Annotations: []string{"team"}}
}

func TestGoldenDefault(t *testing.T) {
	golden.Require(t, "default.want", render(newDesk(t, nil).write(t, captured(t, "summary.json"), nil, testTime)))
}

func TestGoldenEverything(t *testing.T) {
	d := newDesk(t, everyMetric)
	md := d.write(t, captured(t, "summary.json"), d.pods(t, captured(t, "pods.json")), testTime)
	golden.Require(t, "everything.want", render(md))
}

// rich has what the captured node lacks: volumes, accelerators, a container's own metrics, processes.
const rich = `{"node":{"nodeName":"n"},"pods":[{"podRef":{"name":"p","namespace":"ns","uid":"u"},"startTime":"2026-11-23T14:00:00Z",
"process_stats":{"process_count":3},
"volume":[{"name":"data","pvcRef":{"name":"claim","namespace":"ns"},"availableBytes":1,"capacityBytes":3,"usedBytes":2,"inodes":6,"inodesFree":5,"inodesUsed":1},
{"name":"tmp","usedBytes":9}],
"containers":[{"name":"c","startTime":"2026-11-23T14:00:00Z",
"accelerators":[{"make":"acme","model":"x","id":"0","memoryTotal":100,"memoryUsed":40,"dutyCycle":25}],
"userDefinedMetrics":[{"name":"qps","type":"gauge","units":"1/s","value":1.5},{"name":"hits","type":"cumulative","value":3},{"name":"odd","value":"x"}]}]}]}`

func TestGoldenRich(t *testing.T) {
	d := newDesk(t, everyMetric)
	pods := d.pods(t, []byte(`{"items":[{"metadata":{"name":"p","namespace":"ns","uid":"u","labels":{"pod-template-hash":"5d","app":"a"},
"ownerReferences":[{"kind":"Other","name":"x"},{"kind":"ReplicaSet","name":"web-5d","controller":true}]},
"status":{"qosClass":"Burstable","phase":"Running","containerStatuses":[{"name":"c","containerID":"containerd://abc","restartCount":2,"ready":true}]},
"spec":{"volumes":[{"name":"data","persistentVolumeClaim":{"claimName":"claim"}},{"name":"tmp","emptyDir":{}}],
"initContainers":[{"name":"init","resources":{"requests":{"cpu":"9"}}},{"name":"side","restartPolicy":"Always","resources":{"requests":{"cpu":"100m"}}}],
"containers":[{"name":"c","image":"repo/c:1","resources":{"requests":{"cpu":"250m","memory":"64Mi","ephemeral-storage":"1Gi"},"limits":{"cpu":"1","memory":"128Mi"}}}]}},
{"metadata":{"name":"new","namespace":"ns","uid":"u2"},"status":{"phase":"Pending"},"spec":{"containers":[{"name":"n","resources":{"requests":{"cpu":"2"}}}]}},
{"metadata":{"name":"done","namespace":"ns","uid":"u3"},"status":{"phase":"Succeeded"},"spec":{"containers":[{"name":"n","resources":{"requests":{"cpu":"2"}}}]}}]}`))
	require.False(t, pods.pods["u3"].containers[0].counts, "what has ended requests nothing, even while the summary still has it")
	golden.Require(t, "rich.want", render(d.write(t, []byte(rich), pods, testTime)))
}

// TestAFieldThatIsNull takes each number, object and list out of a real answer in turn. What depends on it is gone, and
// all other points are as before: a missing field drops the field, never the pod.
func TestAFieldThatIsNull(t *testing.T) {
	whole := string(captured(t, "summary.json"))
	before := lines(render(newDesk(t, everyMetric).write(t, []byte(whole), nil, testTime)))
	for _, field := range []string{
		"usageCoreNanoSeconds", "usageNanoCores", "workingSetBytes", "rssBytes", "rxBytes", "usedBytes", "swapUsageBytes", "cpu", "memory", "rootfs", "logs",
		"network", "ephemeral-storage", "swap", "startTime", "time", "io", "psi", "rlimit", "runtime", "fs", "interfaces", "systemContainers",
	} {
		text := nulled(t, whole, field)
		after := lines(render(newDesk(t, everyMetric).write(t, []byte(text), nil, testTime)))
		for line := range after {
			require.Contains(t, before, line, field)
		}
		require.Less(t, len(after), len(before)+1, field)
		if field != "systemContainers" {
			for line := range before {
				if strings.HasPrefix(line, "{") {
					require.Contains(t, after, line, "a resource is gone without %s", field)
				}
			}
		}
	}
}

// nulled sets a field to null wherever it is.
func nulled(t *testing.T, text, field string) string {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal([]byte(text), &v))
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if _, ok := v[field]; ok {
				v[field] = nil
			}
			for _, e := range v {
				walk(e)
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(v)
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

func lines(text string) map[string]struct{} {
	out := map[string]struct{}{}
	for line := range strings.Lines(text) {
		out[line] = struct{}{}
	}
	return out
}

// TestExitedInitContainer keeps what is there of a container whose CPU, memory and times are null.
func TestExitedInitContainer(t *testing.T) {
	md := newDesk(t, nil).write(t, []byte(`{"node":{"nodeName":"n","cpu":null},"pods":[{"podRef":{"name":"p","namespace":"ns","uid":"u"},"startTime":null,
"containers":[{"name":"init","startTime":null,"cpu":{"time":null},"memory":null,"rootfs":{"usedBytes":5}},{"name":"main","memory":{"usageBytes":7}}],
"memory":{"usageBytes":8}}]}`), nil, testTime)
	require.Equal(t, `{k8s.namespace.name=ns, k8s.node.name=n, k8s.pod.name=p, k8s.pod.uid=u}
  k8s.pod.memory.usage {} 8 By gauge
{k8s.container.name=init, k8s.namespace.name=ns, k8s.node.name=n, k8s.pod.name=p, k8s.pod.uid=u}
  container.filesystem.usage {} 5 By gauge
{k8s.container.name=main, k8s.namespace.name=ns, k8s.node.name=n, k8s.pod.name=p, k8s.pod.uid=u}
  container.memory.usage {} 7 By gauge
`, render(md))
}

func TestNewerOfTwoContainers(t *testing.T) {
	f := func(first, second string, want int64) {
		t.Helper()
		text := `{"node":{"nodeName":"n"},"pods":[{"podRef":{"uid":"u"},"containers":[{"name":"c","startTime":` + first + `,"memory":{"usageBytes":1}},
{"name":"d","memory":{"usageBytes":9}},{"name":"c","startTime":` + second + `,"memory":{"usageBytes":2}}]}]}`
		md := newDesk(t, nil).write(t, []byte(text), nil, testTime)
		require.Equal(t, 2, md.ResourceMetrics().Len())
		v, ok := value(t, md, "container.memory.usage", attrContainer, "c")
		require.True(t, ok)
		require.Equal(t, want, v.IntValue())
	}
	f(`"2026-11-23T14:00:00Z"`, `"2026-11-23T14:00:01Z"`, 2)
	f(`"2026-11-23T14:00:01Z"`, `"2026-11-23T14:00:00Z"`, 1)
	f(`"2026-11-23T14:00:00Z"`, `null`, 1)
	f(`null`, `null`, 2)
}

// TestTimestamps holds points to the time of the scrape, sums to the start of what they count, and a start that a clock
// ahead of ours gives to the time of the scrape.
func TestTimestamps(t *testing.T) {
	f := func(start string, want time.Time) {
		t.Helper()
		md := newDesk(t, nil).write(t, []byte(`{"node":{"nodeName":"n","startTime":"`+start+`","cpu":{"time":"2026-11-23T14:20:29Z","usageCoreNanoSeconds":5},"memory":{"usageBytes":1}}}`), nil, testTime)
		v, ok := value(t, md, "k8s.node.cpu.time")
		require.True(t, ok)
		require.Equal(t, pcommon.NewTimestampFromTime(testTime), v.Timestamp())
		require.Equal(t, pcommon.NewTimestampFromTime(want), v.StartTimestamp())
		v, ok = value(t, md, "k8s.node.memory.usage")
		require.True(t, ok)
		require.Zero(t, v.StartTimestamp())
	}
	f("2026-11-23T13:00:00Z", time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC))
	f("2026-11-23T15:00:00Z", testTime)
}

func TestRates(t *testing.T) {
	const second = int64(time.Second)
	type sample struct {
		start, time int64 // seconds
		usage       uint64
		own         num
		want        float64 // -1: none
	}
	f := func(name string, samples ...sample) {
		t.Helper()
		r := newRates()
		for i, s := range samples {
			r.now = testTime.Add(time.Duration(i) * 10 * time.Second)
			got, ok := r.usage(rateKey{uid: "u"}, s.start*second, &cpuStats{time: s.time * second, usage: num{s.usage, true}, rate: s.own})
			if !ok {
				got = -1
			}
			require.InDelta(t, s.want, got, 1e-9, "%s: sample %d", name, i)
			r.end()
		}
	}
	f("first, then steady", sample{1, 10, 0, num{}, -1}, sample{1, 20, 5e9, num{}, .5}, sample{1, 30, 10e9, num{}, .5})
	f("restart", sample{1, 10, 8e9, num{}, -1}, sample{15, 20, 9e9, num{}, -1}, sample{15, 30, 19e9, num{}, 1})
	f("reset of the counter", sample{1, 10, 8e9, num{}, -1}, sample{1, 20, 1e9, num{}, -1}, sample{1, 30, 2e9, num{}, .1})
	f("clock set back", sample{1, 100, 8e9, num{}, -1}, sample{1, 50, 9e9, num{}, -1}, sample{1, 60, 10e9, num{}, .1})
	f("no newer sample", sample{1, 10, 0, num{}, -1}, sample{1, 20, 5e9, num{}, .5}, sample{1, 20, 5e9, num{}, .5}, sample{1, 30, 15e9, num{}, 1})
	f("idle", sample{1, 10, 5, num{}, -1}, sample{1, 20, 5, num{}, 0})
	f("exact times by the kubelet's own rate", sample{1, 10, 0, num{}, -1}, sample{1, 20, 10e9, num{952380952, true}, .952380952})
	f("a rate of another window", sample{1, 10, 0, num{}, -1}, sample{1, 20, 10e9, num{2e9, true}, 1})
	stale := []sample{{1, 10, 0, num{}, -1}, {1, 20, 5e9, num{}, .5}}
	for range 12 {
		stale = append(stale, sample{1, 20, 5e9, num{}, .5})
	}
	f("a kubelet that is stuck", append(stale, sample{1, 20, 5e9, num{}, -1})...)
}

// TestPodsOfASecond makes 2,000 pods come and go: nothing is remembered of them.
func TestPodsOfASecond(t *testing.T) {
	d := newDesk(t, nil)
	for i := range 200 {
		var b strings.Builder
		b.WriteString(`{"node":{"nodeName":"n"},"pods":[`)
		for j := range 10 {
			if j > 0 {
				b.WriteByte(',')
			}
			id := string(rune('a'+j)) + strings.Repeat("x", i%50) + time.Duration(i).String()
			b.WriteString(`{"podRef":{"name":"` + id + `","uid":"` + id + `"},"containers":[{"name":"c","cpu":{"time":"2026-11-23T14:20:29Z","usageCoreNanoSeconds":5}}]}`)
		}
		b.WriteString(`]}`)
		md := d.write(t, []byte(b.String()), nil, testTime.Add(time.Duration(i)*time.Second))
		require.Equal(t, 10, md.DataPointCount()) // their CPU time, but no usage
	}
	require.LessOrEqual(t, len(d.w.rates.last), 60)
}

func TestNamesAreBounded(t *testing.T) {
	n := newNames()
	b := make([]byte, 4)
	for i := range maxNames + 10 {
		b[0], b[1], b[2], b[3] = byte(i), byte(i>>8), byte(i>>16), 'x'
		n.get(b)
	}
	require.LessOrEqual(t, len(n.known), maxNames)
	require.Equal(t, "a�", n.get([]byte("a\xff")))
}

func TestMetricNames(t *testing.T) {
	list := metricNames()
	require.True(t, slices.IsSorted(list))
	require.Contains(t, list, "k8s.node.system_container.cpu.usage")
	require.NotContains(t, list, "k8s.node.system_container.filesystem.usage")
}
