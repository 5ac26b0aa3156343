package filelog

import (
	"encoding/binary"
	"slices"
	"syscall"
)

// watcher asks the kernel for change notices, so that quiet files and folders cost nothing. It is a help only:
// what it cannot watch is looked at each time, and what it watches is looked at now and then.
// It is drained by the poller and needs no goroutine of its own. A nil watcher watches nothing.
type watcher struct {
	fd      int
	buf     []byte
	targets map[int32]target
	folders map[string]int32
	files   map[*follower]int32
}

type target struct {
	path string
	file *follower // nil for a folder
}

// local lists file systems that tell of every change. Others, such as NFS, do not know what other machines write.
func local(fsType int64) bool {
	return slices.Contains([]int64{
		0xEF53 /* ext */, 0x58465342 /* xfs */, 0x9123683E /* btrfs */, 0x01021994, /* tmpfs */
		0x2FC12FC1 /* zfs */, 0xF2F52010 /* f2fs */, 0x794C7630, /* overlay */
	}, fsType)
}

// newWatcher returns nil where the kernel has no notices to give.
func newWatcher() *watcher {
	fd, err := syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	if err != nil {
		return nil
	}
	return &watcher{
		fd: fd, buf: make([]byte, 64<<10),
		targets: make(map[int32]target), folders: make(map[string]int32), files: make(map[*follower]int32),
	}
}

func (w *watcher) close() {
	if w != nil && w.fd >= 0 {
		_ = syscall.Close(w.fd)
		w.fd = -1
	}
}

func (w *watcher) add(path string, mask uint32) (int32, bool) {
	var fs syscall.Statfs_t
	if syscall.Statfs(path, &fs) != nil || !local(int64(fs.Type)) { //nolint:unconvert // the field has another type on other processors
		return 0, false
	}
	wd, err := syscall.InotifyAddWatch(w.fd, path, mask)
	return int32(wd), err == nil
}

// folder asks for notices of files that come and go in a folder, and says whether they will come.
func (w *watcher) folder(path string) bool {
	if w == nil {
		return false
	}
	if _, ok := w.folders[path]; ok {
		return true
	}
	wd, ok := w.add(path, syscall.IN_CREATE|syscall.IN_DELETE|syscall.IN_MOVED_FROM|syscall.IN_MOVED_TO|
		syscall.IN_DELETE_SELF|syscall.IN_MOVE_SELF|syscall.IN_ATTRIB|syscall.IN_ONLYDIR)
	if ok {
		w.targets[wd], w.folders[path] = target{path: path}, wd
	}
	return ok
}

// file asks for one notice when the followed file is written or moved.
func (w *watcher) file(f *follower) bool {
	if w == nil {
		return false
	}
	wd, ok := w.add(f.path, syscall.IN_MODIFY|syscall.IN_MOVE_SELF|syscall.IN_DELETE_SELF|syscall.IN_ONESHOT)
	if ok {
		w.targets[wd], w.files[f] = target{path: f.path, file: f}, wd
	}
	return ok
}

// remove ends the notices of a folder.
func (w *watcher) remove(path string) {
	if w == nil {
		return
	}
	if wd, ok := w.folders[path]; ok {
		w.drop(wd)
		_, _ = syscall.InotifyRmWatch(w.fd, uint32(wd))
	}
}

// forget ends the notices of a follower.
func (w *watcher) forget(f *follower) {
	if w == nil {
		return
	}
	if wd, ok := w.files[f]; ok {
		w.drop(wd)
		_, _ = syscall.InotifyRmWatch(w.fd, uint32(wd))
	}
}

func (w *watcher) drop(wd int32) {
	t, ok := w.targets[wd]
	if !ok {
		return
	}
	delete(w.targets, wd)
	switch {
	case t.file == nil:
		delete(w.folders, t.path)
	case w.files[t.file] == wd:
		delete(w.files, t.file)
	}
}

// follow ends the notices of what is gone, or is not at its path any more.
func (w *watcher) follow(wd int32, mask uint32) {
	if t, ok := w.targets[wd]; ok && t.file == nil && mask&syscall.IN_MOVE_SELF != 0 {
		w.remove(t.path)
	}
	if mask&syscall.IN_IGNORED != 0 {
		w.drop(wd)
	}
}

// drain reads the notices that have come. It marks followers, and returns true if a folder has changed.
//
//	each notice:  wd int32 | mask uint32 | cookie uint32 | len uint32 | name [len]byte
func (w *watcher) drain(noticed func(*follower)) (folders bool) {
	if w == nil {
		return false
	}
	for {
		n, err := syscall.Read(w.fd, w.buf)
		if err != nil || n < syscall.SizeofInotifyEvent {
			return folders
		}
		for b := w.buf[:n]; len(b) >= syscall.SizeofInotifyEvent; {
			wd := int32(binary.NativeEndian.Uint32(b))
			mask := binary.NativeEndian.Uint32(b[4:])
			b = b[min(len(b), syscall.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(b[12:]))):]
			if mask&syscall.IN_Q_OVERFLOW != 0 {
				folders = true
				for f := range w.files {
					noticed(f)
				}
				continue
			}
			if t := w.targets[wd]; t.file != nil {
				noticed(t.file)
			} else {
				folders = true
			}
			w.follow(wd, mask)
		}
	}
}
