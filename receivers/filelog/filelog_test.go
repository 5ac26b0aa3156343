package filelog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/obsd-io/obsd/internal/resume"
)

func TestReadsPlainLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	write(t, path, "one\ntwo\n")
	r := start(t, settings{cfg: func(c *Config) { c.IncludeFilePath = true }}, path)
	r.sink.wait(t, "one", "two")
	add(t, path, "three\n")
	r.sink.wait(t, "one", "two", "three")
	record := r.sink.records()[0]
	assert.Equal(t, map[string]any{"log.file.name": "app.log", "log.file.path": path}, record.resource)
	assert.Empty(t, record.attributes)
	assert.Zero(t, record.time)
	require.Eventually(t, func() bool { return r.counter(t, "otelcol_receiver_accepted_log_records", "") == 3 }, deadline, time.Millisecond)
	assert.EqualValues(t, 0, r.counter(t, "obsd_file_log_lag_bytes", ""))
	assert.EqualValues(t, 1, r.counter(t, "obsd_file_log_open_files", ""))
	assert.EqualValues(t, 1, r.counter(t, "obsd_file_log_followed_files", ""))
}

func TestReadsContainerLogs(t *testing.T) {
	dir := podLog(t)
	write(t, filepath.Join(dir, "2.log"), criLine(1, "stdout", "F", "one")+criLine(2, "stderr", "P", "tw")+criLine(3, "stderr", "F", "o"))
	r := start(t, settings{}, filepath.Join(dir, "*.log"))
	r.sink.wait(t, "one", "two")
	records := r.sink.records()
	assert.Equal(t, map[string]any{
		"log.file.name": "2.log", "k8s.namespace.name": "shop", "k8s.pod.name": "web-1", "k8s.pod.uid": "11111111-2222-3333-4444-555555555555",
		"k8s.container.name": "nginx", "k8s.container.restart_count": "2",
	}, records[0].resource)
	assert.Equal(t, "stdout", records[0].stream)
	assert.Equal(t, "stderr", records[1].stream)
	assert.Equal(t, time.Date(2026, 11, 23, 10, 0, 0, 2e6, time.UTC).UnixNano(), records[1].time)
}

func TestReadsDockerLogs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "abc-json.log")
	write(t, path, `{"log":"one\n","stream":"stdout","attrs":{"tag":"web"},"time":"2026-11-23T10:00:00Z"}`+"\n"+
		`{"log":"tw","stream":"stderr","time":"2026-11-23T10:00:01Z"}`+"\n"+`{"log":"o\n","stream":"stderr","time":"2026-11-23T10:00:02Z"}`+"\n")
	r := start(t, settings{}, path)
	r.sink.wait(t, "one", "two")
	assert.Equal(t, map[string]any{"log.iostream": "stdout", "attrs": map[string]any{"tag": "web"}}, r.sink.records()[0].attributes)
	assert.Equal(t, time.Date(2026, 11, 23, 10, 0, 1, 0, time.UTC).UnixNano(), r.sink.records()[1].time)
}

func TestFormatCanBeForced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	line := criLine(1, "stdout", "F", "one")
	write(t, path, line)
	r := start(t, settings{cfg: func(c *Config) { c.Format = formatPlain }}, path)
	r.sink.wait(t, strings.TrimSuffix(line, "\n"))
}

func TestStartAtEnd(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.log"), "old\n")
	r := start(t, settings{cfg: func(c *Config) { c.StartAt = startAtEnd }}, filepath.Join(dir, "*.log"))
	require.Eventually(t, func() bool { return r.followed() == 1 }, deadline, time.Millisecond)
	add(t, filepath.Join(dir, "a.log"), "new\n")
	r.sink.wait(t, "new")
	write(t, filepath.Join(dir, "b.log"), "appeared later\n")
	r.sink.wait(t, "new", "appeared later")
}

func TestLastLineWithoutNewline(t *testing.T) {
	for _, test := range []struct {
		name   string
		period time.Duration
		text   string
		then   string
		want   []string
	}{
		{"sent when quiet", 10 * time.Millisecond, "one\ntwo", "", []string{"one", "two"}},
		{"waits for its end", time.Hour, "one\ntw", "o\n", []string{"one", "two"}},
		{"never with period 0", 0, "one\ntw", "o\n", []string{"one", "two"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "app.log")
			write(t, path, test.text)
			r := start(t, settings{cfg: func(c *Config) { c.ForceFlushPeriod = test.period }}, path)
			r.sink.wait(t, test.want[:len(test.want)-1+btoi(test.then == "")]...)
			add(t, path, test.then)
			r.sink.wait(t, test.want...)
		})
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestFindsFiles(t *testing.T) {
	for _, test := range []struct {
		name             string
		include, exclude []string
		want             []string
	}{
		{"star", []string{"*.log"}, nil, []string{"a.log", "b.log"}},
		{"named", []string{"a.log"}, nil, []string{"a.log"}},
		{"two globs for one file", []string{"*.log", "a.*"}, nil, []string{"a.log", "b.log"}},
		{"any depth", []string{"**/*.log"}, nil, []string{"a.log", "b.log", "x/c.log", "x/y/d.log"}},
		{"everything below", []string{"x/**"}, nil, []string{"x/c.log", "x/y/d.log", "x/y/e.txt"}},
		{"folder star", []string{"*/*/*.log"}, nil, []string{"x/y/d.log"}},
		{"choice", []string{"{a,b}.log"}, nil, []string{"a.log", "b.log"}},
		{"choice of paths", []string{"{a,x/y/d}.log"}, nil, []string{"a.log", "x/y/d.log"}},
		{"class", []string{"[b-z].log"}, nil, []string{"b.log"}},
		{"excluded", []string{"**/*.log"}, []string{"**/c.log", "x/y/**"}, []string{"a.log", "b.log"}},
		{"packed files are left out", []string{"*"}, nil, []string{"a.log", "b.log"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.MkdirAll(filepath.Join(dir, "x", "y"), 0o755))
			for _, name := range []string{"a.log", "b.log", "x/c.log", "x/y/d.log", "x/y/e.txt", "a.log.gz", "b.tmp"} {
				write(t, filepath.Join(dir, name), name+"\n")
			}
			var include, exclude []string
			for _, glob := range test.include {
				include = append(include, filepath.Join(dir, glob))
			}
			for _, glob := range test.exclude {
				exclude = append(exclude, filepath.Join(dir, glob))
			}
			r := start(t, settings{cfg: func(c *Config) { c.Exclude = exclude }}, include...)
			require.Eventually(t, func() bool { return len(r.sink.bodies()) >= len(test.want) }, deadline, time.Millisecond)
			require.Eventually(t, func() bool { return r.lagBytes() == 0 }, deadline, time.Millisecond)
			assert.ElementsMatch(t, test.want, r.sink.bodies())
		})
	}
}

func TestFindsNewFolders(t *testing.T) {
	dir := t.TempDir()
	r := start(t, settings{}, filepath.Join(dir, "pods", "*", "*.log"))
	require.Eventually(t, func() bool { return r.logs.FilterMessageSnippet("no file matches").Len() == 1 }, deadline, time.Millisecond)
	var want []string
	for i := range 5 {
		folder := filepath.Join(dir, "pods", strconv.Itoa(i))
		require.NoError(t, os.MkdirAll(folder, 0o755))
		write(t, filepath.Join(folder, "0.log"), fmt.Sprintf("pod %d\n", i))
		want = append(want, fmt.Sprintf("pod %d", i))
		r.sink.wait(t, want...)
	}
	write(t, filepath.Join(dir, "pods", "3", "1.log"), "again\n")
	r.sink.wait(t, append(want, "again")...)
}

func TestLinks(t *testing.T) {
	dir := podLog(t)
	file := filepath.Join(dir, "0.log")
	write(t, file, criLine(1, "stdout", "F", "one"))
	containers := t.TempDir()
	name := filepath.Join(containers, "web-1_shop_nginx-0123.log")
	require.NoError(t, os.Symlink(file, name))
	require.NoError(t, os.Symlink(filepath.Join(dir, "nowhere.log"), filepath.Join(containers, "dangling.log")))
	require.NoError(t, os.Link(file, filepath.Join(containers, "hard.log")))
	r := start(t, settings{}, filepath.Join(containers, "w*.log"), filepath.Join(dir, "*.log"), filepath.Join(containers, "*.log"))
	r.sink.wait(t, "one")
	assert.Equal(t, "web-1_shop_nginx-0123.log", r.sink.records()[0].resource["log.file.name"])
	assert.Equal(t, "shop", r.sink.records()[0].resource["k8s.namespace.name"])
	rename(t, file, file+".20261123-100000")
	write(t, file, criLine(2, "stdout", "F", "two"))
	r.sink.wait(t, "one", "two")
	assert.Equal(t, 1, r.logs.FilterMessageSnippet("link leads to nothing").Len())
	write(t, filepath.Join(dir, "nowhere.log"), criLine(3, "stdout", "F", "three"))
	r.sink.wait(t, "one", "two", "three")
}

// TestLinkIdentityOverDocker has the chain that Docker hosts have: containers → pods → docker's own folder.
func TestLinkIdentityOverDocker(t *testing.T) {
	file := filepath.Join(t.TempDir(), "abc-json.log")
	write(t, file, `{"log":"one\n","stream":"stdout","time":"2026-11-23T10:00:00Z"}`+"\n")
	pods := filepath.Join(podLog(t), "7.log")
	require.NoError(t, os.Symlink(file, pods))
	name := filepath.Join(t.TempDir(), "web.log")
	require.NoError(t, os.Symlink(pods, name))
	r := start(t, settings{}, name)
	r.sink.wait(t, "one")
	assert.Equal(t, "7", r.sink.records()[0].resource["k8s.container.restart_count"])
}

func TestExcludeOlderThan(t *testing.T) {
	for _, at := range []string{startAtBeginning, startAtEnd} {
		t.Run(at, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "old.log")
			write(t, path, "old\n")
			past := time.Now().Add(-48 * time.Hour)
			require.NoError(t, os.Chtimes(path, past, past))
			r := start(t, settings{cfg: func(c *Config) { c.ExcludeOlderThan, c.StartAt = 24*time.Hour, at }}, filepath.Join(dir, "*.log"))
			require.Eventually(t, func() bool { return r.logs.Len() > 0 || r.followed() == int64(btoi(at == startAtEnd)) }, deadline, time.Millisecond)
			write(t, filepath.Join(dir, "new.log"), "new\n")
			r.sink.wait(t, "new")
			add(t, path, "more\n")
			want := []string{"new", "old", "more"}
			if at == startAtEnd {
				want = []string{"new", "more"}
			}
			r.sink.wait(t, want...)
		})
	}
}

func TestManyFiles(t *testing.T) {
	dir := t.TempDir()
	const files = 60
	want := make(map[string]bool)
	for i := range files {
		name := fmt.Sprintf("%02d", i)
		write(t, filepath.Join(dir, name+".log"), name+"\n")
		want[name] = true
	}
	r := start(t, settings{cfg: func(c *Config) { c.MaxConcurrentFiles = 5 }}, filepath.Join(dir, "*.log"))
	require.Eventually(t, func() bool { return len(r.sink.bodies()) == files }, deadline, time.Millisecond)
	require.Eventually(t, func() bool { return r.opened.Load() <= 5+int64(2) }, deadline, time.Millisecond)
	for i := range files {
		add(t, filepath.Join(dir, fmt.Sprintf("%02d.log", i)), fmt.Sprintf("%02d again\n", i))
		want[fmt.Sprintf("%02d again", i)] = true
	}
	require.Eventually(t, func() bool { return len(r.sink.bodies()) == 2*files }, deadline, time.Millisecond)
	for _, body := range r.sink.bodies() {
		assert.True(t, want[body], body)
		delete(want, body)
	}
	assert.Empty(t, want)
}

func TestLongLinesAndGarbage(t *testing.T) {
	const bound = 1 << 20
	long := strings.Repeat("0123456789abcdef", 10<<20/16) + "end"
	garbage := make([]byte, 3<<20)
	for i := range garbage {
		garbage[i] = byte(i*7 + i>>8)
		if garbage[i] == '\n' || garbage[i] == 0 {
			garbage[i] = 0x80
		}
	}
	for _, test := range []struct {
		name, behavior, text string
		check                func(t *testing.T, bodies []string)
		counter              string
	}{
		{"split", behaviorSplit, long, func(t *testing.T, bodies []string) { assert.True(t, long == strings.Join(bodies, "")) }, "obsd_file_log_split_records"},
		{"truncate", behaviorTruncate, long, func(t *testing.T, bodies []string) { assert.True(t, len(bodies) == 1 && bodies[0] == long[:bound]) }, "obsd_file_log_truncated_records"},
		{"garbage", behaviorSplit, string(garbage), func(t *testing.T, bodies []string) { assert.Equal(t, 3, len(bodies)) }, "obsd_file_log_split_records"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "app.log")
			write(t, path, "before\n"+test.text+"\nafter\n")
			r := start(t, settings{cfg: func(c *Config) { c.MaxLogSizeBehavior = test.behavior; c.Readers = 1 }}, path)
			require.Eventually(t, func() bool { b := r.sink.bodies(); return len(b) > 1 && b[len(b)-1] == "after" }, deadline, time.Millisecond)
			bodies := r.sink.bodies()
			assert.Equal(t, "before", bodies[0])
			test.check(t, bodies[1:len(bodies)-1])
			for _, body := range bodies {
				assert.LessOrEqual(t, len(body), 3*bound)
			}
			assert.EqualValues(t, 1, r.counter(t, test.counter, ""))
		})
	}
}

func TestLongContainerLine(t *testing.T) {
	path := filepath.Join(podLog(t), "0.log")
	long := strings.Repeat("x", 300_000)
	write(t, path, criLine(1, "stdout", "F", long)+criLine(2, "stderr", "F", "after"))
	r := start(t, settings{cfg: func(c *Config) { c.MaxLogSize = 100_000; c.MaxBatchSize = minBatchSize }}, path)
	r.sink.wait(t, long[:100_000], long[100_000:200_000], long[200_000:], "after")
	for _, record := range r.sink.records()[:3] {
		assert.Equal(t, "stdout", record.stream)
		assert.Equal(t, time.Date(2026, 11, 23, 10, 0, 0, 1e6, time.UTC).UnixNano(), record.time)
	}
}

func TestUnfinishedMessageIsSentAtLast(t *testing.T) {
	path := filepath.Join(podLog(t), "0.log")
	write(t, path, criLine(1, "stdout", "P", "last wo")+criLine(2, "stdout", "P", "rds"))
	r := start(t, settings{}, path)
	r.sink.wait(t, "last words")
}

func TestMessageThatNeverEnds(t *testing.T) {
	path := filepath.Join(podLog(t), "0.log")
	write(t, path, criLine(1, "stderr", "P", "begun")+strings.Repeat(criLine(2, "stdout", "F", strings.Repeat("x", 1000)), 9000)+criLine(3, "stderr", "F", "end"))
	r := start(t, settings{}, path)
	require.Eventually(t, func() bool { return len(r.sink.bodies()) == 9002 }, deadline, time.Millisecond)
	assert.Contains(t, r.sink.bodies(), "begun")
	assert.Contains(t, r.sink.bodies(), "end")
}

func TestRefusedBatchIsSentAgain(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.log"), "one\ntwo\n")
	write(t, filepath.Join(dir, "b.log"), "other\n")
	s := &sink{}
	var refusals int
	s.decide = func(_ int, bodies []string) error {
		if bodies[0] == "one" && refusals < 5 {
			refusals++
			return errors.New("busy")
		}
		return nil
	}
	r := start(t, settings{sink: s, cfg: func(c *Config) { c.Readers = 1 }}, filepath.Join(dir, "*.log"))
	r.sink.wait(t, "other", "one", "two")
	assert.EqualValues(t, 0, r.counter(t, "obsd_file_log_lost_records", ""))
	assert.Equal(t, 1, r.logs.FilterMessageSnippet("refused a batch").Len())
	assert.Positive(t, r.counter(t, "otelcol_receiver_refused_log_records", ""))
}

func TestRefusedForGood(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	for _, test := range []struct {
		name   string
		err    error
		retry  func(*resume.RetryConfig)
		reason string
	}{
		{"permanent", consumererror.NewPermanent(errors.New("no such index")), func(*resume.RetryConfig) {}, reasonPermanent},
		{"retry off", errors.New("busy"), func(c *resume.RetryConfig) { c.Enabled = false }, reasonRetries},
		{"retry ends", errors.New("busy"), func(c *resume.RetryConfig) { c.MaxElapsedTime = 30 * time.Millisecond }, reasonRetries},
	} {
		t.Run(test.name, func(t *testing.T) {
			write(t, path, "bad\nworse\n")
			s := &sink{decide: func(_ int, bodies []string) error {
				if bodies[0] == "bad" {
					return test.err
				}
				return nil
			}}
			r := start(t, settings{sink: s, cfg: func(c *Config) { test.retry(&c.RetryOnFailure) }}, path)
			require.Eventually(t, func() bool { return r.counter(t, "obsd_file_log_lost_records", test.reason) == 2 }, deadline, time.Millisecond)
			add(t, path, "good\n")
			r.sink.wait(t, "good")
			require.Equal(t, 1, r.logs.FilterMessageSnippet("records lost").Len())
			assert.Equal(t, path, r.logs.FilterMessageSnippet("records lost").All()[0].ContextMap()["path"])
		})
	}
}

func TestShutdown(t *testing.T) {
	t.Run("unstarted and twice", func(t *testing.T) {
		r := build(t, settings{}, "/nowhere/*.log")
		require.NoError(t, r.Shutdown(t.Context()))
		require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
		require.NoError(t, r.Shutdown(t.Context()))
		require.NoError(t, r.Shutdown(t.Context()))
	})
	t.Run("while refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.log")
			write(t, path, "one\n")
			var calls atomic.Int64
			s := &sink{decide: func(int, []string) error { calls.Add(1); return errors.New("busy") }}
			r := start(t, settings{sink: s, cfg: func(c *Config) {
				c.RetryOnFailure.MaxInterval = time.Hour
				c.RetryOnFailure.InitialInterval = time.Hour
			}}, path)
			require.Eventually(t, func() bool { return calls.Load() > 0 }, deadline, time.Millisecond)
			begun := time.Now()
			require.NoError(t, r.Shutdown(t.Context()))
			assert.Less(t, time.Since(begun), stopWait)
		})
	})
	t.Run("while the pipeline blocks", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "a.log")
		write(t, path, "one\n")
		entered := make(chan struct{}, 1)
		next, err := consumer.NewLogs(func(ctx context.Context, _ plog.Logs) error {
			entered <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		})
		require.NoError(t, err)
		r := build(t, settings{}, path)
		r.next = next
		require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
		<-entered
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, r.Shutdown(ctx))
	})
}

// bodyAsID gives each record the attribute by which the contract checker knows it.
func bodyAsID(f receiver.Factory) receiver.Factory {
	return receiver.NewFactory(f.Type(), f.CreateDefaultConfig,
		receiver.WithLogs(func(ctx context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
			marked, err := consumer.NewLogs(func(ctx context.Context, logs plog.Logs) error {
				for _, record := range logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
					record.Attributes().PutStr(receivertest.UniqueIDAttrName, record.Body().Str())
				}
				return next.ConsumeLogs(ctx, logs)
			})
			if err != nil {
				return nil, err
			}
			return f.CreateLogs(ctx, set, cfg, marked)
		}, component.StabilityLevelBeta))
}

// writer is the generator of the contract checker: it appends to a log.
type writer struct {
	t    *testing.T
	path string
	n    atomic.Int64
}

func (w *writer) Start() { write(w.t, w.path, "") }

// Stop leaves nothing that the next receiver might read before the next Start.
func (w *writer) Stop() { write(w.t, w.path, "") }

func (w *writer) Generate() []receivertest.UniqueIDAttrVal {
	id := strconv.FormatInt(w.n.Add(1), 10)
	add(w.t, w.path, id+"\n")
	return []receivertest.UniqueIDAttrVal{receivertest.UniqueIDAttrVal(id)}
}

func TestConsumeContract(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	receivertest.CheckConsumeContract(receivertest.CheckConsumeContractParams{
		T: t, Factory: bodyAsID(NewFactory()), Signal: pipeline.SignalLogs, Config: quickConfig(path),
		Generator: &writer{t: t, path: path}, GenerateCount: 500,
	})
}
