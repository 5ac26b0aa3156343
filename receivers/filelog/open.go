package filelog

import (
	"errors"
	"io/fs"
	"time"

	"go.uber.org/zap"
)

// open opens a generation's file, if it is not open yet, and says whether it could.
func (f *follower) open(g *generation, now time.Time) bool {
	if g.file != nil {
		return true
	}
	file, st, ok := f.openPath(g.path, g, now)
	if !ok {
		return false
	}
	if st.key != g.key {
		_ = file.Close() // the path changed hands just now: the next look tells
		f.goneFrom(now)
		return false
	}
	f.r.adopt(g, file)
	return true
}

// openPath opens what stands at path and warns, once, if it cannot be opened.
func (f *follower) openPath(path string, g *generation, now time.Time) (logFile, fileStat, bool) {
	file, err := f.r.sys.open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			f.goneFrom(now)
		} else {
			f.trouble(err, g, now)
		}
		return nil, fileStat{}, false
	}
	st, err := file.stat()
	if err != nil {
		_ = file.Close()
		f.trouble(err, g, now)
		return nil, fileStat{}, false
	}
	if f.troubled {
		f.troubled = false
		f.r.log.Info("file_log: file can be read again", zap.String("path", path))
	}
	return file, st, true
}

// goneFrom asks for a look through the folder, because a file is not where it was.
func (f *follower) goneFrom(now time.Time) {
	f.wake(now.Add(f.r.cfg.PollInterval))
	if f.settleAt.IsZero() {
		f.settleAt = now.Add(f.r.cfg.PollInterval)
	}
}

// trouble warns once about a file that cannot be read, and leaves it alone for a while. g is the generation it is, if that is known.
func (f *follower) trouble(err error, g *generation, now time.Time) {
	again := now.Add(troubleWait)
	f.wake(again)
	if g != nil && g != f.current {
		g.retryAt = again // the other generations go on
	} else {
		f.holdUntil = again
	}
	if f.troubled {
		return
	}
	f.troubled = true
	f.r.log.Warn("file_log: cannot read file: going on without it and trying again from time to time",
		zap.String("path", f.path), zap.String("mend", mendFor(err)), zap.Error(err))
}
