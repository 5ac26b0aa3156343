package k8smetadata

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/obsd-io/obsd/internal/metertest"
	"github.com/obsd-io/obsd/internal/podtable"
)

// pods stands for the extension.
type pods struct {
	component.StartFunc
	component.ShutdownFunc
	table *podtable.Table
}

func (p *pods) Table() *podtable.Table { return p.table }

// host has it.
type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

func hostOf(table *podtable.Table) host {
	return host{component.MustNewID("k8s_pods"): &pods{table: table}, component.MustNewID("other"): struct {
		component.StartFunc
		component.ShutdownFunc
	}{}}
}

// harness is the processor for logs, with a sink behind it.
type harness struct {
	processor.Logs
	table *podtable.Table
	sink  *consumertest.LogsSink
	tel   *componenttest.Telemetry
}

// newTable waits for one list of pods; all their labels are kept.
func newTable() *podtable.Table {
	all := []string{"*"}
	more := []podtable.Field{podtable.NodeUID, podtable.ImageRepoDigests}
	return podtable.New(&podtable.Keep{Labels: all, Annotations: all, NamespaceLabels: all, NodeLabels: all, More: more}, 5*time.Minute, 1, 0)
}

// start begins with a table that is empty, and whose first list is in unless unlisted.
func start(t testing.TB, change func(*Config)) *harness {
	t.Helper()
	h := startUnlisted(t, change)
	h.table.Listed(true)
	return h
}

func startUnlisted(t testing.TB, change func(*Config)) *harness {
	t.Helper()
	config := createDefaultConfig().(*Config)
	if change != nil {
		change(config)
	}
	require.NoError(t, config.Validate())
	h := &harness{table: newTable(), sink: new(consumertest.LogsSink), tel: componenttest.NewTelemetry()}
	set := processor.Settings{ID: component.MustNewID("k8s_metadata"), TelemetrySettings: h.tel.NewTelemetrySettings()}
	var err error
	h.Logs, err = NewFactory().CreateLogs(t.Context(), set, config, h.sink)
	require.NoError(t, err)
	require.NoError(t, h.Start(t.Context(), hostOf(h.table)))
	t.Cleanup(func() {
		require.NoError(t, h.Shutdown(context.Background()))
		require.NoError(t, h.Shutdown(context.Background()))
		require.NoError(t, h.tel.Shutdown(context.Background()))
	})
	return h
}

// resource is a batch of one log record. Its attributes are given as key, value, key, value.
func resource(attributes ...string) plog.Logs {
	ld := plog.NewLogs()
	also(ld, attributes...)
	return ld
}

func also(ld plog.Logs, attributes ...string) {
	rl := ld.ResourceLogs().AppendEmpty()
	for i := 0; i < len(attributes); i += 2 {
		rl.Resource().Attributes().PutStr(attributes[i], attributes[i+1])
	}
	rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("line")
}

// send has one resource go through and writes the attributes that it got besides its own.
func (h *harness) send(ctx context.Context, t testing.TB, attributes ...string) string {
	t.Helper()
	require.NoError(t, h.ConsumeLogs(ctx, resource(attributes...)))
	all := h.sink.AllLogs()
	return written(all[len(all)-1].ResourceLogs().At(0).Resource().Attributes(), attributes...)
}

func written(m pcommon.Map, own ...string) string {
	raw := m.AsRaw()
	for i := 0; i < len(own); i += 2 {
		if raw[own[i]] == own[i+1] {
			delete(raw, own[i])
		}
	}
	var out []string
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		out = append(out, fmt.Sprintf("%s=%v", strings.TrimPrefix(key, "k8s."), raw[key]))
	}
	return strings.Join(out, " ")
}

// value is the sum of one of the processor's own counters over the points that have these attributes.
func (h *harness) value(t testing.TB, name string, attributes ...string) int64 {
	t.Helper()
	return metertest.Sum(t, h.tel, name, attributes...)
}

// from is a context as receivers make it for a client.
func from(ctx context.Context, address string) context.Context {
	return client.NewContext(ctx, client.Info{Addr: &net.TCPAddr{IP: net.ParseIP(address), Port: 40000}})
}

// pod is of a Deployment, on node n1, and has one container, whose id is "c-" and the pod's name.
func pod(name, ip string) *v1.Pod {
	yes := true
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, UID: types.UID("u-" + name), Labels: map[string]string{"app": "cart", "pod-template-hash": "5d8"},
			Annotations:     map[string]string{"owner": "red"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "cart-5d8", UID: "r1", Controller: &yes}},
		},
		Spec: v1.PodSpec{NodeName: "n1", Containers: []v1.Container{{Name: "main", Image: "cart:1.2"}}},
		Status: v1.PodStatus{
			PodIP: ip, HostIP: "10.0.0.1",
			ContainerStatuses: []v1.ContainerStatus{{Name: "main", ContainerID: "containerd://c-" + name, RestartCount: 3}},
		},
	}
}

// What is put onto resources of such a pod, besides the names by which it is found, in parts.
const (
	image  = "container.image.name=cart container.image.tag=1.2 "
	before = "container.name=main deployment.name=cart "
	around = "node.name=n1 "
	labels = "pod.annotation.owner=red pod.label.app=cart pod.label.pod-template-hash=5d8 "
	after  = "replicaset.name=cart-5d8"
)
