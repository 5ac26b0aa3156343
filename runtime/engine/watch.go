package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/zap"
)

const (
	// settle is how long files must be quiet before they are read: a writer may not be done.
	settle = 200 * time.Millisecond
	// relook is how often files are looked at without any notice: network file systems give none.
	relook = 30 * time.Second
)

// watch sends on the channel that it returns when the module may have changed, until ctx ends. The channel is nil if the
// module cannot change or nobody wants to know.
func (e *Engine) watch(ctx context.Context) <-chan struct{} {
	if !e.config.Swap.Watch {
		return nil
	}
	settings := e.config.source()
	changes := make(chan struct{}, 1)
	switch files := settings.Files(); {
	case len(files) > 0:
		w, err := newFileWatch(files)
		if err != nil {
			e.set.Logger.Warn("no notice of changed files from the system; they are looked at every 30 seconds", zap.String("plugin", e.name), zap.Error(err))
		}
		notify(changes) // the watch does not know what was written since the module was fetched
		e.loops.Go(func() { w.run(ctx, changes) })
	case settings.Polled() && e.config.PollInterval > 0:
		e.loops.Go(func() { poll(ctx, e.config.PollInterval, changes) })
	default:
		return nil
	}
	return changes
}

func poll(ctx context.Context, every time.Duration, changes chan<- struct{}) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			notify(changes)
		}
	}
}

// notify sends unless a notice waits already.
func notify(changes chan<- struct{}) {
	select {
	case changes <- struct{}{}:
	default:
	}
}

// fileWatch notices that files changed: written to, renamed over, or reached through symbolic links that changed, as in a
// Kubernetes ConfigMap (x.wasm → ..data/x.wasm, ..data → ..2026_11_25).
type fileWatch struct {
	files   []string
	last    []fingerprint
	watcher *fsnotify.Watcher // nil if the system gives no notice
	folders []string          // those that are watched
}

// fingerprint tells one state of a file from another.
type fingerprint struct {
	real string
	info os.FileInfo
}

func (f fingerprint) same(g fingerprint) bool {
	if f.info == nil || g.info == nil {
		return f.info == nil && g.info == nil
	}
	return f.real == g.real && os.SameFile(f.info, g.info) && f.info.Size() == g.info.Size() && f.info.ModTime().Equal(g.info.ModTime())
}

// newFileWatch watches files; after an error it still looks at them at times.
func newFileWatch(files []string) (*fileWatch, error) {
	w := &fileWatch{files: files, last: make([]fingerprint, len(files))}
	var err error
	if w.watcher, err = fsnotify.NewWatcher(); err != nil {
		w.watcher = nil
	}
	err = errors.Join(err, w.follow())
	w.changed()
	return w, err
}

// follow watches the folder of each file, and of each symbolic link on the way to it.
func (w *fileWatch) follow() error {
	if w.watcher == nil {
		return nil
	}
	var want []string
	for _, file := range w.files {
		want = append(want, folders(file)...)
	}
	var errs []error
	for _, dir := range want {
		if !slices.Contains(w.folders, dir) {
			errs = append(errs, w.watcher.Add(dir))
		}
	}
	for _, dir := range w.folders {
		if !slices.Contains(want, dir) {
			// A folder that is gone is not watched any more.
			if err := w.watcher.Remove(dir); err != nil && !errors.Is(err, fsnotify.ErrNonExistentWatch) {
				errs = append(errs, err)
			}
		}
	}
	w.folders = want
	return errors.Join(errs...)
}

// folders lists the folders in which a change can give the file another content: its own, and those of the symbolic links
// on the way to it.
func folders(file string) []string {
	path, err := filepath.Abs(file)
	if err != nil {
		return []string{filepath.Dir(file)}
	}
	var out []string
	for range maxLinks {
		link, target := firstLink(path)
		if link == "" {
			break
		}
		out = append(out, filepath.Dir(link))
		path = target
	}
	slices.Sort(out)
	return slices.Compact(append(out, filepath.Dir(path)))
}

// maxLinks is how many symbolic links are followed; a ring of them ends there.
const maxLinks = 40

// firstLink gives the first symbolic link on a clean absolute path, and the path with the link replaced; "" if there is none.
func firstLink(path string) (link, replaced string) {
	for end := 1; end <= len(path); end++ {
		if end < len(path) && !os.IsPathSeparator(path[end]) {
			continue
		}
		target, err := os.Readlink(path[:end])
		if err != nil {
			continue
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path[:end]), target)
		}
		return path[:end], filepath.Join(target, path[end:])
	}
	return "", ""
}

// run sends when the files changed and are quiet again.
func (w *fileWatch) run(ctx context.Context, changes chan<- struct{}) {
	var events <-chan fsnotify.Event
	var failures <-chan error
	if w.watcher != nil {
		defer func() { _ = w.watcher.Close() }()
		events, failures = w.watcher.Events, w.watcher.Errors
	}
	look := time.NewTimer(relook)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-events:
			look.Reset(settle)
		case <-failures: //nolint:errcheck // too many events, so that some are lost: all files are looked at
			look.Reset(settle)
		case <-look.C:
			if w.changed() {
				notify(changes)
			}
			_ = w.follow() // a folder that is not there yet is tried again
			look.Reset(relook)
		}
	}
}

// changed looks whether a file is another one than the last time.
func (w *fileWatch) changed() bool {
	changed := false
	for i, file := range w.files {
		now := look(file)
		if !now.same(w.last[i]) {
			w.last[i], changed = now, true
		}
	}
	return changed
}

func look(file string) (f fingerprint) {
	real, err := filepath.EvalSymlinks(file)
	if err != nil {
		return f
	}
	info, err := os.Stat(real)
	if err != nil {
		return f
	}
	return fingerprint{real, info}
}
