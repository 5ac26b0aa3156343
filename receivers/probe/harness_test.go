package probe

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/obsd-io/obsd/internal/certtest"
	"github.com/obsd-io/obsd/internal/metertest"
)

const deadline = 30 * time.Second

// trusting is the TLS section of a configuration that trusts an authority.
func trusting(a *certtest.Authority) configtls.ClientConfig {
	c := configtls.NewDefaultClientConfig()
	c.CAPem = configopaque.String(a.PEM())
	return c
}

func optional(a *certtest.Authority) configoptional.Optional[configtls.ClientConfig] {
	return configoptional.Some(trusting(a))
}

// sink is a consumer that keeps what it takes.
type sink struct {
	mu     sync.Mutex
	got    []pmetric.Metrics
	refuse error
}

func (*sink) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (s *sink) ConsumeMetrics(_ context.Context, md pmetric.Metrics) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return s.refuse
	}
	s.got = append(s.got, md)
	return nil
}

func (s *sink) setRefuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = err
}

func (s *sink) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, md := range s.got {
		b.WriteString(text(md))
	}
	return b.String()
}

// rig is a receiver under test.
type rig struct {
	*probeReceiver
	sink *sink
	tel  *componenttest.Telemetry
	logs *observer.ObservedLogs
}

func config() *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.Controller.InitialDelay, cfg.Controller.CollectionInterval = 0, 50*time.Millisecond
	cfg.Controller.Timeout = deadline
	return cfg
}

// build makes a receiver, which is shut down with the test at the latest.
func build(t testing.TB, cfg *Config) *rig {
	t.Helper()
	require.NoError(t, cfg.Validate())
	r := &rig{sink: &sink{}, tel: componenttest.NewTelemetry()}
	core, logs := observer.New(zapcore.InfoLevel)
	r.logs = logs
	set := receivertest.NewNopSettings(NewFactory().Type())
	set.ID = component.NewID(NewFactory().Type())
	set.TelemetrySettings = r.tel.NewTelemetrySettings()
	set.Logger = zap.New(core)
	var err error
	r.probeReceiver, err = newReceiver(cfg, set, r.sink)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Shutdown(context.Background())) })
	return r
}

func begin(t testing.TB, cfg *Config) *rig {
	t.Helper()
	r := build(t, cfg)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	return r
}

// only makes the checks of a configuration once, and returns the metrics of each as text. No schedule runs.
func only(t testing.TB, cfg *Config) string {
	t.Helper()
	r := build(t, cfg)
	list, err := r.listed(t.Context(), nil)
	require.NoError(t, err)
	var b strings.Builder
	for _, tg := range list {
		res := run(t.Context(), tg.checker, tg.endpoint, tg.timeout)
		tg.counts = map[string]int{"": 0}
		tg.counts[res.failure]++
		b.WriteString(text(render(tg, &res, time.Now(), "test")))
	}
	return b.String()
}

// counted is the sum of one of the receiver's own counters over the points with an attribute.
func (r *rig) counted(t testing.TB, name, key, value string) int64 {
	t.Helper()
	return metertest.Sum(t, r.tel, name, key, value)
}

// text writes metrics as text: a line for each resource, and one for each point below it. Values of durations are left out.
func text(md pmetric.Metrics) string {
	var b strings.Builder
	for _, rm := range md.ResourceMetrics().All() {
		fmt.Fprintf(&b, "%s\n", attributesText(rm.Resource().Attributes()))
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				points, kind := pmetric.NumberDataPointSlice{}, "gauge"
				if m.Type() == pmetric.MetricTypeSum {
					points, kind = m.Sum().DataPoints(), "counter"
				} else {
					points = m.Gauge().DataPoints()
				}
				for _, dp := range points.All() {
					value := fmt.Sprint(dp.IntValue())
					if dp.ValueType() == pmetric.NumberDataPointValueTypeDouble {
						value = fmt.Sprintf("%+.0fh", dp.DoubleValue()/3600)
					}
					fmt.Fprintf(&b, "  %s %s %s %s %s\n", m.Name(), attributesText(dp.Attributes()), value, m.Unit(), kind)
				}
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

// fuse is a context that is over when a test says so, as if its time had passed.
type fuse struct {
	context.Context
	done chan struct{}
}

func newFuse() *fuse { return &fuse{context.Background(), make(chan struct{})} }

func (f *fuse) Done() <-chan struct{} { return f.done }

func (f *fuse) Err() error {
	select {
	case <-f.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}
