package filelog

import (
	"errors"
	"io/fs"
	"syscall"
)

func statPath(path string) (fileStat, error) {
	var st syscall.Stat_t
	for {
		err := syscall.Stat(path, &st)
		if err == nil {
			return fromSys(&st), nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return fileStat{}, &fs.PathError{Op: "stat", Path: path, Err: err}
		}
	}
}

func fromSys(st *syscall.Stat_t) fileStat {
	return fileStat{
		key:     fileKey{Device: uint64(st.Dev), Inode: st.Ino}, //nolint:unconvert // the field has another type on other processors
		size:    st.Size,
		mtime:   st.Mtim.Nano(),
		links:   uint64(st.Nlink), //nolint:unconvert // the field has another type on other processors
		regular: st.Mode&syscall.S_IFMT == syscall.S_IFREG,
		dir:     st.Mode&syscall.S_IFMT == syscall.S_IFDIR,
	}
}

func (f osFile) stat() (fileStat, error) {
	info, err := f.Stat()
	if err != nil {
		return fileStat{}, err
	}
	sys, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileStat{}, &fs.PathError{Op: "stat", Path: f.Name(), Err: errNotRegular}
	}
	return fromSys(sys), nil
}
