package filelog

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"
)

// TestUnreadableFile: one warning with the path and the mend, the others go on, and the file is read once it can be.
func TestUnreadableFile(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		mend string
	}{
		{"permission", fs.ErrPermission, "let the user obsd runs as read it, for example through the group adm, or exclude it"},
		{"too many open files", syscall.EMFILE, "raise the limit of open files (ulimit -n), or lower max_concurrent_files"},
		{"disk", syscall.EIO, "check the file and the disk it is on"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			bad := filepath.Join(dir, "bad.log")
			write(t, bad, "bad\n")
			write(t, filepath.Join(dir, "good.log"), "good\n")
			var tries atomic.Int64
			r := start(t, settings{sys: func(s *system) {
				open := s.open
				s.open = func(path string) (logFile, error) {
					if path == bad && tries.Add(1) < 3 {
						return nil, &fs.PathError{Op: "open", Path: path, Err: test.err}
					}
					return open(path)
				}
			}}, filepath.Join(dir, "*.log"))
			r.sink.wait(t, "good")
			require.Eventually(t, func() bool { return r.logs.FilterLevelExact(zapcore.WarnLevel).Len() > 0 }, deadline, time.Millisecond)
			warnings := r.logs.FilterLevelExact(zapcore.WarnLevel)
			require.Equal(t, 1, warnings.Len())
			assert.Equal(t, map[string]any{"path": bad, "mend": test.mend, "error": "open " + bad + ": " + test.err.Error()}, warnings.All()[0].ContextMap())
		})
	}
}

func TestUnreadableFileIsTriedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	write(t, path, "one\n")
	r := build(t, settings{}, path)
	open := r.sys.open
	r.sys.open = func(string) (logFile, error) { return nil, fs.ErrPermission }
	f := r.newFollower(match{name: path, path: path})
	w := &worker{r: r.fileLog, buf: make([]byte, minBatchSize)}
	w.batch.maxLogSize = 1 << 20
	r.ctx = t.Context()
	require.False(t, w.turn(f))
	require.True(t, f.troubled)
	require.False(t, f.due(time.Now()), "it is left alone for a while")
	require.True(t, f.due(time.Now().Add(troubleWait)), "and tried again then")
	require.False(t, w.turn(f))
	r.sys.open = open
	require.False(t, w.turn(f))
	assert.Equal(t, []string{"one"}, r.sink.bodies())
	assert.Equal(t, 1, r.logs.FilterLevelExact(zapcore.WarnLevel).Len())
	assert.Equal(t, 1, r.logs.FilterMessageSnippet("can be read again").Len())
	r.shut(f.current)
}

func TestThingsThatAreNoFiles(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder.log"), 0o755))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe.log"), 0o600))
	write(t, filepath.Join(dir, "good.log"), "good\n")
	r := start(t, settings{}, filepath.Join(dir, "*.log"), filepath.Join(dir, "good.log", "*"))
	r.sink.wait(t, "good")
	require.Eventually(t, func() bool { return r.logs.FilterLevelExact(zapcore.WarnLevel).Len() == 1 }, deadline, time.Millisecond)
	fields := r.logs.FilterLevelExact(zapcore.WarnLevel).All()[0].ContextMap()
	assert.Equal(t, filepath.Join(dir, "pipe.log"), fields["path"])
	assert.Equal(t, "exclude it, or make the glob match files only", fields["mend"])
}

func TestUnreadableFolder(t *testing.T) {
	dir := t.TempDir()
	closed := filepath.Join(dir, "closed")
	for _, name := range []string{"closed", "open"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
		write(t, filepath.Join(dir, name, "app.log"), name+"\n")
	}
	r := start(t, settings{sys: func(s *system) {
		readDir := s.readDir
		s.readDir = func(path string) ([]fs.DirEntry, error) {
			if path == closed {
				return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}
			}
			return readDir(path)
		}
	}}, filepath.Join(dir, "*", "*.log"))
	r.sink.wait(t, "open")
	for i := range 3 {
		write(t, filepath.Join(dir, "open", string(rune('a'+i))+".log"), "more\n")
	}
	r.sink.wait(t, "open", "more", "more", "more")
	warnings := r.logs.FilterLevelExact(zapcore.WarnLevel)
	require.Equal(t, 1, warnings.Len())
	assert.Equal(t, closed, warnings.All()[0].ContextMap()["path"])
	named := start(t, settings{sys: func(s *system) { s.readDir = func(string) ([]fs.DirEntry, error) { return nil, fs.ErrPermission } }}, filepath.Join(closed, "app.log"))
	named.sink.wait(t, "closed")
}

// brokenFile fails in the middle.
type brokenFile struct {
	logFile
	fail *atomic.Bool
}

func (f brokenFile) ReadAt(b []byte, offset int64) (int, error) {
	if f.fail.Load() && offset > 0 {
		return 0, syscall.EIO
	}
	return f.logFile.ReadAt(b, offset)
}

func TestReadError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	write(t, path, "one\n")
	var fail atomic.Bool
	r := build(t, settings{}, path)
	open := r.sys.open
	r.sys.open = func(p string) (logFile, error) {
		f, err := open(p)
		return brokenFile{f, &fail}, err
	}
	r.ctx = t.Context()
	f := r.newFollower(match{name: path, path: path})
	w := &worker{r: r.fileLog, buf: make([]byte, minBatchSize)}
	w.batch.maxLogSize = 1 << 20
	w.turn(f)
	fail.Store(true)
	add(t, path, "two\n")
	w.turn(f)
	w.turn(f)
	assert.Equal(t, []string{"one"}, r.sink.bodies())
	assert.Equal(t, 1, r.logs.FilterLevelExact(zapcore.WarnLevel).Len())
	fail.Store(false)
	w.turn(f)
	assert.Equal(t, []string{"one", "two"}, r.sink.bodies())
	r.shut(f.current)
}

func TestNothingMatches(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "none", "*.log"), filepath.Join(dir, "*.log")
	r := start(t, settings{}, a, b)
	require.Eventually(t, func() bool { return r.logs.FilterMessageSnippet("no file matches").Len() == 2 }, deadline, time.Millisecond)
	write(t, filepath.Join(dir, "x.log"), "one\n")
	r.sink.wait(t, "one")
	globs := []any{}
	for _, entry := range r.logs.FilterMessageSnippet("no file matches").All() {
		globs = append(globs, entry.ContextMap()["glob"])
	}
	assert.Equal(t, []any{a, b}, globs)
}

func TestSumKnowsContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	write(t, path, "0123456789")
	f, err := openFile(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	s, err := sumBefore(f, 8)
	require.NoError(t, err)
	for _, test := range []struct {
		name   string
		sum    sum
		offset int64
		want   bool
	}{
		{"same", s, 8, true},
		{"other place", s, 9, false},
		{"beyond the end", s, 100, false},
		{"nothing known", sum{}, 8, true},
		{"other hash", sum{Hash: s.Hash + 1, Len: s.Len}, 8, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			same, err := test.sum.matches(f, test.offset)
			require.NoError(t, err)
			assert.Equal(t, test.want, same)
		})
	}
	_, err = s.matches(failing{}, 8)
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

type failing struct{ io.ReaderAt }

func (failing) ReadAt([]byte, int64) (int, error) { return 0, errors.ErrUnsupported }
