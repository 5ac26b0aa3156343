package k8sevents

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/obsd-io/obsd/internal/golden"
	"github.com/obsd-io/obsd/internal/kubetest"
)

func seriesOf(count int32, last time.Time) *v1.EventSeries {
	return &v1.EventSeries{Count: count, LastObservedTime: metav1.NewMicroTime(last)}
}

// variety are events of all shapes.
func variety() []runtime.Object {
	object := func(name, kind, apiVersion string) *v1.Event {
		e := event(name, 1)
		e.InvolvedObject = v1.ObjectReference{Kind: kind, Namespace: "shop", Name: name, UID: "uid-of-object", APIVersion: apiVersion, ResourceVersion: "17"}
		e.Source = v1.EventSource{Component: "controller"}
		e.Type, e.Reason = "Normal", "Done"
		return e
	}
	container := event("container", 7)
	node := object("node1", "Node", "")
	node.Namespace, node.InvolvedObject.Namespace, node.InvolvedObject.UID = "default", "", "node1"
	withUID := object("node2", "Node", "v1")
	withUID.InvolvedObject.Namespace = ""
	namespace := object("team", "Namespace", "v1")
	namespace.InvolvedObject.Namespace = ""
	series := object("series", "Pod", "v1")
	series.FirstTimestamp, series.LastTimestamp, series.Count = metav1.Time{}, metav1.Time{}, 0
	series.EventTime, series.Series = metav1.NewMicroTime(start), seriesOf(12, start.Add(time.Hour))
	series.Action, series.ReportingController, series.Source = "Binding", "default-scheduler", v1.EventSource{}
	single := object("single", "HorizontalPodAutoscaler", "autoscaling/v2")
	single.FirstTimestamp, single.LastTimestamp, single.Count = metav1.Time{}, metav1.Time{}, 0
	single.EventTime = metav1.NewMicroTime(start.Add(time.Second))
	bare := &v1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "bare", CreationTimestamp: metav1.NewTime(start)}, Type: "Odd"}
	critical := object("critical", "PersistentVolumeClaim", "v1")
	critical.Type = "Critical"
	return []runtime.Object{
		container, node, withUID, namespace, series, single, bare, critical, object("web", "Deployment", "apps/v1"), object("web-1", "ReplicaSet", "apps/v1"),
		object("db", "StatefulSet", "apps/v1"), object("agent", "DaemonSet", "apps/v1"), object("once", "Job", "batch/v1"),
		object("nightly", "CronJob", "batch/v1"), object("rc", "ReplicationController", "v1"), object("thing", "Widget", "example.com/v1"),
	}
}

// TestGolden compares what becomes of events of all shapes.
func TestGolden(t *testing.T) {
	a := kubetest.NewAPI(t)
	all := variety()
	for i, o := range all {
		e := o.(*v1.Event)
		e.Name = fmt.Sprintf("%02d-%s", i, e.Name) // lists are in the order of names
	}
	a.Set(all...)
	r := begin(t, config(a.Kubeconfig()), componenttest.NewNopHost())
	require.Eventually(t, func() bool { return len(r.sink.messages()) == len(all) }, deadline, time.Millisecond)
	var b strings.Builder
	for _, logs := range r.sink.got {
		b.WriteString(render(logs))
	}
	golden.Require(t, "records.want", b.String())
}

// render writes records as text: a line for each resource, and one for each record below it.
func render(logs plog.Logs) string {
	var b strings.Builder
	for _, rl := range logs.ResourceLogs().All() {
		fmt.Fprintf(&b, "%s\n", attributesText(rl.Resource().Attributes()))
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				fmt.Fprintf(&b, "  %s %s(%s) %q %s\n", lr.Timestamp().AsTime().Format(time.RFC3339), lr.SeverityText(), lr.SeverityNumber(),
					lr.Body().Str(), attributesText(lr.Attributes()))
			}
		}
	}
	return b.String()
}

func attributesText(m pcommon.Map) string {
	var list []string
	for k, v := range m.All() {
		list = append(list, k+"="+v.AsString())
	}
	sort.Strings(list)
	return "{" + strings.Join(list, ", ") + "}"
}

func TestContainerOf(t *testing.T) {
	for path, want := range map[string]string{
		"": "", "spec.containers{main}": "main", "spec.initContainers{setup}": "setup", "spec.ephemeralContainers{debug}": "debug",
		"spec.containers{main": "", "spec.containers[0]": "", "spec.volumes{x}": "", "{": "", "}": "", "{}": "",
	} {
		require.Equal(t, want, containerOf(path), path)
	}
}

func TestRecentForgets(t *testing.T) {
	r := newRecent()
	for i := range uint64(2 * recentSize) {
		r.put(i, occurrence{count: 1})
	}
	r.put(2*recentSize-1, occurrence{count: 2})
	require.Len(t, r.known, recentSize)
	require.False(t, r.has(recentSize-1, occurrence{count: 1}), "the oldest are forgotten")
	require.True(t, r.has(recentSize, occurrence{count: 1}))
	require.True(t, r.has(2*recentSize-1, occurrence{count: 2}))
}

// TestPages reads a list of several pages, whose middle is refused once: the first page is not sent again.
func TestPages(t *testing.T) {
	a := kubetest.NewAPI(t)
	const count = 2*maxBatch + 10
	want := make([]string, 0, count)
	for i := range count {
		e := event(fmt.Sprintf("e%04d", i), 1)
		a.Set(e)
		want = append(want, e.Message)
	}
	refused := false
	kubeconfig := front(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("watch") != "" || q.Get("limit") == "" {
			a.ServeHTTP(w, r)
			return
		}
		if q.Get("continue") != "" && !refused {
			refused = true
			http.Error(w, "later", http.StatusServiceUnavailable)
			return
		}
		servePage(t, a, w, r)
	}))
	r := begin(t, config(kubeconfig), componenttest.NewNopHost())
	require.Eventually(t, func() bool { return len(r.sink.messages()) >= count }, deadline, 5*time.Millisecond)
	watches(t, a, 1)
	a.Set(event("last", 1))
	r.gets(t, append(want, "last 1")...)
	for _, logs := range r.sink.got {
		require.LessOrEqual(t, logs.LogRecordCount(), maxBatch)
	}
}

// servePage answers with a part of a list, which the fake API server does not do.
func servePage(t *testing.T, a *kubetest.API, w http.ResponseWriter, r *http.Request) {
	whole := httptest.NewRecorder()
	a.ServeHTTP(whole, r)
	var list struct {
		Kind       string            `json:"kind"`
		APIVersion string            `json:"apiVersion"`
		Metadata   map[string]string `json:"metadata"`
		Items      []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(whole.Body.Bytes(), &list); err != nil {
		t.Error(err)
	}
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	if to := from + limit; to < len(list.Items) {
		list.Metadata["continue"], list.Items = strconv.Itoa(to), list.Items[from:to]
	} else {
		list.Items = list.Items[from:]
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list)
}

func BenchmarkBatch(b *testing.B) {
	e := event("x", 1)
	var batch batch
	b.ReportAllocs()
	for b.Loop() {
		if len(batch.marks) == maxBatch {
			batch.clear()
		}
		batch.add(1, e, "test", start)
	}
}
