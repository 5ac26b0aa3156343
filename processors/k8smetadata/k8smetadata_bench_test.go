package k8smetadata

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"
)

// BenchmarkLogs is a batch of 100 resources as file_log makes them, of 100 of 5,000 pods; the copy that each round takes is
// measured beside it.
func BenchmarkLogs(b *testing.B) {
	table := newTable()
	for i := range 5000 {
		table.Put(pod(fmt.Sprint("p", i), ""))
	}
	table.Listed(true)
	in := plog.NewLogs()
	for i := range 100 {
		also(in, "k8s.namespace.name", "shop", "k8s.pod.name", fmt.Sprint("p", i*50), "k8s.pod.uid", fmt.Sprint("u-p", i*50),
			"k8s.container.name", "main", "k8s.container.restart_count", "3", "log.iostream", "stdout", "log.file.name", "0.log")
	}
	e, err := newEnricher(processortest.NewNopSettings(NewFactory().Type()), createDefaultConfig().(*Config))
	require.NoError(b, err)
	require.NoError(b, e.start(b.Context(), hostOf(table)))
	e.onlyContainer = true
	run := func(do func(plog.Logs)) func(*testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				out := plog.NewLogs()
				in.CopyTo(out)
				do(out)
			}
		}
	}
	b.Run("copy", run(func(plog.Logs) {}))
	b.Run("copy and enrich", run(func(ld plog.Logs) {
		list := ld.ResourceLogs()
		e.process(b.Context(), list.Len(), func(i int) pcommon.Map { return list.At(i).Resource().Attributes() })
	}))
	b.Run("find", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			m := in.ResourceLogs().At(7).Resource().Attributes()
			for pb.Next() {
				id := identify(m, peerOf(b.Context()))
				if p, _ := e.find(&id); p == nil {
					b.Fatal("not found")
				}
			}
		})
	})
}
