package model

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/heapster"
	"github.com/obsd-io/obsd/internal/kubetest"
)

func newTestStore(change func(*Config)) *store {
	c := createDefaultConfig().(*Config)
	if change != nil {
		change(c)
	}
	return newStore(c)
}

// times writes the times of a series as seconds after begin.
func times(w *window) (out []int) {
	w.each(0, func(p point) { out = append(out, int(time.Duration(p.at-begin.UnixNano())/time.Second)) })
	return out
}

func TestRing(t *testing.T) {
	f := func(resolution, span time.Duration, after []int, want ...int) {
		t.Helper()
		var w window
		w.add(entry{}, capacity(span, resolution))
		for _, s := range after {
			w.put(0, point{begin.Add(time.Duration(s) * time.Second).UnixNano(), float64(s)}, resolution, span)
		}
		require.Equal(t, want, times(&w))
	}
	every := func(step, until int) (list []int) {
		for s := 0; s <= until; s += step {
			list = append(list, s)
		}
		return list
	}
	const resolution, span = 30 * time.Second, 2 * time.Minute
	f(resolution, span, every(30, 90), 0, 30, 60, 90)
	f(resolution, span, every(30, 240), 60, 90, 120, 150, 180, 210, 240)
	f(resolution, span, every(10, 130), 20, 50, 80, 110, 130)
	f(resolution, span, every(1, 100), 22, 45, 68, 91, 100)
	f(resolution, span, []int{0, 29, 61, 90}, 0, 29, 61, 90) // a receiver with jitter
	f(resolution, span, []int{0, 30, 30, 60, 45, 90}, 0, 30, 60, 90)
	f(resolution, span, []int{1000, 1030, 0, 30}, 0, 30) // the clock was set back
}

// TestWindows checks how long values are kept.
func TestWindows(t *testing.T) {
	s := newTestStore(nil)
	for i := range 100 {
		at := begin.Add(time.Duration(i) * 30 * time.Second)
		s.consume(kubetest.NewBatch(at).Node("n1").Gauge("k8s.node.cpu.usage", 1).Int("k8s.node.memory.rss", 1).Metrics, at)
	}
	all := query{name: "cpu/usage_rate", end: 1 << 62}
	r, outcome := s.values("node:n1", all)
	require.Equal(t, found, outcome)
	require.GreaterOrEqual(t, r.Latest.Sub(r.Metrics[0].Timestamp), 15*time.Minute)
	require.LessOrEqual(t, len(r.Metrics), 42)
	all.name = "memory/rss"
	r, _ = s.values("node:n1", all)
	require.GreaterOrEqual(t, r.Latest.Sub(r.Metrics[0].Timestamp), 140*time.Second)
	require.LessOrEqual(t, len(r.Metrics), 8)
}

// TestGone checks that a pod is listed no more once its node reports without it, that its values stay for the window,
// and that all of it is forgotten then.
func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestStore(nil)
		report := func(pods ...string) []string {
			b := kubetest.NewBatch(time.Now()).Node("n1").Gauge("k8s.node.cpu.usage", 1)
			for _, pod := range pods {
				b.Container("n1", "shop", pod, "web").Gauge("container.cpu.usage", 1)
			}
			s.consume(b.Metrics, time.Now())
			return s.list(time.Now(), func(o *object) string { return o.pod })
		}
		require.Equal(t, []string{"a", "b"}, report("a", "b"))
		time.Sleep(30 * time.Second)
		require.Equal(t, []string{"b"}, report("b"))
		_, outcome := s.values("namespace:shop/pod:a/container:web", query{name: "cpu/usage_rate"})
		require.Equal(t, found, outcome)
		time.Sleep(16 * time.Minute)
		require.Equal(t, []string{"b"}, report("b"))
		require.Len(t, s.objects, 2)
		require.Equal(t, 2, s.series)

		// What a part of a report brings does not end what is in the other part.
		s.consume(kubetest.NewBatch(time.Now()).Container("n1", "shop", "c", "web").Gauge("container.cpu.usage", 1).Metrics, time.Now())
		require.Equal(t, []string{"b", "c"}, s.list(time.Now(), func(o *object) string { return o.pod }))

		// A node that falls silent is listed for the short window.
		time.Sleep(141 * time.Second)
		require.Empty(t, s.list(time.Now(), func(o *object) string { return o.node.Value() }))
	})
}

func TestLimit(t *testing.T) {
	s := newTestStore(func(c *Config) { c.MaxSeries = 3 })
	b := kubetest.NewBatch(begin)
	for i := range 5 {
		b.Node(fmt.Sprint("n", i)).Gauge("k8s.node.cpu.usage", 1).Int("k8s.node.memory.rss", 1)
	}
	require.Equal(t, 7, s.consume(b.Metrics, begin))
	require.Equal(t, 7, s.consume(b.Metrics, begin.Add(time.Second)))
	require.Equal(t, 3, s.series)
	require.Equal(t, int64(14), s.stats().dropped)
}

// TestLabels checks that labels follow their pod, and that the resource of a volume takes none away.
func TestLabels(t *testing.T) {
	s := newTestStore(nil)
	labels := func(labels ...string) map[string]string {
		b := kubetest.NewBatch(begin).Pod("n1", "shop", "a", labels...).Int("k8s.pod.memory.usage", 1)
		b.Pod("n1", "shop", "a", "k8s.volume.name", "v").Int("k8s.volume.capacity", 1)
		s.consume(b.Metrics, begin)
		return s.objects[heapster.PodKey("shop", "a")].labels.all()
	}
	require.Equal(t, map[string]string{"a": "1"}, labels("k8s.pod.label.a", "1"))
	require.Equal(t, map[string]string{"a": "2", "b": "1"}, labels("k8s.pod.label.a", "2", "k8s.pod.label.b", "1"))
	require.Equal(t, map[string]string{"b": "1"}, labels("k8s.pod.label.b", "1"))
	require.Equal(t, map[string]string{"b": "1"}, labels())
}

// TestSeriesEnd checks that a series which its object no longer has is forgotten.
func TestSeriesEnd(t *testing.T) {
	s := newTestStore(nil)
	put := func(at time.Time, volume string) {
		s.consume(kubetest.NewBatch(at).Pod("n1", "shop", "a", "k8s.volume.name", volume).Int("k8s.volume.capacity", 1).Metrics, at)
	}
	put(begin, "old")
	for i := range 10 {
		put(begin.Add(16*time.Minute+time.Duration(i)*30*time.Second), "new")
	}
	o := s.objects[heapster.PodKey("shop", "a")]
	require.Len(t, o.short.cells, 1)
	require.Equal(t, "Volume:new", o.resources[o.short.cells[0].label])
	require.Equal(t, 1, s.series)
}

// TestMissingValues checks that metrics of an object which come in some reports only have values of those only.
func TestMissingValues(t *testing.T) {
	s := newTestStore(nil)
	for i := range 4 {
		at := begin.Add(time.Duration(i) * 30 * time.Second)
		b := kubetest.NewBatch(at).Node("n1").Gauge("k8s.node.cpu.time", 1)
		if i%2 == 1 {
			b.Int("k8s.node.memory.rss", int64(i))
		}
		s.consume(b.Metrics, at)
	}
	r, outcome := s.values("node:n1", query{name: "memory/rss", end: 1 << 62})
	require.Equal(t, found, outcome)
	require.Len(t, r.Metrics, 2)
	require.Equal(t, []uint64{1, 3}, []uint64{r.Metrics[0].Value, r.Metrics[1].Value})
	require.True(t, r.Latest.Equal(begin.Add(90*time.Second)))
}
