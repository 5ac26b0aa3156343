// Package cputime tells tests and benchmarks how much CPU time they take, which others on the machine lengthen less than the
// clock's.
package cputime

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Thread is what the calling thread has taken. A goroutine that compares two of them is locked to its thread
// ([runtime.LockOSThread]).
func Thread(tb testing.TB) time.Duration {
	tb.Helper()
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(t.Nano())
}
