package filelog

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

// sequenceWriter appends numbered lines to a container log, some of them cut in two, and rotates it as the kubelet does:
// by renaming, while up to keep rotated files stay.
type sequenceWriter struct {
	path string
	last atomic.Int64
	stop chan struct{}
	done chan error
}

// keepGenerations is how many: with a rotation every 100 ms, 40 s for a reader that a busy machine holds up.
const keepGenerations = 400

func startWriting(path string, rotateEvery time.Duration) *sequenceWriter {
	w := &sequenceWriter{path: path, stop: make(chan struct{}), done: make(chan error, 1)}
	go func() { w.done <- w.run(rotateEvery) }()
	return w
}

func (w *sequenceWriter) run(rotateEvery time.Duration) error {
	rotate := time.NewTicker(rotateEvery)
	defer rotate.Stop()
	pace := time.NewTicker(2 * time.Millisecond)
	defer pace.Stop()
	out, err := os.OpenFile(w.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	var old []string
	var rest string // the second half of a line, which may come after a rotation
	for n := int64(0); err == nil; {
		select {
		case <-w.stop:
			if _, err = out.WriteString(rest); err != nil {
				return err
			}
			return out.Close()
		case <-rotate.C:
			name := fmt.Sprintf("%s.%s", w.path, time.Now().Format("20060102-150405.000000000"))
			if err = os.Rename(w.path, name); err != nil {
				return err
			}
			if old = append(old, name); len(old) > keepGenerations {
				_ = os.Remove(old[0])
				old = old[1:]
			}
			_ = out.Close()
			out, err = os.OpenFile(w.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		case <-pace.C:
			var b strings.Builder
			for range 20 {
				b.WriteString(rest)
				n++
				rest = ""
				if text := fmt.Sprintf("sequence %d end", n); n%7 == 0 {
					b.WriteString(criLine(int(n), "stdout", "P", text[:10]))
					rest = criLine(int(n), "stdout", "F", text[10:])
				} else {
					b.WriteString(criLine(int(n), "stdout", "F", text))
				}
			}
			_, err = out.WriteString(b.String())
			w.last.Store(n)
		}
	}
	return err
}

// rotatedFast is for such a log. A disk may take its time between the two steps of a rotation, as it may anywhere.
func rotatedFast(cfg *Config) {
	useStorage(cfg)
	cfg.RotateWait = createDefaultConfig().(*Config).RotateWait
}

func (w *sequenceWriter) end(t *testing.T) int64 {
	t.Helper()
	close(w.stop)
	require.NoError(t, <-w.done)
	return w.last.Load()
}

// tally checks batches of numbered lines: none may be missing, and only redo batches may repeat any.
func tally(t *testing.T, batches [][]string, last int64, redo int) {
	t.Helper()
	seen := make(map[int64]bool)
	doubled, repeats := 0, 0
	for _, batch := range batches {
		again := false
		for _, line := range batch {
			number, whole := strings.CutPrefix(line, "sequence ")
			number, ended := strings.CutSuffix(number, " end")
			n, err := strconv.ParseInt(number, 10, 64)
			if !assert.True(t, whole && ended && err == nil, "line %q is torn", line) {
				continue
			}
			if seen[n] {
				doubled++
				again = true
			}
			seen[n] = true
		}
		if again {
			repeats++
		}
	}
	var missing []int64
	for n := int64(1); n <= last; n++ {
		if !seen[n] {
			missing = append(missing, n)
		}
	}
	assert.Empty(t, missing[:min(len(missing), 20)], "%d of %d lines are lost", len(missing), last)
	assert.LessOrEqual(t, repeats, redo, "%d lines came twice", doubled)
	t.Logf("%d lines, %d batches, %d lost, %d doubled in %d batches", last, len(batches), len(missing), doubled, repeats)
}

// TestNoLossOverRestarts restarts the receiver again and again while the log is written and rotated.
func TestNoLossOverRestarts(t *testing.T) {
	path := filepath.Join(podLog(t), "0.log")
	m := newMemory()
	s := &sink{}
	var batches [][]string
	s.decide = func(_ int, bodies []string) error {
		batches = append(batches, bodies)
		return nil
	}
	var w *sequenceWriter
	run := func(until func() bool) {
		r := build(t, settings{cfg: rotatedFast, host: m.host(), sink: s}, filepath.Join(filepath.Dir(path), "*.log"))
		require.NoError(t, r.Start(t.Context(), m.host()))
		if w == nil {
			require.Eventually(t, func() bool { return settled(r.fileLog) }, deadline, time.Millisecond)
			w = startWriting(path, 100*time.Millisecond)
		}
		require.Eventually(t, until, deadline, 5*time.Millisecond)
		require.NoError(t, r.Shutdown(t.Context()))
	}
	write(t, path, "") // what is rotated away before the very first start is nobody's to read
	for i := range 6 {
		until := int64(i)*5500 + 3000
		run(func() bool { return w.last.Load() > until })
		at := w.last.Load()
		require.Eventually(t, func() bool { return w.last.Load() > at+2500 }, deadline, 5*time.Millisecond) // rotated twice while down
	}
	last := w.end(t)
	end := fmt.Sprintf("sequence %d end", last)
	run(func() bool { b := s.bodies(); return len(b) > 0 && b[len(b)-1] == end })
	tally(t, batches, last, 0)
}

// TestNoLossOverKills does the same with a process of its own, the real file storage, and SIGKILL.
func TestNoLossOverKills(t *testing.T) {
	if dir := os.Getenv("FILELOG_TEST_CHILD"); dir != "" {
		child(t, dir)
		return
	}
	dir := t.TempDir()
	logs := filepath.Join(dir, "logs", "shop_web-1_11111111-2222-3333-4444-555555555555", "nginx")
	require.NoError(t, os.MkdirAll(logs, 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "storage"), 0o755))
	write(t, filepath.Join(logs, "0.log"), "")
	var w *sequenceWriter
	kills := 0
	run := func(until func() bool, sig os.Signal) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNoLossOverKills$")
		cmd.Env = append(os.Environ(), "FILELOG_TEST_CHILD="+dir)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		require.NoError(t, cmd.Start())
		if w == nil {
			require.Eventually(t, func() bool { return exists(filepath.Join(dir, "ready")) }, deadline, time.Millisecond)
			w = startWriting(filepath.Join(logs, "0.log"), 100*time.Millisecond)
		}
		assert.Eventually(t, until, deadline, 5*time.Millisecond)
		require.NoError(t, cmd.Process.Signal(sig))
		_ = cmd.Wait()
	}
	out := filepath.Join(dir, "out")
	size := func() int64 {
		st, err := os.Stat(out)
		if err != nil {
			return 0
		}
		return st.Size()
	}
	for i := range 6 {
		until, had := int64(i+1)*3000, size()
		run(func() bool { return w.last.Load() > until && size() > had }, syscall.SIGKILL)
		kills++
	}
	last := w.end(t)
	end := fmt.Sprintf("sequence %d end\n#\n", last)
	run(func() bool { text, err := os.ReadFile(out); return err == nil && strings.HasSuffix(string(text), end) }, syscall.SIGTERM)
	tally(t, readBatches(t, out), last, kills)
}

// child runs a receiver that appends each batch to a file, until it is ended.
func child(t *testing.T, dir string) {
	out := openBatches(t, filepath.Join(dir, "out"))
	next, err := consumer.NewLogs(func(_ context.Context, logs plog.Logs) error {
		var b strings.Builder
		for _, record := range logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
			b.WriteString(record.Body().Str() + "\n")
		}
		_, err := out.WriteString(b.String() + "#\n")
		return err
	})
	require.NoError(t, err)
	host := openFileStorage(t, filepath.Join(dir, "storage"))
	cfg := quickConfig(filepath.Join(dir, "logs", "*", "*", "*.log"))
	rotatedFast(cfg)
	f := NewFactory()
	set := receivertest.NewNopSettings(f.Type())
	set.ID = component.MustNewID("file_log")
	set.TelemetrySettings = componenttest.NewNopTelemetrySettings()
	r, err := f.CreateLogs(t.Context(), set, cfg, next)
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context(), host))
	if ready := filepath.Join(dir, "ready"); !exists(ready) { // the first one: what is rotated away before it has begun is nobody's to read
		require.Eventually(t, func() bool { return settled(r.(*fileLog)) }, deadline, time.Millisecond)
		write(t, ready, "")
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	<-term
	require.NoError(t, r.Shutdown(t.Context()))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// openBatches opens the file that batches are appended to. One that is not whole was never accepted: its receiver was killed while
// it was written.
func openBatches(t *testing.T, path string) *os.File {
	t.Helper()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	require.NoError(t, err)
	text, err := io.ReadAll(out)
	require.NoError(t, err)
	const end = "#\n"
	whole := 0
	if at := bytes.LastIndex(text, []byte(end)); at >= 0 {
		whole = at + len(end)
	}
	require.NoError(t, out.Truncate(int64(whole)))
	return out
}

func readBatches(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	var batches [][]string
	var batch []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if lines.Text() == "#" {
			batches, batch = append(batches, batch), nil
		} else {
			batch = append(batch, lines.Text())
		}
	}
	return batches
}
