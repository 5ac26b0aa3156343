package engine

import (
	"fmt"
	"os"
	"sync"

	"github.com/obsd-io/obsd/runtime/bytesize"
)

// deadFile appends lines to a file and keeps a bounded number of older ones: path.1 is the newest. It is safe for
// concurrent use within one process.
type deadFile struct {
	path string
	max  int64
	keep int

	mu   sync.Mutex
	file *os.File // nil after an error: the next write opens it again
	size int64
}

// openDeadFile opens the file, so that one that cannot be written is an error at start.
func openDeadFile(c DeadLetterFile) (*deadFile, error) {
	d := &deadFile{path: c.Path, max: int64(c.MaxSize), keep: c.MaxFiles}
	if err := d.open(); err != nil {
		return nil, fmt.Errorf("dead_letter::path: %w", err)
	}
	return d, nil
}

func (d *deadFile) open() error {
	// Records may hold what only the daemon's user may see.
	f, err := os.OpenFile(d.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return err
	}
	d.file, d.size = f, info.Size()
	return nil
}

// write appends one line, whole or not at all as far as the file system has it so.
func (d *deadFile) write(line []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if int64(len(line)) > d.max {
		return fmt.Errorf("the row has %d bytes as OTLP/JSON, over dead_letter::max_size (%s)", len(line), bytesize.Size(d.max))
	}
	if d.file == nil {
		if err := d.open(); err != nil {
			return err
		}
	}
	if d.size+int64(len(line)) > d.max {
		if err := d.rotate(); err != nil {
			return err
		}
	}
	n, err := d.file.Write(line)
	d.size += int64(n)
	if err != nil {
		d.abandon(int64(n))
	}
	return err
}

// abandon takes back what of a line was written and has the next write open the file anew.
func (d *deadFile) abandon(written int64) {
	if written > 0 {
		_ = d.file.Truncate(d.size - written)
	}
	_ = d.file.Close()
	d.file = nil
}

func (d *deadFile) rotate() error {
	err := d.file.Close()
	d.file = nil
	if err != nil {
		return err
	}
	if d.keep == 0 {
		err = os.Remove(d.path)
	} else {
		for i := d.keep - 1; i >= 1 && err == nil; i-- {
			if err = os.Rename(d.old(i), d.old(i+1)); os.IsNotExist(err) {
				err = nil
			}
		}
		if err == nil {
			err = os.Rename(d.path, d.old(1))
		}
	}
	if err != nil {
		return err
	}
	return d.open()
}

func (d *deadFile) old(i int) string { return fmt.Sprintf("%s.%d", d.path, i) }

func (d *deadFile) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.file == nil {
		return nil
	}
	err := d.file.Close()
	d.file = nil
	return err
}
