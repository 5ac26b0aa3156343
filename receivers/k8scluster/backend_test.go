package k8scluster

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/obsd-io/obsd/internal/kubeapi"
	"github.com/obsd-io/obsd/internal/kubetest"
)

const patience = 2 * time.Minute

// backend is a consumer that keeps the last value of each series until it is ended, as a Prometheus does.
type backend struct {
	mu      sync.Mutex
	held    map[string]string
	at      map[string]pcommon.Timestamp
	faults  []string // points that no backend could take
	batches int
	refuse  bool
	hang    chan struct{} // closed to end a hang; nil for none
}

func newBackend() *backend {
	return &backend{held: map[string]string{}, at: map[string]pcommon.Timestamp{}}
}

func (*backend) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: true} }

func (b *backend) ConsumeMetrics(_ context.Context, md pmetric.Metrics) error {
	b.mu.Lock()
	hang := b.hang
	b.mu.Unlock()
	if hang != nil {
		<-hang
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.batches++
	if b.refuse {
		return errors.New("full")
	}
	each(md, func(s series) {
		key := s.key()
		if s.at <= b.at[key] {
			b.faults = append(b.faults, "out of order: "+key)
		}
		b.at[key] = s.at
		if s.ended {
			delete(b.held, key)
		} else {
			b.held[key] = s.value
		}
	})
	return nil
}

func (b *backend) will(refuse bool, hang chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuse, b.hang = refuse, hang
}

func (b *backend) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.batches
}

// view is the series of metrics that begin with a prefix, each as "<name of the object> metric{attributes}=value".
func (b *backend) view(prefix string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(b.held)) {
		if resource, metric, _ := strings.Cut(key, "} "); strings.HasPrefix(metric, prefix) {
			lines = append(lines, nameIn(resource)+" "+metric+"="+b.held[key])
		}
	}
	return strings.Join(lines, "\n")
}

// nameIn is the name of the object that a resource stands for: of all names in it the one that is least like a place.
func nameIn(resource string) string {
	var name string
	for part := range strings.SplitSeq(strings.Trim(resource, "{}"), ", ") {
		key, value, _ := strings.Cut(part, "=")
		if key == attrContainer {
			return value
		}
		place := key == attrNamespace || key == attrNode
		if strings.HasSuffix(key, ".name") && !strings.HasPrefix(key, "container.") && (!place || name == "") {
			name = value
		}
	}
	return name
}

// shows waits until the backend holds just these series of a prefix.
func (b *backend) shows(t *testing.T, prefix string, want ...string) {
	t.Helper()
	text := strings.Join(want, "\n")
	if !assert.Eventually(t, func() bool { return b.view(prefix) == text }, patience, 5*time.Millisecond) {
		require.Equal(t, text, b.view(prefix))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Empty(t, b.faults)
}

// until waits for something.
func until(t *testing.T, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, patience, 5*time.Millisecond)
}

// follower is a receiver with what it tells of itself.
type follower struct {
	*clusterReceiver
	*backend
	tel  *componenttest.Telemetry
	logs *observer.ObservedLogs
}

// slow is an interval that no test waits for: what is seen was told at once.
const slow = time.Hour

func newFollower(t testing.TB, change func(*Config)) *follower {
	t.Helper()
	cfg := config(func(c *Config) { c.CollectionInterval = slow })
	if change != nil {
		change(cfg)
	}
	f := &follower{backend: newBackend(), tel: componenttest.NewTelemetry()}
	set := receivertest.NewNopSettings(NewFactory().Type())
	set.TelemetrySettings = f.tel.NewTelemetrySettings()
	core, logs := observer.New(zap.InfoLevel)
	set.Logger, f.logs = zap.New(core), logs
	made, err := NewFactory().CreateMetrics(t.Context(), set, cfg, f.backend)
	require.NoError(t, err)
	f.clusterReceiver = made.(*clusterReceiver)
	t.Cleanup(func() { require.NoError(t, made.Shutdown(context.Background())) })
	return f
}

// follow starts a receiver for an API server.
func follow(t testing.TB, api *kubetest.API, change func(*Config)) *follower {
	t.Helper()
	f := newFollower(t, func(c *Config) {
		c.API = kubeapi.Config{AuthType: kubeapi.KubeConfig, KubeConfig: api.Kubeconfig()}
		if change != nil {
			change(c)
		}
	})
	require.NoError(t, f.Start(t.Context(), componenttest.NewNopHost()))
	return f
}

// counted is the sum of a counter of the receiver's own whose attributes have a value.
func (f *follower) counted(t *testing.T, name, value string) (n int64) {
	t.Helper()
	m, err := f.tel.GetMetric(name)
	if err != nil {
		return 0
	}
	var points []metricdata.DataPoint[int64]
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		points = data.DataPoints
	case metricdata.Gauge[int64]:
		points = data.DataPoints
	}
	for _, p := range points {
		for _, kv := range p.Attributes.ToSlice() {
			if kv.Value.AsString() == value {
				n += p.Value
			}
		}
	}
	return n
}

// host has extensions.
type host struct {
	component.Host
	extensions map[component.ID]component.Component
}

func (h host) GetExtensions() map[component.ID]component.Component { return h.extensions }
