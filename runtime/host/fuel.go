package host

import (
	"math"
	"time"
)

// loadFuel bounds start, manifest and configure, each: in units, so that a plugin loads or does not, whatever the machine.
// The start of a Go plugin takes 4 to 7 million. It is also what a new instance's alloc gets.
const loadFuel = 40_000_000

// maxCall is how long the garbage collector may wait for one call.
const maxCall = 10 * time.Millisecond

// Fuel is how much fuel stands for a time, at the rate of code that parses text (see [Plugin.MaxCallFuel] for others). It is
// measured when it is first asked for, once for the process, which takes some 20 ms.
func (p *Plugin) Fuel(d time.Duration) int64 {
	units := float64(d) / calibration().typical
	if units >= math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(units)
}

// Time is the reverse of [Plugin.Fuel].
func (p *Plugin) Time(fuel int64) time.Duration {
	return time.Duration(float64(fuel) * calibration().typical)
}

// MaxCallFuel is the most fuel that one call should get: what the slowest code for its fuel uses up in 10 ms. A guest
// that runs cannot be preempted, and a garbage collection waits for it more than once.
//
// # The spread
//
// A unit is about a third of a processor's cycle by the weights of runtime/wasmbin, and code differs. Measured on a busy server, in
// nanoseconds a unit: parsing 0.3, dividing and an empty loop 0.4, reading memory where what was read last says 1.25. So
// MaxCallFuel is worth a quarter of 10 ms of parsing.
func (p *Plugin) MaxCallFuel() int64 { return int64(float64(maxCall) / calibration().worst) }
