package cadvisor

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/obsd-io/obsd/internal/podtable"
)

// TestPodsInTheRuntimesPlace: a pod is left out and counted until the table knows it, and then named as a runtime names it. Its
// sandbox, which the table does not know, is none of its containers.
func TestPodsInTheRuntimesPlace(t *testing.T) {
	l := captured(t, func(c *Config) { c.MetricGroups = []string{"cpu", "memory"} })
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	var err error
	l.tel, err = newTelemetry(tel.NewTelemetrySettings().MeterProvider.Meter(scope), "cadvisor")
	require.NoError(t, err)
	want := render(newOTelWriter("node1", "").write(samplesOf(t, l)))

	l.names = newNames(nil, time.Minute, l.logger)
	l.names.pods = podtable.New(&podtable.Keep{}, time.Minute, 1, 0)
	samples := samplesOf(t, l)
	require.Len(t, samples, 1)
	require.Equal(t, rootKind, samples[0].kind)
	got, err := tel.GetMetric("obsd_cadvisor_dropped")
	require.NoError(t, err)
	metricdatatest.AssertEqual(t, metricdata.Metrics{
		Name: "obsd_cadvisor_dropped", Description: "Cgroups and series that were left out, by reason.", Unit: "{item}",
		Data: metricdata.Sum[int64]{Temporality: metricdata.CumulativeTemporality, IsMonotonic: true, DataPoints: []metricdata.DataPoint[int64]{
			{Value: 3, Attributes: attribute.NewSet(attribute.String("receiver", "cadvisor"), attribute.String("reason", "unknown"))},
		}},
	}, got, metricdatatest.IgnoreTimestamp())

	l.names.pods.Put(&v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: uid},
		Spec:       v1.PodSpec{Containers: []v1.Container{{Name: "main", Image: "e2e.local/busybox:1"}}},
		Status: v1.PodStatus{ContainerStatuses: []v1.ContainerStatus{
			{Name: "main", Image: "e2e.local/busybox:1", ContainerID: "containerd://" + capturedContainer},
		}},
	})
	require.Equal(t, want, render(newOTelWriter("node1", "").write(samplesOf(t, l))))
}

func TestPodsExtension(t *testing.T) {
	start := func(host component.Host) error {
		cfg := createDefaultConfig().(*Config)
		id := component.MustNewID("k8s_pods")
		cfg.Pods = &id
		c := &collector{cfg: cfg, set: receivertest.NewNopSettings(NewFactory().Type()).TelemetrySettings}
		return c.start(t.Context(), host)
	}
	require.EqualError(t, start(componenttest.NewNopHost()),
		`cadvisor: pods: there is no extension "k8s_pods": add it to service::extensions`)
	require.EqualError(t, start(hostWith{component.MustNewID("k8s_pods"): nothing{}}),
		`cadvisor: pods: the extension "k8s_pods" knows no pods: name one of type k8s_pods`)
	require.NoError(t, start(hostWith{component.MustNewID("k8s_pods"): table{podtable.New(&podtable.Keep{}, time.Minute, 1, 0)}}))
}

// hostWith is a host with extensions.
type hostWith map[component.ID]component.Component

// GetExtensions implements component.Host.
func (h hostWith) GetExtensions() map[component.ID]component.Component { return h }

type nothing struct {
	component.StartFunc
	component.ShutdownFunc
}

// table stands for the extension k8s_pods.
type table struct{ pods *podtable.Table }

// Start implements component.Component.
func (table) Start(context.Context, component.Host) error { return nil }

// Shutdown implements component.Component.
func (table) Shutdown(context.Context) error { return nil }

// Table is what the receiver asks for.
func (t table) Table() *podtable.Table { return t.pods }
