package host_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/wasmtest"
)

// BenchmarkCall is the boundary alone: acquire an instance, get its block, call a guest that does nothing, release.
func BenchmarkCall(b *testing.B) {
	for name, deadline := range map[string]bool{"deadline": true, "no deadline": false} {
		b.Run(name, func(b *testing.B) {
			s := settings(wasmtest.Plugin{})
			if !deadline {
				s.Limits.TimePerBatch = 0
			}
			p := load(b, s)
			b.ReportAllocs()
			for b.Loop() {
				if err := call(b.Context(), p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLoad loads a small module whose compiled code is in the cache.
func BenchmarkLoad(b *testing.B) {
	s := settings(wasmtest.Plugin{})
	s.CacheDir = b.TempDir()
	module := s.Module
	b.ReportAllocs()
	for b.Loop() {
		s.Module = module
		inst := load(b, s)
		require.NotNil(b, inst)
	}
}
