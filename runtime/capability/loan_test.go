package capability

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// pods is an extension with a table of one row.
type pods struct {
	component.StartFunc
	component.ShutdownFunc
	ready chan struct{}
}

func (p *pods) LookupBy(key string) (func(string) bool, func(string, []byte) (string, bool), <-chan struct{}, error) {
	if key != "uid" {
		return nil, nil, nil, fmt.Errorf("not by %q", key)
	}
	return func(name string) bool { return name == "name" },
		func(_ string, key []byte) (string, bool) { return "cart", string(key) == "u1" }, p.ready, nil
}

// idle is an extension without tables.
type idle struct {
	component.StartFunc
	component.ShutdownFunc
}

func newTestLoan(t *testing.T, id, key string, extensions map[component.ID]component.Component) (*Set, *observer.ObservedLogs, error) {
	t.Helper()
	core, seen := observer.New(zapcore.DebugLevel)
	source := component.MustNewID(id)
	c := Config{Lookup: map[string]TableGrant{"hosts": {Source: &source, Key: key}}}
	require.NoError(t, c.Validate())
	s, err := New(c, "wasm/x", zap.New(core), noop.Meter{})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s, seen, s.Start(t.Context(), extensions)
}

// A table that an extension has is looked up as one of a file is.
func TestLoan(t *testing.T) {
	ready := make(chan struct{})
	close(ready)
	s, seen, err := newTestLoan(t, "k8s_pods", "uid", map[component.ID]component.Component{component.MustNewID("k8s_pods"): &pods{ready: ready}})
	require.NoError(t, err)
	require.Equal(t, "cart", s.Lookup.get("name", "u1"))
	require.Equal(t, "absent", s.Lookup.get("name", "u2"))
	require.EqualValues(t, -1, s.Lookup.Column([]byte("hosts"), []byte("rack")))
	require.Empty(t, seen.All())
	column, key, dst := s.Lookup.Column([]byte("hosts"), []byte("name")), []byte("u1"), make([]byte, 10)
	require.Zero(t, testing.AllocsPerRun(100, func() { s.Lookup.Get(column, key, dst) }))
}

func TestLoanRefused(t *testing.T) {
	extensions := map[component.ID]component.Component{
		component.MustNewID("k8s_pods"): &pods{}, component.MustNewID("idle"): &idle{},
	}
	f := func(id, key, want string) {
		t.Helper()
		_, _, err := newTestLoan(t, id, key, extensions)
		require.EqualError(t, err, "grants::lookup::hosts: "+want)
	}
	f("none", "uid", `source: there is no extension "none"; define it below extensions, and list it in service::extensions`)
	f("idle", "uid", `source: the extension "idle" has no tables; name one of type k8s_pods`)
	f("k8s_pods", "ip", `key: not by "ip"`)
}

// The start waits until the table is filled, ten seconds at most, or as long as it may.
func TestLoanAwaited(t *testing.T) {
	f := func(name string, filledAfter, mayTake, want time.Duration, warned int) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), mayTake)
				defer cancel()
				p := &pods{ready: make(chan struct{})}
				timer := time.AfterFunc(filledAfter, func() { close(p.ready) })
				defer timer.Stop()
				core, seen := observer.New(zapcore.DebugLevel)
				source := component.MustNewID("k8s_pods")
				grant := TableGrant{Source: &source, Key: "uid"}
				s, err := New(Config{Lookup: map[string]TableGrant{"hosts": grant, "more": grant}}, "wasm/x", zap.New(core), noop.Meter{})
				require.NoError(t, err)
				defer s.Close()
				begin := time.Now()
				require.NoError(t, s.Start(ctx, map[component.ID]component.Component{source: p}))
				require.Equal(t, want, time.Since(begin))
				require.Equal(t, warned, seen.FilterMessageSnippet("not filled yet").Len())
				require.Equal(t, "cart", s.Lookup.get("name", "u1"))
			})
		})
	}
	f("filled", 3*time.Second, time.Minute, 3*time.Second, 0)
	f("late", 15*time.Second, time.Minute, 10*time.Second, 1)
	f("canceled", 15*time.Second, time.Second, time.Second, 0)
}
