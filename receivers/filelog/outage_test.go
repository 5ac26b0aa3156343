package filelog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rotateAway writes a line, then does what the kubelet does to a log that is two rotations old: it is gone.
func rotateAway(t *testing.T, path string, n int) {
	t.Helper()
	add(t, path, criLine(n, "stdout", "F", fmt.Sprint(n)))
	if n > 1 {
		require.NoError(t, os.Remove(fmt.Sprintf("%s.%d", path, n-1)))
	}
	rename(t, path, fmt.Sprintf("%s.%d", path, n))
	write(t, path, "")
}

// TestOutage has a pipeline that takes nothing for a while, during which the log is rotated and deleted again and again.
func TestOutage(t *testing.T) {
	for _, test := range []struct {
		name string
		wait time.Duration
	}{{"short waits", time.Millisecond}, {"long waits", 700 * time.Millisecond}} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(podLog(t), "0.log")
			write(t, path, "")
			var down atomic.Bool
			s := &sink{decide: func(int, []string) error {
				if down.Load() {
					return errors.New("down")
				}
				return nil
			}}
			r := start(t, settings{sink: s, cfg: func(c *Config) {
				c.RetryOnFailure.InitialInterval, c.RetryOnFailure.MaxInterval = test.wait, test.wait
			}}, path)
			require.Eventually(t, func() bool { return r.opened.Load() == 1 }, deadline, time.Millisecond)
			down.Store(true)
			var want []string
			for n := 1; n < 8; n++ {
				rotateAway(t, path, n)
				want = append(want, fmt.Sprint(n))
				require.Eventually(t, func() bool { return r.opened.Load() == int64(n+1) }, deadline, time.Millisecond, "generation %d is open", n)
			}
			down.Store(false)
			r.sink.wait(t, want...)
			assert.EqualValues(t, 0, r.counter(t, "obsd_file_log_lost_bytes", ""))
			require.Eventually(t, func() bool { return r.opened.Load() <= 2 && r.deleted.Load() == 0 }, deadline, time.Millisecond)
		})
	}
}

// TestBlockedPipeline is the same with a pipeline that does not answer, so that the only worker is not to be had.
func TestBlockedPipeline(t *testing.T) {
	path := filepath.Join(podLog(t), "0.log")
	write(t, path, "")
	release, entered := make(chan struct{}), make(chan struct{}, 100)
	s := &sink{decide: func(int, []string) error {
		entered <- struct{}{}
		<-release
		return nil
	}}
	r := start(t, settings{sink: s, cfg: func(c *Config) { c.Readers = 1 }}, path)
	require.Eventually(t, func() bool { return r.opened.Load() == 1 }, deadline, time.Millisecond)
	add(t, path, criLine(0, "stdout", "F", "0"))
	<-entered
	want := []string{"0"}
	f := (*r.list.Load())[0]
	for n := 1; n < 8; n++ {
		rotateAway(t, path, n)
		want = append(want, fmt.Sprint(n))
		require.Eventually(t, func() bool { f.guardMu.Lock(); defer f.guardMu.Unlock(); return len(f.arrived) == n }, deadline, time.Millisecond)
	}
	close(release)
	r.sink.wait(t, want...)
	assert.EqualValues(t, 0, r.counter(t, "obsd_file_log_lost_bytes", ""))
	require.Eventually(t, func() bool { return r.opened.Load() <= 2 }, deadline, time.Millisecond)
}

// TestShutdownWithArrivals leaves no descriptor open.
func TestShutdownWithArrivals(t *testing.T) {
	path := filepath.Join(podLog(t), "0.log")
	write(t, path, criLine(0, "stdout", "F", "0"))
	entered := make(chan struct{}, 1)
	s := &sink{}
	r := build(t, settings{sink: s, cfg: func(c *Config) { c.Readers = 1 }}, path)
	var closed, open, looks atomic.Int64
	stat, open1 := r.sys.stat, r.sys.open
	r.sys.stat = func(p string) (fileStat, error) {
		looks.Add(1)
		return stat(p)
	}
	r.sys.open = func(p string) (logFile, error) {
		f, err := open1(p)
		if err == nil {
			open.Add(1)
			f = countedFile{f, &closed}
		}
		return f, err
	}
	r.next = blocking{entered}
	require.NoError(t, r.Start(t.Context(), openFileStorage(t, t.TempDir())))
	<-entered
	before := looks.Load()
	require.Eventually(t, func() bool { return looks.Load() > before+2 }, deadline, time.Millisecond)
	require.EqualValues(t, 1, open.Load(), "what is read is not opened again")
	rotateAway(t, path, 1)
	f := (*r.list.Load())[0]
	require.Eventually(t, func() bool { f.guardMu.Lock(); defer f.guardMu.Unlock(); return len(f.arrived) == 1 }, deadline, time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, r.Shutdown(ctx))
	assert.Equal(t, open.Load(), closed.Load())
}

// TestFolderThatComesBack keeps the positions of a folder that was away, as with a disk that is mounted late.
func TestFolderThatComesBack(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "disk")
	require.NoError(t, os.Mkdir(dir, 0o755))
	path := filepath.Join(dir, "app.log")
	write(t, path, "one\n")
	m := newMemory()
	away := filepath.Join(root, "away")
	first := start(t, settings{cfg: useStorage, host: m.host()}, filepath.Join(dir, "*.log"))
	first.sink.wait(t, "one")
	rename(t, dir, away)
	require.Eventually(t, func() bool { return first.followed() == 0 }, deadline, time.Millisecond)
	add(t, filepath.Join(away, "app.log"), "two\n")
	rename(t, away, dir)
	first.sink.wait(t, "one", "two")
	require.NoError(t, first.Shutdown(t.Context()))
	rename(t, dir, away)
	second := start(t, settings{cfg: useStorage, host: m.host()}, filepath.Join(dir, "*.log"))
	require.Eventually(t, func() bool { return second.logs.FilterMessageSnippet("no file matches").Len() == 1 }, deadline, time.Millisecond)
	require.NoError(t, second.Shutdown(t.Context()))
	third := start(t, settings{cfg: useStorage, host: m.host()}, filepath.Join(dir, "*.log"))
	add(t, filepath.Join(away, "app.log"), "three\n")
	rename(t, away, dir)
	third.sink.wait(t, "three")
}

func TestKeptPositionsExpire(t *testing.T) {
	r := build(t, settings{}, "/nowhere/*.log")
	r.ctx = t.Context()
	r.keep("/nowhere/a.log", record{Gone: time.Now().Add(-keepMissing - time.Hour).Unix(), Generations: []generationRecord{{Offset: 5, Size: 12}}})
	r.keep("/nowhere/b.log", record{})
	require.True(t, r.expire(time.Now()))
	assert.Len(t, r.kept, 1)
	assert.EqualValues(t, 7, r.counter(t, "obsd_file_log_lost_bytes", reasonGone))
	assert.False(t, r.expire(time.Now()))
}
