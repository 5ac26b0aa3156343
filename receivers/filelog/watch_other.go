//go:build unix && !linux

package filelog

// watcher is for change notices, which are used on Linux only: elsewhere files and folders are looked at each time.
type watcher struct{}

func newWatcher() *watcher                        { return nil }
func (*watcher) close()                           {}
func (*watcher) folder(string) bool               { return false }
func (*watcher) file(*follower) bool              { return false }
func (*watcher) remove(string)                    {}
func (*watcher) forget(*follower)                 {}
func (*watcher) drain(func(*follower)) (any bool) { return false }
