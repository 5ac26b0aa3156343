package e2e_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// gateways are the addresses of the gateway's pods that run, by their names.
func (d *deployment) gateways(t *testing.T) map[string]string {
	t.Helper()
	pods := map[string]string{}
	for line := range strings.FieldsSeq(d.kubectl(t, "-n", "obsd", "get", "pods", "-l", "app.kubernetes.io/component=gateway",
		"--field-selector=status.phase=Running", "-o", `jsonpath={range .items[*]}{.metadata.name}={.status.podIP}{"\n"}{end}`)) {
		name, ip, _ := strings.Cut(line, "=")
		pods[name] = ip
	}
	return pods
}

// scrapeGateways has Prometheus scrape each of them, under the label gateway. One that is gone is a target that does not answer.
func (d *deployment) scrapeGateways(t *testing.T) {
	t.Helper()
	for name, ip := range d.gateways(t) {
		if !d.scraped[name] {
			require.NoError(t, d.prometheus.AddTarget(d.Publish(d.whole, ip+":9464"), map[string]string{"job": "gateway", "gateway": name}))
			d.scraped[name] = true
		}
	}
}

// lease is the gateways' Lease: who holds it, since when, and when that was renewed last.
type lease struct {
	HolderIdentity         string
	AcquireTime, RenewTime time.Time
	LeaseDurationSeconds   float64
}

// pod is the one that holds it, or nothing.
func (l lease) pod() string {
	pod, _, _ := strings.Cut(l.HolderIdentity, "_")
	return pod
}

func (d *deployment) lease(t *testing.T) (l lease) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(d.kubectl(t, "-n", "obsd", "get", "lease", "obsd-leader", "-o", "jsonpath={.spec}")), &l))
	return l
}

// testTwoGateways runs two gateways and takes away the one that leads, twice: another one tells instead of it, and never both.
func testTwoGateways(t *testing.T, d *deployment) {
	d.kubectl(t, "-n", "obsd", "scale", "deployment/obsd-gateway", "--replicas=2")
	d.rolledOut(t, "obsd", "deployment/obsd-gateway")
	require.Len(t, d.gateways(t), 2)
	d.scrapeGateways(t)
	for pod := range d.gateways(t) { // each works: what is led by no Lease comes from both
		d.queries(t, fmt.Sprintf(`probe_up{k8s_pod_name=~"web-.*", gateway=%q} == 1`, pod))
	}
	t.Run("ended", func(t *testing.T) { testLeaderEnded(t, d) })
	t.Run("killed", func(t *testing.T) { testLeaderKilled(t, d) })
	d.kubectl(t, "-n", "obsd", "scale", "deployment/obsd-gateway", "--replicas=1")
	d.rolledOut(t, "obsd", "deployment/obsd-gateway")
	d.scrapeGateways(t)
}

// testLeaderEnded deletes the leader's pod: it gives up the Lease and stores its position, and no event is told twice.
func testLeaderEnded(t *testing.T, d *deployment) {
	first := d.tells(t)
	d.kubectl(t, "-n", "obsd", "delete", "pod", first, "--wait=false")
	d.takenOver(t, first)
	var told map[event]int
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		found := false
		told, found = map[event]int{}, false
		d.eachEvent(collect, t, func(e event, reason, pod string) {
			told[e]++
			found = found || reason == "Killing" && pod == first
		})
		require.True(collect, found, "the end of %s", first)
	}, clusterPatience, time.Second)
	for e, times := range told {
		require.Equal(t, 1, times, e)
	}
}

// testLeaderKilled kills the leader's process while it tells of events: it can neither give up the Lease nor store its position.
// No event is lost, and none is told twice but those after the position that it stored last.
func testLeaderKilled(t *testing.T, d *deployment) {
	d.rolledOut(t, "obsd", "deployment/obsd-gateway")
	d.scrapeGateways(t)
	first := d.tells(t)
	held := d.lease(t)
	id := strings.TrimPrefix(d.kubectl(t, "-n", "obsd", "get", "pod", first, "-o", "jsonpath={.status.containerStatuses[0].containerID}"), "containerd://")
	stored := d.eventPosition(t)
	require.NoError(t, d.Apply(t.Context(), lastWords()))
	_, err := d.Run(t.Context(), "", "ctr", "task", "kill", "--signal", "KILL", id)
	require.NoError(t, err)
	killed := time.Now()
	d.kubectl(t, "-n", "obsd", "delete", "pod", first, "--wait=false") // or it would start again, and might lead again

	d.takenOver(t, first)
	got := d.lease(t).AcquireTime
	t.Logf("the next one leads %s after the kill", got.Sub(killed).Round(100*time.Millisecond))
	require.GreaterOrEqual(t, got.Sub(held.RenewTime).Seconds(), held.LeaseDurationSeconds, "it did not wait for the end of the Lease")
	var told map[event]int
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		words := map[event]bool{}
		told = map[event]int{}
		d.eachEvent(collect, t, func(e event, reason, _ string) {
			told[e]++
			if reason == "LastWord" {
				words[e] = true
			}
		})
		require.Len(collect, words, lastWordCount, "events of the moment before the kill")
	}, clusterPatience, time.Second)
	versions := d.eventVersions(t)
	doubled := 0
	for e, times := range told {
		if times > 1 {
			doubled++
			require.Greater(t, versions[e.uid], stored, "%v was told %d times", e, times)
		}
	}
	t.Logf("%d of %d events told twice", doubled, len(told))
}

const lastWordCount = 20

// lastWords are events of one moment.
func lastWords() string {
	var out strings.Builder
	for i := range lastWordCount {
		_, _ = fmt.Fprintf(&out, `---
{apiVersion: v1, kind: Event, metadata: {name: last-word-%d, namespace: default}, type: Normal, reason: LastWord, message: farewell,
 involvedObject: {apiVersion: v1, kind: Pod, namespace: default, name: nobody}}
`, i)
	}
	return out.String()
}

const stateSeries = `k8s_deployment_available{k8s_namespace_name="default", k8s_deployment_name="web", gateway=%q}`

// tells waits until the leader, and it alone, tells of the workloads' state, and returns its pod.
func (d *deployment) tells(t *testing.T) string {
	t.Helper()
	first := d.lease(t).pod()
	d.queries(t, `count(k8s_deployment_available{k8s_namespace_name="default", k8s_deployment_name="web"}) == 1`, fmt.Sprintf(stateSeries+" == 2", first))
	return first
}

// takenOver waits until another pod leads and tells, and sees that it began after the first one's last word.
func (d *deployment) takenOver(t *testing.T, first string) {
	t.Helper()
	second := ""
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		second = d.lease(t).pod()
		require.NotEmpty(collect, second)
		require.NotEqual(collect, first, second)
	}, clusterPatience, time.Second)
	d.scrapeGateways(t)
	d.queries(t, fmt.Sprintf(stateSeries+" == 2", second))
	last := d.value(t, fmt.Sprintf("max_over_time(timestamp("+stateSeries+")[1h:1s])", first))
	begin := d.value(t, fmt.Sprintf("min_over_time(timestamp("+stateSeries+")[1h:1s])", second))
	require.Less(t, last, begin, "both told at one time")
}

// value is the only value that a query gives, when it gives one: steps of whole seconds may not have come to the first sample yet.
func (d *deployment) value(t *testing.T, query string) (value float64) {
	t.Helper()
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		samples, err := d.prometheus.Query(t.Context(), query)
		require.NoError(collect, err)
		require.Len(collect, samples, 1, query)
		value = samples[0].Value
	}, clusterPatience, time.Second)
	return value
}

// event is one occurrence of an event.
type event struct {
	uid   string
	count float64
}

// eachEvent goes through all events that have arrived.
func (d *deployment) eachEvent(collect *assert.CollectT, t *testing.T, f func(e event, reason, pod string)) {
	require.NoError(collect, d.elasticsearch.Each(t.Context(), "logs-*", "_exists_:attributes.k8s.event.uid", func(source json.RawMessage) error {
		var doc struct {
			Attributes struct {
				UID    string  `json:"k8s.event.uid"`
				Count  float64 `json:"k8s.event.count"`
				Reason string  `json:"k8s.event.reason"`
			}
			Resource struct {
				Attributes struct {
					Pod string `json:"k8s.pod.name"`
				}
			}
		}
		if err := json.Unmarshal(source, &doc); err != nil {
			return err
		}
		f(event{doc.Attributes.UID, doc.Attributes.Count}, doc.Attributes.Reason, doc.Resource.Attributes.Pod)
		return nil
	}))
}

// eventPosition is the version up to which events count as told in the Lease that outlives a gateway.
func (d *deployment) eventPosition(t *testing.T) (version uint64) {
	t.Helper()
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		var positions map[string]struct {
			Version string `json:"resource_version"`
		}
		text := d.kubectl(t, "-n", "obsd", "get", "lease", "obsd-events", "-o", `jsonpath={.metadata.annotations.obsd\.io/k8s-events-position}`)
		require.NoError(collect, json.Unmarshal([]byte(text), &positions))
		var err error
		version, err = strconv.ParseUint(positions[""].Version, 10, 64)
		require.NoError(collect, err)
	}, clusterPatience, time.Second)
	return version
}

// eventVersions are the present versions of the API server's events, by their uids.
func (d *deployment) eventVersions(t *testing.T) map[string]uint64 {
	t.Helper()
	versions := map[string]uint64{}
	for line := range strings.FieldsSeq(d.kubectl(t, "get", "events", "-A", "-o", `jsonpath={range .items[*]}{.metadata.uid}={.metadata.resourceVersion}{"\n"}{end}`)) {
		uid, version, _ := strings.Cut(line, "=")
		n, err := strconv.ParseUint(version, 10, 64)
		require.NoError(t, err)
		versions[uid] = n
	}
	return versions
}
