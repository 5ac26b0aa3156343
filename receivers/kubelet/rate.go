package kubelet

import "time"

const (
	// minWindow is the shortest time over which a rate is worth something, as the kubelet's times are whole seconds.
	minWindow = 2 * time.Second
	// maxStale is how long the last rate is repeated when the kubelet has no newer sample.
	maxStale = 2 * time.Minute
)

// rateKey is something that uses CPU: a node, a system container, a pod or a container of a pod.
type rateKey struct{ uid, name string }

// rateSample is the last sample, with the rate that it ended.
type rateSample struct {
	start, time int64
	usage       uint64
	rate        float64
	known       bool
	at          time.Time // when the scrape had it first
	cycle       uint64
}

// rates turns cumulative CPU time into CPUs in use, as the kubelet's own rate is over a window that is not that of the
// scrapes. It holds the figures of one node and is used by one scrape at a time.
type rates struct {
	last  map[rateKey]rateSample
	now   time.Time // of the scrape
	cycle uint64
}

func newRates() *rates { return &rates{last: map[rateKey]rateSample{}} }

// usage takes a sample and returns CPUs. There is no value for a first sample, nor after a restart, a reset of the
// counter or of the kubelet's clock. While the kubelet has no newer sample the last rate is repeated.
func (r *rates) usage(key rateKey, start int64, c *cpuStats) (cpus float64, ok bool) {
	if !c.usage.ok || c.time == 0 {
		return 0, false
	}
	now := rateSample{start: start, time: c.time, usage: c.usage.v, at: r.now, cycle: r.cycle}
	last, seen := r.last[key]
	switch {
	case !seen || last.start != start || now.usage < last.usage || now.time < last.time:
		r.last[key] = now
		return 0, false
	case time.Duration(now.time-last.time) < minWindow:
		last.cycle = r.cycle
		r.last[key] = last
		return last.rate, last.known && r.now.Sub(last.at) <= maxStale
	}
	now.rate, now.known = rate(now.usage-last.usage, time.Duration(now.time-last.time), c.rate), true
	r.last[key] = now
	return now.rate, true
}

// rate divides CPU time by time. The kubelet cuts times to seconds, so window is right within a second only; where the
// kubelet's own rate, made from exact times, is one that the counter allows, that is the better quotient.
func rate(used uint64, window time.Duration, own num) float64 {
	d, w := float64(used)/1e9, window.Seconds()
	if own.ok {
		if cpus := float64(own.v) / 1e9; cpus >= d/(w+1) && cpus <= d/(w-1) {
			return cpus
		}
	}
	return d / w
}

// end forgets what has not been seen for three scrapes.
func (r *rates) end() {
	for key, s := range r.last {
		if s.cycle+3 <= r.cycle {
			delete(r.last, key)
		}
	}
	r.cycle++
}
