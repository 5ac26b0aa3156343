package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/obsd-io/obsd/internal/e2e/backend"
)

// Figures of the crash test that the bound on doubled records follows from; see testdata/crash.yaml.
const (
	crashConsumers = 2
	// crashRequest is more than the records of 8 KiB of queue: none takes less than 80 bytes there.
	crashRequest = 8192 / 80
	// crashRead is more than the lines of one read of 4 KiB: none takes less than 75 bytes.
	crashRead         = 4096 / 75
	crashLinesASecond = 1000
)

// numberedWriter writes numbered lines into a container's log without a pause, as an application does that knows
// nothing of log collectors, and rotates the log as a kubelet does.
type numberedWriter struct {
	path string
	stop chan struct{}
	done chan struct{}

	mu        sync.Mutex
	file      *os.File
	written   int
	rotations int
	err       error
}

func startNumberedWriter(t *testing.T, path string) *numberedWriter {
	t.Helper()
	w := &numberedWriter{path: path, stop: make(chan struct{}), done: make(chan struct{})}
	var err error
	w.file, err = os.Create(path)
	require.NoError(t, err)
	go w.run()
	t.Cleanup(w.end)
	return w
}

// end stops the writer; it may be called twice.
func (w *numberedWriter) end() {
	select {
	case <-w.stop:
	default:
		close(w.stop)
	}
	<-w.done
}

func (w *numberedWriter) run() {
	defer close(w.done)
	tick := time.NewTicker(time.Second / crashLinesASecond * 10)
	defer tick.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-tick.C:
			w.write(10)
		}
	}
}

func (w *numberedWriter) write(lines int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for range lines {
		_, err := w.file.WriteString(numberedLine(w.written))
		if err != nil {
			w.err = err
			return
		}
		w.written++
	}
}

// numberedLine is a line of containerd's format.
func numberedLine(n int) string {
	return fmt.Sprintf("%s stdout F seq=%07d of a test that crashes things\n", time.Now().UTC().Format("2006-01-02T15:04:05.000000000Z07:00"), n)
}

// rotate renames the log and goes on in a new one. The application never notices, so no line is lost here.
func (w *numberedWriter) rotate() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rotations++
	old := w.path + time.Now().Add(time.Duration(w.rotations)*time.Second).UTC().Format(".20060102-150405")
	if err := os.Rename(w.path, old); err != nil {
		return err
	}
	f, err := os.Create(w.path)
	if err != nil {
		return err
	}
	err = w.file.Close()
	w.file = f
	return err
}

// lines is how many lines are written, and whether writing failed.
func (w *numberedWriter) lines() (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written, w.err
}

// waitLines waits until so many more lines are written.
func (w *numberedWriter) waitLines(t *testing.T, more int) {
	t.Helper()
	before, err := w.lines()
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		now, err := w.lines()
		return err != nil || now >= before+more
	}, patience, 10*time.Millisecond)
}

// testCrash kills obsd again and again while lines are written and the log is rotated, and takes Elasticsearch away in
// between. Every line must arrive; only what was on its way at a kill may arrive twice.
func testCrash(t *testing.T, s *suite) {
	es := backend.StartElasticsearch(t, backend.ElasticsearchOptions{}) // its own node, for it is killed too
	dir := t.TempDir()
	w := startNumberedWriter(t, podLog(t, dir))
	obsd := s.start(t, "crash.yaml", dir, env{"ELASTICSEARCH": es.URL})

	// Rotated while obsd runs, then killed and restarted at once.
	w.waitLines(t, 1500)
	require.NoError(t, w.rotate())
	w.waitLines(t, 1000)
	require.NoError(t, obsd.Kill())
	require.NoError(t, obsd.Restart(t.Context()))

	// Rotated while obsd is dead, with lines before and behind the cut that it has not seen.
	w.waitLines(t, 1500)
	require.NoError(t, obsd.Kill())
	w.waitLines(t, 300)
	require.NoError(t, w.rotate())
	w.waitLines(t, 300)
	require.NoError(t, obsd.Restart(t.Context()))

	// Elasticsearch dies; obsd dies with a full queue, and starts before Elasticsearch is back.
	w.waitLines(t, 1000)
	require.NoError(t, es.Kill())
	w.waitLines(t, 1500)
	require.NoError(t, w.rotate())
	w.waitLines(t, 500)
	require.NoError(t, obsd.Kill())
	require.NoError(t, obsd.Restart(t.Context()))
	w.waitLines(t, 1000)
	require.NoError(t, es.Restart(t.Context()))
	w.waitLines(t, 1000)
	w.end()

	const kills, outages = 3, 1
	// At a kill: what the consumers had sent but not struck off the queue, and the read whose position was not stored.
	const doubled = kills*(crashConsumers*crashRequest+crashRead) + outages*crashConsumers*crashRequest
	written, err := w.lines()
	require.NoError(t, err)
	requireEachOnce(t, es, "logs-crash-default", written, doubled)
	require.NoError(t, obsd.Stop(patience))
}

var sequence = regexp.MustCompile(`seq=(\d{7})`)

// requireEachOnce waits until the numbers 0 to n-1 are all in the index, at most doubled of them more than once. It waits as
// long as more of them come: a backlog takes the time that the machine takes.
func requireEachOnce(t *testing.T, es *backend.Elasticsearch, index string, n, doubled int) {
	t.Helper()
	seen, missing := make([]int, n), n
	var err error
	for since := time.Now(); missing > 0 && time.Since(since) < patience; {
		err = countNumbers(t.Context(), es, index, seen)
		left := 0
		for _, times := range seen {
			left += max(1-times, 0)
		}
		if left < missing {
			missing, since = left, time.Now()
		}
		if missing > 0 {
			time.Sleep(time.Second) // poll
		}
	}
	require.NoError(t, err)
	require.Empty(t, gaps(seen), "numbers that are missing in %s, of %d, and none came for %s", index, n, patience)
	extra := 0
	for _, times := range seen {
		extra += times - 1
	}
	t.Logf("%d lines written, %d doubled (at most %d allowed)", n, extra, doubled)
	require.LessOrEqual(t, extra, doubled, "doubled records")
}

// countNumbers counts how often each number is in the index.
func countNumbers(ctx context.Context, es *backend.Elasticsearch, index string, seen []int) error {
	clear(seen)
	return es.Each(ctx, index, "", func(source json.RawMessage) error {
		match := sequence.FindSubmatch(source)
		if match == nil {
			return fmt.Errorf("a document without a number: %s", source)
		}
		i, err := strconv.Atoi(string(match[1]))
		if err != nil || i >= len(seen) {
			return fmt.Errorf("a number that was never written: %s", source)
		}
		seen[i]++
		return nil
	})
}

// gaps lists the ranges of numbers not seen, in short.
func gaps(seen []int) []string {
	var out []string
	for i := 0; i < len(seen); i++ {
		if seen[i] > 0 {
			continue
		}
		from := i
		for i < len(seen) && seen[i] == 0 {
			i++
		}
		out = append(out, fmt.Sprintf("%d-%d", from, i-1))
	}
	return out
}
