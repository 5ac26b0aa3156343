package capability

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// write writes a file with a time of its own, so that each state of it differs.
func write(t testing.TB, path, text string, at int) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	require.NoError(t, os.Chtimes(path, time.Time{}, time.Unix(int64(at), 0)))
}

func table(file string) TableGrant {
	return TableGrant{File: file, Key: "ip", ReloadInterval: 30 * time.Second, MaxSize: 1 << 20}
}

// newTestLookup starts a Set with one table.
func newTestLookup(t testing.TB, g TableGrant) (*Set, *observer.ObservedLogs, error) {
	t.Helper()
	core, seen := observer.New(zapcore.DebugLevel)
	s, err := New(Config{Lookup: map[string]TableGrant{"hosts": g}}, "wasm/x", zap.New(core), noop.Meter{})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s, seen, s.Start(t.Context(), nil)
}

func (l *Lookup) get(column, key string) string {
	n := l.Column([]byte("hosts"), []byte(column))
	dst := make([]byte, 100)
	length := l.Get(n, []byte(key), dst)
	if length < 0 {
		return "absent"
	}
	return string(dst[:length])
}

// Each format gives the same table.
func TestLookupFormats(t *testing.T) {
	for name, text := range map[string]string{
		"hosts.csv":    "\ufeffip,name,rack\n10.0.0.1,web,7\n10.0.0.2,\"db, main\",\n",
		"hosts.JSON":   `[{"ip":"10.0.0.1","name":"web","rack":7}, {"name":"db, main","ip":"10.0.0.2","rack":""}]`,
		"hosts.ndjson": `{"ip":"10.0.0.1","name":"web","rack":7}` + "\n\n" + `{"name":"db, main","rack":"","ip":"10.0.0.2"}`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			write(t, path, text, 1)
			s, _, err := newTestLookup(t, table(path))
			require.NoError(t, err)
			l := s.Lookup
			require.Equal(t, "web", l.get("name", "10.0.0.1"))
			require.Equal(t, "7", l.get("rack", "10.0.0.1"))
			require.Equal(t, "db, main", l.get("name", "10.0.0.2"))
			require.Empty(t, l.get("rack", "10.0.0.2"))
			require.Equal(t, "10.0.0.2", l.get("ip", "10.0.0.2"))
			require.Equal(t, "absent", l.get("name", "10.0.0.3"))
			require.EqualValues(t, -1, l.Column([]byte("hosts"), []byte("os")))
			require.EqualValues(t, -1, l.Column([]byte("users"), []byte("name")))
			require.EqualValues(t, -1, l.Get(-1, []byte("10.0.0.1"), nil))
			require.EqualValues(t, -1, l.Get(100, []byte("10.0.0.1"), nil))
			require.EqualValues(t, 3, l.Get(l.Column([]byte("hosts"), []byte("name")), []byte("10.0.0.1"), nil), "no room")
		})
	}
}

// Values of JSON that are no strings are their JSON; null is absent, as is a member that is not there.
func TestLookupJSONValues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts.json")
	write(t, path, `[{"ip":"a"},{"ip":"b","n":1.50,"t":true,"z":null,"o":{"k":[1]},"e":"\u00e9"}]`, 1)
	s, _, err := newTestLookup(t, table(path))
	require.NoError(t, err)
	for column, want := range map[string]string{"n": "1.50", "t": "true", "z": "absent", "o": `{"k":[1]}`, "e": "é"} {
		require.Equal(t, want, s.Lookup.get(column, "b"))
		require.Equal(t, "absent", s.Lookup.get(column, "a"))
	}
}

// A file that cannot be used at start refuses the start and names the place.
func TestLookupRefused(t *testing.T) {
	f := func(name, file, text, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), file)
			write(t, path, text, 1)
			g := table(path)
			g.MaxSize = 200
			_, _, err := newTestLookup(t, g)
			require.EqualError(t, err, "grants::lookup::hosts: "+path+": "+want)
		})
	}
	f("empty csv", "a.csv", "", "empty; want a first line with the names of the columns")
	f("no key", "a.csv", "name,rack\n", `line 1: no column "ip", the key; there are ["name" "rack"]`)
	f("column twice", "a.csv", "ip,name,name\n", `line 1: the column "name" is there twice`)
	f("fields", "a.csv", "ip,name\n1,2\n3\n", "record on line 3: wrong number of fields")
	f("quote", "a.csv", "ip,name\n1,\"2\n", `parse error on line 2, column 6: extraneous or missing " in quoted-field`)
	f("key twice", "a.csv", "ip,name\n1,2\n1,3\n", `line 3: the key "1" is there twice`)
	f("size", "a.csv", "ip,name\n"+strings.Repeat("1", 200), "larger than max_size, 200B")
	f("no array", "a.json", `{"ip":"1"}`, "want an array of objects: json: cannot unmarshal object into Go value of type []map[string]json.RawMessage")
	f("json", "a.json", `[{"ip":"1"}`, "want an array of objects: unexpected end of JSON input")
	f("no key member", "a.json", `[{"ip":"1"},{"name":"2"}]`, `object 2: has no "ip", the key`)
	f("null key", "a.json", `[{"ip":null}]`, `object 1: has no "ip", the key`)
	f("null", "a.json", `[null]`, `object 1: has no "ip", the key`)
	f("key twice in lines", "a.jsonl", "{\"ip\":\"1\"}\n\n{\"ip\":\"1\"}", `line 3: the key "1" is there twice`)
	f("line", "a.jsonl", "{\"ip\":\"1\"}\n5", "line 2: want an object: json: cannot unmarshal number into Go value of type map[string]json.RawMessage")

	dir := filepath.Join(t.TempDir(), "a.csv")
	_, _, err := newTestLookup(t, table(dir))
	require.EqualError(t, err, "grants::lookup::hosts: stat "+dir+": no such file or directory")
	require.NoError(t, os.Mkdir(dir, 0o700))
	_, _, err = newTestLookup(t, table(dir))
	require.EqualError(t, err, "grants::lookup::hosts: "+dir+": not a regular file")
}

// A changed file is read again; a bad one leaves the table as it was, and is logged once.
func TestLookupReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts.csv")
	write(t, path, "ip,name\n1,one\n", 1)
	synctest.Test(t, func(t *testing.T) {
		s, seen, err := newTestLookup(t, table(path))
		require.NoError(t, err)
		l := s.Lookup
		name := l.Column([]byte("hosts"), []byte("name"))
		tick := func() {
			time.Sleep(30 * time.Second)
			synctest.Wait()
		}
		logged := func() (out []string) {
			for _, e := range seen.TakeAll() {
				out = append(out, fmt.Sprint(e.Message, " ", e.ContextMap()))
			}
			return out
		}
		tick()
		require.Empty(t, logged())
		write(t, path, "ip,name\n1,uno\n", 2)
		require.Equal(t, "one", l.get("name", "1"))
		tick()
		require.Equal(t, "uno", l.get("name", "1"))
		require.Equal(t, []string{"a lookup table was read again map[plugin:wasm/x rows:1 table:hosts]"}, logged())

		write(t, path, "ip,name\n1\n", 3)
		tick()
		tick()
		require.Equal(t, "uno", l.get("name", "1"))
		require.Equal(t, []string{"a lookup table stays as it was: its new file cannot be used map[error:" + path +
			": record on line 2: wrong number of fields plugin:wasm/x table:hosts]"}, logged())

		require.NoError(t, os.Remove(path))
		tick()
		tick()
		require.Equal(t, "uno", l.get("name", "1"))
		require.Equal(t, []string{"a lookup table stays as it was: its new file cannot be used map[error:stat " + path +
			": no such file or directory plugin:wasm/x table:hosts]"}, logged())

		// A number holds, with nothing in it while there is no such column.
		write(t, path, "ip,rack\n1,7\n", 4)
		tick()
		require.Equal(t, -1, l.Get(name, []byte("1"), nil))
		require.EqualValues(t, -1, l.Column([]byte("hosts"), []byte("name")))
		require.Equal(t, "7", l.get("rack", "1"))
		write(t, path, "ip,name\n1,ein\n", 5)
		tick()
		require.Equal(t, name, l.Column([]byte("hosts"), []byte("name")))
		require.Equal(t, "ein", l.get("name", "1"))
		s.Close()
		s.Close()
	})
}

// Start gives up with its context.
func TestLookupCanceled(t *testing.T) {
	s, err := New(Config{Lookup: map[string]TableGrant{"hosts": table("none.csv")}}, "wasm/x", zap.NewNop(), noop.Meter{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Start(ctx, nil), context.Canceled)
	s.Close()
}

// Readers see one state of the table or the other, whole.
func TestLookupConcurrently(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts.csv")
	write(t, path, "ip,name\n1,x0\n", 1)
	g := table(path)
	g.ReloadInterval = time.Hour // it is loaded here, by nobody else meanwhile
	s, _, err := newTestLookup(t, g)
	require.NoError(t, err)
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if got := s.Lookup.get("name", "1"); got[0] != 'x' {
					t.Error(got)
					return
				}
			}
		})
	}
	for i := range 100 {
		write(t, path, fmt.Sprintf("ip,name\n1,x%d\n", i), i+2)
		if err := s.Lookup.files[0].load(); err != nil {
			t.Error(err)
		}
	}
	close(done)
	wg.Wait()
}

// FuzzTable holds that no file makes a reader panic, and that each row is found by its key.
func FuzzTable(f *testing.F) {
	f.Add("csv", []byte("ip,name\n1,a\n"))
	f.Add("json", []byte(`[{"ip":"1","name":"a"}]`))
	f.Add("ndjson", []byte(`{"ip":1,"name":null}`))
	f.Fuzz(func(t *testing.T, format string, text []byte) {
		read, ok := readers["."+format]
		if !ok || len(text) > 1<<16 {
			return
		}
		r := &rows{columns: map[string]int{}, byKey: map[string][]cell{}}
		if err := read(text, "ip", r); err != nil {
			return
		}
		for key, row := range r.byKey {
			require.Equal(t, cell{key, true}, row[r.columns["ip"]])
			require.LessOrEqual(t, len(row), len(r.columns))
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	path := filepath.Join(b.TempDir(), "hosts.csv")
	var text strings.Builder
	text.WriteString("ip,name,rack\n")
	for i := range 10_000 {
		fmt.Fprintf(&text, "10.0.%d.%d,host-%d,%d\n", i/256, i%256, i, i%40)
	}
	write(b, path, text.String(), 1)
	s, _, err := newTestLookup(b, table(path))
	require.NoError(b, err)
	table, name, key, dst := []byte("hosts"), []byte("name"), []byte("10.0.7.9"), make([]byte, 64)
	b.Run("column", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Lookup.Column(table, name)
		}
	})
	number := s.Lookup.Column(table, name)
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Lookup.Get(number, key, dst)
		}
	})
}
