package capability

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// fileTable is a [Table] that is read from a file: whole, aside, and then swapped in.
type fileTable struct {
	name    string
	grant   TableGrant
	log     *zap.Logger
	refused *refusal

	rows atomic.Pointer[rows]
	seen stamp // of the file last read, good or bad; only reload looks at it
}

// stamp tells one state of a file from another.
type stamp struct {
	modified time.Time
	size     int64
	missing  bool
}

// rows is the content of a table. It does not change.
type rows struct {
	columns map[string]int // place in a row
	byKey   map[string][]cell
}

// cell is a text, or nothing.
type cell struct {
	text  string
	there bool
}

func newFileTable(name string, g TableGrant, log *zap.Logger, refused *refusal) *fileTable {
	t := &fileTable{name: name, grant: g, log: log, refused: refused}
	t.rows.Store(&rows{})
	return t
}

// Column implements [Table].
func (t *fileTable) Column(name string) bool {
	_, ok := t.rows.Load().columns[name]
	return ok
}

// Get implements [Table].
func (t *fileTable) Get(column string, key []byte) (string, bool) {
	r := t.rows.Load()
	i, ok := r.columns[column]
	if !ok {
		return "", false
	}
	// A row may be shorter than the columns that later rows brought.
	row := r.byKey[string(key)]
	if i >= len(row) {
		return "", false
	}
	return row[i].text, row[i].there
}

// Rows is how many rows there are.
func (t *fileTable) Rows() int { return len(t.rows.Load().byKey) }

// load reads the file as it is now.
func (t *fileTable) load() error {
	_, err := t.reload()
	return err
}

// reload reads the file if it is not as it was at the last look.
func (t *fileTable) reload() (changed bool, err error) {
	info, err := os.Stat(t.grant.File)
	now := stamp{missing: true}
	if err == nil {
		now = stamp{modified: info.ModTime(), size: info.Size()}
	}
	if now == t.seen {
		return false, nil
	}
	t.seen = now
	if err != nil {
		return false, err
	}
	r, err := t.read(info)
	if err != nil {
		return false, fmt.Errorf("%s: %w", t.grant.File, err)
	}
	t.rows.Store(r)
	return true, nil
}

func (t *fileTable) read(info fs.FileInfo) (*rows, error) {
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(t.grant.File)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, int64(t.grant.MaxSize)+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > int64(t.grant.MaxSize) {
		return nil, fmt.Errorf("larger than max_size, %s", t.grant.MaxSize)
	}
	r := &rows{columns: map[string]int{}, byKey: map[string][]cell{}}
	return r, readers[strings.ToLower(filepath.Ext(t.grant.File))](bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), t.grant.Key, r)
}

// follow reads the table again when its file changed. A file that cannot be used is logged and counted once, and the
// table stays as it is.
func (t *fileTable) follow(ctx context.Context) {
	tick := time.NewTicker(t.grant.ReloadInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed, err := t.reload()
		switch {
		case err != nil:
			t.refused.count() //nolint:contextcheck // a count belongs to no request
			t.log.Error("a lookup table stays as it was: its new file cannot be used", zap.String("table", t.name), zap.Error(err))
		case changed:
			t.log.Info("a lookup table was read again", zap.String("table", t.name), zap.Int("rows", t.Rows()))
		}
	}
}

// readers has the reader of each format by the file's extension. They fill rows, by the column key.
var readers = map[string]func(text []byte, key string, to *rows) error{
	".csv": readCSV, ".json": readJSON, ".ndjson": readNDJSON, ".jsonl": readNDJSON,
}

// add files a row under its key.
func (r *rows) add(key string, row []cell) error {
	i, ok := r.columns[key]
	if !ok || i >= len(row) || !row[i].there {
		return fmt.Errorf("has no %q, the key", key)
	}
	if _, twice := r.byKey[row[i].text]; twice {
		return fmt.Errorf("the key %q is there twice", row[i].text)
	}
	r.byKey[row[i].text] = row
	return nil
}

// readCSV reads RFC 4180. Every cell is there, if empty.
func readCSV(text []byte, key string, to *rows) error {
	in := csv.NewReader(bytes.NewReader(text))
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return errors.New("empty; want a first line with the names of the columns")
	} else if err != nil {
		return err
	}
	for i, name := range header {
		if _, twice := to.columns[name]; twice {
			return fmt.Errorf("line 1: the column %q is there twice", name)
		}
		to.columns[name] = i
	}
	if !slices.Contains(header, key) {
		return fmt.Errorf("line 1: no column %q, the key; there are %q", key, header)
	}
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		row := make([]cell, len(record))
		for i, s := range record {
			row[i] = cell{s, true}
		}
		if err := to.add(key, row); err != nil {
			line, _ := in.FieldPos(0)
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
}

// readJSON reads an array of objects.
func readJSON(text []byte, key string, to *rows) error {
	var objects []map[string]json.RawMessage
	if err := json.Unmarshal(text, &objects); err != nil {
		return fmt.Errorf("want an array of objects: %w", err)
	}
	for i, o := range objects {
		if err := to.addObject(key, o); err != nil {
			return fmt.Errorf("object %d: %w", i+1, err)
		}
	}
	return nil
}

// readNDJSON reads an object on each line that is not empty.
func readNDJSON(text []byte, key string, to *rows) error {
	line := 0
	for l := range bytes.Lines(text) {
		line++
		if l = bytes.TrimSpace(l); len(l) == 0 {
			continue
		}
		var o map[string]json.RawMessage
		if err := json.Unmarshal(l, &o); err != nil {
			return fmt.Errorf("line %d: want an object: %w", line, err)
		}
		if err := to.addObject(key, o); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
	return nil
}

// addObject makes a row of an object: a string is its text, null is absent, and anything else is its JSON.
func (r *rows) addObject(key string, o map[string]json.RawMessage) error {
	row := make([]cell, len(r.columns), len(r.columns)+len(o))
	for name, value := range o {
		i, ok := r.columns[name]
		if !ok {
			i = len(r.columns)
			r.columns[name] = i
			row = append(row, cell{})
		}
		switch {
		case string(value) == "null":
		case value[0] == '"':
			var s string
			if err := json.Unmarshal(value, &s); err != nil {
				return fmt.Errorf("%q: %w", name, err)
			}
			row[i] = cell{s, true}
		default:
			row[i] = cell{string(value), true}
		}
	}
	return r.add(key, row)
}
