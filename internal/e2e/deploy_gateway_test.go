package e2e_test

import (
	"encoding/json"
	"fmt"
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

// leader is the pod that holds the Lease, or nothing.
func (d *deployment) leader(t *testing.T) string {
	t.Helper()
	pod, _, _ := strings.Cut(d.kubectl(t, "-n", "obsd", "get", "lease", "obsd-leader", "-o", "jsonpath={.spec.holderIdentity}"), "_")
	return pod
}

// testTwoGateways runs two gateways and takes away the one that leads: the other one tells instead of it, and never both.
func testTwoGateways(t *testing.T, d *deployment) {
	const series = `k8s_deployment_available{k8s_namespace_name="default", k8s_deployment_name="web", gateway=%q}`
	d.kubectl(t, "-n", "obsd", "scale", "deployment/obsd-gateway", "--replicas=2")
	d.rolledOut(t, "obsd", "deployment/obsd-gateway")
	require.Len(t, d.gateways(t), 2)
	d.scrapeGateways(t)
	first := d.leader(t)
	for pod := range d.gateways(t) { // each works: what is led by no Lease comes from both
		d.queries(t, fmt.Sprintf(`probe_up{k8s_pod_name=~"web-.*", gateway=%q} == 1`, pod))
	}
	d.queries(t, `count(k8s_deployment_available{k8s_namespace_name="default", k8s_deployment_name="web"}) == 1`, fmt.Sprintf(series+" == 2", first))

	d.kubectl(t, "-n", "obsd", "delete", "pod", first, "--wait=false")
	second := ""
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		second = d.leader(t)
		require.NotEmpty(collect, second)
		require.NotEqual(collect, first, second)
	}, clusterPatience, time.Second)
	d.scrapeGateways(t)
	d.queries(t, fmt.Sprintf(series+" == 2", second))
	last, begin := d.value(t, fmt.Sprintf("max_over_time(timestamp("+series+")[1h:1s])", first)), d.value(t, fmt.Sprintf("min_over_time(timestamp("+series+")[1h:1s])", second))
	require.Less(t, last, begin, "both told at one time")
	d.eventsOnce(t, first)
	d.kubectl(t, "-n", "obsd", "scale", "deployment/obsd-gateway", "--replicas=1")
	d.rolledOut(t, "obsd", "deployment/obsd-gateway")
	d.scrapeGateways(t)
}

// value is the only value that a query gives.
func (d *deployment) value(t *testing.T, query string) float64 {
	t.Helper()
	samples, err := d.prometheus.Query(t.Context(), query)
	require.NoError(t, err)
	require.Len(t, samples, 1, query)
	return samples[0].Value
}

// eventsOnce waits for the event of the end of a gateway's pod, whichever gateway tells it, and sees that no event was told twice.
func (d *deployment) eventsOnce(t *testing.T, ended string) {
	t.Helper()
	var told map[string]int
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		told = map[string]int{}
		found := false
		err := d.elasticsearch.Each(t.Context(), "logs-*", "_exists_:attributes.k8s.event.uid", func(source json.RawMessage) error {
			var doc struct {
				Attributes map[string]any
				Resource   struct{ Attributes map[string]any }
			}
			if err := json.Unmarshal(source, &doc); err != nil {
				return err
			}
			told[fmt.Sprint(doc.Attributes["k8s.event.uid"], " × ", doc.Attributes["k8s.event.count"])]++
			found = found || doc.Attributes["k8s.event.reason"] == "Killing" && doc.Resource.Attributes["k8s.pod.name"] == ended
			return nil
		})
		require.NoError(collect, err)
		require.True(collect, found, "the end of %s", ended)
	}, clusterPatience, time.Second)
	for event, times := range told {
		require.Equal(t, 1, times, event)
	}
}
