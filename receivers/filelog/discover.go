package filelog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"go.uber.org/zap"
)

// fineTime is how coarse the write time of a folder may be: a listing made sooner after it is not trusted.
const fineTime = 50 * time.Millisecond

// match is a file that a glob found.
type match struct {
	name string // as the glob found it
	path string // with all links resolved
	hops []string
}

// link is a name that was followed to its file.
type link struct {
	match
	info fs.FileInfo // of the name itself, if it is a link
	read time.Time
}

// linkEvery is how often a link is followed again although it has not changed, because one further on may have.
const linkEvery = 30 * time.Second

// folder is a listing that is kept until the folder changes.
type folder struct {
	entries []fs.DirEntry
	mtime   int64
	read    time.Time
	watched bool
	used    bool
	failed  bool // a warning is out
}

// finder finds files by globs. It reads a folder again only when the folder has changed.
type finder struct {
	sys     system
	log     *zap.Logger
	watch   *watcher
	include []glob
	exclude []string

	folders map[string]*folder
	links   map[string]link // by the name that a glob found
	swept   time.Time
	stale   bool            // a notice came, or nothing was read yet
	aged    bool            // files were left out for their age
	broken  map[string]bool // links that lead to nothing, which are tried again
	idle    map[string]bool
	packed  bool // a packed file was mentioned
}

// glob is a pattern cut at its slashes.
type glob struct {
	text  string
	parts []string
}

func newFinder(cfg *Config, sys system, log *zap.Logger, watch *watcher) (*finder, error) {
	d := &finder{
		sys: sys, log: log, watch: watch, stale: true,
		folders: make(map[string]*folder), links: make(map[string]link), idle: make(map[string]bool),
	}
	for _, text := range cfg.Include {
		path, err := filepath.Abs(text)
		if err != nil {
			return nil, err
		}
		for _, plain := range expand(path) {
			d.include = append(d.include, glob{text: text, parts: strings.Split(strings.TrimPrefix(plain, "/"), "/")})
		}
	}
	for _, text := range cfg.Exclude {
		path, err := filepath.Abs(text)
		if err != nil {
			return nil, err
		}
		d.exclude = append(d.exclude, path)
	}
	return d, nil
}

// expand writes out the choices {a,b} of a pattern in which one of them holds a slash, so that the pattern can be cut at its slashes.
func expand(pattern string) []string {
	open, depth := -1, 0
	var commas []int
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i++
		case '{':
			if depth++; depth == 1 {
				open, commas = i, []int{i}
			}
		case ',':
			if depth == 1 {
				commas = append(commas, i)
			}
		case '}':
			if depth--; depth != 0 || !strings.Contains(pattern[open:i], "/") {
				continue
			}
			var all []string
			commas = append(commas, i)
			for k := range len(commas) - 1 {
				all = append(all, expand(pattern[:open]+pattern[commas[k]+1:commas[k+1]]+pattern[i+1:])...)
			}
			return all
		}
	}
	return []string{pattern}
}

// changed says whether a search might find something else than the last one.
func (d *finder) changed(now time.Time) bool {
	sweep := now.Sub(d.swept) >= sweepEvery
	if sweep {
		d.swept = now
		d.stale = d.stale || d.aged || len(d.broken) > 0
	}
	for path, dir := range d.folders {
		if d.stale {
			break
		}
		if (dir.watched || dir.failed) && !sweep {
			continue
		}
		st, err := d.sys.stat(path)
		if (err != nil) != (dir.mtime == 0) || dir.failed || (err == nil && !dir.trusted(st.mtime)) {
			d.stale = true
		}
	}
	return d.stale
}

// trusted says whether the listing is that of a folder last written at mtime.
func (dir *folder) trusted(mtime int64) bool {
	return dir.mtime == mtime && dir.read.UnixNano()-mtime > int64(fineTime)
}

// search returns all files that the globs match now, each once.
func (d *finder) search(now time.Time) []match {
	d.stale = false
	for _, dir := range d.folders {
		dir.used = false
	}
	links, broken := make(map[string]link, len(d.links)), make(map[string]bool)
	var found []match
	seen := make(map[string]bool)
	for _, g := range d.include {
		n := 0
		d.walk("/", g.parts, now, func(name string, isLink bool) {
			if d.excluded(name) {
				return
			}
			n++
			l, ok := d.resolve(name, isLink, now)
			if !ok {
				broken[name] = true
				if !d.broken[name] {
					d.log.Info("file_log: link leads to nothing: trying it again from time to time", zap.String("path", name))
				}
				return
			}
			links[name] = l
			if !seen[l.path] {
				seen[l.path] = true
				found = append(found, l.match)
			}
		})
		d.tell(g.text, n == 0)
	}
	d.links, d.broken = links, broken
	for path, dir := range d.folders {
		if !dir.used {
			d.watch.remove(path)
			delete(d.folders, path)
		}
	}
	return found
}

// tell says once when a glob matches nothing, and again after it did match.
func (d *finder) tell(glob string, nothing bool) {
	if nothing && !d.idle[glob] {
		d.log.Info("file_log: no file matches yet: waiting for one", zap.String("glob", glob))
	}
	d.idle[glob] = nothing
}

func (d *finder) excluded(name string) bool {
	if compressed(name) {
		if !d.packed {
			d.packed = true
			d.log.Info("file_log: packed and temporary files are never read as text: leaving out this one and others like it", zap.String("path", name))
		}
		return true
	}
	return slices.ContainsFunc(d.exclude, func(pattern string) bool {
		ok, err := doublestar.Match(pattern, name)
		return err == nil && ok
	})
}

// walk calls found for all files under path whose names match the parts of a glob.
func (d *finder) walk(path string, parts []string, now time.Time, found func(name string, isLink bool)) {
	part, rest := parts[0], parts[1:]
	if part == "**" {
		if len(rest) == 0 {
			rest = []string{"*"}
		}
		d.walk(path, rest, now, found)
		for _, entry := range d.list(path, now) {
			if entry.IsDir() {
				d.walk(filepath.Join(path, entry.Name()), parts, now, found)
			}
		}
		return
	}
	if len(rest) > 0 && !strings.ContainsAny(part, `*?[{\`) {
		d.walk(filepath.Join(path, part), rest, now, found)
		return
	}
	entries := d.list(path, now)
	if dir := d.folders[path]; dir.failed && len(rest) == 0 {
		d.walkClosed(filepath.Join(path, part), found)
		return
	}
	for _, entry := range entries {
		if ok, err := doublestar.Match(part, entry.Name()); err != nil || !ok {
			continue
		}
		name := filepath.Join(path, entry.Name())
		isLink := entry.Type()&fs.ModeSymlink != 0
		switch {
		case len(rest) == 0 && !entry.IsDir():
			found(name, isLink)
		case len(rest) > 0 && (entry.IsDir() || isLink):
			d.walk(name, rest, now, found)
		}
	}
}

// walkClosed finds the one file that a glob names in a folder that cannot be listed.
func (d *finder) walkClosed(name string, found func(name string, isLink bool)) {
	if st, err := d.sys.stat(name); err == nil && st.regular {
		found(name, true)
	}
}

// list returns what is in a folder, from the last listing if the folder has not changed since.
func (d *finder) list(path string, now time.Time) []fs.DirEntry {
	dir := d.folders[path]
	if dir == nil {
		dir = &folder{}
		d.folders[path] = dir
	}
	if dir.used {
		return dir.entries
	}
	dir.used = true
	dir.watched = d.watch.folder(path) // before reading, so that no change falls between
	st, err := d.sys.stat(path)
	if err != nil || !st.dir {
		*dir = folder{used: true, failed: dir.failed, mtime: st.mtime, read: now}
		d.complain(path, dir, err)
		return nil
	}
	if dir.trusted(st.mtime) {
		return dir.entries
	}
	entries, err := d.sys.readDir(path)
	dir.entries, dir.mtime, dir.read = entries, st.mtime, now
	d.complain(path, dir, err)
	return entries
}

// complain warns once about a folder that cannot be read. One that is not there is told of by tell.
func (d *finder) complain(path string, dir *folder, err error) {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		dir.failed = false
		return
	}
	if !dir.failed {
		dir.failed = true
		d.log.Warn("file_log: cannot look into folder: going on without it and trying again from time to time",
			zap.String("path", path), zap.String("mend", mendFor(err)), zap.Error(err))
	}
}

// resolve follows links to the file.
func (d *finder) resolve(name string, isLink bool, now time.Time) (link, bool) {
	known, ok := d.links[name]
	if ok && !isLink {
		return known, true
	}
	var info fs.FileInfo
	if isLink {
		var err error
		if info, err = os.Lstat(name); err != nil {
			return link{}, false
		}
		if ok && known.info != nil && os.SameFile(info, known.info) && now.Sub(known.read) < linkEvery {
			return known, true
		}
	}
	path, err := filepath.EvalSymlinks(name)
	if err != nil {
		return link{}, false
	}
	return link{match: match{name: name, path: path, hops: hops(name, path)}, info: info, read: now}, true
}

// maxHops bounds a chain of links.
const maxHops = 16

// hops returns the paths that a name leads over to the file: /var/log/containers → /var/log/pods → /var/lib/docker.
func hops(name, path string) []string {
	all := []string{name}
	for at := name; len(all) < maxHops; {
		target, err := os.Readlink(at)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(at), target)
		}
		at = target
		all = append(all, at)
	}
	return append(all, path)
}
