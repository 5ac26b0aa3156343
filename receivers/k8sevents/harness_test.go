package k8sevents

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/obsd-io/obsd/internal/kubeapi"
	"github.com/obsd-io/obsd/internal/kubetest"
	"github.com/obsd-io/obsd/internal/metertest"
)

const deadline = 30 * time.Second

var start = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

// event is one of a pod, whose message is its name and its count.
func event(name string, count int32) *v1.Event {
	return &v1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Reason:     "BackOff", Type: "Warning", Count: count, Message: fmt.Sprintf("%s %d", name, count),
		FirstTimestamp: metav1.NewTime(start), LastTimestamp: metav1.NewTime(start.Add(time.Duration(count) * time.Minute)),
		InvolvedObject: v1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "web", UID: "u1", APIVersion: "v1", FieldPath: "spec.containers{main}"},
		Source:         v1.EventSource{Component: "kubelet", Host: "node1"},
	}
}

// sink is a consumer that keeps what it takes. decide may refuse a batch; it is called with the number of the call.
type sink struct {
	mu     sync.Mutex
	calls  int
	ctx    context.Context // of the last call
	got    []plog.Logs
	decide func(call int) error
}

func (*sink) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: true} }

func (s *sink) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.ctx = ctx
	if s.decide != nil {
		if err := s.decide(s.calls); err != nil {
			logs.ResourceLogs().RemoveIf(func(plog.ResourceLogs) bool { return true }) // as a pipeline may
			return err
		}
	}
	s.got = append(s.got, logs)
	return nil
}

func (s *sink) messages() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []string{}
	for _, logs := range s.got {
		for _, rl := range logs.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, lr := range sl.LogRecords().All() {
					out = append(out, lr.Body().Str())
				}
			}
		}
	}
	return out
}

func (s *sink) called() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// rig is a receiver under test.
type rig struct {
	*eventReceiver
	sink *sink
	tel  *componenttest.Telemetry
	logs *observer.ObservedLogs
}

func config(kubeconfig string) *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.API.AuthType, cfg.API.KubeConfig = kubeapi.KubeConfig, kubeconfig
	cfg.StartAt = startAtBeginning
	cfg.RetryOnFailure.InitialInterval, cfg.RetryOnFailure.MaxInterval = time.Millisecond, 5*time.Millisecond
	return cfg
}

// build makes a receiver that is in a hurry; it is shut down with the test at the latest.
func build(t testing.TB, cfg *Config, s *sink) *rig {
	t.Helper()
	require.NoError(t, cfg.API.Validate())
	require.NoError(t, cfg.Validate())
	r := &rig{sink: s, tel: componenttest.NewTelemetry()}
	core, logs := observer.New(zapcore.InfoLevel)
	r.logs = logs
	set := receivertest.NewNopSettings(NewFactory().Type())
	set.ID = component.NewID(NewFactory().Type())
	set.TelemetrySettings = r.tel.NewTelemetrySettings()
	set.Logger = zap.New(core)
	set.BuildInfo.Version = "test"
	var err error
	r.eventReceiver, err = newReceiver(cfg, set, s)
	require.NoError(t, err)
	r.timing = timing{
		watch: time.Hour, grace: time.Hour, linger: 5 * time.Millisecond, settled: time.Hour, again: time.Millisecond,
		longest: 20 * time.Millisecond, save: 5 * time.Millisecond, deposed: deadline, end: deadline,
	}
	t.Cleanup(func() { require.NoError(t, r.Shutdown(context.Background())) })
	return r
}

func begin(t testing.TB, cfg *Config, host component.Host) *rig {
	t.Helper()
	r := build(t, cfg, &sink{})
	require.NoError(t, r.Start(t.Context(), host))
	return r
}

// gets waits until exactly these messages have come, in any order.
func (r *rig) gets(t testing.TB, want ...string) {
	t.Helper()
	require.Eventually(t, func() bool { return len(r.sink.messages()) >= len(want) }, deadline, time.Millisecond, "%d messages", len(want))
	require.ElementsMatch(t, want, r.sink.messages())
}

// watches waits until the receiver's n-th watch is open.
func watches(t testing.TB, a *kubetest.API, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		count := 0
		for _, u := range a.Asked("events") {
			if u.Query().Get("watch") != "" {
				count++
			}
		}
		return count >= n
	}, deadline, time.Millisecond, "%d watches", n)
}

// counted is the sum of one of the receiver's own counters over the points with an attribute.
func (r *rig) counted(t testing.TB, name, key, value string) int64 {
	t.Helper()
	return metertest.Sum(t, r.tel, name, key, value)
}

// host has extensions.
type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

// disk is a host with the file_storage extension on a folder.
func disk(t testing.TB, folder string) host {
	t.Helper()
	f := filestorage.NewFactory()
	cfg := f.CreateDefaultConfig().(*filestorage.Config)
	cfg.Directory = folder
	e, err := f.Create(t.Context(), extension.Settings{
		ID: component.NewID(f.Type()), TelemetrySettings: componenttest.NewNopTelemetrySettings(),
	}, cfg)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, e.Shutdown(context.Background())) })
	return host{component.NewID(f.Type()): e}
}

func storageID() *component.ID {
	id := component.NewID(filestorage.NewFactory().Type())
	return &id
}

// front is a server before the fake one, which a test can have do something else. It returns a kubeconfig.
func front(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Config","current-context":"c","clusters":[{"name":"c",
"cluster":{"server":%q}}],"users":[{"name":"c","user":{}}],"contexts":[{"name":"c","context":{"cluster":"c","user":"c"}}]}`, s.URL), 0o600))
	return path
}

func (r *rig) warnings() (out []string) {
	for _, e := range r.logs.FilterLevelExact(zapcore.WarnLevel).All() {
		out = append(out, e.Message)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
