package probe

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap/zapcore"

	"github.com/obsd-io/obsd/internal/certtest"
)

// TestDownAndUp follows a target that fails for a while: counts, and one word each way.
func TestDownAndUp(t *testing.T) {
	var sad atomic.Bool
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if sad.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	cfg := config()
	cfg.HTTP = []HTTPConfig{{Endpoints: []string{s.URL}}}
	r := begin(t, cfg)
	require.Eventually(t, func() bool { return r.total("") > 1 }, deadline, time.Millisecond)
	sad.Store(true)
	require.Eventually(t, func() bool { return r.total(failStatus) > 1 }, deadline, time.Millisecond)
	sad.Store(false)
	good := r.total("")
	require.Eventually(t, func() bool { return r.total("") > good }, deadline, time.Millisecond)
	require.NoError(t, r.Shutdown(t.Context()))
	logs := r.logs.FilterLevelExact(zapcore.InfoLevel).All()
	require.Len(t, logs, 2)
	require.Equal(t, "status 500", logs[0].ContextMap()["error"])
	require.Equal(t, "probe: a target answers again", logs[1].Message)
}

// total is the last count of checks with a failure, "" for successful ones.
func (r *rig) total(failure string) (n int64) {
	r.sink.mu.Lock()
	defer r.sink.mu.Unlock()
	for _, md := range r.sink.got {
		for _, rm := range md.ResourceMetrics().All() {
			for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
				if m.Name() == metricChecks {
					n = max(n, countOf(m, failure))
				}
			}
		}
	}
	return n
}

func countOf(m pmetric.Metric, failure string) int64 {
	for _, dp := range m.Sum().DataPoints().All() {
		if v, ok := dp.Attributes().Get(attrError); ok == (failure != "") && (!ok || v.Str() == failure) {
			return dp.IntValue()
		}
	}
	return 0
}

// TestLate passes over a target whose last check has not ended, and counts that.
func TestLate(t *testing.T) {
	asked, goOn := make(chan struct{}), make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-goOn
	})
	r := build(t, config2(s.URL))
	list, err := r.listed(t.Context(), nil)
	require.NoError(t, err)
	r.launch(list[0])
	<-asked
	r.launch(list[0])
	r.launch(list[0])
	close(goOn)
	require.Eventually(t, func() bool { return len(r.found) == 1 }, deadline, time.Millisecond)
	require.EqualValues(t, 2, r.counted(t, "obsd_probe_dropped", "reason", reasonLate))
}

func config2(endpoints ...string) *Config {
	cfg := config()
	cfg.HTTP = []HTTPConfig{{Endpoints: endpoints}}
	return cfg
}

// TestParallel never makes more checks at once than it may.
func TestParallel(t *testing.T) {
	var mu sync.Mutex
	var now, most int
	count := func(more int) {
		mu.Lock()
		defer mu.Unlock()
		now += more
		most = max(most, now)
	}
	entered, goOn := make(chan struct{}, 100), make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) {
		count(1)
		entered <- struct{}{}
		<-goOn
		count(-1)
	})
	cfg := config()
	for i := range 10 {
		cfg.HTTP = append(cfg.HTTP, HTTPConfig{Endpoints: []string{s.URL + "/" + strconv.Itoa(i)}})
	}
	cfg.Parallel = 3
	r := build(t, cfg)
	list, err := r.listed(t.Context(), nil)
	require.NoError(t, err)
	for _, tg := range list {
		r.launch(tg)
	}
	for range 3 {
		<-entered
	}
	require.Len(t, r.slots, 3)
	close(goOn)
	require.Eventually(t, func() bool { return len(r.found) == 10 }, deadline, time.Millisecond)
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, 3, most)
}

// TestRefused counts the points that the pipeline does not take, and goes on.
func TestRefused(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") })
	r := build(t, config2(s.URL))
	r.sink.setRefuse(errors.New("full"))
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	require.Eventually(t, func() bool { return r.counted(t, "obsd_probe_dropped", "reason", reasonRefused) > 16 }, deadline, time.Millisecond)
	r.sink.setRefuse(nil)
	require.Eventually(t, func() bool { return r.total("") > 2 }, deadline, time.Millisecond)
	require.Equal(t, 1, r.logs.FilterLevelExact(zapcore.WarnLevel).Len())
}

// TestShutdown breaks off a check that hangs.
func TestShutdown(t *testing.T) {
	address, gone := silent(t)
	r := begin(t, config2("http://"+address))
	require.Eventually(t, func() bool { return len(r.slots) == 1 }, deadline, time.Millisecond)
	require.NoError(t, r.Shutdown(t.Context()))
	require.NoError(t, r.Shutdown(t.Context()))
	require.Empty(t, r.sink.text(), "that it was broken off says nothing of the target")
	select {
	case <-gone: // if it had come that far
	default:
	}
	require.NoError(t, build(t, config2("http://"+address)).Shutdown(t.Context()), "without a start")
}

func TestTargetsGauge(t *testing.T) {
	cfg := config2("http://127.0.0.1:1/", "http://127.0.0.1:1/b")
	cfg.TCP = []TCPConfig{{Endpoints: []string{"127.0.0.1:1"}}}
	r := begin(t, cfg)
	m, err := r.tel.GetMetric("obsd_probe_targets")
	require.NoError(t, err)
	got := map[string]int64{}
	for _, p := range m.Data.(metricdata.Gauge[int64]).DataPoints {
		kind, _ := p.Attributes.Value("type")
		got[kind.AsString()] = p.Value
	}
	require.Equal(t, map[string]int64{kindHTTP: 2, kindTCP: 1, kindDNS: 0, kindGRPC: 0}, got)
}

func TestBadCertificateFile(t *testing.T) {
	cfg := config2("http://127.0.0.1:1/")
	cfg.HTTP[0].TLS.CAFile = "/not there"
	require.ErrorContains(t, build(t, cfg).Start(t.Context(), componenttest.NewNopHost()), "probe: http[0]: tls: ")
	cfg = config()
	cfg.TCP = []TCPConfig{{Endpoints: []string{"127.0.0.1:1"}, TLS: optional(certtest.NewAuthority(t))}}
	cfg.TCP[0].TLS.Get().CAPem = "x"
	require.ErrorContains(t, build(t, cfg).Start(t.Context(), componenttest.NewNopHost()), "probe: tcp[0]: tls: ")
}

func targets(names ...string) (list []*target) {
	for _, n := range names {
		list = append(list, &target{kind: kindTCP, endpoint: n})
	}
	return list
}

// TestSchedule walks through intervals: each target once in each, at its own place.
func TestSchedule(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := newSchedule(time.Minute, begin)
	var names []string
	for i := range 1000 {
		names = append(names, strconv.Itoa(i))
	}
	s.set("", targets(names...), begin)
	seconds := map[int]int{}
	now := begin
	for count := 0; count < 3000; {
		ready, wait := s.due(now)
		for range ready {
			seconds[now.Second()]++
		}
		count += len(ready)
		require.Positive(t, wait)
		now = now.Add(wait)
	}
	require.Less(t, now.Sub(begin), 3*time.Minute+time.Second)
	require.Len(t, seconds, 60)
	for second, n := range seconds {
		require.InDelta(t, 50, n, 40, "in second %d of 60", second)
	}
}

func TestScheduleChanges(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := newSchedule(time.Minute, begin)
	s.set("x", targets("a", "b", "b"), begin)
	s.set("y", targets("a"), begin)
	require.EqualValues(t, 3, s.count()[kindTCP])
	a := s.owners["x"][targets("a")[0].key()]
	s.set("x", targets("c", "a"), begin.Add(time.Hour))
	require.Same(t, a, s.owners["x"][a.key()], "what stays keeps its counts")
	require.EqualValues(t, 3, s.count()[kindTCP])
	ready, _ := s.due(begin.Add(2 * time.Hour))
	require.Len(t, ready, 3)
	ready, _ = s.due(begin.Add(2 * time.Hour))
	require.Empty(t, ready, "what was missed is not made up for")
	s.set("x", nil, begin)
	s.set("y", nil, begin)
	s.set("z", nil, begin)
	require.Empty(t, s.owners)
	require.Zero(t, s.count()[kindTCP])
	ready, wait := s.due(begin.Add(3 * time.Hour))
	require.Empty(t, ready)
	require.Equal(t, time.Minute, wait)
	require.Len(t, s.wake, 1)
}

// TestQuery reads the query of the README as Prometheus does.
func TestQuery(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(readme), "```promql\n")
	require.True(t, ok)
	query, _, _ := strings.Cut(rest, "```")
	_, err = parser.NewParser(parser.Options{}).ParseExpr(query)
	require.NoError(t, err)
}

func BenchmarkRender(b *testing.B) {
	tg := &target{kind: kindHTTP, endpoint: "http://shop.example/", counts: map[string]int{"": 10, failStatus: 2}, points: []label{{"namespace", "shop"}, {"pod", "web"}}}
	res := result{seen: [phases]bool{true, true, true, true, true}, http: &httpResult{status: 200, matched: -1}}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		render(tg, &res, now, "test")
	}
}
