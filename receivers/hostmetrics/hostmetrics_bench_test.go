package hostmetrics

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

func BenchmarkScrape(b *testing.B) {
	for _, s := range started(b, createDefaultConfig().(*Config), zap.NewNop()) {
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := s.scrape(b.Context())
				require.NoError(b, err)
			}
		})
	}
}
