package host

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The rates are told apart: what is worst takes longer for its fuel than what is typical.
func TestCalibrate(t *testing.T) {
	r, err := calibrate(t.Context())
	require.NoError(t, err)
	t.Logf("%+v nanoseconds a unit", r)
	require.Positive(t, r.typical)
	require.Greater(t, r.worst, r.typical)
}

func TestFuel(t *testing.T) {
	p := &Plugin{}
	fuel := p.Fuel(time.Millisecond)
	require.Positive(t, fuel)
	require.InDelta(t, time.Millisecond, p.Time(fuel), 10)
	require.Positive(t, p.MaxCallFuel())
	require.Less(t, p.Time(p.MaxCallFuel()), maxCall)
	require.Positive(t, p.Fuel(1<<63-1), "does not overflow")
	require.Zero(t, p.Fuel(0))
}

// BenchmarkCalibrate is what the first use of fuel costs a process.
func BenchmarkCalibrate(b *testing.B) {
	for b.Loop() {
		if _, err := calibrate(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
