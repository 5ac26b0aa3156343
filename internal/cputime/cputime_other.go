//go:build !linux

package cputime

import (
	"testing"
	"time"
)

// Thread skips a test where the time of a thread cannot be had.
func Thread(tb testing.TB) time.Duration {
	tb.Helper()
	tb.Skip("the CPU time of a thread is known on Linux only")
	return 0
}
