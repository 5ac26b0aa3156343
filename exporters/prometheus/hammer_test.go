package prometheus

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/prometheus/model/value"
	"github.com/stretchr/testify/require"
)

// TestHammer lets senders, scrapers and the sweeper loose on one store. Run it
// with -race.
func TestHammer(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxSeries = 200 })
	var senders, readers sync.WaitGroup
	var done atomic.Bool
	for worker := range 4 {
		senders.Go(func() {
			for i := range 300 {
				b := newBuild("service.name", fmt.Sprint("s", worker), "pid", fmt.Sprint(i/100))
				b.gauge("shared", float64(i), i)
				b.gauge("mine", float64(i), i, "k", fmt.Sprint(i%50))
				b.sum("count", delta, true, 1, i, i+1)
				b.histogram(delta, []float64{1}, []uint64{1, 1}, 2, i, i+1)
				if i%7 == 0 {
					b.gauge("mine", math.Float64frombits(value.StaleNaN), i+1, "k", fmt.Sprint(i%50))
				}
				r.push(t, b.md)
			}
		})
	}
	for _, accept := range []string{acceptText, acceptOpenMetrics, acceptProto} {
		readers.Go(func() {
			for !done.Load() {
				body, contentType := r.scrape(t, accept)
				parse(t, body, contentType)
				r.store.sweepLocked()
			}
		})
	}
	senders.Wait()
	done.Store(true)
	readers.Wait()
	for worker := range 4 {
		require.Contains(t, r.text(t), fmt.Sprintf("count_total{job=\"s%d\"} ", worker))
	}
	require.LessOrEqual(t, len(r.store.byID), 200)
}
