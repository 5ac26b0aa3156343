package prometheus

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/otlptranslator"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// now is a point's time for tests that run on the clock of synctest.
func nowPoint(b *build) *build {
	for _, m := range b.scope.Metrics().All() {
		ts := time.Now().Unix() - 1_700_000_000
		if m.Type() == pmetric.MetricTypeGauge {
			m.Gauge().DataPoints().At(0).SetTimestamp(at(int(ts)))
		} else {
			m.Sum().DataPoints().At(0).SetTimestamp(at(int(ts)))
		}
	}
	return b
}

func TestConflicts(t *testing.T) {
	histogram := func() *build { return newBuild().histogram(cumulative, nil, nil, 0, 0, 1) }
	utf8 := func(c *Config) { c.TranslationStrategy = otlptranslator.NoUTF8EscapingWithSuffixes }
	for name, tc := range map[string]struct {
		batches []*build
		edit    func(*Config)
		want    []string
		dropped map[string]int64
	}{
		"two senders, one series": {
			batches: []*build{newBuild("pid", "1").gauge("g", 1, 1), newBuild("pid", "2").gauge("g", 2, 2), newBuild("pid", "1").gauge("g", 3, 3)},
			want:    []string{"g 3"},
			dropped: map[string]int64{reasonDuplicate: 1},
		},
		"two names, one series": {
			batches: []*build{newBuild().gauge("a.b", 1, 1).gauge("a_b", 2, 1)},
			want:    []string{"a_b 1"},
			dropped: map[string]int64{reasonDuplicate: 1},
		},
		"a sender that started after the last point takes over": {
			batches: []*build{newBuild("pid", "1").sum("c", cumulative, true, 9, 0, 1), newBuild("pid", "2").sum("c", cumulative, true, 1, 2, 3), newBuild("pid", "1").sum("c", cumulative, true, 9, 0, 4)},
			want:    []string{"c_total 1"},
			dropped: map[string]int64{reasonDuplicate: 1},
		},
		"another type": {
			batches: []*build{newBuild().gauge("x_total", 1, 1).sum("x", cumulative, true, 2, 0, 1).gauge("y", 1, 1)},
			want:    []string{"x_total 1", "y 1"},
			dropped: map[string]int64{reasonType: 1},
		},
		"another type after the first is gone": {
			batches: []*build{
				newBuild().gauge("x_total", 1, 1),
				newBuild().gauge("x_total", 1, 2).edit(func(m pmetric.Metric) {
					m.Gauge().DataPoints().At(0).SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
				}),
				newBuild().sum("x", cumulative, true, 2, 0, 3),
			},
			want: []string{"x_total 2"},
		},
		"a gauge named like a line of a histogram": {
			batches: []*build{histogram().gauge("h_count", 5, 1).gauge("h_counts", 6, 1)},
			want:    []string{`h_bucket{le="+Inf"} 0`, "h_sum 0", "h_count 0", "h_counts 6"},
			dropped: map[string]int64{reasonName: 1},
		},
		"a histogram with a line named like a gauge": {
			batches: []*build{newBuild().gauge("h_bucket", 5, 1).histogram(cumulative, nil, nil, 0, 0, 1)},
			want:    []string{`h_bucket 5`},
			dropped: map[string]int64{reasonName: 1},
		},
		"names that differ only in UTF-8": {
			edit:    utf8,
			batches: []*build{newBuild().gauge("a.b", 1, 1).gauge("a_b", 2, 1)},
			want:    []string{"a_b 1"},
			dropped: map[string]int64{reasonName: 1},
		},
		"labels that differ only in UTF-8": {
			edit:    utf8,
			batches: []*build{newBuild().gauge("g", 1, 1, "a.b", "x", "a_b", "y").gauge("h", 1, 1, "a.b", "x")},
			want:    []string{`h{a_b="x"} 1`},
			dropped: map[string]int64{reasonLabel: 1},
		},
		"too many series": {
			edit:    func(c *Config) { c.MaxSeries = 2 },
			batches: []*build{newBuild().gauge("a", 1, 1).gauge("b", 1, 1).gauge("c", 1, 1), newBuild().gauge("a", 2, 2).gauge("c", 2, 2)},
			want:    []string{"a 2", "b 1"},
			dropped: map[string]int64{reasonMaxSeries: 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) {
				if tc.edit != nil {
					tc.edit(c)
				}
			})
			for _, b := range tc.batches {
				r.push(t, b.md)
			}
			body, contentType := r.scrape(t, acceptText)
			parse(t, body, contentType)
			require.Equal(t, tc.want, lines(body))
			if tc.dropped == nil {
				tc.dropped = map[string]int64{}
			}
			require.Equal(t, tc.dropped, r.dropped(t))
		})
	}
}

func TestHelpConflictKeepsTheFirst(t *testing.T) {
	r := newRig(t)
	b := newBuild().gauge("g", 1, 1, "a", "1").gauge("g", 2, 1, "a", "2")
	b.scope.Metrics().At(0).SetDescription("first")
	b.scope.Metrics().At(1).SetDescription("second")
	r.push(t, b.md)
	require.Equal(t, "# HELP g first\n# TYPE g gauge\ng{a=\"1\"} 1\ng{a=\"2\"} 2\n", r.text(t))
	require.Empty(t, r.dropped(t))
}

func TestTargetInfoStaysOnePerInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for _, pid := range []string{"1", "2"} {
			r.push(t, nowPoint(newBuild("service.name", "s", "pid", pid).gauge("g", 1, 1, "pid", pid)).md)
			time.Sleep(31 * time.Second)
		}
		require.Contains(t, r.text(t), "target_info{job=\"s\",pid=\"2\"} 1\n")
		require.NotContains(t, r.text(t), "target_info{job=\"s\",pid=\"1\"}")
		time.Sleep(5 * time.Minute)
		require.Empty(t, r.text(t))
		require.Empty(t, r.store.labels.shared)
	})
}

func TestTakeOverOfASilentSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		send := func(pid string, v float64) {
			r.push(t, nowPoint(newBuild("pid", pid).gauge("g", v, 1)).md)
		}
		send("1", 1)
		time.Sleep(40 * time.Second)
		send("1", 2)
		time.Sleep(60 * time.Second) // less than two of its intervals
		send("2", 3)
		require.Equal(t, []string{"g 2"}, lines(r.text(t)))
		require.Equal(t, map[string]int64{reasonDuplicate: 1}, r.dropped(t))
		time.Sleep(21 * time.Second)
		send("2", 4)
		require.Equal(t, []string{"g 4"}, lines(r.text(t)))
		send("1", 5)
		require.Equal(t, []string{"g 4"}, lines(r.text(t)))
	})
}

// TestExpiryWithoutScrapes is an hour of churn that nobody scrapes.
func TestExpiryWithoutScrapes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		require.NoError(t, r.observe())
		ctx, stop := context.WithCancel(t.Context())
		r.running.Go(func() { r.sweepUntil(ctx) })
		largest, tombs := 0, 0
		for i := range 720 {
			b := newBuild("service.name", "churn")
			for j := range 10 {
				b.gauge(fmt.Sprintf("g%d", i), 1, 1, "pod", fmt.Sprintf("%d-%d", i, j))
			}
			r.push(t, nowPoint(b).md)
			time.Sleep(5 * time.Second)
			r.store.mu.Lock()
			largest, tombs = max(largest, len(r.store.byID)), max(tombs, len(r.store.tombs))
			r.store.mu.Unlock()
		}
		require.LessOrEqual(t, largest, 10*66+10, "five minutes and a half of new series")
		require.LessOrEqual(t, tombs, 10*72, "five minutes of expired series")
		time.Sleep(11 * time.Minute)
		stop()
		r.running.Wait()
		s := r.store
		require.Empty(t, s.byID)
		require.Empty(t, s.families)
		require.Empty(t, s.sorted)
		require.Empty(t, s.samples)
		require.Empty(t, s.labels.shared)
		require.Empty(t, s.tombs)
		require.Equal(t, map[string]int64{r.settings.ID.String(): 7200}, r.sums(t, "obsd_prometheus_expired_series", "exporter"))
	})
}

func TestExpiredSeriesStayAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.MetricExpiration = time.Minute })
		point := nowPoint(newBuild().gauge("g", 1, 1)).md
		r.push(t, point)
		for range 10 { // a sender that repeats its last point for ever
			time.Sleep(30 * time.Second)
			r.store.sweepLocked()
			r.push(t, point)
		}
		require.Empty(t, r.text(t))
		require.Equal(t, map[string]int64{reasonExpired: 8}, r.dropped(t))
		r.push(t, nowPoint(newBuild().gauge("g", 2, 1)).md)
		require.Equal(t, []string{"g 2"}, lines(r.text(t)))
	})
}

func TestExpiryAtScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.MetricExpiration = time.Minute })
		r.push(t, nowPoint(newBuild().gauge("g", 1, 1)).md)
		time.Sleep(time.Minute)
		require.Equal(t, []string{"g 1"}, lines(r.text(t)))
		time.Sleep(time.Nanosecond)
		require.Empty(t, r.text(t))
	})
}

func TestNoExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.MetricExpiration = 0 })
		r.push(t, nowPoint(newBuild().gauge("g", 1, 1)).md)
		time.Sleep(1000 * time.Hour)
		require.Equal(t, []string{"g 1"}, lines(r.text(t)))
	})
}

func TestDropsAreLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.MaxSeries = 1 })
		core, logs := observer.New(zap.WarnLevel)
		r.drops.logger = zap.New(core)
		r.push(t, newBuild().gauge("first", 1, 1).md)
		for i := range 100 {
			r.push(t, newBuild().gauge(fmt.Sprint("g", i), 1, 1).md)
			time.Sleep(time.Second)
		}
		require.Equal(t, 2, logs.Len())
		fields := logs.All()[0].ContextMap()
		require.Equal(t, "max_series", fields["reason"])
		require.Equal(t, "g0", fields["metric"])
		require.Contains(t, fields["mend"], "raise it")
		require.Equal(t, map[string]int64{reasonMaxSeries: 100}, r.dropped(t))
	})
}

// TestNameCachesAreBounded sends more names than the caches hold.
func TestNameCachesAreBounded(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxSeries = 10 })
	for i := range 3 {
		b := newBuild()
		for j := range nameCacheSize / 2 {
			b.gauge(fmt.Sprintf("g%d_%d", i, j), 1, 1, fmt.Sprintf("k%d_%d", i, j), "v")
		}
		r.push(t, b.md)
	}
	require.LessOrEqual(t, len(r.names.metricCache), nameCacheSize)
	require.LessOrEqual(t, len(r.names.labelCache), nameCacheSize)
	require.Len(t, strings.Split(strings.TrimSpace(r.text(t)), "\n"), 20)
}
