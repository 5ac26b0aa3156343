package filelog

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

const deadline = time.Minute

// got is one record as a sink has seen it.
type got struct {
	body, stream string
	time         int64
	resource     map[string]any
	attributes   map[string]any
}

// sink is a consumer that keeps what it accepts. decide may refuse a batch.
type sink struct {
	mu     sync.Mutex
	all    []got
	calls  int
	decide func(call int, bodies []string) error
}

func (s *sink) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (s *sink) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var batch []got
	for _, rl := range logs.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				g := got{
					body: record.Body().Str(), time: int64(record.Timestamp()),
					resource: rl.Resource().Attributes().AsRaw(), attributes: record.Attributes().AsRaw(),
				}
				if v, ok := record.Attributes().Get(attrStream); ok {
					g.stream = v.Str()
				}
				batch = append(batch, g)
			}
		}
	}
	s.calls++
	if s.decide != nil {
		bodies := make([]string, len(batch))
		for i, g := range batch {
			bodies[i] = g.body
		}
		if err := s.decide(s.calls, bodies); err != nil {
			return err
		}
	}
	s.all = append(s.all, batch...)
	return nil
}

func (s *sink) records() []got {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]got{}, s.all...)
}

func (s *sink) bodies() []string {
	bodies := []string{}
	for _, g := range s.records() {
		bodies = append(bodies, g.body)
	}
	return bodies
}

// wait returns when the sink holds exactly these bodies in this order.
func (s *sink) wait(t *testing.T, want ...string) {
	t.Helper()
	require.Eventually(t, func() bool { return len(s.bodies()) >= len(want) }, deadline, time.Millisecond,
		"want %d records", len(want))
	require.Equal(t, want, s.bodies())
}

// rig is a receiver under test.
type rig struct {
	*fileLog
	sink *sink
	logs *observer.ObservedLogs
	tel  *componenttest.Telemetry
}

// settings of a rig.
type settings struct {
	cfg  func(*Config)
	sys  func(*system)
	host component.Host
	sink *sink
}

func quickConfig(include ...string) *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.Include = include
	cfg.StartAt = startAtBeginning
	cfg.PollInterval = 5 * time.Millisecond
	cfg.ForceFlushPeriod = 50 * time.Millisecond
	cfg.RotateWait = 100 * time.Millisecond
	cfg.RetryOnFailure.InitialInterval = 5 * time.Millisecond
	cfg.RetryOnFailure.MaxInterval = 20 * time.Millisecond
	return cfg
}

// start builds and starts a receiver that is shut down with the test.
func start(t testing.TB, s settings, include ...string) *rig {
	t.Helper()
	r := build(t, s, include...)
	host := s.host
	if host == nil {
		host = componenttest.NewNopHost()
	}
	require.NoError(t, r.Start(t.Context(), host))
	t.Cleanup(func() { require.NoError(t, r.Shutdown(context.Background())) })
	return r
}

func build(t testing.TB, s settings, include ...string) *rig {
	t.Helper()
	cfg := quickConfig(include...)
	if s.cfg != nil {
		s.cfg(cfg)
	}
	require.NoError(t, cfg.Validate())
	if s.sink == nil {
		s.sink = &sink{}
	}
	core, logs := observer.New(zap.DebugLevel)
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	set := receivertest.NewNopSettings(component.MustNewType("file_log"))
	set.ID = component.MustNewID("file_log")
	set.TelemetrySettings = tel.NewTelemetrySettings()
	set.Logger = zap.New(core)
	r, err := newReceiver(set, cfg, s.sink)
	require.NoError(t, err)
	if s.sys != nil {
		s.sys(&r.sys)
	}
	var _ receiver.Logs = r
	return &rig{fileLog: r, sink: s.sink, logs: logs, tel: tel}
}

// counter returns the value of a counter, summed over its attributes, or with reason over one reason only.
func (r *rig) counter(t *testing.T, name, reason string) int64 {
	t.Helper()
	m, err := r.tel.GetMetric(name)
	if err != nil {
		return 0
	}
	return sumPoints(m, reason)
}

// storageHost is a host with the real file_storage extension on dir.
type storageHost struct {
	component.Host
	extensions map[component.ID]component.Component
}

func (h storageHost) GetExtensions() map[component.ID]component.Component { return h.extensions }

func storageID() component.ID { return component.MustNewID("file_storage") }

func useStorage(cfg *Config) {
	id := storageID()
	cfg.StorageID = &id
}

func openFileStorage(t testing.TB, dir string) storageHost {
	t.Helper()
	f := filestorage.NewFactory()
	cfg := f.CreateDefaultConfig().(*filestorage.Config)
	cfg.Directory = dir
	ext, err := f.Create(t.Context(), extension.Settings{
		ID: storageID(), TelemetrySettings: componenttest.NewNopTelemetrySettings(), BuildInfo: component.NewDefaultBuildInfo(),
	}, cfg)
	require.NoError(t, err)
	require.NoError(t, ext.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, ext.Shutdown(context.Background())) })
	return storageHost{Host: componenttest.NewNopHost(), extensions: map[component.ID]component.Component{storageID(): ext}}
}

// podLog makes the folder of a container's logs and returns it.
func podLog(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "pods", "shop_web-1_11111111-2222-3333-4444-555555555555", "nginx")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	return dir
}

func write(t testing.TB, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

func add(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func rename(t testing.TB, from, to string) {
	t.Helper()
	require.NoError(t, os.Rename(from, to))
}

// criLine is one CRI line with a time stamp that differs for each n.
func criLine(n int, stream, tag, message string) string {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Millisecond)
	return fmt.Sprintf("%s %s %s %s\n", at.Format(time.RFC3339Nano), stream, tag, message)
}

// countedFile counts when it is closed.
type countedFile struct {
	logFile
	closed *atomic.Int64
}

func (f countedFile) Close() error {
	f.closed.Add(1)
	return f.logFile.Close()
}

// blocking is a consumer that answers when its context ends.
type blocking struct{ entered chan struct{} }

func (blocking) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (b blocking) ConsumeLogs(ctx context.Context, _ plog.Logs) error {
	b.entered <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}
