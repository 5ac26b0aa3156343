package filelog

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// fileKey is the identity of a file as long as it exists. Numbers are used again, so content decides where no descriptor is held.
type fileKey struct {
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
}

// fileStat is what the receiver wants to know of a file.
type fileStat struct {
	key     fileKey
	size    int64
	mtime   int64 // Unix nanoseconds
	links   uint64
	regular bool
	dir     bool
}

// logFile is an open log file.
type logFile interface {
	io.ReaderAt
	io.Closer
	stat() (fileStat, error)
}

// system is what the receiver asks of the operating system. Tests replace single functions.
type system struct {
	open    func(path string) (logFile, error)
	stat    func(path string) (fileStat, error)
	readDir func(path string) ([]fs.DirEntry, error)
}

func operatingSystem() system {
	return system{open: openFile, stat: statPath, readDir: os.ReadDir}
}

type osFile struct{ *os.File }

var errNotRegular = errors.New("not a regular file")

// openFile opens a regular file. It does not wait on a pipe that has no writer.
func openFile(path string) (logFile, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errNotRegular}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return osFile{f}, nil
}

// sumWindow is how many bytes before the position are remembered as a hash.
const sumWindow = 512

// sum is the hash of the last Len bytes before a position. A file that has other bytes there is another file, or was written anew.
// A hash and not the bytes themselves, so that no log text gets into the stored positions.
type sum struct {
	Hash uint64 `json:"hash,omitempty"`
	Len  int    `json:"len,omitempty"`
}

// sumOf returns the sum of the end of b.
func sumOf(b []byte) sum {
	b = b[max(0, len(b)-sumWindow):]
	if len(b) == 0 {
		return sum{}
	}
	h := sha256.Sum256(b)
	return sum{Hash: binary.LittleEndian.Uint64(h[:]), Len: len(b)}
}

// matches says whether f has the remembered bytes before offset.
func (s sum) matches(f io.ReaderAt, offset int64) (bool, error) {
	if s.Len == 0 || offset < int64(s.Len) {
		return true, nil
	}
	var window [sumWindow]byte
	b := window[:min(s.Len, sumWindow)]
	if n, err := f.ReadAt(b, offset-int64(len(b))); n < len(b) {
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		return false, err
	}
	return sumOf(b) == s, nil
}

// sumBefore reads the sum of a position.
func sumBefore(f io.ReaderAt, offset int64) (sum, error) {
	b := make([]byte, min(offset, sumWindow))
	if n, err := f.ReadAt(b, offset-int64(len(b))); n < len(b) {
		return sum{}, err
	}
	return sumOf(b), nil
}
