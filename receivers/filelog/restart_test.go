package filelog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
)

// killed makes a receiver's end look like SIGKILL: what its pipeline holds is never accepted and nothing more is stored.
func (r *rig) kill(t *testing.T, m *memory) {
	t.Helper()
	m.mu.Lock()
	m.open = nil
	m.mu.Unlock()
	r.sink.mu.Lock()
	r.sink.decide = func(int, []string) error { return errors.New("killed") }
	r.sink.mu.Unlock()
	require.NoError(t, r.Shutdown(t.Context()))
}

func TestRestart(t *testing.T) {
	late := time.Now().Add(time.Hour) // written after all that was stored
	for _, test := range []struct {
		name   string
		before string
		first  []string // what the first run sends
		down   func(t *testing.T, path string)
		second []string // what the second run sends
	}{
		{"nothing new", "one\n", []string{"one"}, func(*testing.T, string) {}, []string{}},
		{"new lines", "one\n", []string{"one"}, func(t *testing.T, path string) { add(t, path, "two\n") }, []string{"two"}},
		{"new file", "one\n", []string{"one"}, func(t *testing.T, path string) { write(t, filepath.Dir(path)+"/b.log", "two\n") }, []string{"two"}},
		{
			"rotated", "one\n",
			[]string{"one"},
			func(t *testing.T, path string) {
				add(t, path, "two\n")
				rename(t, path, path+".1")
				write(t, path, "three\n")
			},
			[]string{"two", "three"},
		},
		{
			"rotated to a name of another kind", "one\n",
			[]string{"one"},
			func(t *testing.T, path string) {
				add(t, path, "two\n")
				rename(t, path, filepath.Join(filepath.Dir(path), "old-app"))
				write(t, path, "three\n")
			},
			[]string{"two", "three"},
		},
		{
			"rotated several times", "one\n",
			[]string{"one"},
			func(t *testing.T, path string) {
				add(t, path, "two\n")
				rename(t, path, path+".3")
				for i, text := range []string{"three\n", "four\n"} {
					old := fmt.Sprintf("%s.%d", path, 2-i)
					write(t, old, text)
					require.NoError(t, os.Chtimes(old, late, late.Add(time.Duration(i)*time.Second)))
				}
				write(t, path, "five\n")
			},
			[]string{"two", "three", "four", "five"},
		},
		{
			"renamed, nothing new at the path", "one\n",
			[]string{"one"},
			func(t *testing.T, path string) {
				add(t, path, "two\n")
				rename(t, path, path+".1")
			},
			[]string{"two"},
		},
		{"truncated", "one\nand more\n", []string{"one", "and more"}, func(t *testing.T, path string) { write(t, path, "two\n") }, []string{"two"}},
		{"written anew and longer", "one\n", []string{"one"}, func(t *testing.T, path string) { write(t, path, "two\nthree\nfour\n") }, []string{"two", "three", "four"}},
		{
			"copytruncate", "this is the first line\n",
			[]string{"this is the first line"},
			func(t *testing.T, path string) {
				write(t, path+".1", "this is the first line\ntwo\n")
				write(t, path, "three\n")
			},
			[]string{"two", "three"},
		},
		{
			"a copy is not read again", "this is the first line\n",
			[]string{"this is the first line"},
			func(t *testing.T, path string) {
				rename(t, path, path+".1")
				write(t, path+".2", "this is the first line\n")
				require.NoError(t, os.Chtimes(path+".2", late, late))
				write(t, path, "two\n")
			},
			[]string{"two"},
		},
		{"unfinished line", "one\ntw", []string{"one"}, func(t *testing.T, path string) { add(t, path, "o\n") }, []string{"two"}},
		{
			"partial message", criLine(1, "stdout", "F", "one") + criLine(2, "stdout", "P", "tw") + criLine(3, "stderr", "F", "other"),
			[]string{"one", "other"},
			func(t *testing.T, path string) { add(t, path, criLine(4, "stdout", "F", "o")) },
			[]string{"two"},
		},
		{
			"partial message over rotation", criLine(1, "stdout", "F", "one") + criLine(2, "stdout", "P", "tw"),
			[]string{"one"},
			func(t *testing.T, path string) {
				rename(t, path, path+".1")
				write(t, path, criLine(3, "stdout", "F", "o"))
			},
			[]string{"two"},
		},
		{
			"long message split before", criLine(1, "stdout", "P", strings.Repeat("a", 100)) + criLine(2, "stdout", "P", strings.Repeat("b", 100)),
			[]string{strings.Repeat("a", 100) + strings.Repeat("b", 28)},
			func(t *testing.T, path string) { add(t, path, criLine(3, "stdout", "F", "end")) },
			[]string{strings.Repeat("b", 72) + "end"},
		},
		{"long line split before", strings.Repeat("a", 128) + strings.Repeat("b", 1500), []string{strings.Repeat("a", 128)}, func(t *testing.T, path string) { add(t, path, "end\nnext\n") }, nil},
	} {
		for _, ending := range []string{"shutdown", "kill"} {
			t.Run(test.name+"/"+ending, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "app.log")
				write(t, path, test.before)
				m := newMemory()
				cfg := func(c *Config) {
					useStorage(c)
					c.ForceFlushPeriod = 0
					c.MaxLogSize = 128
				}
				glob := filepath.Join(filepath.Dir(path), "*.log")
				first := start(t, settings{cfg: cfg, host: m.host()}, glob)
				require.Eventually(t, func() bool { return len(first.sink.bodies()) >= len(test.first) }, deadline, time.Millisecond)
				require.Eventually(t, func() bool { return settled(first.fileLog) }, deadline, time.Millisecond)
				sentBefore := first.sink.bodies()
				require.Equal(t, test.first, sentBefore[:len(test.first)])
				if ending == "kill" {
					first.kill(t, m)
				} else {
					require.NoError(t, first.Shutdown(t.Context()))
				}
				test.down(t, path)
				second := start(t, settings{cfg: cfg, host: m.host()}, glob)
				if test.second == nil { // the pieces may be of any size, but nothing may be missing or doubled
					require.Eventually(t, func() bool { return strings.HasSuffix(strings.Join(second.sink.bodies(), ""), "next") }, deadline, time.Millisecond)
					assert.Equal(t, test.before+"endnext", strings.Join(sentBefore, "")+strings.Join(second.sink.bodies(), ""))
					return
				}
				second.sink.wait(t, test.second...)
				require.Eventually(t, func() bool { return settled(second.fileLog) }, deadline, time.Millisecond)
				assert.Equal(t, test.second, second.sink.bodies())
				assert.EqualValues(t, 0, second.counter(t, "obsd_file_log_lost_bytes", ""))
			})
		}
	}
}

// settled says whether all that was read is stored, and everybody rests.
func settled(r *fileLog) bool {
	if len(*r.list.Load()) == 0 {
		return false
	}
	for _, f := range *r.list.Load() {
		if f.busy.Load() {
			return false
		}
	}
	r.positions.mu.Lock()
	defer r.positions.mu.Unlock()
	return r.positions.tried == r.positions.queued && len(r.positions.pending) == 0
}

func TestRestartWithRefusedBatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	write(t, path, "one\ntwo\n")
	m := newMemory()
	s := &sink{decide: func(int, []string) error { return errors.New("busy") }}
	first := start(t, settings{cfg: useStorage, host: m.host(), sink: s}, path)
	require.Eventually(t, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.calls > 2 }, deadline, time.Millisecond)
	require.NoError(t, first.Shutdown(t.Context()))
	second := start(t, settings{cfg: useStorage, host: m.host()}, path)
	second.sink.wait(t, "one", "two")
}

func TestRestartOnFileStorage(t *testing.T) {
	dir, keep := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "app.log")
	write(t, path, "one\n")
	cfg := func(c *Config) { useStorage(c); c.StartAt = startAtEnd }
	host := openFileStorage(t, keep)
	first := start(t, settings{cfg: cfg, host: host}, path)
	require.Eventually(t, func() bool { return len(*first.list.Load()) == 1 && settled(first.fileLog) }, deadline, time.Millisecond)
	require.NoError(t, first.Shutdown(t.Context()))
	add(t, path, "two\n")
	second := start(t, settings{cfg: cfg, host: host}, path)
	second.sink.wait(t, "two")
	require.NoError(t, second.Shutdown(t.Context()))
	third := start(t, settings{cfg: cfg, host: host}, path, filepath.Join(dir, "new*"))
	require.Eventually(t, func() bool { return settled(third.fileLog) }, deadline, time.Millisecond)
	write(t, filepath.Join(dir, "new.txt"), "three\n")
	third.sink.wait(t, "three")
}

func TestStartAtIsForNewGlobs(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.log"), "old\n")
	write(t, filepath.Join(dir, "b.txt"), "old too\n")
	m := newMemory()
	cfg := func(c *Config) { useStorage(c); c.StartAt = startAtEnd }
	first := start(t, settings{cfg: cfg, host: m.host()}, filepath.Join(dir, "*.log"))
	require.Eventually(t, func() bool { return settled(first.fileLog) }, deadline, time.Millisecond)
	require.NoError(t, first.Shutdown(t.Context()))
	write(t, filepath.Join(dir, "c.log"), "written while down\n")
	second := start(t, settings{cfg: cfg, host: m.host()}, filepath.Join(dir, "*.log"), filepath.Join(dir, "*.txt"))
	second.sink.wait(t, "written while down")
	add(t, filepath.Join(dir, "b.txt"), "new\n")
	second.sink.wait(t, "written while down", "new")
}

func TestStorageThatFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	m := newMemory()
	first := start(t, settings{cfg: useStorage, host: m.host()}, path)
	write(t, path, "one\n")
	first.sink.wait(t, "one")
	m.fail(true)
	add(t, path, "two\n")
	first.sink.wait(t, "one", "two")
	require.Eventually(t, func() bool { return first.counter(t, "obsd_file_log_checkpoint_failures", "") > 0 }, deadline, time.Millisecond)
	add(t, path, "three\n")
	first.sink.wait(t, "one", "two", "three")
	assert.Equal(t, 1, first.logs.FilterMessageSnippet("positions cannot be stored").Len())
	m.fail(false)
	add(t, path, "four\n")
	first.sink.wait(t, "one", "two", "three", "four")
	require.Eventually(t, func() bool { return settled(first.fileLog) }, deadline, time.Millisecond)
	first.kill(t, m)
	second := start(t, settings{cfg: useStorage, host: m.host()}, path)
	add(t, path, "five\n")
	second.sink.wait(t, "five")
}

func TestStorageIsTidied(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.log")
	write(t, path, "one\n")
	m := newMemory()
	r := start(t, settings{cfg: useStorage, host: m.host()}, filepath.Join(dir, "*.log"))
	r.sink.wait(t, "one")
	require.Eventually(t, func() bool { return len(m.copy()) == 2 }, deadline, time.Millisecond)
	require.NoError(t, os.Remove(path))
	require.Eventually(t, func() bool { return len(m.copy()) == 1 }, deadline, time.Millisecond)
	assert.JSONEq(t, fmt.Sprintf(`{"include":[%q],"paths":[]}`, filepath.Join(dir, "*.log")), string(m.copy()[indexKey]))
}

func TestNoLogTextIsStored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	write(t, path, "secret\n")
	m := newMemory()
	r := start(t, settings{cfg: useStorage, host: m.host()}, path)
	r.sink.wait(t, "secret")
	require.Eventually(t, func() bool { return settled(r.fileLog) }, deadline, time.Millisecond)
	for _, value := range m.copy() {
		assert.NotContains(t, string(value), "secret")
	}
}

func TestDamagedStorage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	write(t, path, "one\n")
	st, err := statPath(path)
	require.NoError(t, err)
	damaged := func(rest string) string {
		return fmt.Sprintf(`{"name":%q,"generations":[{"device":%d,"inode":%d,%s}]}`, path, st.key.Device, st.key.Inode, rest)
	}
	for _, test := range []struct{ name, key, value string }{
		{"index", indexKey, "{"},
		{"record", recordPrefix + path, "{"},
		{"record of another kind", recordPrefix + path, `[]`},
		{"negative sum", recordPrefix + path, damaged(`"offset":4,"sum":{"len":-5,"hash":1}`)},
		{"long sum", recordPrefix + path, damaged(`"offset":4,"sum":{"len":5000,"hash":1}`)},
		{"negative offset", recordPrefix + path, damaged(`"offset":-4`)},
		{"offset beyond the end", recordPrefix + path, damaged(`"offset":99,"size":99`)},
		{"other content", recordPrefix + path, damaged(`"offset":4,"sum":{"len":4,"hash":1}`)},
		{"strange partials", recordPrefix + path, damaged(`"offset":0,"partials":[{"stream":77,"start":5},{"stream":1,"start":9},{"stream":2,"start":0,"skip":-3}]`)},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMemory()
			m.values[indexKey] = fmt.Appendf(nil, `{"include":[%q],"paths":[%q]}`, path, path)
			m.values[test.key] = []byte(test.value)
			cfg := func(c *Config) { useStorage(c); c.StartAt = startAtEnd }
			r := start(t, settings{cfg: cfg, host: m.host()}, path)
			r.sink.wait(t, "one")
		})
	}
}

func TestStartErrors(t *testing.T) {
	other := component.MustNewID("zpages")
	missing := storageID()
	host := storageHost{Host: componenttest.NewNopHost(), extensions: map[component.ID]component.Component{other: newNothing()}}
	for _, test := range []struct {
		name string
		id   component.ID
		want string
	}{
		{"no such extension", missing, `storage: "file_storage": no such extension: list it under extensions and under service::extensions`},
		{"not a storage", other, `storage: "zpages": not a storage extension: name one such as file_storage`},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := build(t, settings{cfg: func(c *Config) { c.StorageID = &test.id }}, "/nowhere/*.log")
			require.EqualError(t, r.Start(t.Context(), host), test.want)
			require.NoError(t, r.Shutdown(context.Background()))
		})
	}
}

type nothing struct {
	component.StartFunc
	component.ShutdownFunc
}

func newNothing() component.Component { return nothing{} }
