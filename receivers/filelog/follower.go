package filelog

import (
	"cmp"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.uber.org/zap"
)

const (
	// idleAfter is how long a file must be unchanged before change notices take the place of looking at it each time.
	idleAfter = 10 * time.Second
	// sweepEvery is how often idle files and folders are looked at although no notice came.
	sweepEvery = 5 * time.Second
	// troubleWait is how long a file that could not be opened or read is left alone.
	troubleWait = 10 * time.Second
	// doneEvery is how often rotated files that were read to their end are looked at.
	doneEvery = 10 * time.Second
	// settleWait is how long after a rotation the folder is looked through once more.
	settleWait = time.Second
	// maxDone bounds the rotated files that one follower remembers.
	maxDone = 100
)

// generation is one file that stands, or once stood, at a follower's path.
type generation struct {
	key    fileKey
	path   string  // where it was seen last
	file   logFile // nil while closed
	offset int64   // all before it is delivered, or waits in asm
	size   int64
	mtime  int64
	sum    sum
	asm    assembly

	unloaded bool // the texts of asm's partials have to be read again
	done     bool // read to its end, closed, and remembered so that it is not read again
	grew     time.Time
	held     int64 // bytes of partial text, as counted in the receiver's sum
	retryAt  time.Time
	missed   int   // looks in a row that did not find the file
	deleted  int64 // bytes that only the open descriptor keeps on disk, as counted in the receiver's sum
}

// follower follows one path through all files that come to stand there. It belongs to the poller, or, while busy, to one worker.
type follower struct {
	r         *fileLog
	path      string // the file's own path, no links in it
	name      string // the path that a glob matched
	resource  pcommon.Map
	container bool

	gens    []*generation // oldest first
	current *generation   // the last of gens, the one that stands at path, or nil

	busy atomic.Bool
	lag  atomic.Int64

	seen      fileStat // of path, when it was looked at last
	missing   bool     // nothing stands at path
	changed   time.Time
	wakeAt    time.Time // when to take a turn without a change
	holdUntil time.Time // no turn before it
	readAfter time.Time // no reading before it, because the pipeline refused a batch
	sweepAt   time.Time
	doneAt    time.Time // when to look at the rotated files next
	settleAt  time.Time // when to look through the folder once more, zero for not at all
	notice    bool      // a change notice is armed
	noticed   bool      // and came

	backoff   time.Duration
	refusedAt time.Time // since when the batch at the position is refused
	saved     uint64    // number of the last position handed to the storage
	fresh     bool      // has not had its first turn
	claim     fileKey   // the file that it was made for, in its first turn
	troubled  bool      // a warning about the path is out
	dead      bool      // nothing is left to follow
	vanished  bool      // the folder is gone

	guardMu sync.Mutex
	guarded fileKey   // the file that the poller saw at the path last
	arrived []arrival // files that came to the path while a worker had the follower
}

// due says whether the follower should take a turn now. The poller calls it.
func (f *follower) due(now time.Time) bool {
	if now.Before(f.holdUntil) {
		return false
	}
	if !f.wakeAt.IsZero() && !now.Before(f.wakeAt) {
		return true
	}
	if f.notice && !f.noticed && now.Before(f.sweepAt) {
		return false
	}
	f.sweepAt = now.Add(sweepEvery)
	if f.noticed {
		f.notice, f.noticed = false, false // it comes once
	}
	if f.changedOnDisk() {
		f.changed = now
		return true
	}
	if !f.notice && now.Sub(f.changed) > idleAfter && f.r.watch.file(f) {
		f.notice = true
		return f.changedOnDisk() // what changed before the notice was armed
	}
	return false
}

func (f *follower) changedOnDisk() bool {
	st, err := f.r.sys.stat(f.path)
	if err != nil {
		return !f.missing
	}
	return f.missing || st.key != f.seen.key || st.size != f.seen.size || st.mtime != f.seen.mtime
}

// refresh finds out what stands at the path: the file known, another one after a rotation, or nothing.
func (f *follower) refresh(now time.Time) {
	st, err := f.r.sys.stat(f.path)
	if err == nil && !st.regular {
		err = &fs.PathError{Op: "open", Path: f.path, Err: errNotRegular}
	}
	f.missing = errors.Is(err, fs.ErrNotExist)
	if err != nil {
		if !f.missing {
			f.trouble(err, nil, now)
		}
		if f.missing || errors.Is(err, errNotRegular) {
			f.leave(now)
		}
		return
	}
	f.seen = st
	if f.current == nil || f.current.key != st.key {
		f.rotate(st, now)
		return
	}
	f.check(st, now)
}

// leave notes that the current file is not at the path any more.
func (f *follower) leave(now time.Time) {
	if f.current == nil {
		return
	}
	f.current.grew = now
	f.current = nil
	f.look(fileKey{}, now)
	f.settleAt = now.Add(settleWait)
}

// check compares the current file with what is known of it. One that was truncated, or written anew in the same inode, is read from its start.
func (f *follower) check(st fileStat, now time.Time) {
	g := f.current
	known, written := g.size, g.mtime
	g.size, g.mtime = st.size, st.mtime
	if st.size < g.offset || st.size < known {
		f.restart(known)
		return
	}
	if (st.size == g.offset && st.mtime == written) || !f.open(g, now) {
		return
	}
	same, err := g.sum.matches(g.file, g.offset)
	if err != nil {
		f.trouble(err, g, now)
	} else if !same {
		f.restart(known)
	}
}

// stillSame says whether what was just read at a position goes on from what was read before it. The file may have been truncated and
// written past the position since it was checked; then it is read from its start in the next turn.
func (f *follower) stillSame(g *generation, now time.Time) bool {
	if g != f.current {
		return true
	}
	same, err := g.sum.matches(g.file, g.offset)
	switch {
	case err != nil:
		f.trouble(err, g, now)
	case !same:
		f.restart(g.size)
		f.wake(now)
	}
	return same && err == nil
}

// restart begins the current file anew, after what was left unread has been looked for in a copy of the old content.
func (f *follower) restart(known int64) {
	g := f.current
	f.r.tel.restarted.Add(f.r.ctx, 1, f.r.tel.attrs)
	f.r.log.Debug("file_log: file was truncated: reading it from its start", zap.String("path", f.path), zap.Int64("offset", g.offset))
	old := *g
	g.offset, g.sum, g.unloaded = 0, sum{}, false
	g.asm = assembly{format: old.asm.format}
	if cp := f.findCopy(&old); cp != nil {
		g.held = 0
		cp.held = old.held
		f.insert(cp)
		f.r.own(cp.key, f, cp)
		return
	}
	if known > old.offset {
		f.r.loseBytes(known-old.offset, reasonTruncated, f.path, mendTruncated)
	}
	if !old.unloaded {
		g.asm.parts = carried(old.asm.parts)
	} else if old.asm.pending() {
		f.r.loseRecords(1, reasonTruncated, f.path, errPartialGone)
	}
	f.save()
}

var errPartialGone = errors.New("the beginning of a joined line was truncated away")

// carried returns parts as they are taken over into the next generation.
func carried(parts [streamCount]partial) [streamCount]partial {
	for i := range parts {
		parts[i].start, parts[i].skip = -1, min(parts[i].skip, 1)
	}
	return parts
}

// insert puts a generation among the others by its write time, and before the current one.
func (f *follower) insert(g *generation) {
	at := slices.IndexFunc(f.gens, func(other *generation) bool {
		return other == f.current || (!other.done && other.mtime > g.mtime)
	})
	if at < 0 {
		at = len(f.gens)
	}
	f.gens = slices.Insert(f.gens, at, g)
}

// rotate takes up the file that newly stands at the path, after all that were there before it.
func (f *follower) rotate(st fileStat, now time.Time) {
	if f.current != nil {
		f.current.grew = now
		f.current = nil
		f.settleAt = now.Add(settleWait)
	}
	if f.r.ownedByOther(st.key, f, f.path) {
		f.look(st.key, now)
		return
	}
	key := st.key
	file, st, ok := f.openPath(f.path, f.current, now)
	if !ok {
		f.look(key, now)
		return
	}
	back := f.returned(file, st)
	f.look(key, now)
	f.stand(file, st, back, now)
}

// returned gives the known generation that the open file is, if it is one.
func (f *follower) returned(file logFile, st fileStat) *generation {
	g := f.known(st.key)
	if g == nil || f.same(g, file, st) {
		return g
	}
	f.replaced(g)
	return nil
}

// stand makes the open file the current one. back is its generation, if it is a known one.
func (f *follower) stand(file logFile, st fileStat, back *generation, now time.Time) {
	if back != nil { // renamed back to the path
		f.gens = slices.DeleteFunc(f.gens, func(g *generation) bool { return g == back })
		if back.file == nil {
			f.r.adopt(back, file)
		} else {
			_ = file.Close()
		}
		back.done, back.path = false, f.path
		f.gens = append(f.gens, back)
		f.current = back
		back.size, back.mtime = st.size, st.mtime
		return
	}
	g := &generation{key: st.key, path: f.path, size: st.size, mtime: st.mtime, grew: now}
	g.asm.format = f.r.format
	f.r.adopt(g, file)
	f.gens = append(f.gens, g)
	f.current = g
	f.r.own(g.key, f, g)
	f.save()
}

// replaced drops a generation that is another file now, or was truncated while nobody looked. What was left unread may stand in a copy.
func (f *follower) replaced(g *generation) {
	cp := (*generation)(nil)
	if !g.done {
		cp = f.findCopy(g)
	}
	f.forget(g)
	if cp != nil {
		f.insert(cp)
		f.r.own(cp.key, f, cp)
		return
	}
	if g.done {
		return
	}
	if unread := g.size - g.offset; unread > 0 {
		f.r.loseBytes(unread, reasonGone, g.path, mendGone)
	}
}

func (f *follower) known(key fileKey) *generation {
	for _, g := range f.gens {
		if g.key == key {
			return g
		}
	}
	return nil
}

// same says whether the open file with the same inode as g is g, and not another that got the number again.
func (f *follower) same(g *generation, file logFile, st fileStat) bool {
	if g.file != nil {
		return true // an open file keeps its number
	}
	if st.size < g.offset {
		return false
	}
	same, err := g.sum.matches(file, g.offset)
	return err == nil && same
}

// forget drops a generation.
func (f *follower) forget(g *generation) {
	f.r.shut(g)
	f.r.disown(g.key, f)
	g.asm.parts = [streamCount]partial{}
	f.r.weigh(g)
	f.gens = slices.DeleteFunc(f.gens, func(other *generation) bool { return other == g })
	if f.current == g {
		f.current = nil
	}
}

// wake asks for a turn at t at the latest.
func (f *follower) wake(t time.Time) {
	if f.wakeAt.IsZero() || t.Before(f.wakeAt) {
		f.wakeAt = t
	}
}

// standing returns the file that stands at the path, or the zero key.
func (f *follower) standing() fileKey {
	if f.missing {
		return fileKey{}
	}
	return f.seen.key
}

// base and folder of the path, where its rotated files are looked for.
func (f *follower) base() string   { return filepath.Base(f.path) }
func (f *follower) folder() string { return filepath.Dir(f.path) }

// oldest returns the write time of the oldest generation that is remembered.
func (f *follower) oldest() int64 {
	return slices.MinFunc(f.gens, func(a, b *generation) int { return cmp.Compare(a.mtime, b.mtime) }).mtime
}
