package filelog

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

// perLine reports the cost of one line beside that of one operation.
func perLine(b *testing.B, lines int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(lines), "ns/line")
}

func BenchmarkSplitLines(b *testing.B) {
	data := accessLines(1400)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for rest := data; len(rest) > 0; n++ {
			end := bytes.IndexByte(rest, '\n')
			rest = rest[end+1:]
		}
		if n != 1400 {
			b.Fatal(n)
		}
	}
	perLine(b, 1400)
}

func BenchmarkParseCRI(b *testing.B) {
	lines := bytes.Split(bytes.TrimSpace(accessLines(1400)), []byte{'\n'})
	var c clock
	var e entry
	b.ReportAllocs()
	for b.Loop() {
		for _, line := range lines {
			if !parseCRI(line, &c, &e) {
				b.Fatal(string(line))
			}
		}
	}
	perLine(b, len(lines))
}

func BenchmarkParseDocker(b *testing.B) {
	lines := bytes.Split(bytes.TrimSpace(dockerLines(1400)), []byte{'\n'})
	var c clock
	var e entry
	var scratch []byte
	b.ReportAllocs()
	for b.Loop() {
		for _, line := range lines {
			e = entry{}
			if !parseDocker(line, &c, &e, &scratch) {
				b.Fatal(string(line))
			}
		}
	}
	perLine(b, len(lines))
}

func BenchmarkParseTime(b *testing.B) {
	stamp := []byte("2026-11-23T10:00:00.123456789Z")
	var c clock
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.parse(stamp); !ok {
			b.Fatal("not a time")
		}
	}
}

func BenchmarkBatch(b *testing.B) {
	for name, data := range map[string][]byte{"cri": accessLines(1400), "docker": dockerLines(1400)} {
		b.Run(name, func(b *testing.B) {
			w := batch{maxLogSize: 1 << 20}
			resource := pcommon.NewMap()
			resource.PutStr("log.file.name", "0.log")
			now := time.Now()
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				var a assembly
				w.begin(resource, data, now)
				w.addChunk(&a, data, 0)
				if w.records.Len() != 1400 {
					b.Fatal(w.records.Len())
				}
			}
			perLine(b, 1400)
		})
	}
}

// BenchmarkReceiver reads a file of 100,000 lines into a consumer that does nothing, the start of the receiver included.
func BenchmarkReceiver(b *testing.B) {
	const lines = 100_000
	dir := filepath.Join(b.TempDir(), "demo_web-1_11111111-2222-3333-4444-555555555555", "nginx")
	require.NoError(b, os.MkdirAll(dir, 0o755))
	data := accessLines(lines)
	require.NoError(b, os.WriteFile(filepath.Join(dir, "0.log"), data, 0o600))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		done := make(chan struct{})
		var n atomic.Int64
		next, err := consumer.NewLogs(func(_ context.Context, logs plog.Logs) error {
			if n.Add(int64(logs.LogRecordCount())) == lines {
				close(done)
			}
			return nil
		})
		require.NoError(b, err)
		cfg := createDefaultConfig().(*Config)
		cfg.Include = []string{filepath.Join(dir, "*.log")}
		cfg.StartAt = startAtBeginning
		f := NewFactory()
		r, err := f.CreateLogs(b.Context(), receivertest.NewNopSettings(f.Type()), cfg, next)
		require.NoError(b, err)
		require.NoError(b, r.Start(b.Context(), componenttest.NewNopHost()))
		<-done
		require.NoError(b, r.Shutdown(b.Context()))
	}
	perLine(b, lines)
	b.ReportMetric(float64(b.N)*lines/(cpuTime(b)-before).Seconds(), "lines/cpu-s")
}

// cpuTime returns the processor time that the process has used.
func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkIdle follows 1,000 quiet container logs and reports the share of one processor that this takes. One operation is one second.
func BenchmarkIdle(b *testing.B) {
	root := b.TempDir()
	for i := range 1000 {
		dir := filepath.Join(root, fmt.Sprintf("shop_web-%d_11111111-2222-3333-4444-555555555555", i), "nginx")
		require.NoError(b, os.MkdirAll(dir, 0o755))
		require.NoError(b, os.WriteFile(filepath.Join(dir, "0.log"), accessLines(10), 0o600))
	}
	cfg := createDefaultConfig().(*Config)
	cfg.Include = []string{filepath.Join(root, "*", "*", "*.log")}
	f := NewFactory()
	r, err := f.CreateLogs(b.Context(), receivertest.NewNopSettings(f.Type()), cfg, consumertest.NewNop())
	require.NoError(b, err)
	require.NoError(b, r.Start(b.Context(), componenttest.NewNopHost()))
	time.Sleep(idleAfter + 2*time.Second) // until all are quiet
	before, begun := cpuTime(b), time.Now()
	for b.Loop() {
		time.Sleep(time.Second)
	}
	b.ReportMetric(100*float64(cpuTime(b)-before)/float64(time.Since(begun)), "%cpu")
	require.NoError(b, r.Shutdown(b.Context()))
}
