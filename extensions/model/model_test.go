package model

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/extensiontest"

	"github.com/obsd-io/obsd/internal/kubetest"
)

// start runs the extension on a port of its own.
func start(t testing.TB, change func(*Config)) *Model {
	return startWith(t, extensiontest.NewNopSettings(NewFactory().Type()).TelemetrySettings, change)
}

func startWith(t testing.TB, tel component.TelemetrySettings, change func(*Config)) *Model {
	t.Helper()
	c := createDefaultConfig().(*Config)
	c.HTTP.NetAddr.Endpoint = "127.0.0.1:0"
	if change != nil {
		change(c)
	}
	require.NoError(t, c.Validate())
	set := extensiontest.NewNopSettings(NewFactory().Type())
	set.TelemetrySettings = tel
	ext, err := NewFactory().Create(t.Context(), set, c)
	require.NoError(t, err)
	require.NoError(t, ext.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() {
		require.NoError(t, ext.Shutdown(context.Background()))
		require.NoError(t, ext.Shutdown(context.Background()))
	})
	return ext.(*Model)
}

// get asks the extension; a path begins with a slash.
func get(t testing.TB, m *Model, path string) (status int, body string) {
	t.Helper()
	r, err := http.Get("http://" + m.listening + path) //nolint:noctx // a test's own server, which answers at once
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Body.Close()) }()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return r.StatusCode, strings.TrimSpace(string(b))
}

// begin is the time of the first values in tests.
var begin = time.Date(2026, 11, 26, 1, 0, 0, 0, time.UTC)

// feed gives the model the reports of a small cluster, with the sums that k8s_aggregate would add, at three times.
func feed(t testing.TB, m *Model) {
	t.Helper()
	for i := range 3 {
		at := begin.Add(time.Duration(i) * 30 * time.Second)
		b := kubetest.NewBatch(at)
		b.Node("n1").Gauge("k8s.node.cpu.usage", 1.5+float64(i)).Int("k8s.node.memory.working_set", 1<<30).Int("k8s.node.memory.usage", 2<<30).
			Gauge("k8s.node.cpu.utilization", 0.375).Sum("k8s.node.memory.page_faults", begin, 300*float64(i)).
			Int("k8s.node.filesystem.usage", 7)
		b.Resource("k8s.node.name", "n1", "k8s.node.system_container.name", "kubelet").Gauge("k8s.node.system_container.cpu.usage", 0.25)
		b.Pod("n1", "shop", "cart", "k8s.pod.label.app", "cart").Int("k8s.pod.memory.usage", 1000+int64(i))
		b.Pod("n1", "shop", "cart", "k8s.volume.name", "data").Int("k8s.volume.capacity", 99)
		b.Container("n1", "shop", "cart", "web", "k8s.pod.label.app", "cart").Gauge("container.cpu.usage", 0.1234567).Int("container.memory.working_set", 1<<20)
		b.Container("n1", "shop", "cart", "proxy", "k8s.pod.label.app", "cart").Gauge("container.cpu.usage", 0.05).Int("container.memory.working_set", 2<<20)
		b.Pod("n1", "shop", "till", "k8s.pod.label.app", "till").Int("k8s.pod.memory.usage", 5)
		b.Container("n1", "shop", "till", "web", "k8s.pod.label.app", "till").Int("container.memory.working_set", 3<<20)
		b.Container("n1", "bank", "ledger", "db").Gauge("container.cpu.usage", 0.5).Int("container.memory.working_set", 4<<20)
		b.Resource("k8s.namespace.name", "shop").Gauge("k8s.namespace.cpu.usage", 0.2)
		b.Resource("k8s.cluster.name", "default").Gauge("k8s.cluster.cpu.usage", 0.7)
		require.NoError(t, m.ConsumeMetrics(t.Context(), b.Metrics))
	}
}

func TestRoutes(t *testing.T) {
	m := start(t, nil)
	feed(t, m)
	f := func(path, want string) {
		t.Helper()
		for _, end := range []string{"", "/"} {
			if strings.ContainsAny(path, "?") && end != "" {
				continue
			}
			status, body := get(t, m, root+path+end)
			require.Equal(t, http.StatusOK, status, body)
			require.Equal(t, want, body, path+end)
		}
	}
	f("/nodes", `["n1"]`)
	f("/namespaces", `["bank","shop"]`)
	f("/namespaces/shop/pods", `["cart","till"]`)
	f("/namespaces/shop/pods/cart/containers", `["proxy","web"]`)
	f("/nodes/n1/freecontainers", `["kubelet"]`)
	f("/metrics", `["cpu/usage_rate"]`)
	f("/nodes/n1/metrics", `["cpu/node_utilization","cpu/usage_rate","filesystem/usage","memory/page_faults","memory/page_faults_rate","memory/usage","memory/working_set"]`)
	f("/nodes/n1/freecontainers/kubelet/metrics", `["cpu/usage_rate"]`)
	f("/namespaces/shop/metrics", `["cpu/usage_rate"]`)
	f("/namespaces/shop/pods/cart/metrics", `["filesystem/limit","memory/usage"]`)
	f("/namespaces/shop/pods/cart/containers/web/metrics", `["cpu/usage_rate","memory/working_set"]`)
	f("/debug/allkeys", `["cluster","namespace:bank/pod:ledger/container:db","namespace:shop","namespace:shop/pod:cart",`+
		`"namespace:shop/pod:cart/container:proxy","namespace:shop/pod:cart/container:web","namespace:shop/pod:till",`+
		`"namespace:shop/pod:till/container:web","node:n1","node:n1/container:kubelet"]`)
}

func TestValues(t *testing.T) {
	m := start(t, nil)
	feed(t, m)
	f := func(path, want string) {
		t.Helper()
		status, body := get(t, m, root+path)
		require.Equal(t, http.StatusOK, status, body)
		require.Equal(t, want, body, path)
	}
	three := func(format string, values ...any) string {
		return fmt.Sprintf(`{"metrics":[{"timestamp":"2026-11-26T01:00:00Z",`+format+`},{"timestamp":"2026-11-26T01:00:30Z",`+format+
			`},{"timestamp":"2026-11-26T01:01:00Z",`+format+`}],"latestTimestamp":"2026-11-26T01:01:00Z"}`, values...)
	}
	f("/metrics/cpu/usage_rate", three(`"value":%d`, 700, 700, 700))
	f("/nodes/n1/metrics/cpu/usage_rate", three(`"value":%d`, 1500, 2500, 3500))
	f("/nodes/n1/metrics/cpu-usage", three(`"value":%d`, 1500, 2500, 3500))
	f("/nodes/n1/metrics/memory-working", three(`"value":%d`, 1<<30, 1<<30, 1<<30))
	f("/nodes/n1/metrics/cpu%2Fusage_rate?start=2026-11-26T01:00:30Z&end=2026-11-26T01:00:30Z",
		`{"metrics":[{"timestamp":"2026-11-26T01:00:30Z","value":2500}],"latestTimestamp":"2026-11-26T01:00:30Z"}`)
	f("/nodes/n1/metrics/cpu/usage_rate?start=2026-11-26T02:01:00%2B01:00",
		`{"metrics":[{"timestamp":"2026-11-26T01:01:00Z","value":3500}],"latestTimestamp":"2026-11-26T01:01:00Z"}`)
	f("/nodes/n1/metrics/cpu/usage_rate?end=2025-01-01T00:00:00Z", `{"metrics":[],"latestTimestamp":"0001-01-01T00:00:00Z"}`)
	f("/nodes/n1/metrics/cpu/node_utilization", three(`"value":%d,"floatValue":%v`, 0, 0.375, 0, 0.375, 0, 0.375))
	f("/nodes/n1/metrics/filesystem/usage?labels=resource_id:/", three(`"value":%d`, 7, 7, 7))
	f("/namespaces/shop/pods/cart/metrics/filesystem/limit?labels=resource_id:Volume:data", three(`"value":%d`, 99, 99, 99))
	f("/namespaces/shop/pods/cart/containers/web/metrics/cpu/usage_rate", three(`"value":%d`, 123, 123, 123))
	f("/namespaces/shop/pod-list/till,gone,cart/metrics/memory-usage",
		`{"items":[`+three(`"value":%d`, 5, 5, 5)+`,{"metrics":[],"latestTimestamp":"0001-01-01T00:00:00Z"},`+three(`"value":%d`, 1000, 1001, 1002)+`]}`)
}

func TestErrors(t *testing.T) {
	m := start(t, nil)
	feed(t, m)
	f := func(path string, status int, want string) {
		t.Helper()
		got, body := get(t, m, root+path)
		require.Equal(t, want, body, path)
		require.Equal(t, status, got, path)
	}
	const known = ": /api/v1/model/debug/allkeys lists what is"
	f("/nodes/n2/metrics/cpu/usage_rate", 404, "nothing is known of node:n2"+known)
	f("/nodes/n2/metrics", 404, "nothing is known of node:n2"+known)
	f("/nodes/n2/freecontainers", 404, "nothing is known of node:n2"+known)
	f("/namespaces/none/pods", 404, "nothing is known of namespace:none"+known)
	f("/namespaces/shop/pods/none/containers", 404, "nothing is known of namespace:shop/pod:none"+known)
	f("/nodes/n1/metrics/cpu", 404, `node:n1 has no metric "cpu": .../metrics lists those it has`)
	f("/nodes/n1/metrics/filesystem/usage", 404, `node:n1 has "filesystem/usage" under other labels: labels=resource_id:/`)
	f("/nodes/n1/metrics/cpu/usage_rate?labels=resource_id:/", 404, `node:n1 has "cpu/usage_rate" under other labels: none`)
	f("/nodes/n1/metrics/cpu/usage_rate?start=yesterday", 400, `start: "yesterday" is no time: write it like 2026-11-26T01:02:03Z`)
	f("/nodes/n1/metrics/cpu/usage_rate?start=2026-11-26T02:00:00Z&end=2026-11-26T01:00:00Z", 400, "start: is after end")
	f("/nodes/n1/metrics/cpu/usage_rate?labels=a", 400, `labels: "a" is no key:value`)
	f("/nodes/n1/metrics/cpu/usage_rate?labels=app:cart", 400, `labels: "app" is not known: the label of file systems is resource_id`)
	f("/namespaces/shop/pod-list/cart/metrics/memory/usage?end=now", 400, `end: "now" is no time: write it like 2026-11-26T01:02:03Z`)
	f("/other", 404, "404 page not found")
	r, err := http.Post("http://"+m.listening+root+"/nodes", "text/plain", nil) //nolint:noctx // a test's own server
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	require.Equal(t, http.StatusMethodNotAllowed, r.StatusCode)
}

func TestHandle(t *testing.T) {
	m := start(t, nil)
	say := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
	}
	const pattern = "GET /api/v1/cadvisor/ps/{container...}"
	unregister, err := m.Handle(pattern, say("processes"))
	require.NoError(t, err)
	_, body := get(t, m, "/api/v1/cadvisor/ps/kubepods/pod1")
	require.Equal(t, "processes", body)

	_, err = m.Handle(pattern, say("again"))
	require.EqualError(t, err, `model: handle "GET /api/v1/cadvisor/ps/{container...}": it is taken by another component`)
	_, err = m.Handle("GET /healthz", say("mine"))
	require.ErrorContains(t, err, `model: handle "GET /healthz": pattern "GET /healthz"`)
	_, err = m.Handle("nonsense {", say(""))
	require.ErrorContains(t, err, `model: handle "nonsense {": `)
	_, body = get(t, m, "/api/v1/cadvisor/ps/kubepods/pod1")
	require.Equal(t, "processes", body)

	unregister()
	unregister()
	status, _ := get(t, m, "/api/v1/cadvisor/ps/kubepods/pod1")
	require.Equal(t, http.StatusNotFound, status)
	unregister, err = m.Handle(pattern, say("new"))
	require.NoError(t, err)
	defer unregister()
	_, body = get(t, m, "/api/v1/cadvisor/ps/x")
	require.Equal(t, "new", body)
}

// TestHammer feeds, asks and adds handlers at once; the race detector looks on where it is on.
func TestHammer(t *testing.T) {
	m := start(t, nil)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			c := kubetest.Cluster{PodsPerNode: 5, ContainersPerPod: 2, Start: begin}
			for n := range 20 {
				_ = m.ConsumeMetrics(context.Background(), c.Report(i, begin.Add(time.Duration(n)*time.Second)))
			}
		})
		all.Go(func() {
			for range 20 {
				get(t, m, root+"/debug/allkeys")
				get(t, m, "/apis/metrics.k8s.io/v1beta1/pods")
			}
		})
		all.Go(func() {
			for range 20 {
				if remove, err := m.Handle(fmt.Sprintf("GET /x/%d", i), http.NotFoundHandler()); err == nil {
					remove()
				}
			}
		})
	}
	all.Wait()
	_, body := get(t, m, "/apis/metrics.k8s.io/v1beta1/pods")
	var list struct{ Items []json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(body), &list))
	require.Len(t, list.Items, 20)
}

func TestShutdownWithoutStart(t *testing.T) {
	ext, err := NewFactory().Create(t.Context(), extensiontest.NewNopSettings(NewFactory().Type()), createDefaultConfig())
	require.NoError(t, err)
	require.NoError(t, ext.Shutdown(t.Context()))
}

func TestPortIsTaken(t *testing.T) {
	first := start(t, nil)
	c := createDefaultConfig().(*Config)
	c.HTTP.NetAddr.Endpoint = first.listening
	ext, err := NewFactory().Create(t.Context(), extensiontest.NewNopSettings(NewFactory().Type()), c)
	require.NoError(t, err)
	require.ErrorContains(t, ext.Start(t.Context(), componenttest.NewNopHost()), "model: listen: ")
	require.NoError(t, ext.Shutdown(t.Context()))
}
