//go:build unix && !linux

package filelog

import (
	"os"
	"syscall"
)

func statPath(path string) (fileStat, error) {
	info, err := os.Stat(path)
	if err != nil {
		return fileStat{}, err
	}
	return fromInfo(info), nil
}

func fromInfo(info os.FileInfo) fileStat {
	st := fileStat{size: info.Size(), mtime: info.ModTime().UnixNano(), regular: info.Mode().IsRegular(), dir: info.IsDir(), links: 1}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		st.key = fileKey{Device: uint64(sys.Dev), Inode: uint64(sys.Ino)}
		st.links = uint64(sys.Nlink)
	}
	return st
}

func (f osFile) stat() (fileStat, error) {
	info, err := f.Stat()
	if err != nil {
		return fileStat{}, err
	}
	return fromInfo(info), nil
}
