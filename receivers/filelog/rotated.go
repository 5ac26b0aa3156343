package filelog

import (
	"cmp"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
)

// minCopySum is how many bytes must agree before one file is taken for a copy of another.
const minCopySum = 16

// lostAfter is how many looks in a row must miss a file before it is given up: a listing made during a rename may leave it out.
const lostAfter = 3

// sibling is a file beside the followed one.
type sibling struct {
	path    string
	st      fileStat
	rotated bool // its name grew out of the followed file's name
}

// siblings lists the unpacked files beside the followed one whose names begin with its name. With all set it lists every file of the folder.
func (f *follower) siblings(all bool) []sibling {
	entries, err := f.r.sys.readDir(f.folder())
	if err != nil {
		return nil // a folder that is gone has nothing to look for; one that is closed is warned about when files are searched
	}
	base := f.base()
	var found []sibling
	for _, entry := range entries {
		name := entry.Name()
		if entry.IsDir() || name == base || compressed(name) || (!all && !strings.HasPrefix(name, base)) {
			continue
		}
		path := filepath.Join(f.folder(), name)
		if st, err := f.r.sys.stat(path); err == nil && st.regular {
			found = append(found, sibling{path: path, st: st, rotated: rotatedFrom(name) == base})
		}
	}
	slices.SortStableFunc(found, func(a, b sibling) int { return cmp.Compare(a.st.mtime, b.st.mtime) })
	return found
}

// look searches the folder for the generations that are not at the path any more, and for such as came and went unseen.
// now stands at the path the file with the key current.
func (f *follower) look(current fileKey, now time.Time) {
	beside := f.siblings(false)
	found := f.locate(beside)
	astray := func(g *generation) bool {
		return g != f.current && g.key != current && g.file == nil && !found[g]
	}
	if slices.ContainsFunc(f.gens, func(g *generation) bool { return astray(g) && !g.done }) {
		for g := range f.locate(f.siblings(true)) {
			found[g] = true
		}
	}
	f.adoptUnseen(beside, found, current, now)
	f.giveUp(astray, now)
	f.save()
}

// locate finds generations among the files beside the path, by inode and by content.
func (f *follower) locate(beside []sibling) map[*generation]bool {
	found := make(map[*generation]bool)
	for _, s := range beside {
		g := f.known(s.st.key)
		if g == nil || g == f.current {
			continue
		}
		if g.file == nil && !f.verify(g, s.path) {
			continue
		}
		g.path, g.missed = s.path, 0
		g.size, g.mtime = s.st.size, s.st.mtime
		found[g] = true
	}
	return found
}

// verify says whether the closed generation g is what stands at path.
func (f *follower) verify(g *generation, path string) bool {
	file, err := f.r.sys.open(path)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) // in doubt it is, so that nothing is read twice
	}
	defer func() { _ = file.Close() }()
	st, err := file.stat()
	return err == nil && st.key == g.key && f.same(g, file, st)
}

// adoptUnseen takes up rotated files that stood at the path while nobody looked: newer than the oldest generation known, older than the current file.
func (f *follower) adoptUnseen(beside []sibling, found map[*generation]bool, current fileKey, now time.Time) {
	if len(f.gens) == 0 {
		return
	}
	oldest := f.oldest()
	for _, s := range beside {
		if !s.rotated || s.st.key == current || s.st.mtime < oldest {
			continue
		}
		if g := f.known(s.st.key); g != nil {
			if g == f.current || g.file != nil || found[g] {
				continue
			}
			f.forget(g) // its number was given to another file
		}
		if f.r.ownedByOther(s.st.key, f, s.path) {
			continue
		}
		g := &generation{key: s.st.key, path: s.path, size: s.st.size, mtime: s.st.mtime, grew: now}
		g.asm.format = f.r.format
		if !f.openUnseen(g) {
			continue
		}
		f.insert(g)
		f.r.own(g.key, f, g)
		f.r.log.Debug("file_log: reading a rotated file that was not seen before its rotation", zap.String("path", g.path))
	}
}

// openUnseen opens a generation found beside the path. A copy of a generation that is known is not read again.
func (f *follower) openUnseen(g *generation) bool {
	file, err := f.r.sys.open(g.path)
	if err != nil {
		return false
	}
	st, err := file.stat()
	if err != nil || st.key != g.key {
		_ = file.Close()
		return false
	}
	for _, known := range f.gens {
		if known.offset > 0 && known.sum.Len >= minCopySum && st.size >= known.offset {
			if same, err := known.sum.matches(file, known.offset); err == nil && same {
				g.offset, g.sum, g.done = known.offset, known.sum, true
				_ = file.Close()
				return true
			}
		}
	}
	f.r.adopt(g, file)
	return true
}

// findCopy finds the file that copytruncate made of the old content, so that its unread end can be read there.
func (f *follower) findCopy(old *generation) *generation {
	if old.offset == 0 || old.sum.Len < minCopySum {
		return nil
	}
	for _, s := range f.siblings(false) {
		if !s.rotated || s.st.size < old.offset || f.known(s.st.key) != nil || f.r.ownedByOther(s.st.key, f, s.path) {
			continue
		}
		g := &generation{
			key: s.st.key, path: s.path, offset: old.offset, size: s.st.size, mtime: s.st.mtime,
			sum: old.sum, asm: old.asm, unloaded: old.unloaded, grew: old.grew,
		}
		file, err := f.r.sys.open(s.path)
		if err != nil {
			continue
		}
		if st, err := file.stat(); err == nil && st.key == g.key {
			if same, err := g.sum.matches(file, g.offset); err == nil && same {
				f.r.adopt(g, file)
				return g
			}
		}
		_ = file.Close()
	}
	return nil
}

// giveUp drops generations that are gone from the folder, and counts what was not read of them.
func (f *follower) giveUp(astray func(*generation) bool, now time.Time) {
	_, err := f.r.sys.stat(f.folder())
	if f.vanished = errors.Is(err, fs.ErrNotExist); f.vanished {
		return // with the pod, or with the disk: see keep
	}
	for _, g := range slices.Clone(f.gens) {
		if !astray(g) {
			continue
		}
		if g.missed++; g.missed < lostAfter {
			f.settleAt = now.Add(settleWait)
			continue
		}
		if unread := g.size - g.offset; !g.done && unread > 0 {
			f.r.loseBytes(unread, reasonGone, g.path, mendGone)
		}
		f.forget(g)
	}
}

// ignoreOlder remembers the rotated files that stand beside a newly followed one, so that they are not taken for unseen generations later.
func (f *follower) ignoreOlder() {
	for _, s := range f.siblings(false) {
		if !s.rotated || f.known(s.st.key) != nil || f.r.ownedByOther(s.st.key, f, s.path) {
			continue
		}
		g := &generation{key: s.st.key, path: s.path, offset: s.st.size, size: s.st.size, mtime: s.st.mtime, done: true}
		if file, err := f.r.sys.open(s.path); err == nil {
			g.sum, _ = sumBefore(file, g.offset)
			_ = file.Close()
		}
		f.gens = slices.Insert(f.gens, 0, g)
		f.r.own(g.key, f, g)
	}
}

// tend looks after the rotated files that were read to their end: one that grew is read on, one that is gone is forgotten.
func (f *follower) tend(now time.Time) {
	if now.Before(f.doneAt) {
		return
	}
	f.doneAt = now.Add(doneEvery)
	astray := false
	for _, g := range f.gens {
		if !g.done {
			continue
		}
		st, err := f.r.sys.stat(g.path)
		if err != nil || st.key != g.key {
			astray = true
		} else if st.size > g.offset {
			g.done, g.size, g.grew = false, st.size, now
		}
	}
	if astray {
		f.look(f.standing(), now)
	}
	for n := f.countDone(); n > maxDone; n-- {
		f.forget(f.gens[slices.IndexFunc(f.gens, func(g *generation) bool { return g.done })])
	}
}

func (f *follower) countDone() int {
	n := 0
	for _, g := range f.gens {
		if g.done {
			n++
		}
	}
	return n
}

// handOver gives the beginning of an unfinished message to the next generation, where its end will be written.
// It returns false while nothing is written there yet: the end may still come in this one.
func (f *follower) handOver(i int) bool {
	g := f.gens[i]
	next := slices.IndexFunc(f.gens[i+1:], func(g *generation) bool { return !g.done })
	if !g.asm.pending() || next < 0 {
		return true
	}
	to := f.gens[i+1+next]
	if to.offset > 0 || to.asm.pending() {
		return true
	}
	if to.size == 0 && to == f.current {
		return false
	}
	to.asm.parts = carried(g.asm.parts)
	if to.asm.format == unknown {
		to.asm.format = g.asm.format
	}
	g.asm.parts = [streamCount]partial{}
	f.r.weigh(g)
	f.r.weigh(to)
	f.save()
	return true
}

// bound lets go of deleted files that are held open for longer than the disk can bear.
func (f *follower) bound(g *generation) {
	if g.file == nil || g == f.current {
		return
	}
	st, err := g.file.stat()
	if err != nil || st.links > 0 {
		f.r.weighDeleted(g, 0)
		return
	}
	g.size = max(g.size, st.size)
	if f.r.bearsDeleted(g, st.size) {
		return
	}
	if unread := st.size - g.offset; unread > 0 {
		f.r.loseBytes(unread, reasonDeleted, g.path, mendDeleted)
	}
	f.forget(g)
}
