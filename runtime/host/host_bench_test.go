package host_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/wasmtest"
)

// BenchmarkCall is the boundary alone: acquire an instance, get its block, call a guest that does nothing, release.
func BenchmarkCall(b *testing.B) {
	p := load(b, settings(wasmtest.Plugin{}))
	b.ReportAllocs()
	for b.Loop() {
		if err := call(b.Context(), p); err != nil {
			b.Fatal(err)
		}
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
