package filelog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// TestRotationByRenaming and others stop the clock while they rename and write: a file that was renamed is given up after a while,
// and one that was copied is read as one of its own, which must not come between the two.
func TestRotationByRenaming(t *testing.T) {
	for _, glob := range []string{"app.log", "app.log*", "*"} {
		inBubble(t, glob, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "app.log")
			write(t, path, "0\n")
			r := start(t, settings{}, filepath.Join(dir, glob))
			r.sink.wait(t, "0")
			want := []string{"0"}
			for i := 1; i < 6; i++ {
				add(t, path, fmt.Sprintf("%d before\n", i))
				for k := i; k > 0; k-- {
					from := fmt.Sprintf("%s.%d", path, k-1)
					if k == 1 {
						from = path
					}
					rename(t, from, fmt.Sprintf("%s.%d", path, k))
				}
				add(t, path+".1", fmt.Sprintf("%d late\n", i))
				write(t, path, fmt.Sprintf("%d after\n", i))
				want = append(want, fmt.Sprintf("%d before", i), fmt.Sprintf("%d late", i), fmt.Sprintf("%d after", i))
				r.sink.wait(t, want...)
			}
			require.Eventually(t, func() bool { return r.opened.Load() == 1 }, deadline, time.Millisecond, "rotated files are closed")
			assert.EqualValues(t, 0, r.counter(t, "obsd_file_log_lost_bytes", ""))
		})
	}
}

// inBubble runs a part of a test by a clock that goes on only while everybody waits.
func inBubble(t *testing.T, name string, do func(*testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, do) })
}

// TestGenerationsBetweenTwoLooks rotates three times while nobody looks, as a busy log does between two polls.
func TestGenerationsBetweenTwoLooks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	write(t, path, "0\n")
	before, err := statPath(path)
	require.NoError(t, err)
	var blind atomic.Bool
	r := start(t, settings{sys: func(s *system) {
		stat := s.stat
		s.stat = func(p string) (fileStat, error) {
			if p == path && blind.Load() {
				return before, nil
			}
			return stat(p)
		}
	}}, path)
	r.sink.wait(t, "0")
	blind.Store(true)
	for i := 1; i < 4; i++ {
		rename(t, path, fmt.Sprintf("%s.%d", path, i)) // the names are in no order: only the times are
		write(t, path, fmt.Sprintf("%d\n", i))
		at := time.Now().Add(time.Duration(i) * time.Second)
		require.NoError(t, os.Chtimes(path, at, at))
	}
	write(t, path+".bak", "not a generation\n")
	blind.Store(false)
	r.sink.wait(t, "0", "1", "2", "3")
}

func TestPartialLineOverRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(podLog(t), "0.log")
		write(t, path, criLine(1, "stdout", "F", "one")+criLine(2, "stdout", "P", "beg"))
		r := start(t, settings{}, path)
		r.sink.wait(t, "one")
		rename(t, path, path+".20261123-100000")
		write(t, path, criLine(3, "stdout", "P", "in and ")+criLine(4, "stderr", "F", "other")+criLine(5, "stdout", "F", "end")+criLine(6, "stdout", "F", "two"))
		r.sink.wait(t, "one", "other", "begin and end", "two")
	})
}

func TestUnfinishedLineAtRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "app.log")
		write(t, path, "one\ntw")
		r := start(t, settings{cfg: func(c *Config) { c.ForceFlushPeriod = 0 }}, path)
		r.sink.wait(t, "one")
		rename(t, path, path+".1")
		write(t, path, "three\n")
		r.sink.wait(t, "one", "three", "tw")
	})
}

func TestTruncation(t *testing.T) {
	for _, test := range []struct {
		name, before, after string
	}{
		{"shorter", strings.Repeat("old\n", 100), "new\n"},
		{"longer than before", "old line\n", strings.Repeat("new line\n", 100)},
		{"as long as before", "old\n", "new\n"},
		{"same beginning", "# head\nold\n", "# head\nnew\nnew\nnew\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "app.log")
			write(t, path, test.before)
			r := start(t, settings{}, path)
			before := strings.Split(strings.TrimSpace(test.before), "\n")
			r.sink.wait(t, before...)
			write(t, path, test.after)
			later := time.Now().Add(time.Second)
			require.NoError(t, os.Chtimes(path, later, later), "a kernel may give two writes of one moment the same time")
			r.sink.wait(t, append(before, strings.Split(strings.TrimSpace(test.after), "\n")...)...)
			assert.EqualValues(t, 1, r.counter(t, "obsd_file_log_truncated_files", ""))
		})
	}
}

// TestTruncationBetweenTwoReads writes a file anew, and further than it was read, just after it was checked.
func TestTruncationBetweenTwoReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	write(t, path, "# head\nold\n")
	s := &sink{decide: func(call int, _ []string) error {
		if call == 1 {
			assert.NoError(t, os.WriteFile(path, []byte("# head\nnew\nnew\nnew\n"), 0o600))
		}
		return nil
	}}
	r := start(t, settings{sink: s}, path)
	r.sink.wait(t, "# head", "old", "# head", "new", "new", "new")
	assert.EqualValues(t, 1, r.counter(t, "obsd_file_log_truncated_files", ""))
	assert.EqualValues(t, 0, r.counter(t, "obsd_file_log_lost_bytes", ""))
}

// TestCopyTruncate copies and truncates while lines wait unread: they are read from the copy.
func TestCopyTruncate(t *testing.T) {
	for _, glob := range []string{"app.log", "app.log*"} {
		inBubble(t, glob, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "app.log")
			write(t, path, "the first line of the log\n")
			var closed atomic.Bool
			s := &sink{decide: func(int, []string) error {
				if closed.Load() {
					return errors.New("busy")
				}
				return nil
			}}
			r := start(t, settings{sink: s}, filepath.Join(dir, glob))
			r.sink.wait(t, "the first line of the log")
			closed.Store(true)
			add(t, path, "unread\n")
			require.Eventually(t, func() bool { return r.lagBytes() > 0 }, deadline, time.Millisecond)
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			write(t, path+".1", string(text))
			require.NoError(t, os.Truncate(path, 0))
			add(t, path, "new\n")
			closed.Store(false)
			r.sink.wait(t, "the first line of the log", "unread", "new")
			assert.EqualValues(t, 0, r.counter(t, "obsd_file_log_lost_bytes", ""))
		})
	}
}

func TestTruncatedBeforeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	write(t, path, "the first line of the log\n")
	var closed atomic.Bool
	s := &sink{decide: func(int, []string) error {
		if closed.Load() {
			return errors.New("busy")
		}
		return nil
	}}
	r := start(t, settings{sink: s}, path)
	r.sink.wait(t, "the first line of the log")
	closed.Store(true)
	add(t, path, "unread\n")
	require.Eventually(t, func() bool { return r.lagBytes() == 7 }, deadline, time.Millisecond)
	write(t, path, "new\n")
	closed.Store(false)
	r.sink.wait(t, "the first line of the log", "new")
	assert.EqualValues(t, 7, r.counter(t, "obsd_file_log_lost_bytes", reasonTruncated))
}

func TestDeletedFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.log")
	write(t, path, "one\n")
	var closed atomic.Bool
	s := &sink{decide: func(int, []string) error {
		if closed.Load() {
			return errors.New("busy")
		}
		return nil
	}}
	r := start(t, settings{sink: s}, filepath.Join(dir, "*.log"))
	r.sink.wait(t, "one")
	closed.Store(true)
	add(t, path, "last words\n")
	require.Eventually(t, func() bool { return r.lagBytes() > 0 }, deadline, time.Millisecond)
	require.NoError(t, os.Remove(path))
	closed.Store(false)
	r.sink.wait(t, "one", "last words")
	require.Eventually(t, func() bool { return r.followed() == 0 && r.opened.Load() == 0 }, deadline, time.Millisecond)
	write(t, path, "new file\n")
	r.sink.wait(t, "one", "last words", "new file")
}

func TestDeletedFilesAreBounded(t *testing.T) {
	dir := t.TempDir()
	var closed atomic.Bool
	closed.Store(true)
	s := &sink{decide: func(int, []string) error {
		if closed.Load() {
			return errors.New("busy")
		}
		return nil
	}}
	r := start(t, settings{sink: s, cfg: func(c *Config) { c.MaxDeletedSize = 100 }}, filepath.Join(dir, "*.log"))
	for i := range 3 {
		path := filepath.Join(dir, fmt.Sprintf("%d.log", i))
		write(t, path, strings.Repeat("x", 59)+"\n")
		require.Eventually(t, func() bool { return r.opened.Load() == int64(min(i, 1)+1) }, deadline, time.Millisecond)
		require.NoError(t, os.Remove(path))
		require.Eventually(t, func() bool { return r.deleted.Load() == 60 && r.opened.Load() == 1 }, deadline, time.Millisecond)
	}
	assert.EqualValues(t, 120, r.counter(t, "obsd_file_log_lost_bytes", reasonDeleted))
	closed.Store(false)
	require.Eventually(t, func() bool { return len(r.sink.bodies()) == 1 }, deadline, time.Millisecond)
}

// TestTwoDeletedFilesAtOnce has a worker look at a deleted file for which there is room while another one gives up the one for which
// there is none: the first one stays.
func TestTwoDeletedFilesAtOnce(t *testing.T) {
	dir := t.TempDir()
	r := build(t, settings{cfg: func(c *Config) { c.MaxDeletedSize = 100 }}, filepath.Join(dir, "*.log"))
	r.ctx = t.Context()
	var both [2]*follower
	for i := range both {
		path := filepath.Join(dir, fmt.Sprintf("%d.log", i))
		write(t, path, strings.Repeat("x", 59)+"\n")
		f := r.newFollower(match{name: path, path: path})
		file, st, ok := f.openPath(path, nil, time.Now())
		require.True(t, ok)
		g := &generation{key: st.key, path: path, size: st.size}
		r.adopt(g, file)
		f.gens = append(f.gens, g)
		require.NoError(t, os.Remove(path))
		both[i] = f
	}
	first, second := both[0].gens[0], both[1].gens[0]
	both[0].bound(first)
	told := 0
	r.log = r.log.WithOptions(zap.Hooks(func(zapcore.Entry) error { // of the loss of the second one
		told++
		both[0].bound(first)
		return nil
	}))
	both[1].bound(second)
	require.Equal(t, 1, told)
	require.Equal(t, []*generation{first}, both[0].gens)
	require.Empty(t, both[1].gens)
	require.EqualValues(t, 60, r.deleted.Load())
	require.EqualValues(t, 60, r.counter(t, "obsd_file_log_lost_bytes", reasonDeleted))
	r.shut(first)
}

func TestFilesWithTheSamePrefix(t *testing.T) {
	dir := t.TempDir()
	head := strings.Repeat("the same beginning\n", 200)
	write(t, filepath.Join(dir, "messages"), head+"a\n")
	write(t, filepath.Join(dir, "syslog"), head+"b\n")
	r := start(t, settings{}, filepath.Join(dir, "*"))
	require.Eventually(t, func() bool { return len(r.sink.bodies()) == 402 }, deadline, time.Millisecond)
	assert.Contains(t, r.sink.bodies(), "a")
	assert.Contains(t, r.sink.bodies(), "b")
}

// TestPackedAfterRotation does what the kubelet does: pack the last rotated file, then rotate.
func TestPackedAfterRotation(t *testing.T) {
	dir := podLog(t)
	path := filepath.Join(dir, "0.log")
	r := start(t, settings{}, filepath.Join(dir, "*"))
	var want []string
	write(t, path, "")
	for i := range 6 {
		add(t, path, criLine(i, "stdout", "F", fmt.Sprint(i)))
		want = append(want, fmt.Sprint(i))
		r.sink.wait(t, want...)
		if i > 0 {
			old := fmt.Sprintf("%s.2026112%d-100000", path, i-1)
			write(t, old+".tmp", "packed")
			rename(t, old+".tmp", old+".gz")
			require.NoError(t, os.Remove(old))
		}
		rename(t, path, fmt.Sprintf("%s.2026112%d-100000", path, i))
		write(t, path, "")
	}
	assert.EqualValues(t, 0, r.counter(t, "obsd_file_log_lost_bytes", ""))
	assert.Equal(t, 1, r.logs.FilterMessageSnippet("packed and temporary files").Len())
}
