package k8spods

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/obsd-io/obsd/internal/kubeapi"
	"github.com/obsd-io/obsd/internal/kubetest"
	"github.com/obsd-io/obsd/internal/podtable"
)

const (
	patience = 3 * time.Minute
	often    = 5 * time.Millisecond
)

// harness is an extension that follows a fake API server.
type harness struct {
	*Pods
	table *podtable.Table
	tel   *componenttest.Telemetry
	logs  *observer.ObservedLogs
}

func start(t testing.TB, api *kubetest.API, change func(*Config)) *harness {
	t.Helper()
	config := createDefaultConfig().(*Config)
	config.API.AuthType, config.API.KubeConfig = kubeapi.KubeConfig, api.Kubeconfig()
	if change != nil {
		change(config)
	}
	require.NoError(t, config.Validate())
	tel := componenttest.NewTelemetry()
	core, logs := observer.New(zapcore.InfoLevel)
	set := extension.Settings{ID: component.MustNewID("k8s_pods"), TelemetrySettings: tel.NewTelemetrySettings()}
	set.Logger = zap.New(core)
	e, err := NewFactory().Create(t.Context(), set, config)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() {
		require.NoError(t, e.Shutdown(context.Background()))
		require.NoError(t, e.Shutdown(context.Background()))
		require.NoError(t, tel.Shutdown(context.Background()))
	})
	p := e.(*Pods)
	return &harness{p, p.Table(), tel, logs}
}

func (h *harness) ready(t testing.TB) {
	t.Helper()
	select {
	case <-h.table.Ready():
	case <-time.After(patience):
		require.FailNow(t, "the lists have not come")
	}
}

// value is that of one of the extension's own metrics, for the point that has all these attributes.
func (h *harness) value(t testing.TB, name string, attributes ...string) int64 {
	t.Helper()
	m, err := h.tel.GetMetric(name)
	if err != nil {
		return -1
	}
	var points []metricdata.DataPoint[int64]
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		points = data.DataPoints
	case metricdata.Gauge[int64]:
		points = data.DataPoints
	}
	for _, p := range points {
		fits := true
		for i := 0; i < len(attributes); i += 2 {
			v, _ := p.Attributes.Value(attribute.Key(attributes[i]))
			fits = fits && v.AsString() == attributes[i+1]
		}
		if fits {
			return p.Value
		}
	}
	return -1
}

func pod(namespace, name, node string) *v1.Pod {
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{"app": "a", "x": "y"},
		},
		Spec:   v1.PodSpec{NodeName: node, Containers: []v1.Container{{Name: "main", Image: "cart:1"}}},
		Status: v1.PodStatus{ContainerStatuses: []v1.ContainerStatus{{Name: "main", ContainerID: "containerd://" + name}}},
	}
}

// text is a column of a pod, or "absent".
func (h *harness) text(t testing.TB, key, column string) string {
	t.Helper()
	_, get, _, err := h.LookupBy(podtable.KeyUID)
	require.NoError(t, err)
	if text, ok := get(column, []byte(key)); ok {
		return text
	}
	return "absent"
}

func (h *harness) becomes(t testing.TB, key, column, want string) {
	t.Helper()
	require.Eventually(t, func() bool { return h.text(t, key, column) == want }, patience, often, fmt.Sprint(key, " ", column))
}
