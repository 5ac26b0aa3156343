package engine

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var testCircuit = Circuit{Failures: 3, Window: time.Minute, Backoff: 5 * time.Second, MaxBackoff: 15 * time.Second}

// states is a breaker that notes what it tells.
func states(c Circuit) (*breaker, *[]string) {
	told := &[]string{}
	return newBreaker(c, func(why error) {
		if why == nil {
			*told = append(*told, "closed")
		} else {
			*told = append(*told, why.Error())
		}
	}), told
}

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, told := states(testCircuit)
		why := errors.New("why")
		expect := func(want State, wait time.Duration) {
			t.Helper()
			state, left := b.status()
			require.Equal(t, want, state)
			require.Equal(t, wait, left)
		}
		allow := func(want, wantTrial bool) {
			t.Helper()
			ok, trial := b.allow()
			require.Equal(t, want, ok)
			require.Equal(t, wantTrial, trial)
		}
		b.failed(false, why)
		time.Sleep(31 * time.Second)
		b.failed(false, why)
		time.Sleep(31 * time.Second)
		b.failed(false, why) // the first is out of the window
		expect(Closed, 0)
		allow(true, false)
		b.failed(false, why)
		expect(Open, 5*time.Second)
		require.True(t, b.open())
		allow(false, false)
		b.failed(false, why) // of a batch that began before: counts for nothing
		expect(Open, 5*time.Second)

		for _, next := range []time.Duration{10, 15, 15} { // doubled, then capped
			_, wait := b.status()
			time.Sleep(wait)
			allow(true, true)
			expect(HalfOpen, 0)
			allow(false, false) // one tries at a time
			b.failed(true, why)
			expect(Open, next*time.Second)
		}
		time.Sleep(15 * time.Second)
		allow(true, true)
		b.gaveUp()
		expect(Open, 0)
		allow(true, true)
		b.succeeded()
		expect(Closed, 0)
		require.Equal(t, []string{"why", "closed"}, *told)
		b.failed(false, why)
		b.failed(false, why)
		expect(Closed, 0) // what was before is forgotten
		b.failed(false, why)
		expect(Open, 5*time.Second) // and the back-off begins anew
	})
}

func TestBreakerOpensAtOnce(t *testing.T) {
	c := testCircuit
	c.Failures = 1
	b, told := states(c)
	b.failed(false, errors.New("one"))
	require.True(t, b.open())
	b.reset()
	require.Equal(t, []string{"one", "closed"}, *told)
}

// Of many batches that meet an open circuit after its back-off, one tries.
func TestBreakerHammer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testCircuit
		c.Failures = 1
		b, _ := states(c)
		b.failed(false, errors.New("x"))
		time.Sleep(c.Backoff)
		var wg sync.WaitGroup
		var mu sync.Mutex
		trials := 0
		for range 100 {
			wg.Go(func() {
				if ok, trial := b.allow(); ok {
					mu.Lock()
					defer mu.Unlock()
					require.True(t, trial)
					trials++
				}
			})
		}
		wg.Wait()
		require.Equal(t, 1, trials)
	})
}
