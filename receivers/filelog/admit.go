package filelog

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"

	"github.com/obsd-io/obsd/internal/resume"
)

const (
	// claimWait is how long a file with a rotated name must be quiet, so that it cannot be a copy in the making,
	// before it gets a follower of its own. Till then the follower of the name it grew out of may take it up.
	claimWait = 3 * time.Second
	// maxClaimWait is how long that may take in all.
	maxClaimWait = time.Minute
)

// restore opens the storage and makes followers of what is in it.
func (r *fileLog) restore(ctx context.Context, host component.Host) error {
	client, err := resume.OpenStorage(ctx, host, *r.cfg.StorageID, r.id)
	if err != nil {
		return err
	}
	r.positions = newPositions(client, func(err error) { //nolint:contextcheck // positions are stored while the receiver lives, not while it starts
		r.tel.unsaved.Add(r.ctx, 1, r.tel.attrs)
		if r.warned.Allow("storage", time.Now()) {
			r.log.Warn("file_log: positions cannot be stored: reading goes on, but what is sent now would be sent again after a restart",
				zap.Stringer("storage", r.cfg.StorageID), zap.String("mend", "see that the disk of the storage has room and can be written"), zap.Error(err))
		}
	})
	idx, records, first, err := r.positions.load(ctx)
	if err != nil {
		r.log.Warn("file_log: some stored positions cannot be read: their files are read from the start", zap.Error(err))
	}
	r.firstRun, r.oldGlobs = first, idx.Include
	if err != nil && records == nil {
		r.oldGlobs = r.cfg.Include // nothing is known, so nothing may be skipped
	}
	for path, rec := range records {
		r.revive(path, rec)
	}
	return nil
}

// revive makes a follower of a stored record, if its file is still wanted.
func (r *fileLog) revive(path string, rec record) {
	wanted := slices.ContainsFunc(r.cfg.Include, func(pattern string) bool { return globMatches(pattern, rec.Name) })
	if !wanted || r.finder.excluded(rec.Name) {
		r.positions.put(recordPrefix+path, nil)
		return
	}
	if _, err := r.sys.stat(filepath.Dir(path)); errors.Is(err, fs.ErrNotExist) {
		r.keep(path, rec)
		return
	}
	f := r.newFollower(match{name: rec.Name, path: path, hops: hops(rec.Name, path)})
	f.restore(rec)
	r.followers[path] = f
}

func globMatches(pattern, name string) bool {
	path, err := filepath.Abs(pattern)
	if err != nil {
		return false
	}
	ok, err := doublestar.Match(path, name)
	if strings.HasSuffix(path, "/**") { // which stands for all files below
		return err == nil && strings.HasPrefix(name, strings.TrimSuffix(path, "**"))
	}
	return err == nil && ok
}

func (r *fileLog) newFollower(m match) *follower {
	f := &follower{r: r, path: m.path, name: m.name, changed: time.Now()}
	f.resource, f.container = resourceOf(r.cfg, m.name, m.hops)
	f.wakeAt = f.changed
	return f
}

// admitAll makes followers of files that were found and are not followed yet.
func (r *fileLog) admitAll(found []match, now time.Time) {
	before := len(r.followers)
	first := !r.scanned
	r.scanned, r.finder.aged = true, false
	for _, m := range found {
		if r.followers[m.path] == nil {
			r.admit(m, first, now)
		}
	}
	for path, since := range r.waiting {
		if now.Sub(since) > 2*maxClaimWait {
			delete(r.waiting, path)
		}
	}
	if first || len(r.followers) != before {
		r.listFollowers()
	}
	r.firstRun = false
}

// admit makes a follower of a file, unless another follower reads it under another name.
func (r *fileLog) admit(m match, first bool, now time.Time) {
	if rec, ok := r.back(m.path); ok {
		f := r.newFollower(m)
		f.restore(rec)
		r.followers[m.path] = f
		return
	}
	st, err := r.sys.stat(m.path)
	if err == nil && r.ownedByOther(st.key, nil, m.path) {
		return
	}
	if !first && r.claimable(m.path, st, now) {
		return
	}
	old := r.cfg.ExcludeOlderThan > 0 && err == nil && now.Sub(time.Unix(0, st.mtime)) > r.cfg.ExcludeOlderThan
	atEnd := first && r.cfg.StartAt == startAtEnd && (r.firstRun || !r.knewGlob(m.name))
	if old && !atEnd {
		r.finder.aged = true // it may be written again
		return
	}
	f := r.newFollower(m)
	f.fresh = true
	r.followers[m.path] = f
	if err == nil {
		f.claim = st.key // until its first turn, so that no other name for the same file gets a follower
		r.own(st.key, f, &generation{})
	}
	if atEnd && err == nil && st.regular {
		r.beginAtEnd(f, st, now)
	}
}

// beginAtEnd puts a new follower's position at the end of its file.
func (r *fileLog) beginAtEnd(f *follower, st fileStat, now time.Time) {
	g := &generation{key: st.key, path: f.path, offset: st.size, size: st.size, mtime: st.mtime}
	g.asm.format = r.format
	if file, _, ok := f.openPath(f.path, g, now); ok {
		if s, err := sumBefore(file, g.offset); err == nil {
			g.sum = s
		}
		_ = file.Close()
	}
	f.gens = append(f.gens, g)
	r.own(g.key, f, g)
	f.save()
}

// knewGlob says whether the file was wanted in the last run already.
func (r *fileLog) knewGlob(name string) bool {
	return slices.ContainsFunc(r.oldGlobs, func(pattern string) bool { return globMatches(pattern, name) })
}

// claimable says whether a file has a rotated name, and the follower of the name it grew out of may still take it up.
func (r *fileLog) claimable(path string, st fileStat, now time.Time) bool {
	base := rotatedFrom(filepath.Base(path))
	if base == "" || r.followers[filepath.Join(filepath.Dir(path), base)] == nil {
		return false
	}
	since, known := r.waiting[path]
	if !known {
		r.waiting[path] = now
		return true
	}
	quiet := min(now.Sub(since), now.Sub(time.Unix(0, st.mtime)))
	return quiet < claimWait && now.Sub(since) < maxClaimWait
}

// saveIndex stores for which paths there are records.
func (r *fileLog) saveIndex() {
	if r.positions == nil {
		return
	}
	idx := index{Include: r.cfg.Include, Paths: make([]string, 0, len(r.followers)+len(r.kept))}
	idx.Paths = slices.AppendSeq(idx.Paths, maps.Keys(r.followers))
	idx.Paths = slices.AppendSeq(idx.Paths, maps.Keys(r.kept))
	slices.Sort(idx.Paths)
	value, err := json.Marshal(idx)
	if err != nil {
		panic("BUG: an index holds nothing that JSON cannot: " + err.Error())
	}
	r.positions.put(indexKey, value)
}

// own notes that f reads the file.
func (r *fileLog) own(key fileKey, f *follower, g *generation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.owners[key] = owner{f: f, open: g.file != nil, offset: g.offset, sum: g.sum}
}

// disown notes that f does not read the file any more.
func (r *fileLog) disown(key fileKey, f *follower) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.owners[key].f == f {
		delete(r.owners, key)
		r.rescan.Store(true)
	}
}

// ownedByOther says whether another follower than f reads the file that stands at path.
func (r *fileLog) ownedByOther(key fileKey, f *follower, path string) bool {
	r.mu.Lock()
	o, ok := r.owners[key]
	r.mu.Unlock()
	if !ok || o.f == f {
		return false
	}
	if o.open {
		return true
	}
	file, err := r.sys.open(path)
	if err != nil {
		return true // in doubt it is, so that nothing is read twice
	}
	defer func() { _ = file.Close() }()
	st, err := file.stat()
	if err != nil || st.key != key {
		return true
	}
	same, err := o.sum.matches(file, o.offset)
	if err != nil || (same && st.size >= o.offset) {
		return true
	}
	r.disown(key, o.f)
	return false
}

// adopt gives a generation its open file.
func (r *fileLog) adopt(g *generation, file logFile) {
	g.file = file
	r.opened.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if o, ok := r.owners[g.key]; ok {
		o.open = true
		r.owners[g.key] = o
	}
}

// shut closes a generation's file and remembers by what it can be known again.
func (r *fileLog) shut(g *generation) {
	r.weighDeleted(g, 0)
	if g.file == nil {
		return
	}
	if err := g.file.Close(); err != nil {
		r.log.Debug("file_log: close file", zap.String("path", g.path), zap.Error(err))
	}
	g.file = nil
	r.opened.Add(-1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if o, ok := r.owners[g.key]; ok {
		o.open, o.offset, o.sum = false, g.offset, g.sum
		r.owners[g.key] = o
	}
}
